/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * LibVNCServer 0.9.14 keeps per-process state that makes threads unsafe: rfbGetScreen() initialises the client list's mutex
 * anew each time, and the extension list's mutex is made on first use without a lock. So both are touched once here, before
 * any worker runs, and each viewer's screen is a copy of one template: no client list, listener, timer or cursor buffer is
 * shared between viewers then. The template opens no port, asks for no password and serves no HTTP or UDP.
 *
 * `cursor` of a screen stays NULL: the library would otherwise draw it into the picture for viewers without a cursor
 * encoding. Shapes are handed out by getCursorPtr, which never answers NULL.
 */
#include "rfb/screen.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"

#define CLIENT_WAIT_MS 5000 /* rfbWriteExact() looks every 5 s: give up at the first look */
#define RECTS_MAXIMUM \
	400 /* more in one update become their bounding box (16-bit count in the message) */
#define RESIZE_IS_PROHIBITED 1 /* ExtendedDesktopSize, status code */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static rfbScreenInfo *template;

__attribute__((format(printf, 1, 2))) static void library_log(const char *format, ...)
{
	char line[256];
	va_list args;

	if (!log_enabled(LOG_LEVEL_DEBUG))
		return;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	line[strcspn(line, "\n")] = '\0';
	log_debug(NULL, "libvncserver: %s", line);
}

static void drop_key(rfbBool down, rfbKeySym symbol, rfbClientPtr client)
{
}

static void drop_pointer(int buttons, int x, int y, rfbClientPtr client)
{
}

static void drop_text(char *text, int bytes, rfbClientPtr client)
{
}

static rfbCursorPtr shape_of(rfbClientPtr client)
{
	struct cursor *cursor = client->screen->screenData;

	return &cursor->shape;
}

static int refuse_size(
	int width, int height, int count, rfbExtDesktopScreen *screens, rfbClientPtr client)
{
	return RESIZE_IS_PROHIBITED;
}

static void template_create(void)
{
	rfbScreenInfo *screen;

	rfbLog = rfbErr = library_log;
	screen = rfbGetScreen(NULL, NULL, 64, 64, 8, 3, 4);
	if (!screen)
		return;
	rfbGetExtensionIterator();
	rfbReleaseExtensionIterator();

	screen->port = screen->ipv6port = 0;
	screen->cursor = NULL;
	screen->alwaysShared = TRUE;
	screen->deferUpdateTime = 0;
	screen->maxRectsPerUpdate = RECTS_MAXIMUM;
	screen->maxClientWait = CLIENT_WAIT_MS;
	screen->kbdAddEvent = drop_key;
	screen->ptrAddEvent = drop_pointer;
	screen->setXCutText = drop_text;
	screen->setXCutTextUTF8 = drop_text;
	screen->getCursorPtr = shape_of;
	screen->setDesktopSizeHook = refuse_size;

	screen->depth = screen->serverFormat.depth = 24;
	screen->serverFormat.bitsPerPixel = 32;
	screen->serverFormat.trueColour = TRUE;
	screen->serverFormat.bigEndian = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__;
	screen->serverFormat.redMax = screen->serverFormat.greenMax = screen->serverFormat.blueMax =
		255;
	screen->serverFormat.redShift = 16;
	screen->serverFormat.greenShift = 8;
	screen->serverFormat.blueShift = 0;
	template = screen;
}

int screen_prepare(void)
{
	pthread_once(&once, template_create);
	return template ? 0 : -ENOMEM;
}

void screen_init(rfbScreenInfo *screen, const char *name, struct cursor *cursor)
{
	memcpy(screen, template, sizeof(*screen));
	pthread_mutex_init(&screen->cursorMutex, NULL);
	FD_ZERO(&screen->allFds);
	screen->maxFd = 0;
	screen->clientHead = NULL;
	screen->pointerClient = NULL;
	screen->scaledScreenNext = NULL;
	screen->scaledScreenRefCount = 0;
	screen->desktopName = name;
	screen->screenData = cursor;
}

void screen_finish(rfbScreenInfo *screen)
{
	pthread_mutex_destroy(&screen->cursorMutex);
}

void screen_show(rfbScreenInfo *screen, const struct frame *frame)
{
	screen->width = frame->header.width;
	screen->height = frame->header.height;
	screen->paddedWidthInBytes = frame->header.stride;
	screen->sizeInBytes = frame->header.stride * frame->header.height;
	screen->frameBuffer = (char *)frame_pixels(frame);
}

const char *screen_encoding(int number)
{
	static const struct {
		int number;
		const char *name;
	} names[] = {
		{rfbEncodingRaw, "raw"}, {rfbEncodingRRE, "rre"}, {rfbEncodingCoRRE, "corre"},
		{rfbEncodingHextile, "hextile"}, {rfbEncodingZlib, "zlib"},
		{rfbEncodingTight, "tight"}, {rfbEncodingUltra, "ultra"}, {rfbEncodingZRLE, "zrle"},
		{rfbEncodingZYWRLE, "zywrle"}, {-1, "raw"}, /* no SetEncodings came */
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].number == number)
			return names[i].name;
	return "other";
}
