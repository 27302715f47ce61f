/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 *   KNOCKING -> WAITING -> VIEWING -> LINGERING
 *	\-> DENIED -\-> FLUSHING ---------/
 *	\-> PASSING -/
 *
 * KNOCKING: handshake, see knock.c. DENIED: a wrong password waits for its answer. WAITING: for the picture's first frame.
 * VIEWING: there is a worker. PASSING: at the gate, on the way to its display. FLUSHING: what is queued goes out, what comes in
 * is thrown away, so that the last words are not lost to a reset. LINGERING: the connection is closed; the worker is read to its
 * end, however long an encode takes: to join it before would hold everybody up.
 *
 * Every step returns 0 or -errno with `reason` set, and only the four entries from the loop (network, inner, timer, start) end
 * the caller, as their last act: nothing below them touches freed memory.
 */
#include "rfb/caller.h"

#include <errno.h>
#include <stdio.h>

#include "base/fd.h"
#include "base/loop.h"
#include "base/measure.h"
#include "base/mem.h"
#include "rfb/carriage.h"
#include "rfb/knock.h"
#include "rfb/picture.h"
#include "rfb/relay.h"
#include "rfb/seat.h"
#include "rfb/strokes.h"
#include "rfb/transport.h"

#define FLUSH_MS 1000

enum state { KNOCKING, DENIED, WAITING, VIEWING, PASSING, FLUSHING, LINGERING };

struct caller {
	struct caller_entry entry;
	struct caller_host *host;
	enum state state;
	char peer[64];
	char reason[64];

	struct transport *network; /* owned; NULL once it is closed */
	struct seat seat;

	struct loop_source *timer;
	uint64_t due;	   /* when the timer fires, 0: unarmed */
	uint64_t deadline; /* of the state; 0: none */
	uint64_t
		picture_until; /* WAITING: words for the time being are not enough before; 0: not asked yet */

	struct knock *knock; /* owned; NULL once it is in */
	bool person;	     /* somebody may be asked for a password */
	bool shared;	     /* ClientInit's flag */
	uint64_t moved;	     /* bytes that the host has heard of */
	int place; /* owned, -EBADF: none. A gate's: the viewer's end of the way to its display */
	struct carriage *carriage; /* owned; while PASSING */
	struct relay relay;
	struct strokes *strokes; /* owned; NULL: it has never typed */
};

static int give_up(struct caller *caller, int error, const char *reason)
{
	if (caller->state != FLUSHING) /* else the first reason stays */
		snprintf(caller->reason, sizeof(caller->reason), "%s", reason);
	return error;
}

static bool waits_for_picture(const struct caller *caller)
{
	return caller->picture_until && loop_now_ms() < caller->picture_until;
}

/* The timer is moved forward only: an early firing looks again, so that a busy viewer costs no re-arming. */
static void arm(struct caller *caller)
{
	uint64_t due = caller->deadline ? caller->deadline : UINT64_MAX, now;

	if (caller->state == VIEWING)
		due = MIN(due, relay_due(&caller->relay, caller->host->stall_ms));
	if (caller->state == KNOCKING)
		due = MIN(due, knock_due(caller->knock));
	if (caller->state == WAITING && waits_for_picture(caller))
		due = MIN(due, caller->picture_until);
	if (caller->state == PASSING)
		due = MIN(due, carriage_due(caller->carriage, caller->host->stall_ms));
	if (due == UINT64_MAX || (caller->due && caller->due <= due))
		return;
	now = loop_now_ms();
	caller->due = due;
	loop_timer_once(caller->timer, due > now ? due - now : 0);
}

static void set_state(struct caller *caller, enum state state, uint64_t deadline_ms)
{
	caller->state = state;
	caller->deadline = deadline_ms ? loop_now_ms() + deadline_ms : 0;
}

/* Once its input is shut, a worker's socket would always be writable. */
static bool wants_to_tell(const struct caller *caller)
{
	return caller->state == VIEWING && relay_has_message(&caller->relay);
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
	if (caller->seat.source)
		loop_fd_events(
			caller->seat.source, LOOP_READ | (wants_to_tell(caller) ? LOOP_WRITE : 0));
	if (caller->state == VIEWING)
		seat_allow(&caller->seat, relay_queued(&caller->relay) < LIMIT_VIEWER_LOW);
	if (relay_relieved(&caller->relay) && caller->seat.viewer)
		viewer_wake(caller->seat.viewer);
	arm(caller);
}

/* What the relay found wrong, if it did. */
static int checked(struct caller *caller, int r)
{
	return r < 0 ? give_up(caller, r, caller->relay.reason) : r;
}

static int flush(struct caller *caller)
{
	return checked(caller, relay_send(&caller->relay, caller->network));
}

static void finish_connection(struct caller *caller)
{
	knock_destroy(take_ptr(caller->knock));
	carriage_destroy(take_ptr(caller->carriage));
	caller->place = fd_close(caller->place);
	relay_finish(&caller->relay); /* from here on the worker puts nothing there */
	transport_destroy(caller->network);
	caller->network = NULL;
	if (caller->strokes)
		explicit_bzero(caller->strokes, sizeof(*caller->strokes));
	free(take_ptr(caller->strokes));
}

void caller_destroy(struct caller *caller)
{
	if (!caller)
		return;
	finish_connection(caller);
	seat_clear(&caller->seat);
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
	if (!caller->seat.source) {
		release(caller);
		return;
	}
	set_state(caller, LINGERING, 0);
	seat_dismiss(&caller->seat);
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
	if (!relay_queued(&caller->relay) && !caller->seat.viewer)
		transport_shutdown(caller->network);
	return 0;
}

static int begin_flush(struct caller *caller, const char *reason)
{
	give_up(caller, 0, reason);
	carriage_destroy(take_ptr(caller->carriage));
	set_state(caller, FLUSHING, FLUSH_MS);
	if (caller->seat.viewer)
		seat_dismiss(&caller->seat);
	return flush_last(caller);
}

static enum size_status on_asked(void *arg, const struct wish_asked *asked)
{
	struct caller *caller = arg;

	return caller->host->asked(caller->host, caller, asked);
}

static bool on_power(void *arg, enum link_power action)
{
	struct caller *caller = arg;

	return caller->host->power(caller->host, caller, action);
}

bool caller_type(struct caller *caller)
{
	struct link_message message;
	bool taken;

	if (!caller->strokes || !strokes_message(caller->strokes, caller->seat.number, &message))
		return false;
	taken = caller->host->input(caller->host, &message);
	if (taken)
		strokes_eat(caller->strokes, message.input.used);
	explicit_bzero(&message, sizeof(message));
	return taken;
}

/* Where something is to be put; NULL: out of memory. What fills a message goes at once. */
static struct strokes *strokes(struct caller *caller)
{
	if (!caller->strokes)
		caller->strokes = new0(struct strokes);
	else if (caller->strokes->used >= LINK_INPUTS)
		caller_type(caller);
	return caller->strokes;
}

static void on_key(void *arg, bool down, uint32_t keysym, uint32_t keycode)
{
	struct caller *caller = arg;
	struct strokes *to = strokes(caller);

	if (to)
		strokes_key(to, down, keysym, keycode, measure_now());
}

static void on_pointer(void *arg, const struct parse_pointer *pointer)
{
	struct caller *caller = arg;
	const struct parser *parser = &caller->relay.parser;
	struct strokes *to = strokes(caller);

	if (to)
		strokes_pointer(to, pointer, parser->width, parser->height, measure_now());
}

static const struct seat_events seat_events = {
	.asked = on_asked,
	.power = on_power,
	.key = on_key,
	.pointer = on_pointer,
};

/* Network's bytes to the worker, and what was typed between them to the broker. */
static int forward(struct caller *caller)
{
	int r = checked(caller, relay_forward(&caller->relay, caller->seat.inner));

	caller_type(caller);
	return r;
}

static void on_inner(int fd, unsigned int events, void *arg);

static bool on_ask(void *arg, uint64_t before, const struct rect *area)
{
	struct caller *caller = arg;

	return caller->seat.viewer && viewer_ask(caller->seat.viewer, before, area);
}

static int start_worker(struct caller *caller)
{
	struct caller_host *host = caller->host;
	const struct outlet outlet = relay_outlet(&caller->relay);
	int r = seat_take(&caller->seat, host->loop, host->picture, host->frames_maximum,
		host->name, &outlet, on_inner, caller);

	if (r < 0)
		return give_up(caller, r, "no resources for a worker");
	relay_open(&caller->relay, caller->seat.inner, transport_bare(caller->network));
	caller->relay.ask = on_ask;
	caller->relay.ask_arg = caller;
	parser_init(&caller->relay.parser, host->width, host->height, &caller->seat.hooks);
	set_state(caller, VIEWING, 0);
	caller_resized(caller);
	caller_tell(caller);
	return forward(caller);
}

/* With its size a viewer is told what it must follow ever after, if it does not know DesktopSize: that is not yet known. So words for the time
 * being are waited out. */
static int begin(struct caller *caller)
{
	struct picture *picture = caller->host->picture;

	if (!picture_ready(picture))
		return 0;
	if (picture_passes(picture)) {
		if (!caller->picture_until)
			caller->picture_until = loop_now_ms() + LIMIT_PASSING_WORDS_MS;
		if (waits_for_picture(caller))
			return 0;
	}
	return start_worker(caller);
}

static int joined(struct caller *caller)
{
	const char *why = caller->host->seated(caller->host, caller);

	if (why) /* others were faster; RFB has no word for it after security */
		return give_up(caller, -EBUSY, why);
	set_state(caller, WAITING, LIMIT_FIRST_FRAME_MS);
	caller->host->joined(caller->host, caller);
	return begin(caller);
}

/* What is queued already, of the handshake, goes first. */
static int pass(struct caller *caller)
{
	int r = flush(caller);

	if (r < 0 || caller->relay.queue.size)
		return r;
	r = carriage_step(caller->carriage, caller->network);
	if (r == -EPIPE)
		return begin_flush(caller, carriage_reason(caller->carriage));
	if (r < 0)
		return give_up(caller, r, carriage_reason(caller->carriage));
	if (carriage_open(caller->carriage))
		caller->deadline = 0;
	return 0;
}

static void on_carriage(void *arg)
{
	struct caller *caller = arg;

	settle(caller, pass(caller));
}

/* The gate's viewers have their picture from elsewhere. */
static int start_passing(struct caller *caller)
{
	const char *why = caller->host->seated(caller->host, caller);
	int r;

	if (why)
		return give_up(caller, -EBUSY, why);
	r = carriage_create(caller->host->loop, take_fd(&caller->place), caller->shared,
		&caller->relay, on_carriage, caller, &caller->carriage);
	if (r < 0)
		return give_up(caller, r, "no way to its display");
	set_state(caller, PASSING, LIMIT_HANDSHAKE_MS);
	caller->host->joined(caller->host, caller);
	return pass(caller);
}

static int come_in(struct caller *caller)
{
	caller->seat.mode = knock_mode(caller->knock);
	caller->shared = knock_shared(caller->knock);
	knock_destroy(take_ptr(caller->knock));
	return caller->host->gate ? start_passing(caller) : joined(caller);
}

/* States only go on, so that this is no way to stay. */
static void give_time(struct caller *caller)
{
	uint64_t now = loop_now_ms();
	bool person = knock_awaits_person(caller->knock);

	if (person && !caller->person)
		caller->deadline = now + LIMIT_PERSON_MS;
	else if (caller->person && !person)
		caller->deadline = MIN(caller->deadline, now + LIMIT_HANDSHAKE_MS);
	caller->person = person;
}

static int shake_hands(struct caller *caller)
{
	int r = knock_step(caller->knock, caller->network);

	if (r < 0)
		return give_up(caller, r, knock_reason(caller->knock));
	switch ((enum knock_state)r) {
	case KNOCK_WAITS:
		give_time(caller);
		break;
	case KNOCK_IN:
		return come_in(caller);
	case KNOCK_DENIED:
		caller->state = DENIED;
		caller->deadline = knock_answer_at(caller->knock);
		break;
	case KNOCK_REFUSED:
		return begin_flush(caller, knock_reason(caller->knock));
	}
	return 0;
}

static int read_network(struct caller *caller)
{
	size_t size;
	int r;

	r = checked(caller, relay_receive(&caller->relay, caller->network));
	if (r < 0)
		return r;
	if (caller->state == KNOCKING) {
		r = shake_hands(caller);
	} else if (caller->state == VIEWING) {
		r = forward(caller);
	} else if (caller->state == PASSING) {
		return pass(caller);
	} else if (caller->state != WAITING) {
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
	why = viewer_end_reason(caller->seat.viewer);
	seat_clear(&caller->seat);
	if (caller->state == FLUSHING)
		settle(caller, flush_last(caller));
	else
		settle(caller, begin_flush(caller, why ? why : "the worker has ended"));
}

static void on_inner(int fd, unsigned int events, void *arg)
{
	struct caller *caller = arg;
	struct relay *relay = &caller->relay;
	bool ended = false;
	int r;

	r = checked(caller, relay_collect(relay, fd, caller->state == LINGERING, &ended));
	if (r == 0 && ended) {
		inner_ended(caller);
		return;
	}
	if (caller->state == LINGERING) {
		watch(caller);
		return;
	}
	if (r == 0)
		r = flush(caller);
	if (r == 0 && caller->state == VIEWING)
		r = forward(caller);
	tell_moved(caller);
	settle(caller, r);
}

static int deny(struct caller *caller)
{
	int r = knock_deny(caller->knock);

	return r < 0 ? give_up(caller, r, knock_reason(caller->knock))
		     : begin_flush(caller, knock_reason(caller->knock));
}

static void on_timer(void *arg)
{
	struct caller *caller = arg;
	uint64_t now = loop_now_ms();
	bool over = caller->deadline && now >= caller->deadline;
	int r = 0;

	caller->due = 0;
	if (caller->state == VIEWING)
		r = checked(caller, relay_check(&caller->relay, now, caller->host->stall_ms));
	else if (over && caller->state == DENIED)
		r = deny(caller);
	else if (over && caller->state == KNOCKING)
		r = give_up(caller, -ETIMEDOUT, "handshake took too long");
	else if (caller->state == KNOCKING)
		r = shake_hands(caller);
	else if (over && caller->state == WAITING)
		r = give_up(caller, -ETIMEDOUT, "no picture");
	else if (caller->state == WAITING)
		r = begin(caller);
	else if (over && caller->state == PASSING)
		r = give_up(caller, -ETIMEDOUT, "its display does not answer");
	else if (caller->state == PASSING &&
		 now >= carriage_due(caller->carriage, caller->host->stall_ms))
		r = give_up(caller, -ETIMEDOUT, "takes nothing");
	else if (over && caller->state == FLUSHING)
		r = -ETIMEDOUT;
	settle(caller, r);
}

void caller_start(struct caller *caller)
{
	if (caller->state == WAITING)
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
	uint32_t wisher = caller->host->wisher;

	if (caller->state != VIEWING)
		return;
	relay_resize(&caller->relay, caller->host->width, caller->host->height);
	viewer_resized(caller->seat.viewer, !wisher			    ? REASON_SERVER
					    : wisher == caller->seat.number ? REASON_THIS_VIEWER
									    : REASON_OTHER_VIEWER);
}

void caller_tell(struct caller *caller)
{
	const struct facts *facts = &caller->host->facts;

	if (caller->state != VIEWING)
		return;
	parser_relative(&caller->relay.parser, facts->relative);
	seat_tell(&caller->seat, facts);
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

static int start_knocking(struct caller *caller, const struct caller_options *options)
{
	const struct knock_options knock = {
		.host = caller->host,
		.caller = caller,
		.listener = options->listener,
		.peer = options->peer,
		.number = options->number,
		.relay = &caller->relay,
	};
	int r = knock_create(&knock, &caller->knock);

	if (r == 0)
		set_state(caller, KNOCKING, knock_time_ms(caller->knock));
	return r;
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
	snprintf(caller->peer, sizeof(caller->peer), "%s", options->peer);
	seat_init(&caller->seat, options->number, options->listener->mode, &seat_events, caller);
	relay_init(&caller->relay);
	r = loop_timer_add(host->loop, on_timer, caller, &caller->timer);
	if (r == 0)
		r = start_knocking(caller, options);
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

uint32_t caller_number(const struct caller *caller)
{
	return caller->seat.number;
}

enum link_mode caller_mode(const struct caller *caller)
{
	return caller->seat.mode;
}

bool caller_shared(const struct caller *caller)
{
	return caller->shared;
}

const char *caller_peer(const struct caller *caller)
{
	return caller->peer;
}

bool caller_closed(const struct caller *caller)
{
	return caller->state == LINGERING;
}

uint64_t caller_bytes_sent(struct caller *caller)
{
	return relay_sent(&caller->relay);
}

uint32_t caller_frames_behind(const struct caller *caller)
{
	return caller->seat.viewer ? viewer_frames_behind(caller->seat.viewer) : 0;
}

const char *caller_encoding(const struct caller *caller)
{
	return caller->seat.viewer ? viewer_encoding(caller->seat.viewer) : "";
}
