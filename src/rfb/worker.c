/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * LibVNCServer's calls block on a socket, but here the other end is the door in the same process: a message comes whole, and what
 * is written is taken away at once. The thread sleeps in ppoll() on the socket, on its eventfd (a publish, viewer_allow(), the end)
 * and, when an update is only too early, on a clock. What is sent, and from where, is rfb/canvas.c; when is rfb/tempo.c.
 *
 * LibVNCServer sends pixels and nothing else. What a viewer is told beside them (rfb/notices.h) is written by the worker between the
 * library's updates, through the library's buffer and socket.
 *
 * An update starts when the viewer has asked for something that is not at it, the door's queue is low, the line has room by the
 * fences that came back, and the caps of frames and bytes leave it; the time that it had to wait for the line decides on its
 * quality. Nothing is cut: what was too much is waited for afterwards. When nothing is wanted and all that leaves room, quiet areas that went
 * out as JPEG go again without loss, a slice at a time. That takes no turn from anybody: it is done when the frame can be had at once.
 */
#include "rfb/worker.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <time.h>

#include "base/measure.h"
#include "base/mem.h"
#include "base/probe.h"
#include "rfb/reader.h"
#include "rfb/tidings.h"
#include "rfb/update.h"
#include "rfb/wire.h"

#define NS_PER_S 1000000000ull

#define GLIMPSE_AGAIN_NS 20000000ull /* somebody else had the frame */

static void end(struct worker *worker, const char *reason)
{
	atomic_store(&worker->end_reason, reason);
	atomic_store(&worker->stopping, true);
}

/* ---- fences of our own ---- */

static void ping(struct worker *worker, uint32_t id)
{
	uint8_t payload[4];

	wire_put_u32(payload, id);
	tidings_fence(worker->canvas.client, FENCE_REQUEST | FENCE_BLOCK_BEFORE, payload,
		sizeof(payload));
}

/* A first ping is on its way at once; what follows goes in few pieces. @held: UPDATE_HELD bytes, until end_sending(). */
static void begin_sending(struct worker *worker, uint64_t now, uint8_t *held)
{
	uint32_t id;

	if (tempo_begin(&worker->tempo, now, &id))
		ping(worker, id);
	update_hold(worker->canvas.client, held);
}

static void end_sending(struct worker *worker, uint32_t before)
{
	uint32_t id, bytes;

	if (worker->canvas.client->sock >= 0) {
		continuous_sent(&worker->continuous, worker->canvas.client);
		bytes = canvas_bytes(&worker->canvas) - before;
		if (tempo_end(&worker->tempo, measure_now(), bytes, &id))
			ping(worker, id);
	}
	update_release(worker->canvas.client);
}

/* ---- the short way ---- */

static bool may_update(const struct worker *worker)
{
	return atomic_load(&worker->allowed) &&
	       !(worker->outlet.full && worker->outlet.full(worker->outlet.arg));
}

/* What LibVNCServer does with one, before the next message and before the worker sleeps. */
static void take_ask(struct worker *worker)
{
	struct rect area;

	/* First: who asks after that wakes us. */
	reader_stir(worker->reader);
	area = ask_take(&worker->ask);
	canvas_ask(&worker->canvas, &area);
}

static void hear(struct worker *worker)
{
	aside_next(&worker->aside, worker->canvas.client);
	worker->messages++;
	/* A fence that waits for the next message is not done with. */
	if (!worker->aside.sync)
		ask_heard(&worker->ask, worker->messages);
}

/* ---- updates ---- */

static void send_update(struct worker *worker, uint64_t now)
{
	uint32_t before = canvas_bytes(&worker->canvas);
	uint64_t noticed = reader_take_noticed(worker->reader), began = measure_now(), ended;
	uint8_t held[UPDATE_HELD];
	const char *reason;

	PROBE2(update_begin, worker->number, noticed ? began - noticed : 0);
	quality_started(&worker->canvas.quality, now, worker->held_ns ? now - worker->held_ns : 0);
	worker->held_ns = 0;
	/* Before the bytes: whoever has seen them finds the name. */
	atomic_store(&worker->encoding, canvas_encoding(&worker->canvas));
	begin_sending(worker, now, held);
	reason = canvas_draw(&worker->canvas, now);
	if (reason)
		end(worker, reason);
	end_sending(worker, before);
	ended = measure_now();
	measure_took(MEASURE_ENCODE, ended - began);
	if (noticed)
		measure_took(MEASURE_WIRE, ended - noticed);
	PROBE3(update_end, worker->number, canvas_bytes(&worker->canvas) - before, ended - began);
}

/* False: not now, we are woken when it is. */
static bool update(struct worker *worker, uint64_t now)
{
	const uint64_t *damage;
	const struct frame *shared;
	const struct move *moves;
	const char *reason;
	struct rect within;
	size_t count;

	shared = reader_begin(worker->reader, &damage);
	if (!shared)
		return false;
	/* Why this frame has another size was told before its first publish. */
	notices_take(&worker->notices);
	count = reader_moves(worker->reader, &moves);
	canvas_move(&worker->canvas, moves, count);
	within = reader_within(worker->reader);
	reason = canvas_follow(&worker->canvas, shared, damage, &within);
	if (reason)
		end(worker, reason);
	else
		send_update(worker, now);
	reader_end(worker->reader);
	return true;
}

/* A slice without loss. False: not before something else happens. */
static bool refresh(struct worker *worker, uint64_t now, uint64_t *ret_ns)
{
	uint32_t before = canvas_bytes(&worker->canvas);
	uint8_t held[UPDATE_HELD];
	const char *reason = NULL;
	bool sent;

	if (!reader_glimpse(worker->reader)) {
		*ret_ns = GLIMPSE_AGAIN_NS;
		return true;
	}
	begin_sending(worker, now, held);
	sent = canvas_refresh(&worker->canvas, now, tempo_spare(&worker->tempo), &reason);
	if (reason)
		end(worker, reason);
	atomic_store(&worker->encoding, canvas_encoding(&worker->canvas));
	end_sending(worker, before);
	reader_end(worker->reader);
	*ret_ns = 0;
	return sent;
}

/* ---- what the viewer says beside LibVNCServer (rfb/aside.h) ---- */

static void on_fence(void *arg, uint32_t flags, const uint8_t *payload, size_t size)
{
	struct worker *worker = arg;

	tidings_fence(worker->canvas.client, flags, payload, size);
}

static void on_pong(void *arg, const uint8_t *payload, size_t size)
{
	struct worker *worker = arg;

	if (size == sizeof(uint32_t))
		tempo_pong(&worker->tempo, measure_now(), wire_u32(payload));
}

static void on_continuous(void *arg, bool on, const struct rect *area)
{
	struct worker *worker = arg;

	continuous_switch(&worker->continuous, worker->canvas.client, on, area);
	if (!on)
		tidings_end_continuous(worker->canvas.client);
}

static void on_asked(void *arg, const struct rect *area)
{
	struct worker *worker = arg;

	continuous_asked(&worker->continuous, area);
}

static void on_encodings(void *arg)
{
	struct worker *worker = arg;

	spectator_forget(&worker->canvas.head.spectator);
}

static const struct aside_hooks aside_hooks = {
	.fence = on_fence,
	.pong = on_pong,
	.continuous = on_continuous,
	.asked = on_asked,
	.encodings = on_encodings,
};

/* Has the viewer asked for something that may have changed? */
static bool update_wanted(const struct worker *worker)
{
	return canvas_asked(&worker->canvas) &&
	       (reader_behind(worker->reader) || canvas_wanted(&worker->canvas));
}

/* As update_due(), when there is nothing new to be sent. */
static bool refresh_maybe(struct worker *worker, uint64_t now, uint64_t *ret_ns)
{
	uint64_t due = refresh_due(&worker->canvas.refresh, now);
	bool line;

	if (!canvas_asked(&worker->canvas) || !may_update(worker) || due == UINT64_MAX)
		return false;
	due = MAX(due, tempo_due(&worker->tempo, now, &line));
	if (due <= now)
		return refresh(worker, now, ret_ns);
	*ret_ns = due - now;
	return true;
}

/* Updates if it may. Returns false when nothing but the socket or the eventfd can change that, else *ret_ns is the time
 * until it may. */
static bool update_due(struct worker *worker, uint64_t *ret_ns)
{
	bool allowed = may_update(worker), wanted, line;
	uint64_t now, due;

	notices_take(&worker->notices);
	if (!notices_speak(&worker->notices, worker->canvas.client))
		return false;
	tempo_limits(&worker->tempo, atomic_load(&worker->frames_maximum),
		atomic_load(&worker->bytes_maximum));
	tempo_fences(&worker->tempo, worker->notices.extras & EXTRA_FENCE);
	continuous_follow(&worker->continuous, worker->canvas.client);
	now = measure_now();
	reader_copies(worker->reader, worker->canvas.client->useCopyRect);
	wanted = update_wanted(worker);
	due = tempo_due(&worker->tempo, now, &line);
	if (wanted && (!allowed || line) && !worker->held_ns)
		worker->held_ns = now;
	if (!allowed || !wanted) {
		reader_pass(worker->reader, allowed && canvas_asked(&worker->canvas));
		if (allowed && canvas_still(&worker->canvas))
			reader_rest(worker->reader);
		return !wanted && refresh_maybe(worker, now, ret_ns);
	}
	if (now < due) {
		reader_pass(worker->reader, false);
		*ret_ns = due - now;
		return true;
	}
	*ret_ns = 0;
	return update(worker, now);
}

static void serve(struct worker *worker)
{
	struct pollfd polled[2] = {{.events = POLLIN}, {.events = POLLIN}};
	struct timespec wait;
	eventfd_t count;
	uint64_t ns;
	bool timed;

	for (;;) {
		timed = update_due(worker, &ns);
		/* Mostly there is nothing more to do behind an update. */
		if (timed && !ns && worker->canvas.client->sock >= 0)
			timed = update_due(worker, &ns);
		if (worker->canvas.client->sock < 0 || atomic_load(&worker->stopping))
			return;
		if (timed)
			wait = (struct timespec){ns / NS_PER_S, ns % NS_PER_S};
		polled[0].fd = worker->canvas.client->sock;
		polled[0].events = aside_events(&worker->aside, may_update(worker));
		polled[1].fd = worker->wake;
		if (ppoll(polled, ARRAY_SIZE(polled), timed ? &wait : NULL, NULL) < 0) {
			if (errno == EINTR)
				continue;
			end(worker, "cannot poll");
			return;
		}
		if (polled[1].revents)
			eventfd_read(worker->wake, &count);
		take_ask(worker);
		if (polled[0].revents)
			hear(worker);
	}
}

int worker_init(struct worker *worker, uint32_t number, const char *name,
	const struct outlet *outlet, bool view_only)
{
	worker->number = number;
	worker->wake = -EBADF;
	worker->encoding = "";
	if (outlet)
		worker->outlet = *outlet;
	ask_init(&worker->ask);
	notices_init(&worker->notices, name);
	worker->aside = (struct aside){.hooks = &aside_hooks, .arg = worker};
	canvas_init(&worker->canvas, name, &worker->notices, view_only);
	if (outlet)
		worker->canvas.outlet = &worker->outlet;
	tempo_init(&worker->tempo);
	return continuous_init(&worker->continuous);
}

void worker_finish(struct worker *worker)
{
	if (worker->canvas.client)
		rfbClientConnectionGone(worker->canvas.client);
	continuous_finish(&worker->continuous);
	canvas_finish(&worker->canvas);
	notices_finish(&worker->notices);
	ask_finish(&worker->ask);
}

void worker_run(struct worker *worker)
{
	serve(worker);
	reader_stir(worker->reader);
	reader_pass(worker->reader, false);
	/* Closes the socket where that has not happened yet, and frees the client: once, here. */
	rfbClientConnectionGone(take_ptr(worker->canvas.client));
}
