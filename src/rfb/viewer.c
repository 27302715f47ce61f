/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * A viewer is one thread, one rfbScreenInfo and one LibVNCServer client on a socketpair. LibVNCServer's calls block on a
 * socket, but here the other end is the door in the same process: a message comes whole, and what is written is taken away
 * at once. The thread sleeps in ppoll() on the socket, on its eventfd (a publish, viewer_allow(), the end) and, when an update
 * is only too early, on the frame rate's clock.
 *
 * There is no copy of the screen. The viewer maps the frame's memfd itself, privately writable, and LibVNCServer encodes out of
 * that mapping between picture_begin() and picture_end(), while the broker keeps still. The one thing ever written into
 * the mapping is a cursor for viewers that cannot draw one (see cursor.c); those pages are given back before picture_end(),
 * so that no private page outlives the rest and hides what the broker writes next.
 *
 * LibVNCServer sends pixels and nothing else. What a viewer is told beside them (rfb/notices.h) is written by the worker between the
 * library's updates, through the library's buffer and socket, and only when the viewer has asked for an update.
 *
 * What the viewer's screen shows is the frame plus the cursor at cursor.drawn. Each update draws the cursor first, and marks where
 * it was and where it is now whenever that changes; LibVNCServer keeps what was not asked for.
 *
 * LibVNCServer owns its socket and closes it when it likes. `hangup` is a dup of it that stays valid: shutdown() through it ends
 * a blocked write from outside, and tells the door at the end. The writing half is enough, and all that the sandbox allows.
 */
#include "rfb/viewer.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>

#include <rfb/rfb.h>
#include <rfb/rfbregion.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "damage/rects.h"
#include "rfb/aside.h"
#include "rfb/cursor.h"
#include "rfb/encodings.h"
#include "rfb/notices.h"
#include "rfb/picture.h"
#include "rfb/screen.h"

#define NS_PER_S 1000000000ull

/* LibVNCServer's deepest frames (hextile, zrle, libjpeg) take a few ten KiB; the rest is slack. Sanitizers need more. */
#ifdef SANITIZED
#define STACK_BYTES (2u << 20)
#else
#define STACK_BYTES (256u << 10)
#endif

#define RECTS_MAX 64

struct viewer {
	uint32_t number;
	bool view_only;
	uint64_t period_ns;
	struct picture *picture;
	struct picture_reader *reader;
	int wake, hangup;
	bool started; /* thread is to be joined */
	pthread_t thread;
	_Atomic bool allowed, stopping;
	_Atomic(const char *) encoding;
	_Atomic(const char *) end_reason;
	struct notices notices;

	/* The worker's, once it runs. */
	rfbScreenInfo screen;
	rfbClientPtr client; /* its sock is negative after LibVNCServer has closed it */
	struct frame *frame; /* own private mapping */
	struct cursor cursor;
	uint64_t due_ns; /* no update before */
	struct aside aside;
	bool continuous;
	struct rect continuous_area; /* may reach over the screen's edges */
	char name[SCREEN_NAME + 1];
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

static void end(struct viewer *viewer, const char *reason)
{
	atomic_store(&viewer->end_reason, reason);
	atomic_store(&viewer->stopping, true);
}

static void mark(rfbClientPtr client, const struct rect *rect)
{
	sraRegionPtr region;

	if (!rect->width)
		return;
	region = sraRgnCreateRect(rect->x, rect->y, rect->x + rect->width, rect->y + rect->height);
	sraRgnOr(client->modifiedRegion, region);
	sraRgnDestroy(region);
}

/* A new frame: what rfbNewFramebuffer() does, for the one client, with the pixel format left alone. */
static const char *follow_frame(struct viewer *viewer, const struct frame *shared)
{
	rfbClientPtr client = viewer->client;
	struct frame *frame, *old = viewer->frame;
	bool resized = old->header.width != shared->header.width ||
		       old->header.height != shared->header.height;
	struct rect all = {0, 0, shared->header.width, shared->header.height};

	if (old->header.generation == shared->header.generation)
		return NULL;
	if (resized && !(viewer->notices.extras & EXTRA_RESIZES))
		return "cannot resize";
	if (frame_map_privately(shared, &frame) < 0)
		return "cannot map the frame";
	screen_show(&viewer->screen, frame);
	viewer->frame = frame;
	frame_destroy(old);
	sraRgnMakeEmpty(client->modifiedRegion);
	mark(client, &all);
	viewer->cursor.drawn.width = 0;
	if (resized)
		notices_resized(&viewer->notices);
	return NULL;
}

static void follow_damage(struct viewer *viewer, const uint64_t *damage)
{
	struct rect rects[RECTS_MAX];
	size_t count = rects_from_bitmap(damage, viewer->frame->header.width,
		viewer->frame->header.height, rects, ARRAY_SIZE(rects));

	for (size_t i = 0; i < count; i++)
		mark(viewer->client, &rects[i]);
}

static int clamped(int64_t value, int end)
{
	return value < 0 ? 0 : MIN(value, (int64_t)end - 1);
}

/* Where the pointer is, for viewers that only look: those who control it know better. */
static void follow_pointer(struct viewer *viewer)
{
	const struct frame_cursor *live = &viewer->cursor.live;

	if (viewer->view_only && live->visible)
		notices_point(&viewer->notices,
			clamped((int64_t)live->x + live->hot_x, viewer->screen.width),
			clamped((int64_t)live->y + live->hot_y, viewer->screen.height));
}

/* The part of the picture that the cursor is to be drawn into. */
static struct rect cursor_wanted_at(const struct viewer *viewer)
{
	if (shape_kind(viewer->notices.extras) != SHAPE_NONE)
		return (struct rect){0};
	return cursor_place(&viewer->cursor, viewer->frame);
}

static bool cursor_out_of_place(const struct viewer *viewer, const struct rect *place)
{
	return memcmp(place, &viewer->cursor.drawn, sizeof(*place)) != 0;
}

static void follow_cursor(struct viewer *viewer)
{
	struct cursor *cursor = &viewer->cursor;
	rfbClientPtr client = viewer->client;
	unsigned int news = cursor_look(cursor, viewer->frame);
	struct rect place = cursor_wanted_at(viewer);

	/* A cursor larger than the frame can move and cover the same part of it. */
	if (news || cursor_out_of_place(viewer, &place)) {
		mark(client, &cursor->drawn);
		mark(client, &place);
		cursor->drawn = place;
	}
	if (news & CURSOR_RESHAPED)
		notices_reshaped(&viewer->notices);
	follow_pointer(viewer);
}

static void encode(struct viewer *viewer)
{
	rfbClientPtr client = viewer->client;
	bool draw = viewer->cursor.drawn.width != 0;
	int preferred = client->preferredEncoding;

	if (!notices_write(&viewer->notices, client, &viewer->cursor, viewer->frame))
		return;
	if (draw)
		cursor_draw(&viewer->cursor, viewer->frame);
	client->preferredEncoding = screen_fit_encoding(client);
	/* Before the bytes: whoever has seen them finds the name. */
	atomic_store(&viewer->encoding, screen_encoding(client->preferredEncoding));
	rfbUpdateClient(client);
	client->preferredEncoding = preferred;
	if (draw && cursor_erase(viewer->frame, &viewer->cursor.drawn) < 0)
		end(viewer, "cannot unmap the cursor");
}

/* False: not now, we are woken when it is. */
static bool update(struct viewer *viewer)
{
	const uint64_t *damage;
	const struct frame *shared;
	const char *reason;

	shared = picture_begin(viewer->picture, viewer->reader, &damage);
	if (!shared)
		return false;
	notices_take(
		&viewer->notices); /* why this frame has another size was told before its first publish */
	reason = follow_frame(viewer, shared);
	if (reason) {
		end(viewer, reason);
	} else {
		follow_damage(viewer, damage);
		follow_cursor(viewer);
		encode(viewer);
	}
	picture_end(viewer->picture, viewer->reader);
	return true;
}

/* ---- what the viewer says beside LibVNCServer (rfb/aside.h) ---- */

static void on_fence(void *arg, uint32_t flags, const uint8_t *payload, size_t size)
{
	struct viewer *viewer = arg;

	tidings_fence(viewer->client, flags, payload, size);
}

static void on_pong(void *arg, const uint8_t *payload, size_t size)
{
}

static void on_continuous(void *arg, bool on, const struct rect *area)
{
	struct viewer *viewer = arg;

	if (viewer->continuous && !on)
		sraRgnMakeEmpty(viewer->client->requestedRegion);
	if (viewer->continuous && on) /* what is due already stays so, full requests above all */
		sraRgnAnd(viewer->client->requestedRegion, viewer->client->modifiedRegion);
	viewer->continuous = on;
	viewer->continuous_area = *area;
	if (!on)
		tidings_end_continuous(viewer->client);
}

static void on_encodings(void *arg)
{
}

static const struct aside_hooks aside_hooks = {
	.fence = on_fence,
	.pong = on_pong,
	.continuous = on_continuous,
	.encodings = on_encodings,
};

/* With continuous updates the viewer has always asked. */
static void follow_continuous(struct viewer *viewer)
{
	const struct rect *area = &viewer->continuous_area;
	uint32_t right = MIN(area->x + area->width, (uint32_t)viewer->screen.width);
	uint32_t bottom = MIN(area->y + area->height, (uint32_t)viewer->screen.height);
	sraRegionPtr region;

	if (!viewer->continuous || area->x >= right || area->y >= bottom)
		return;
	region = sraRgnCreateRect(area->x, area->y, right, bottom);
	sraRgnOr(viewer->client->requestedRegion, region);
	sraRgnDestroy(region);
}

/* Has the viewer asked for something that may have changed? */
static bool update_wanted(const struct viewer *viewer)
{
	struct rect place = cursor_wanted_at(viewer);
	rfbClientPtr client = viewer->client;
	sraRegionPtr region;
	bool wanted;

	if (sraRgnEmpty(client->requestedRegion))
		return false;
	if (picture_behind(viewer->picture, viewer->reader) || notices_due(&viewer->notices) ||
		cursor_out_of_place(viewer, &place)) /* the viewer changed its encodings */
		return true;
	region = sraRgnCreateRgn(client->requestedRegion);
	sraRgnAnd(region, client->modifiedRegion);
	wanted = !sraRgnEmpty(region);
	sraRgnDestroy(region);
	return wanted;
}

/* Updates if it may. Returns false when nothing but the socket or the eventfd can change that, else *ret_ns is the time
 * until it may. */
static bool update_due(struct viewer *viewer, uint64_t *ret_ns)
{
	uint64_t now;

	notices_take(&viewer->notices);
	if (!notices_speak(&viewer->notices, viewer->client))
		return false;
	follow_continuous(viewer);
	if (!atomic_load(&viewer->allowed) || !update_wanted(viewer)) {
		picture_pass(viewer->picture, viewer->reader,
			atomic_load(&viewer->allowed) &&
				!sraRgnEmpty(viewer->client->requestedRegion));
		return false;
	}
	now = now_ns();
	if (now < viewer->due_ns) {
		picture_pass(viewer->picture, viewer->reader, false);
		*ret_ns = viewer->due_ns - now;
		return true;
	}
	if (!update(viewer))
		return false;
	viewer->due_ns = now + viewer->period_ns;
	*ret_ns = 0;
	return true;
}

static void serve(struct viewer *viewer)
{
	struct pollfd polled[2] = {{.events = POLLIN}, {.events = POLLIN}};
	struct timespec wait;
	eventfd_t count;
	uint64_t ns;
	bool timed;

	for (;;) {
		timed = update_due(viewer, &ns);
		if (viewer->client->sock < 0 || atomic_load(&viewer->stopping))
			return;
		if (timed)
			wait = (struct timespec){ns / NS_PER_S, ns % NS_PER_S};
		polled[0].fd = viewer->client->sock;
		polled[1].fd = viewer->wake;
		if (ppoll(polled, ARRAY_SIZE(polled), timed ? &wait : NULL, NULL) < 0) {
			if (errno == EINTR)
				continue;
			end(viewer, "cannot poll");
			return;
		}
		if (polled[1].revents)
			eventfd_read(viewer->wake, &count);
		if (polled[0].revents)
			aside_next(&viewer->aside, viewer->client);
	}
}

static void *worker(void *arg)
{
	struct viewer *viewer = arg;
	char name[16];

	/* By the thread itself: from outside it would be an open() in /proc, which the sandbox refuses. */
	snprintf(name, sizeof(name), "viewer-%u", viewer->number % 1000000);
	pthread_setname_np(pthread_self(), name);
	serve(viewer);
	picture_pass(viewer->picture, viewer->reader, false);
	/* Closes the socket where that has not happened yet, and frees the client: once, here. */
	rfbClientConnectionGone(take_ptr(viewer->client));
	log_debug(NULL, "viewer %u: worker ends", viewer->number);
	shutdown(viewer->hangup, SHUT_WR);
	return NULL;
}

static int worker_start(struct viewer *viewer)
{
	sigset_t all, old;
	pthread_attr_t attributes;
	int r;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	/* Signals belong to the main thread; a write to a vanished peer must be an error, not SIGPIPE. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&viewer->thread, &attributes, worker, viewer);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attributes);
	if (r)
		return -r;
	viewer->started = true;
	return 0;
}

static int viewer_open(struct viewer *viewer, int *ret_fd)
{
	const struct frame *shared = picture_current(viewer->picture);
	_cleanup_fd_ int door = -EBADF;
	int r;

	if (!shared)
		return -ENODATA;
	r = frame_map_privately(shared, &viewer->frame);
	if (r < 0)
		return r;
	screen_show(&viewer->screen, viewer->frame);
	viewer->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (viewer->wake < 0)
		return -errno;
	viewer->wake = fd_move_high(viewer->wake);
	if (viewer->wake < 0)
		return viewer->wake;
	r = picture_join(viewer->picture, viewer->wake, &viewer->reader);
	if (r < 0)
		return r;
	r = screen_connect(&viewer->screen, &viewer->client, &viewer->hangup, &door);
	if (r < 0)
		return r;
	viewer->client->viewOnly = viewer->view_only;
	r = worker_start(viewer);
	if (r < 0)
		return r;
	*ret_fd = take_fd(&door);
	return 0;
}

int viewer_prepare(void)
{
	return screen_prepare();
}

int viewer_create(struct picture *picture, const struct viewer_options *options,
	struct viewer **ret, int *ret_fd)
{
	struct viewer *viewer;
	int r;

	r = screen_prepare();
	if (r < 0)
		return r;
	viewer = new0(struct viewer);
	if (!viewer)
		return -ENOMEM;
	viewer->number = options->number;
	viewer->view_only = options->view_only;
	viewer->period_ns = NS_PER_S / MAX(options->frames_maximum, 1u);
	viewer->picture = picture;
	viewer->wake = viewer->hangup = -EBADF;
	viewer->encoding = "";
	screen_name(viewer->name, options->name);
	notices_init(&viewer->notices, viewer->name);
	viewer->aside = (struct aside){.hooks = &aside_hooks, .arg = viewer};
	screen_init(&viewer->screen, viewer->name);
	r = viewer_open(viewer, ret_fd);
	if (r < 0)
		viewer_destroy(viewer);
	else
		*ret = viewer;
	return r;
}

void viewer_destroy(struct viewer *viewer)
{
	if (!viewer)
		return;
	if (viewer->started) {
		atomic_store(&viewer->stopping, true);
		shutdown(viewer->hangup, SHUT_WR);
		eventfd_write(viewer->wake, 1);
		pthread_join(viewer->thread, NULL);
	} else if (viewer->client) {
		rfbClientConnectionGone(viewer->client);
	}
	picture_leave(viewer->picture, viewer->reader);
	screen_finish(&viewer->screen);
	notices_finish(&viewer->notices);
	frame_destroy(viewer->frame);
	fd_close(viewer->wake);
	fd_close(viewer->hangup);
	free(viewer);
}

void viewer_allow(struct viewer *viewer, bool allow)
{
	if (atomic_exchange(&viewer->allowed, allow) != allow && allow)
		eventfd_write(viewer->wake, 1);
}

const char *viewer_end_reason(const struct viewer *viewer)
{
	return atomic_load(&viewer->end_reason);
}

uint32_t viewer_frames_behind(const struct viewer *viewer)
{
	return picture_behind(viewer->picture, viewer->reader);
}

const char *viewer_encoding(const struct viewer *viewer)
{
	return atomic_load(&viewer->encoding);
}

static void tell(struct viewer *viewer)
{
	eventfd_write(viewer->wake, 1);
}

void viewer_extras(struct viewer *viewer, unsigned int extras)
{
	notices_extras(&viewer->notices, extras);
	tell(viewer);
}

void viewer_layout(struct viewer *viewer)
{
	notices_layout(&viewer->notices);
	tell(viewer);
}

void viewer_answer(struct viewer *viewer, enum size_status status)
{
	notices_answer(&viewer->notices, status);
	tell(viewer);
}

void viewer_resized(struct viewer *viewer, enum size_reason reason)
{
	notices_reason(&viewer->notices, reason);
}

void viewer_tell(struct viewer *viewer, const struct facts *facts)
{
	notices_tell(&viewer->notices, facts);
	tell(viewer);
}

void viewer_deny(struct viewer *viewer)
{
	notices_deny(&viewer->notices);
	tell(viewer);
}
