/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * LibVNCServer 0.9.14 keeps per-process state that makes threads unsafe: rfbGetScreen() initialises the client list's mutex
 * anew each time, and the extension list's mutex is made on first use without a lock. So both are touched once here, before
 * any worker runs, and each viewer's screen is a copy of one template: no client list, listener, timer or cursor buffer is
 * shared between viewers then. The template opens no port, asks for no password and serves no HTTP or UDP.
 *
 * The inner handshake runs in the caller's thread: all its bytes are in the socket already, so it cannot block, and errors have
 * a caller. With "RFB " waiting in the socket the library looks for neither a WebSocket nor TLS (each of which can hang), and
 * in protocol 3.3 it picks "None" without a look at its process-wide list of security types.
 *
 * `cursor` of a screen stays NULL, or the library would draw it into the picture: to its knowledge no viewer has a cursor encoding.
 */
#include "rfb/screen.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/select.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "rfb/update.h"

#define CLIENT_WAIT_MS 5000 /* rfbWriteExact() looks every 5 s: give up at the first look */
#define RECTS_MAXIMUM \
	400 /* more in one update become their bounding box (16-bit count in the message) */

/* RFB 3.3: version and ClientInit; what comes back before ServerInit is a version and one u32, the security type. */
#define PREAMBLE       "RFB 003.003\n\001"
#define PREAMBLE_REPLY 16

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

	screen->depth = screen->serverFormat.depth = 24;
	screen->serverFormat.bitsPerPixel = 32;
	screen->serverFormat.trueColour = TRUE;
	screen->serverFormat.bigEndian = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__;
	screen->serverFormat.redMax = screen->serverFormat.greenMax = screen->serverFormat.blueMax =
		255;
	screen->serverFormat.redShift = 16;
	screen->serverFormat.greenShift = 8;
	screen->serverFormat.blueShift = 0;
	if (update_learn() == 0)
		template = screen;
}

int screen_prepare(void)
{
	pthread_once(&once, template_create);
	return template ? 0 : -ENOMEM;
}

void screen_name(char ret[SCREEN_NAME + 1], const char *name)
{
	size_t size = strnlen(name, SCREEN_NAME + 1);

	if (size > SCREEN_NAME)
		for (size = SCREEN_NAME; size && (name[size] & 0xc0) == 0x80;)
			size--;
	memcpy(ret, name, size);
	ret[size] = '\0';
}

void screen_init(rfbScreenInfo *screen, const char *name)
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

/* Version, ClientInit; then the answers to them are taken out of @door. */
static int handshake(rfbClientPtr client, int door)
{
	char reply[PREAMBLE_REPLY];
	size_t got = 0;
	ssize_t n;

	for (int i = 0; i < 2 && client->sock >= 0; i++)
		rfbProcessClientMessage(client);
	if (client->sock < 0 || client->state != RFB_NORMAL)
		return -EPROTO;
	while (got < sizeof(reply)) {
		n = recv(door, reply + got, sizeof(reply) - got, 0);
		if (n <= 0)
			return -EPROTO;
		got += n;
	}
	return 0;
}

static int dup_high(int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	return copy < 0 ? -errno : fd_move_high(copy);
}

static int pair_create(int *ret_inner, int *ret_door)
{
	_cleanup_fd_ int inner = -EBADF;
	int bytes = LIMIT_VIEWER_SOCKET;
	int ends[2], door;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
		return -errno;
	/* The kernel gives the lowest free numbers, the lower one first: when that is too high, none is low enough. */
	inner = ends[0];
	door = fd_move_high(ends[1]);
	if (door < 0)
		return door;
	if (inner >= FD_SETSIZE ||
		send(door, PREAMBLE, sizeof(PREAMBLE) - 1, MSG_NOSIGNAL) != sizeof(PREAMBLE) - 1) {
		fd_close(door);
		return -EMFILE;
	}
	setsockopt(inner, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	*ret_inner = take_fd(&inner);
	*ret_door = door;
	return 0;
}

int screen_connect(rfbScreenInfo *screen, rfbClientPtr *ret_client, int *ret_hangup, int *ret_door)
{
	_cleanup_fd_ int inner = -EBADF, door = -EBADF, hangup = -EBADF;
	rfbClientPtr client;
	int r;

	r = pair_create(&inner, &door);
	if (r < 0)
		return r;
	hangup = dup_high(inner);
	if (hangup < 0)
		return hangup;
	client = rfbNewClient(screen, take_fd(&inner)); /* the library's from here on */
	if (!client)
		return -ENOMEM;
	r = handshake(client, door);
	if (r < 0) {
		rfbClientConnectionGone(client);
		return r;
	}
	*ret_client = client;
	*ret_hangup = take_fd(&hangup);
	*ret_door = take_fd(&door);
	return 0;
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

static bool reaches_bit_31(uint16_t maximum, uint8_t shift)
{
	return (uint64_t)maximum << shift >= 1u << 31;
}

/* In zrle.c of 0.9.14, 15-bit pixels of a tile without runs or palette are sent as one byte each, and "255 << 24" is negative and
 * so taken for a colour in the lower three bytes. Only big-endian pixels with an unused lowest byte come out right then. */
static bool zrle_garbles(const rfbPixelFormat *format)
{
	bool low_unused = format->redShift > 7 && format->greenShift > 7 && format->blueShift > 7;

	if (format->bitsPerPixel == 16)
		return format->greenMax <= 31;
	return format->bitsPerPixel == 32 && !(format->bigEndian && low_unused) &&
	       (reaches_bit_31(format->redMax, format->redShift) ||
		       reaches_bit_31(format->greenMax, format->greenShift) ||
		       reaches_bit_31(format->blueMax, format->blueShift));
}

int screen_fit_encoding(const struct _rfbClientRec *client)
{
	int preferred = client->preferredEncoding;

	if ((preferred == rfbEncodingZRLE || preferred == rfbEncodingZYWRLE) &&
		zrle_garbles(&client->format))
		return rfbEncodingRaw;
	return preferred;
}
