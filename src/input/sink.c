/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * Records wait in `queue`, the head's first `written` bytes are gone already. Whole groups are added, and only whole groups are dropped,
 * so that what the VMM reads is always a sequence of groups. A group of motion alone that is the last one, and of which nothing has
 * been written, is `motion`: the next one like it is merged into it. So motion needs no more than the room that is kept for one such group, and
 * buttons stay where they were between two motions.
 *
 * What must not be lost is that a key was let go. Each key (and contact) that the guest has seen go down, or will, is in `down`. Where
 * the group in which it goes up is dropped it is `owed`, and as soon as there is room a group of our own lets it go.
 *
 * `seen` is what of that has been written: a press is noted just before, a release just after it, so that whoever goes on when this
 * process was killed, in which all else is lost, knows at least what is down.
 *
 * The kernel's own buffer is made small: what is in there cannot be merged any more, and a guest would work through it first.
 */
#include "input/sink.h"

#include <errno.h>
#include <linux/input-event-codes.h>
#include <string.h>
#include <sys/socket.h>

#include "base/discard.h"
#include "base/fd.h"
#include "base/loop.h"
#include "base/mem.h"

enum {
	BATCH = 64, /* records for each send(): on a Unix socket they arrive whole or not at all */
	BACK_BYTES = 512, /* for each recv() */
	WORDS = ARRAY_SIZE(((struct sink_seen *)0)->keys),
};

struct sink {
	struct loop_source *source, *timer;
	const struct sink_events *events;
	void *arg;
	int fd; /* owned; -EBADF: lost */
	uint32_t leds;
	uint64_t sent, dropped, blocked;
	bool blocks; /* the last write found no room */

	uint8_t queue[LIMIT_INPUT_QUEUE][INPUT_RECORD_BYTES];
	size_t used, written;
	size_t motion; /* where the last group begins; == used: it is none that can be merged into */
	uint64_t down[WORDS], owed[WORDS];
	uint32_t contacts_down, contacts_owed; /* bit n: slot n */
	struct sink_seen *seen, own;	       /* &own: nobody else wants to know */

	uint8_t back[INPUT_RECORD_BYTES]; /* of a record that has not come whole */
	size_t back_used;
	unsigned int back_budget; /* records that are still read in this second */
	bool counting;		  /* the second has begun */
	bool resting;		  /* it has sent more than that */
};

static bool bit_get(const uint64_t *bits, uint16_t n)
{
	return bits[n / 64] >> n % 64 & 1;
}

static void bit_set(uint64_t *bits, uint16_t n, bool on)
{
	uint64_t bit = UINT64_C(1) << n % 64;

	bits[n / 64] = on ? bits[n / 64] | bit : bits[n / 64] & ~bit;
}

static void sink_wait(struct sink *sink)
{
	loop_fd_events(
		sink->source, (sink->resting ? 0 : LOOP_READ) | (sink->used ? LOOP_WRITE : 0));
}

static void sink_lose(struct sink *sink, const char *why)
{
	if (sink->fd < 0)
		return;
	loop_source_free(take_ptr(sink->source));
	loop_timer_stop(sink->timer);
	sink->leds = 0;
	sink->used = sink->written = sink->motion = 0;
	sink->events->lost(sink->arg, why);
	fd_discardp(&sink->fd);
}

/* ---- The queue ---- */

static void push(struct sink *sink, uint16_t type, uint16_t code, int32_t value)
{
	input_pack(&(struct input_event){type, code, value}, sink->queue[sink->used++]);
}

static void push_report(struct sink *sink)
{
	push(sink, EV_SYN, SYN_REPORT, 0);
}

/* @n records have gone, and @part bytes of the next. */
static void shift(struct sink *sink, size_t n, size_t part)
{
	sink->used -= n;
	memmove(sink->queue, sink->queue + n, sink->used * sizeof(sink->queue[0]));
	explicit_bzero(
		sink->queue + sink->used, n * sizeof(sink->queue[0])); /* which keys they were */
	sink->written = part;
	sink->motion = sink->motion >= n + !!part ? sink->motion - n : sink->used;
}

/* What is owed, as far as there is room for it. */
static void settle(struct sink *sink)
{
	const size_t room = LIMIT_INPUT_QUEUE - LIMIT_INPUT_GROUP - 1;
	size_t before = sink->used;

	for (uint16_t code = 0; code < LIMIT_INPUT_KEYS && sink->used + 2 < room; code++) {
		if (!bit_get(sink->owed, code))
			continue;
		push(sink, EV_KEY, code, 0);
		bit_set(sink->owed, code, false);
		bit_set(sink->down, code, false);
	}
	for (int slot = 0; slot < LIMIT_INPUT_CONTACTS && sink->used + 3 < room; slot++) {
		if (!(sink->contacts_owed >> slot & 1))
			continue;
		push(sink, EV_ABS, ABS_MT_SLOT, slot);
		push(sink, EV_ABS, ABS_MT_TRACKING_ID, -1);
		sink->contacts_owed &= ~(1u << slot);
		sink->contacts_down &= ~(1u << slot);
	}
	if (sink->used == before)
		return;
	push_report(sink);
	sink->motion = sink->used;
}

static bool is_owing(const struct sink *sink)
{
	uint64_t any = sink->contacts_owed;

	for (size_t i = 0; i < WORDS; i++)
		any |= sink->owed[i];
	return any;
}

static void note_contact(struct sink_seen *seen, const struct input_event *event, bool done)
{
	uint32_t contact = 1u << seen->slot % LIMIT_INPUT_CONTACTS;

	if (event->code == ABS_MT_SLOT)
		seen->slot = (uint32_t)event->value;
	else if (event->code == ABS_MT_TRACKING_ID && event->value >= 0)
		seen->contacts |= contact;
	else if (event->code == ABS_MT_TRACKING_ID && done)
		seen->contacts &= ~contact;
}

/* The next @n records are about to be written, or are @done. */
static void note_seen(struct sink *sink, size_t n, bool done)
{
	uint32_t slot = sink->seen->slot;

	for (size_t i = 0; i < n; i++) {
		struct input_event event = input_unpack(sink->queue[i]);

		if (event.type == EV_KEY && (event.value || done))
			bit_set(sink->seen->keys, event.code, event.value);
		else if (event.type == EV_ABS)
			note_contact(sink->seen, &event, done);
	}
	if (!done)
		sink->seen->slot = slot;
}

static void flush(struct sink *sink)
{
	while (sink->used) {
		size_t records = MIN(sink->used, (size_t)BATCH);
		size_t n = records * INPUT_RECORD_BYTES - sink->written;
		ssize_t done;

		note_seen(sink, records, false);
		done = send(sink->fd, (uint8_t *)sink->queue + sink->written, n,
			MSG_DONTWAIT | MSG_NOSIGNAL);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0 && errno == EAGAIN) {
			sink->blocked += !sink->blocks;
			sink->blocks = true;
			break;
		}
		if (done < 0)
			return sink_lose(sink, "the other end is closed");
		n = sink->written + (size_t)done;
		note_seen(sink, n / INPUT_RECORD_BYTES, true);
		shift(sink, n / INPUT_RECORD_BYTES, n % INPUT_RECORD_BYTES);
		if (is_owing(sink))
			settle(sink);
	}
	sink->blocks &= sink->used > 0;
	sink_wait(sink);
}

/* ---- Groups ---- */

static bool is_motion(const struct input_event *events, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!input_is_motion(&events[i]))
			return false;
	return true;
}

/* The record of the last group, motion alone, that has this type and code. NULL: none. */
static uint8_t *find_motion(struct sink *sink, const struct input_event *event)
{
	for (size_t i = sink->motion; i < sink->used; i++) {
		struct input_event old = input_unpack(sink->queue[i]);

		if (old.type == event->type && old.code == event->code)
			return sink->queue[i];
	}
	return NULL;
}

/* About the same contacts in the same order, and nothing else: only the places differ. */
static bool same_contacts(struct sink *sink, const struct input_event *events, size_t n)
{
	if (sink->used - sink->motion != n + 1)
		return false;
	for (size_t i = 0; i < n; i++) {
		struct input_event old = input_unpack(sink->queue[sink->motion + i]);

		if (old.type != events[i].type || old.code != events[i].code)
			return false;
		if (old.code == ABS_MT_SLOT && old.value != events[i].value)
			return false;
	}
	return true;
}

static bool has_contacts(const struct input_event *events, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (input_is_contact(&events[i]))
			return true;
	return false;
}

static void merge_one(struct sink *sink, const struct input_event *event)
{
	uint8_t *record = find_motion(sink, event);
	struct input_event merged = *event;

	if (record && event->type == EV_REL) {
		int64_t sum = (int64_t)input_unpack(record).value + event->value;

		sum = MIN(sum, (int64_t)INT32_MAX);
		merged.value = (int32_t)MAX(sum, (int64_t)INT32_MIN);
	}
	if (!record) { /* in the place of the group's end, which moves */
		record = sink->queue[sink->used - 1];
		push_report(sink);
	}
	input_pack(&merged, record);
}

/* False: the last group is none that these can be merged into. */
static bool merge(struct sink *sink, const struct input_event *events, size_t n)
{
	struct input_event first;
	size_t wanted = 0;

	if (sink->motion == sink->used)
		return false;
	first = input_unpack(sink->queue[sink->motion]);
	if (has_contacts(events, n) || input_is_contact(&first)) {
		if (!same_contacts(sink, events, n))
			return false;
		for (size_t i = 0; i < n; i++)
			input_pack(&events[i], sink->queue[sink->motion + i]);
		return true;
	}
	for (size_t i = 0; i < n; i++)
		wanted += !find_motion(sink, &events[i]);
	if (sink->used - sink->motion + wanted > LIMIT_INPUT_GROUP + 1 ||
		sink->used + wanted > LIMIT_INPUT_QUEUE)
		return false;
	for (size_t i = 0; i < n; i++)
		merge_one(sink, &events[i]);
	return true;
}

/* What the guest will know of keys and contacts. */
static void note(struct sink *sink, const struct input_event *events, size_t n, bool dropped)
{
	uint32_t contact = 1;

	for (size_t i = 0; i < n; i++) {
		const struct input_event *event = &events[i];

		if (event->type == EV_ABS && event->code == ABS_MT_SLOT)
			contact = 1u << event->value;
		if (event->type == EV_KEY && dropped) {
			if (!event->value && bit_get(sink->down, event->code))
				bit_set(sink->owed, event->code, true);
		} else if (event->type == EV_KEY) {
			bit_set(sink->down, event->code, event->value);
			bit_set(sink->owed, event->code, false);
		} else if (event->type == EV_ABS && event->code == ABS_MT_TRACKING_ID) {
			uint32_t up = event->value < 0 ? contact : 0;

			sink->contacts_owed = (sink->contacts_owed & ~contact) |
					      (dropped ? up & sink->contacts_down : 0);
			if (!dropped)
				sink->contacts_down =
					(sink->contacts_down & ~contact) | (contact & ~up);
		}
	}
}

bool sink_send(struct sink *sink, const struct input_event *events, size_t n)
{
	bool motion = is_motion(events, n);
	size_t kept = motion ? 0 : LIMIT_INPUT_GROUP + 1;

	assert(n <= LIMIT_INPUT_GROUP);
	if (sink->fd < 0 || n == 0)
		return n == 0;
	if (!motion || !merge(sink, events, n)) {
		size_t start = sink->used;

		if (sink->used + n + 1 + kept > LIMIT_INPUT_QUEUE) {
			note(sink, events, n, true);
			sink->dropped += n;
			return false;
		}
		for (size_t i = 0; i < n; i++)
			push(sink, events[i].type, events[i].code, events[i].value);
		push_report(sink);
		note(sink, events, n, false);
		sink->motion = motion ? start : sink->used;
	}
	sink->sent += n;
	flush(sink);
	return true;
}

void sink_release(struct sink *sink)
{
	if (sink->fd < 0)
		return;
	memcpy(sink->owed, sink->down, sizeof(sink->owed));
	sink->contacts_owed = sink->contacts_down;
	settle(sink);
	flush(sink);
}

void sink_note(struct sink *sink, struct sink_seen *seen)
{
	struct sink_seen before = *sink->seen;

	sink->seen = seen ? seen : &sink->own;
	if (!seen) {
		*sink->seen = before;
		return;
	}
	for (size_t i = 0; i < WORDS; i++) {
		sink->down[i] |= seen->keys[i];
		sink->owed[i] |= seen->keys[i];
		seen->keys[i] |= before.keys[i];
	}
	sink->contacts_down |= seen->contacts;
	sink->contacts_owed |= seen->contacts;
	seen->contacts |= before.contacts;
	if (!is_owing(sink) || sink->fd < 0)
		return;
	settle(sink);
	flush(sink);
}

/* ---- What comes back ---- */

/* False: this is no record of an input device. */
static bool hear(struct sink *sink, const struct input_event *event)
{
	if (event->type > EV_MAX)
		return false;
	if (event->type == EV_LED && event->code <= LED_MAX)
		sink->leds = event->value ? sink->leds | 1u << event->code
					  : sink->leds & ~(1u << event->code);
	return true; /* bells, repeat rates: nobody wants them */
}

static bool hear_bytes(struct sink *sink, const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct input_event event;

		sink->back[sink->back_used++] = bytes[i];
		if (sink->back_used < sizeof(sink->back))
			continue;
		sink->back_used = 0;
		event = input_unpack(sink->back);
		if (!hear(sink, &event))
			return false;
	}
	return true;
}

static void receive(struct sink *sink)
{
	unsigned int records;
	uint8_t bytes[BACK_BYTES];
	uint32_t leds = sink->leds;
	ssize_t n = recv(sink->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0)
		return sink_lose(sink, "the other end is closed");
	if (!hear_bytes(sink, bytes, (size_t)n))
		return sink_lose(sink, "what came back is no input event");
	records = DIV_ROUND_UP((unsigned int)n, INPUT_RECORD_BYTES);
	sink->back_budget -= MIN(sink->back_budget, records);
	if (!sink->back_budget) {
		sink->resting = true;
		sink_wait(sink);
	}
	if (!sink->counting)
		loop_timer_once(sink->timer, 1000);
	sink->counting = true;
	if (sink->leds != leds)
		sink->events->leds(sink->arg);
}

static void on_second(void *arg)
{
	struct sink *sink = arg;

	sink->back_budget = LIMIT_INPUT_BACK;
	sink->counting = sink->resting = false;
	sink_wait(sink);
}

static void on_socket(int fd, unsigned int events, void *arg)
{
	struct sink *sink = arg;

	if (events & LOOP_WRITE)
		flush(sink);
	if (events & LOOP_READ && sink->fd >= 0)
		receive(sink);
}

/* ---- Beginning and end ---- */

int sink_create(
	struct loop *loop, int fd, const struct sink_events *events, void *arg, struct sink **ret)
{
	struct sink *sink = new0(struct sink);
	int room = LIMIT_INPUT_SOCKET;
	int r;

	if (!sink)
		return -ENOMEM;
	sink->fd = -EBADF;
	sink->seen = &sink->own;
	sink->events = events;
	sink->arg = arg;
	sink->back_budget = LIMIT_INPUT_BACK;
	r = loop_timer_add(loop, on_second, sink, &sink->timer);
	if (r == 0)
		r = loop_fd_add(loop, fd, LOOP_READ, on_socket, sink, &sink->source);
	if (r < 0) {
		sink_destroy(sink);
		return r;
	}
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	sink->fd = fd;
	*ret = sink;
	return 0;
}

void sink_destroy(struct sink *sink)
{
	if (!sink)
		return;
	loop_source_free(sink->source);
	loop_source_free(sink->timer);
	fd_discard(sink->fd);
	free(sink);
}

bool sink_connected(const struct sink *sink)
{
	return sink->source != NULL; /* not while its loss is told */
}

int sink_fd(const struct sink *sink)
{
	return sink->fd;
}

uint32_t sink_leds(const struct sink *sink)
{
	return sink->leds;
}

uint64_t sink_sent(const struct sink *sink)
{
	return sink->sent;
}

uint64_t sink_dropped(const struct sink *sink)
{
	return sink->dropped;
}

uint64_t sink_blocked(const struct sink *sink)
{
	return sink->blocked;
}
