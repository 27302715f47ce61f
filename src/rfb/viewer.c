/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * A viewer is one thread, one rfbScreenInfo and one LibVNCServer client on a socketpair. LibVNCServer's calls block on a
 * socket, but here the other end is the door in the same process: a message comes whole, and what is written is taken away
 * at once. The thread sleeps in ppoll() on the socket, on its eventfd (a publish, viewer_allow(), the end) and, when an update
 * is only too early, on a clock. What is sent, and from where, is rfb/canvas.c; when is rfb/tempo.c.
 *
 * LibVNCServer sends pixels and nothing else. What a viewer is told beside them (rfb/notices.h) is written by the worker between the
 * library's updates, through the library's buffer and socket.
 *
 * An update starts when the viewer has asked for something that is not at it, the door's queue is low, the line has room by the
 * fences that came back, and the caps of frames and bytes leave it; the time that it had to wait for the line decides on its
 * quality. Nothing is cut: what was too much is waited for afterwards. When nothing is wanted and all that leaves room, quiet areas that went
 * out as JPEG go again without loss, a slice at a time. That takes no turn from anybody: it is done when the frame can be had at once.
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
#include "base/measure.h"
#include "base/mem.h"
#include "base/probe.h"
#include "rfb/aside.h"
#include "rfb/ask.h"
#include "rfb/canvas.h"
#include "rfb/continuous.h"
#include "rfb/encodings.h"
#include "rfb/notices.h"
#include "rfb/picture.h"
#include "rfb/reader.h"
#include "rfb/screen.h"
#include "rfb/tempo.h"
#include "rfb/wire.h"

#define NS_PER_S 1000000000ull

/* LibVNCServer's deepest frames (hextile, zrle, libjpeg) take a few ten KiB; the rest is slack. Sanitizers need more. */
#ifdef SANITIZED
#define STACK_BYTES (2u << 20)
#else
#define STACK_BYTES (256u << 10)
#endif

#define GLIMPSE_AGAIN_NS 20000000ull /* somebody else had the frame */

struct viewer {
	uint32_t number;
	struct picture *picture;
	struct reader *reader;
	int wake, hangup;
	bool started; /* thread is to be joined */
	pthread_t thread;
	_Atomic bool allowed, stopping;
	struct outlet outlet; /* put is NULL: there is none */
	struct ask ask;
	_Atomic uint32_t frames_maximum, bytes_maximum;
	_Atomic(const char *) encoding;
	_Atomic(const char *) end_reason;
	struct notices notices;

	/* The worker's, once it runs. */
	struct canvas canvas;
	struct tempo tempo;
	uint64_t messages; /* of the door's */
	uint64_t held_ns;  /* an update is wanted and waits for the line since then; 0: none does */
	struct aside aside;
	struct continuous continuous;
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

/* ---- fences of our own ---- */

static void ping(struct viewer *viewer, uint32_t id)
{
	uint8_t payload[4];

	wire_put_u32(payload, id);
	tidings_fence(viewer->canvas.client, FENCE_REQUEST | FENCE_BLOCK_BEFORE, payload,
		sizeof(payload));
}

/* A first ping is on its way at once; what follows goes in few pieces. @held: UPDATE_HELD bytes, until end_sending(). */
static void begin_sending(struct viewer *viewer, uint64_t now, uint8_t *held)
{
	uint32_t id;

	if (tempo_begin(&viewer->tempo, now, &id))
		ping(viewer, id);
	update_hold(viewer->canvas.client, held);
}

static void end_sending(struct viewer *viewer, uint32_t before)
{
	uint32_t id, bytes;

	if (viewer->canvas.client->sock >= 0) {
		continuous_sent(&viewer->continuous, viewer->canvas.client);
		bytes = canvas_bytes(&viewer->canvas) - before;
		if (tempo_end(&viewer->tempo, now_ns(), bytes, &id))
			ping(viewer, id);
	}
	update_release(viewer->canvas.client);
}

/* ---- the short way ---- */

static bool may_update(const struct viewer *viewer)
{
	return atomic_load(&viewer->allowed) &&
	       !(viewer->outlet.full && viewer->outlet.full(viewer->outlet.arg));
}

bool viewer_ask(struct viewer *viewer, uint64_t before, const struct rect *area)
{
	if (!ask_leave(&viewer->ask, before, area))
		return false;
	if (!reader_listen(viewer->reader))
		viewer_wake(viewer);
	return true;
}

/* What LibVNCServer does with one, before the next message and before the worker sleeps. */
static void take_ask(struct viewer *viewer)
{
	struct rect area;

	/* First: who asks after that wakes us. */
	reader_stir(viewer->reader);
	area = ask_take(&viewer->ask);
	canvas_ask(&viewer->canvas, &area);
}

static void hear(struct viewer *viewer)
{
	aside_next(&viewer->aside, viewer->canvas.client);
	viewer->messages++;
	/* A fence that waits for the next message is not done with. */
	if (!viewer->aside.sync)
		ask_heard(&viewer->ask, viewer->messages);
}

/* ---- updates ---- */

static void send_update(struct viewer *viewer, uint64_t now)
{
	uint32_t before = canvas_bytes(&viewer->canvas);
	uint64_t noticed = reader_take_noticed(viewer->reader), began = now_ns(), ended;
	uint8_t held[UPDATE_HELD];
	const char *reason;

	PROBE2(update_begin, viewer->number, noticed ? began - noticed : 0);
	quality_started(&viewer->canvas.quality, now, viewer->held_ns ? now - viewer->held_ns : 0);
	viewer->held_ns = 0;
	/* Before the bytes: whoever has seen them finds the name. */
	atomic_store(&viewer->encoding, canvas_encoding(&viewer->canvas));
	begin_sending(viewer, now, held);
	reason = canvas_draw(&viewer->canvas, now);
	if (reason)
		end(viewer, reason);
	end_sending(viewer, before);
	ended = now_ns();
	measure_took(MEASURE_ENCODE, ended - began);
	if (noticed)
		measure_took(MEASURE_WIRE, ended - noticed);
	PROBE3(update_end, viewer->number, canvas_bytes(&viewer->canvas) - before, ended - began);
}

/* False: not now, we are woken when it is. */
static bool update(struct viewer *viewer, uint64_t now)
{
	const uint64_t *damage;
	const struct frame *shared;
	const struct move *moves;
	const char *reason;
	struct rect within;
	size_t count;

	shared = reader_begin(viewer->reader, &damage);
	if (!shared)
		return false;
	/* Why this frame has another size was told before its first publish. */
	notices_take(&viewer->notices);
	count = reader_moves(viewer->reader, &moves);
	canvas_move(&viewer->canvas, moves, count);
	within = reader_within(viewer->reader);
	reason = canvas_follow(&viewer->canvas, shared, damage, &within);
	if (reason)
		end(viewer, reason);
	else
		send_update(viewer, now);
	reader_end(viewer->reader);
	return true;
}

/* A slice without loss. False: not before something else happens. */
static bool refresh(struct viewer *viewer, uint64_t now, uint64_t *ret_ns)
{
	uint32_t before = canvas_bytes(&viewer->canvas);
	uint8_t held[UPDATE_HELD];
	const char *reason = NULL;
	bool sent;

	if (!reader_glimpse(viewer->reader)) {
		*ret_ns = GLIMPSE_AGAIN_NS;
		return true;
	}
	begin_sending(viewer, now, held);
	sent = canvas_refresh(&viewer->canvas, now, tempo_spare(&viewer->tempo), &reason);
	if (reason)
		end(viewer, reason);
	atomic_store(&viewer->encoding, canvas_encoding(&viewer->canvas));
	end_sending(viewer, before);
	reader_end(viewer->reader);
	*ret_ns = 0;
	return sent;
}

/* ---- what the viewer says beside LibVNCServer (rfb/aside.h) ---- */

static void on_fence(void *arg, uint32_t flags, const uint8_t *payload, size_t size)
{
	struct viewer *viewer = arg;

	tidings_fence(viewer->canvas.client, flags, payload, size);
}

static void on_pong(void *arg, const uint8_t *payload, size_t size)
{
	struct viewer *viewer = arg;

	if (size == sizeof(uint32_t))
		tempo_pong(&viewer->tempo, now_ns(), wire_u32(payload));
}

static void on_continuous(void *arg, bool on, const struct rect *area)
{
	struct viewer *viewer = arg;

	continuous_switch(&viewer->continuous, viewer->canvas.client, on, area);
	if (!on)
		tidings_end_continuous(viewer->canvas.client);
}

static void on_asked(void *arg, const struct rect *area)
{
	struct viewer *viewer = arg;

	continuous_asked(&viewer->continuous, area);
}

static void on_encodings(void *arg)
{
	struct viewer *viewer = arg;

	canvas_forget_film(&viewer->canvas);
}

static const struct aside_hooks aside_hooks = {
	.fence = on_fence,
	.pong = on_pong,
	.continuous = on_continuous,
	.asked = on_asked,
	.encodings = on_encodings,
};

/* Has the viewer asked for something that may have changed? */
static bool update_wanted(const struct viewer *viewer)
{
	return canvas_asked(&viewer->canvas) &&
	       (reader_behind(viewer->reader) || canvas_wanted(&viewer->canvas));
}

/* As update_due(), when there is nothing new to be sent. */
static bool refresh_maybe(struct viewer *viewer, uint64_t now, uint64_t *ret_ns)
{
	uint64_t due = canvas_refresh_due(&viewer->canvas, now);
	bool line;

	if (!canvas_asked(&viewer->canvas) || !may_update(viewer) || due == UINT64_MAX)
		return false;
	due = MAX(due, tempo_due(&viewer->tempo, now, &line));
	if (due <= now)
		return refresh(viewer, now, ret_ns);
	*ret_ns = due - now;
	return true;
}

/* Updates if it may. Returns false when nothing but the socket or the eventfd can change that, else *ret_ns is the time
 * until it may. */
static bool update_due(struct viewer *viewer, uint64_t *ret_ns)
{
	bool allowed = may_update(viewer), wanted, line;
	uint64_t now, due;

	notices_take(&viewer->notices);
	if (!notices_speak(&viewer->notices, viewer->canvas.client))
		return false;
	tempo_limits(&viewer->tempo, atomic_load(&viewer->frames_maximum),
		atomic_load(&viewer->bytes_maximum));
	tempo_fences(&viewer->tempo, viewer->notices.extras & EXTRA_FENCE);
	continuous_follow(&viewer->continuous, viewer->canvas.client);
	now = now_ns();
	reader_copies(viewer->reader, viewer->canvas.client->useCopyRect);
	wanted = update_wanted(viewer);
	due = tempo_due(&viewer->tempo, now, &line);
	if (wanted && (!allowed || line) && !viewer->held_ns)
		viewer->held_ns = now;
	if (!allowed || !wanted) {
		reader_pass(viewer->reader, allowed && canvas_asked(&viewer->canvas));
		if (allowed && canvas_still(&viewer->canvas))
			reader_rest(viewer->reader);
		return !wanted && refresh_maybe(viewer, now, ret_ns);
	}
	if (now < due) {
		reader_pass(viewer->reader, false);
		*ret_ns = due - now;
		return true;
	}
	*ret_ns = 0;
	return update(viewer, now);
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
		/* Mostly there is nothing more to do behind an update. */
		if (timed && !ns && viewer->canvas.client->sock >= 0)
			timed = update_due(viewer, &ns);
		if (viewer->canvas.client->sock < 0 || atomic_load(&viewer->stopping))
			return;
		if (timed)
			wait = (struct timespec){ns / NS_PER_S, ns % NS_PER_S};
		polled[0].fd = viewer->canvas.client->sock;
		polled[0].events = aside_events(&viewer->aside, may_update(viewer));
		polled[1].fd = viewer->wake;
		if (ppoll(polled, ARRAY_SIZE(polled), timed ? &wait : NULL, NULL) < 0) {
			if (errno == EINTR)
				continue;
			end(viewer, "cannot poll");
			return;
		}
		if (polled[1].revents)
			eventfd_read(viewer->wake, &count);
		take_ask(viewer);
		if (polled[0].revents)
			hear(viewer);
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
	reader_stir(viewer->reader);
	reader_pass(viewer->reader, false);
	/* Closes the socket where that has not happened yet, and frees the client: once, here. */
	rfbClientConnectionGone(take_ptr(viewer->canvas.client));
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
	r = canvas_show(&viewer->canvas, shared);
	if (r < 0)
		return r;
	viewer->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (viewer->wake < 0)
		return -errno;
	viewer->wake = fd_move_high(viewer->wake);
	if (viewer->wake < 0)
		return viewer->wake;
	r = reader_create(viewer->picture, viewer->wake, &viewer->reader);
	if (r < 0)
		return r;
	viewer->canvas.reader = viewer->reader;
	viewer->canvas.studio = picture_studio(viewer->picture);
	viewer->canvas.film = picture_film(viewer->picture);
	r = screen_connect(&viewer->canvas.screen, &viewer->canvas.client, &viewer->hangup, &door);
	if (r < 0)
		return r;
	viewer->canvas.client->viewOnly = viewer->canvas.view_only;
	viewer->canvas.way.outlet = viewer->canvas.outlet;
	viewer->canvas.client->clientData = &viewer->canvas.way;
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
	viewer->frames_maximum = options->frames_maximum;
	viewer->bytes_maximum = options->bytes_maximum;
	viewer->picture = picture;
	ask_init(&viewer->ask);
	if (options->outlet)
		viewer->outlet = *options->outlet;
	viewer->wake = viewer->hangup = -EBADF;
	viewer->encoding = "";
	screen_name(viewer->name, options->name);
	notices_init(&viewer->notices, viewer->name);
	viewer->aside = (struct aside){.hooks = &aside_hooks, .arg = viewer};
	canvas_init(&viewer->canvas, viewer->name, &viewer->notices, options->view_only);
	if (options->outlet)
		viewer->canvas.outlet = &viewer->outlet;
	tempo_init(&viewer->tempo);
	r = continuous_init(&viewer->continuous);
	if (r == 0)
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
	} else if (viewer->canvas.client) {
		rfbClientConnectionGone(viewer->canvas.client);
	}
	reader_destroy(viewer->reader);
	continuous_finish(&viewer->continuous);
	canvas_finish(&viewer->canvas);
	notices_finish(&viewer->notices);
	ask_finish(&viewer->ask);
	fd_close(viewer->wake);
	fd_close(viewer->hangup);
	free(viewer);
}

void viewer_wake(struct viewer *viewer)
{
	eventfd_write(viewer->wake, 1);
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
	return reader_behind(viewer->reader);
}

const char *viewer_encoding(const struct viewer *viewer)
{
	return atomic_load(&viewer->encoding);
}

void viewer_limits(struct viewer *viewer, uint32_t frames_maximum, uint32_t bytes_maximum)
{
	atomic_store(&viewer->frames_maximum, frames_maximum);
	atomic_store(&viewer->bytes_maximum, bytes_maximum);
	viewer_wake(viewer);
}

void viewer_extras(struct viewer *viewer, unsigned int extras)
{
	notices_extras(&viewer->notices, extras);
	viewer_wake(viewer);
}

void viewer_layout(struct viewer *viewer)
{
	notices_layout(&viewer->notices);
	viewer_wake(viewer);
}

void viewer_answer(struct viewer *viewer, enum size_status status)
{
	notices_answer(&viewer->notices, status);
	viewer_wake(viewer);
}

void viewer_resized(struct viewer *viewer, enum size_reason reason)
{
	notices_reason(&viewer->notices, reason);
}

void viewer_tell(struct viewer *viewer, const struct facts *facts)
{
	if (facts->frames_maximum)
		viewer_limits(viewer, facts->frames_maximum, facts->bytes_maximum);
	notices_tell(&viewer->notices, facts);
	viewer_wake(viewer);
}

void viewer_deny(struct viewer *viewer)
{
	notices_deny(&viewer->notices);
	viewer_wake(viewer);
}
