/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * Every step returns 0 or -errno with `reason` set, and only the four entries from the loop (network, inner, timer, start) end
 * the caller, as their last act: nothing below them touches freed memory.
 *
 * What a state is about is done by the part that has its name: rfb/knock.c, rfb/visit.c, rfb/carriage.c. Each knows when it is due.
 */
#include "rfb/caller.h"

#include <errno.h>
#include <stdio.h>

#include "base/fd.h"
#include "base/loop.h"
#include "base/mem.h"
#include "rfb/carriage.h"
#include "rfb/entry.h"
#include "rfb/host.h"
#include "rfb/knock.h"
#include "rfb/relay.h"
#include "rfb/transport.h"
#include "rfb/visit.h"

#define FLUSH_MS 1000

enum state { KNOCKING, VISITING, PASSING, FLUSHING, LINGERING };

struct caller {
	struct caller_entry entry;
	struct caller_host *host;
	enum state state;
	char reason[64];

	struct transport *network; /* owned; NULL once it is closed */
	struct visit visit;

	struct loop_source *timer;
	uint64_t due; /* when the timer fires, 0: unarmed */
	uint64_t flush_until;

	struct knock *knock; /* owned; NULL once it is in */
	uint64_t moved;	     /* bytes that the host has heard of */
	int place; /* owned, -EBADF: none. A gate's: the viewer's end of the way to its display */
	struct carriage *carriage; /* owned; while PASSING */
	struct relay relay;
};

static int give_up(struct caller *caller, int error, const char *reason)
{
	if (caller->state != FLUSHING) /* else the first reason stays */
		snprintf(caller->reason, sizeof(caller->reason), "%s", reason);
	return error;
}

/* What a part of ours has found wrong, if it did, with its reason. */
static int checked(struct caller *caller, int r, const char *reason)
{
	return r < 0 ? give_up(caller, r, reason) : r;
}

static uint64_t due(const struct caller *caller)
{
	switch (caller->state) {
	case KNOCKING:
		return knock_due(caller->knock);
	case VISITING:
		return visit_due(&caller->visit);
	case PASSING:
		return carriage_due(caller->carriage, caller->host->stall_ms);
	case FLUSHING:
		return caller->flush_until;
	case LINGERING:
		break;
	}
	return UINT64_MAX;
}

/* The timer is moved forward only: an early firing looks again, so that a busy viewer costs no re-arming. */
static void arm(struct caller *caller)
{
	uint64_t at = due(caller), now;

	if (at == UINT64_MAX || (caller->due && caller->due <= at))
		return;
	now = loop_now_ms();
	caller->due = at;
	loop_timer_once(caller->timer, at > now ? at - now : 0);
}

/* What to wait for, after every step. */
static void watch(struct caller *caller)
{
	unsigned int events = 0;

	if (caller->network) {
		if (caller->state == PASSING)
			events = carriage_watch(caller->carriage);
		if (relay_wants_input(&caller->relay))
			events |= LOOP_READ;
		if (relay_queued(&caller->relay) ||
			(caller->state == KNOCKING &&
				knock_wants_write(caller->knock, caller->network)))
			events |= LOOP_WRITE;
		transport_watch(caller->network, events);
	}
	visit_watch(&caller->visit);
	arm(caller);
}

static int flush(struct caller *caller)
{
	int r = relay_send(&caller->relay, caller->network);

	return checked(caller, r, caller->relay.reason);
}

static void finish_connection(struct caller *caller)
{
	knock_destroy(take_ptr(caller->knock));
	carriage_destroy(take_ptr(caller->carriage));
	caller->place = fd_close(caller->place);
	relay_finish(&caller->relay); /* from here on the worker puts nothing there */
	transport_destroy(caller->network);
	caller->network = NULL;
	visit_close(&caller->visit);
}

void caller_destroy(struct caller *caller)
{
	if (!caller)
		return;
	finish_connection(caller);
	visit_finish(&caller->visit);
	relay_destroy(&caller->relay);
	loop_source_free(caller->timer);
	free(caller);
}

static void release(struct caller *caller)
{
	caller->host->released(caller->host, caller);
	caller_destroy(caller);
}

/* The connection ends now; the worker, if there is one, as soon as it can. */
static void end(struct caller *caller)
{
	finish_connection(caller);
	caller->host->left(caller->host, caller, caller->reason);
	if (!caller->visit.seat.source) {
		release(caller);
		return;
	}
	caller->state = LINGERING;
	visit_dismiss(&caller->visit);
	watch(caller);
}

/* The last act of each entry from the loop. */
static void settle(struct caller *caller, int r)
{
	if (r < 0)
		end(caller);
	else
		watch(caller);
}

/* FLUSHING: tell the viewer that no more comes, once that is true. It closes then, or the deadline does. */
static int flush_last(struct caller *caller)
{
	if (flush(caller) < 0)
		return -EPIPE;
	if (!relay_queued(&caller->relay) && !caller->visit.seat.viewer)
		transport_shutdown(caller->network);
	return 0;
}

static int begin_flush(struct caller *caller, const char *reason)
{
	give_up(caller, 0, reason);
	carriage_destroy(take_ptr(caller->carriage));
	caller->state = FLUSHING;
	caller->flush_until = loop_now_ms() + FLUSH_MS;
	visit_dismiss(&caller->visit);
	return flush_last(caller);
}

static void on_inner(int fd, unsigned int events, void *arg);

static int begin(struct caller *caller)
{
	int r = visit_begin(&caller->visit, transport_bare(caller->network), on_inner, caller);

	return checked(caller, r, caller->visit.reason);
}

/* Bytes go both ways, if it has its seat. */
static int serve(struct caller *caller)
{
	int r = caller->visit.sits ? visit_forward(&caller->visit) : 0;

	return checked(caller, r, caller->visit.reason);
}

static int pass(struct caller *caller)
{
	int r = carriage_step(caller->carriage, caller->network);

	if (r > 0)
		return begin_flush(caller, carriage_reason(caller->carriage));
	return checked(caller, r, carriage_reason(caller->carriage));
}

static void on_carriage(void *arg)
{
	struct caller *caller = arg;

	settle(caller, pass(caller));
}

static int start_passing(struct caller *caller)
{
	int r = carriage_create(caller->host->loop, take_fd(&caller->place), caller->entry.shared,
		&caller->relay, on_carriage, caller, &caller->carriage);

	if (r < 0)
		return give_up(caller, r, "no way to its display");
	caller->state = PASSING;
	caller->host->joined(caller->host, caller);
	return pass(caller);
}

static int start_visit(struct caller *caller)
{
	caller->state = VISITING;
	caller->host->joined(caller->host, caller);
	return begin(caller);
}

/* The gate's viewers have their picture from elsewhere. */
static int come_in(struct caller *caller)
{
	struct caller_host *host = caller->host;
	const char *why;

	caller->visit.seat.mode = knock_mode(caller->knock);
	caller->entry.shared = knock_shared(caller->knock);
	knock_destroy(take_ptr(caller->knock));
	why = host->seated(host, caller);
	if (why) /* others were faster; RFB has no word for it after security */
		return give_up(caller, -EBUSY, why);
	return host->gate ? start_passing(caller) : start_visit(caller);
}

static int shake_hands(struct caller *caller)
{
	int r = knock_step(caller->knock, caller->network);

	if (r < 0)
		return give_up(caller, r, knock_reason(caller->knock));
	switch ((enum knock_state)r) {
	case KNOCK_WAITS:
		break;
	case KNOCK_IN:
		return come_in(caller);
	case KNOCK_REFUSED:
		return begin_flush(caller, knock_reason(caller->knock));
	}
	return 0;
}

static int read_network(struct caller *caller)
{
	size_t size;
	int r = relay_receive(&caller->relay, caller->network);

	if (r < 0)
		return give_up(caller, r, caller->relay.reason);
	if (caller->state == PASSING)
		return pass(caller);
	if (caller->state == KNOCKING) {
		r = shake_hands(caller);
	} else if (caller->state == VISITING) {
		r = serve(caller);
	} else {
		relay_input(&caller->relay, &size);
		relay_use_input(&caller->relay, size);
	}
	return r < 0 ? r : flush(caller);
}

/* The worker may have sent some, too. */
static void tell_moved(struct caller *caller)
{
	uint64_t sent = relay_sent(&caller->relay);

	if (sent == caller->moved)
		return;
	caller->moved = sent;
	caller->host->moved(caller->host, caller);
}

static void on_network(unsigned int events, void *arg)
{
	struct caller *caller = arg;
	int r = 0;

	if (events & LOOP_WRITE && caller->state == KNOCKING)
		r = shake_hands(caller);
	else if (events & LOOP_WRITE && caller->state == PASSING)
		r = pass(caller);
	else if (events & LOOP_WRITE)
		r = caller->state == FLUSHING ? flush_last(caller) : flush(caller);
	if (r == 0 && events & LOOP_READ)
		r = read_network(caller);
	tell_moved(caller);
	settle(caller, r);
}

/* The worker ended by itself, or a viewer's connection had ended before. */
static void inner_ended(struct caller *caller)
{
	const char *why;

	if (caller->state == LINGERING) {
		release(caller);
		return;
	}
	why = visit_clear(&caller->visit);
	settle(caller, caller->state == FLUSHING ? flush_last(caller) : begin_flush(caller, why));
}

static void on_inner(int fd, unsigned int events, void *arg)
{
	struct caller *caller = arg;
	struct relay *relay = &caller->relay;
	bool ended = false;
	int r = relay_collect(relay, fd, caller->state == LINGERING, &ended);

	if (r == 0 && ended) {
		inner_ended(caller);
		return;
	}
	if (caller->state == LINGERING) {
		watch(caller);
		return;
	}
	r = r < 0 ? give_up(caller, r, relay->reason) : flush(caller);
	if (r == 0)
		r = serve(caller);
	tell_moved(caller);
	settle(caller, r);
}

static int check_visit(struct caller *caller, uint64_t now)
{
	int r = visit_check(&caller->visit, now);

	if (r == 0 && !caller->visit.sits)
		return begin(caller);
	return checked(caller, r, caller->visit.reason);
}

static int check_passage(struct caller *caller, uint64_t now)
{
	int r = carriage_check(caller->carriage, now, caller->host->stall_ms);

	return checked(caller, r, carriage_reason(caller->carriage));
}

static void on_timer(void *arg)
{
	struct caller *caller = arg;
	uint64_t now = loop_now_ms();
	int r = 0;

	caller->due = 0;
	if (caller->state == KNOCKING)
		r = shake_hands(caller);
	else if (caller->state == VISITING)
		r = check_visit(caller, now);
	else if (caller->state == PASSING)
		r = check_passage(caller, now);
	else if (caller->state == FLUSHING && now >= caller->flush_until)
		r = -ETIMEDOUT;
	settle(caller, r);
}

void caller_start(struct caller *caller)
{
	if (caller->state == VISITING && !caller->visit.sits)
		settle(caller, begin(caller));
}

void caller_verdict(struct caller *caller, bool allowed, enum link_mode mode, int place)
{
	fd_close(caller->place);
	caller->place = place;
	if (caller->state == KNOCKING && knock_verdict(caller->knock, allowed, mode))
		settle(caller, shake_hands(caller));
}

void caller_resized(struct caller *caller)
{
	visit_resized(&caller->visit);
}

void caller_tell(struct caller *caller)
{
	visit_tell(&caller->visit);
}

bool caller_type(struct caller *caller)
{
	return visit_type(&caller->visit);
}

void caller_end(struct caller *caller, const char *reason, bool flush_first)
{
	int r;

	if (caller->state == LINGERING)
		return;
	r = flush_first && caller->state != FLUSHING ? begin_flush(caller, reason) : -ECANCELED;
	if (!flush_first)
		give_up(caller, 0, reason);
	settle(caller, r);
}

static int connect_network(struct caller *caller, int fd, const struct caller_options *options)
{
	struct transport_options transport = {
		.kinds = knock_transports(caller->knock),
		.tls = caller->host->tls,
		.origins = options->listener->origins,
		.open = options->listener->offers & LINK_OFFER_NONE,
		.display = caller->host->gate ? NULL : caller->host->id,
	};

	return transport_create(
		caller->host->loop, fd, &transport, on_network, caller, &caller->network);
}

int caller_create(
	struct caller_host *host, int fd, const struct caller_options *options, struct caller **ret)
{
	_cleanup_fd_ int network = fd;
	struct caller *caller = new0(struct caller);
	int r;

	if (!caller)
		return -ENOMEM;
	caller->entry.caller = caller;
	caller->place = -EBADF;
	caller->host = host;
	caller->entry.number = options->number;
	snprintf(caller->entry.peer, sizeof(caller->entry.peer), "%s", options->peer);
	relay_init(&caller->relay);
	visit_init(&caller->visit, host, caller, &caller->relay, options->number,
		options->listener->mode);
	r = loop_timer_add(host->loop, on_timer, caller, &caller->timer);
	if (r == 0)
		r = knock_create(host, caller, &caller->relay, options, &caller->knock);
	if (r == 0)
		r = connect_network(caller, take_fd(&network), options);
	if (r < 0) {
		caller_destroy(caller);
		return r;
	}
	watch(caller);
	*ret = caller;
	return 0;
}

struct caller_entry *caller_entry(struct caller *caller)
{
	return &caller->entry;
}

enum link_mode caller_mode(const struct caller *caller)
{
	return caller->visit.seat.mode;
}

bool caller_closed(const struct caller *caller)
{
	return caller->state == LINGERING;
}

void caller_count(struct caller *caller, struct caller_count *ret)
{
	struct viewer *viewer = caller->visit.seat.viewer;

	ret->bytes = relay_sent(&caller->relay);
	ret->behind = viewer ? viewer_frames_behind(viewer) : 0;
	ret->encoding = viewer ? viewer_encoding(viewer) : "";
}
