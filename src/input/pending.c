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
 */
#include "input/pending.h"

#include <errno.h>
#include <linux/input-event-codes.h>
#include <string.h>
#include <sys/socket.h>

enum {
	BATCH = 64, /* records for each send(): on a Unix socket they arrive whole or not at all */
	WORDS = ARRAY_SIZE(((struct sink_seen *)0)->keys),
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

/* ---- The queue ---- */

static void push(struct pending *pending, uint16_t type, uint16_t code, int32_t value)
{
	input_pack(&(struct input_event){type, code, value}, pending->queue[pending->used++]);
}

static void push_report(struct pending *pending)
{
	push(pending, EV_SYN, SYN_REPORT, 0);
}

/* @n records have gone, and @part bytes of the next. */
static void shift(struct pending *pending, size_t n, size_t part)
{
	pending->used -= n;
	memmove(pending->queue, pending->queue + n, pending->used * sizeof(pending->queue[0]));
	explicit_bzero(pending->queue + pending->used,
		n * sizeof(pending->queue[0])); /* which keys they were */
	pending->written = part;
	pending->motion = pending->motion >= n + !!part ? pending->motion - n : pending->used;
}

/* What is owed, as far as there is room for it. */
static void settle(struct pending *pending)
{
	const size_t room = LIMIT_INPUT_QUEUE - LIMIT_INPUT_GROUP - 1;
	size_t before = pending->used;

	for (uint16_t code = 0; code < LIMIT_INPUT_KEYS && pending->used + 2 < room; code++) {
		if (!bit_get(pending->owed, code))
			continue;
		push(pending, EV_KEY, code, 0);
		bit_set(pending->owed, code, false);
		bit_set(pending->down, code, false);
	}
	for (int slot = 0; slot < LIMIT_INPUT_CONTACTS && pending->used + 3 < room; slot++) {
		if (!(pending->contacts_owed >> slot & 1))
			continue;
		push(pending, EV_ABS, ABS_MT_SLOT, slot);
		push(pending, EV_ABS, ABS_MT_TRACKING_ID, -1);
		pending->contacts_owed &= ~(1u << slot);
		pending->contacts_down &= ~(1u << slot);
	}
	if (pending->used == before)
		return;
	push_report(pending);
	pending->motion = pending->used;
}

static bool is_owing(const struct pending *pending)
{
	uint64_t any = pending->contacts_owed;

	for (size_t i = 0; i < WORDS; i++)
		any |= pending->owed[i];
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
static void note_seen(struct pending *pending, size_t n, bool done)
{
	uint32_t slot = pending->seen->slot;

	for (size_t i = 0; i < n; i++) {
		struct input_event event = input_unpack(pending->queue[i]);

		if (event.type == EV_KEY && (event.value || done))
			bit_set(pending->seen->keys, event.code, event.value);
		else if (event.type == EV_ABS)
			note_contact(pending->seen, &event, done);
	}
	if (!done)
		pending->seen->slot = slot;
}

int pending_write(struct pending *pending, int fd)
{
	while (pending->used) {
		size_t records = MIN(pending->used, (size_t)BATCH);
		size_t n = records * INPUT_RECORD_BYTES - pending->written;
		ssize_t done;

		note_seen(pending, records, false);
		done = send(fd, (uint8_t *)pending->queue + pending->written, n,
			MSG_DONTWAIT | MSG_NOSIGNAL);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		n = pending->written + (size_t)done;
		note_seen(pending, n / INPUT_RECORD_BYTES, true);
		shift(pending, n / INPUT_RECORD_BYTES, n % INPUT_RECORD_BYTES);
		if (is_owing(pending))
			settle(pending);
	}
	return 0;
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
static uint8_t *find_motion(struct pending *pending, const struct input_event *event)
{
	for (size_t i = pending->motion; i < pending->used; i++) {
		struct input_event old = input_unpack(pending->queue[i]);

		if (old.type == event->type && old.code == event->code)
			return pending->queue[i];
	}
	return NULL;
}

/* About the same contacts in the same order, and nothing else: only the places differ. */
static bool same_contacts(struct pending *pending, const struct input_event *events, size_t n)
{
	if (pending->used - pending->motion != n + 1)
		return false;
	for (size_t i = 0; i < n; i++) {
		struct input_event old = input_unpack(pending->queue[pending->motion + i]);

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

static void merge_one(struct pending *pending, const struct input_event *event)
{
	uint8_t *record = find_motion(pending, event);
	struct input_event merged = *event;

	if (record && event->type == EV_REL) {
		int64_t sum = (int64_t)input_unpack(record).value + event->value;

		sum = MIN(sum, (int64_t)INT32_MAX);
		merged.value = (int32_t)MAX(sum, (int64_t)INT32_MIN);
	}
	if (!record) { /* in the place of the group's end, which moves */
		record = pending->queue[pending->used - 1];
		push_report(pending);
	}
	input_pack(&merged, record);
}

/* False: the last group is none that these can be merged into. */
static bool merge(struct pending *pending, const struct input_event *events, size_t n)
{
	struct input_event first;
	size_t wanted = 0;

	if (pending->motion == pending->used)
		return false;
	first = input_unpack(pending->queue[pending->motion]);
	if (has_contacts(events, n) || input_is_contact(&first)) {
		if (!same_contacts(pending, events, n))
			return false;
		for (size_t i = 0; i < n; i++)
			input_pack(&events[i], pending->queue[pending->motion + i]);
		return true;
	}
	for (size_t i = 0; i < n; i++)
		wanted += !find_motion(pending, &events[i]);
	if (pending->used - pending->motion + wanted > LIMIT_INPUT_GROUP + 1 ||
		pending->used + wanted > LIMIT_INPUT_QUEUE)
		return false;
	for (size_t i = 0; i < n; i++)
		merge_one(pending, &events[i]);
	return true;
}

/* What the guest will know of keys and contacts. */
static void note(struct pending *pending, const struct input_event *events, size_t n, bool dropped)
{
	uint32_t contact = 1;

	for (size_t i = 0; i < n; i++) {
		const struct input_event *event = &events[i];

		if (event->type == EV_ABS && event->code == ABS_MT_SLOT)
			contact = 1u << event->value;
		if (event->type == EV_KEY && dropped) {
			if (!event->value && bit_get(pending->down, event->code))
				bit_set(pending->owed, event->code, true);
		} else if (event->type == EV_KEY) {
			bit_set(pending->down, event->code, event->value);
			bit_set(pending->owed, event->code, false);
		} else if (event->type == EV_ABS && event->code == ABS_MT_TRACKING_ID) {
			uint32_t up = event->value < 0 ? contact : 0;

			pending->contacts_owed = (pending->contacts_owed & ~contact) |
						 (dropped ? up & pending->contacts_down : 0);
			if (!dropped)
				pending->contacts_down =
					(pending->contacts_down & ~contact) | (contact & ~up);
		}
	}
}

bool pending_add(struct pending *pending, const struct input_event *events, size_t n)
{
	bool motion = is_motion(events, n);
	size_t kept = motion ? 0 : LIMIT_INPUT_GROUP + 1, start = pending->used;

	if (motion && merge(pending, events, n))
		return true;
	if (pending->used + n + 1 + kept > LIMIT_INPUT_QUEUE) {
		note(pending, events, n, true);
		return false;
	}
	for (size_t i = 0; i < n; i++)
		push(pending, events[i].type, events[i].code, events[i].value);
	push_report(pending);
	note(pending, events, n, false);
	pending->motion = motion ? start : pending->used;
	return true;
}

/* ---- What is down ---- */

void pending_release(struct pending *pending)
{
	memcpy(pending->owed, pending->down, sizeof(pending->owed));
	pending->contacts_owed = pending->contacts_down;
	settle(pending);
}

void pending_note(struct pending *pending, struct sink_seen *seen)
{
	struct sink_seen before = *pending->seen;

	pending->seen = seen ? seen : &pending->own;
	if (!seen) {
		*pending->seen = before;
		return;
	}
	for (size_t i = 0; i < WORDS; i++) {
		pending->down[i] |= seen->keys[i];
		pending->owed[i] |= seen->keys[i];
		seen->keys[i] |= before.keys[i];
	}
	pending->contacts_down |= seen->contacts;
	pending->contacts_owed |= seen->contacts;
	seen->contacts |= before.contacts;
	if (is_owing(pending))
		settle(pending);
}

/* ---- Beginning and end ---- */

void pending_init(struct pending *pending)
{
	*pending = (struct pending){.seen = &pending->own};
}

void pending_clear(struct pending *pending)
{
	explicit_bzero(pending->queue, sizeof(pending->queue));
	pending->used = pending->written = pending->motion = 0;
}
