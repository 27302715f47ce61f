/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "input/inputs.h"

#include <errno.h>
#include <linux/input-event-codes.h>

#include "base/fd.h"
#include "base/mem.h"
#include "input/pending.h"
#include "input/sink.h"

enum { NOBODY = LIMIT_INPUTS };

static size_t slot_number(const struct inputs_slot *slot)
{
	size_t n = 0;

	while (n < slot->inputs->used && slot->inputs->slots[n] != slot)
		n++;
	return n;
}

static void on_lost(void *arg, const char *why)
{
	struct inputs_slot *slot = arg;
	size_t n = slot_number(slot);

	if (n < slot->inputs->used) /* it is not being closed */
		slot->inputs->events->lost(slot->inputs->arg, n, why);
}

static void on_leds(void *arg)
{
	struct inputs_slot *slot = arg;

	slot->inputs->events->leds(slot->inputs->arg);
}

static const struct sink_events sink_events = {.lost = on_lost, .leds = on_leds};

/* ---- The sinks ---- */

void inputs_init(
	struct inputs *inputs, struct loop *loop, const struct inputs_events *events, void *arg)
{
	*inputs = (struct inputs){.loop = loop, .events = events, .arg = arg};
}

static void slot_free(struct inputs_slot *slot)
{
	if (!slot)
		return;
	sink_destroy(slot->sink);
	free(slot);
}

static int slot_create(
	struct inputs *inputs, const struct handover_input *from, struct inputs_slot **ret)
{
	struct inputs_slot *slot = new0(struct inputs_slot);
	int fd, r;

	if (!slot)
		return -ENOMEM;
	slot->inputs = inputs;
	slot->kind = *from;
	slot->kind.fd = -EBADF;
	/* Its own number, so that the caller's can still be closed or kept when a later one fails. */
	fd = fcntl(from->fd, F_DUPFD_CLOEXEC, 3);
	fd = fd < 0 ? -errno : fd_move_high(fd);
	r = fd < 0 ? fd : sink_create(inputs->loop, fd, &sink_events, slot, &slot->sink);
	if (r < 0) {
		fd_close(fd);
		free(slot);
		return r;
	}
	*ret = slot;
	return 0;
}

int inputs_set(struct inputs *inputs, struct handover_input *from, size_t n)
{
	struct inputs_slot *slots[LIMIT_INPUTS] = {0};
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++)
		r = slot_create(inputs, &from[i], &slots[i]);
	if (r < 0) {
		for (size_t i = 0; i < n; i++)
			slot_free(slots[i]);
		return r;
	}
	inputs_finish(inputs);
	memcpy(inputs->slots, slots, sizeof(slots));
	inputs->used = n;
	for (size_t i = 0; i < n; i++)
		from[i].fd = fd_close(from[i].fd);
	return 0;
}

void inputs_finish(struct inputs *inputs)
{
	size_t used = inputs->used;

	inputs->used = 0;
	for (size_t i = 0; i < used; i++) {
		sink_part(take_ptr(inputs->slots[i]->sink));
		slot_free(take_ptr(inputs->slots[i]));
	}
}

void inputs_note(struct inputs *inputs, struct sink_seen *seen)
{
	for (size_t i = 0; i < inputs->used; i++)
		sink_note(inputs->slots[i]->sink, seen ? &seen[inputs->slots[i]->kind.kind] : NULL);
}

int inputs_fd(const struct inputs *inputs, size_t n)
{
	return sink_fd(inputs->slots[n]->sink);
}

uint32_t inputs_leds(const struct inputs *inputs)
{
	uint32_t leds = 0;

	for (size_t i = 0; i < inputs->used; i++)
		if (inputs->slots[i]->kind.kind == INPUT_KEYBOARD)
			leds |= sink_leds(inputs->slots[i]->sink);
	return leds;
}

/* ---- Which event goes where ---- */

/* One call's events on their way. */
struct sorting {
	struct inputs *inputs;
	const enum input_kind *kind;
	const struct input_event *events;
	size_t n;
	uint8_t slots[LIMIT_INPUT_EVENTS]; /* of each event; NOBODY: it is an EV_SYN */
	struct inputs_result result;
};

static bool is_asked(const struct sorting *sorting, enum input_kind kind)
{
	return !sorting->kind || *sorting->kind == kind;
}

static bool slot_takes(const struct sorting *sorting, size_t n, const struct input_event *event)
{
	const struct inputs_slot *slot = sorting->inputs->slots[n];

	return sink_connected(slot->sink) && is_asked(sorting, slot->kind.kind) &&
	       input_takes(slot->kind.kind, event->type, event->code);
}

static size_t find_slot(const struct sorting *sorting, size_t last, const struct input_event *event)
{
	if (last != NOBODY && slot_takes(sorting, last, event))
		return last;
	for (size_t n = 0; n < sorting->inputs->used; n++)
		if (slot_takes(sorting, n, event))
			return n;
	return NOBODY;
}

/* Nobody takes it: which part of it is at fault. */
static enum inputs_refusal why_not(struct sorting *sorting, const struct input_event *event)
{
	bool type = false;

	for (enum input_kind kind = 0; input_kind_name(kind); kind++) {
		if (!is_asked(sorting, kind))
			continue;
		if (input_takes(kind, event->type, event->code)) {
			sorting->result.kind = kind;
			return INPUTS_NONE;
		}
		type |= input_takes_type(kind, event->type);
	}
	return type ? INPUTS_CODE : INPUTS_TYPE;
}

/* What a group has said so far. */
struct group {
	size_t last; /* the slot of its last event; NOBODY: it has none */
	size_t n;
	bool contact; /* it has said which */
};

static enum inputs_refusal sort_one(struct sorting *sorting, size_t i, struct group *group)
{
	const struct input_event *event = &sorting->events[i];
	size_t slot;

	if (input_is_report(event)) {
		if (event->code != SYN_REPORT)
			return INPUTS_CODE;
		*group = (struct group){.last = NOBODY};
		sorting->slots[i] = NOBODY;
		return event->value ? INPUTS_VALUE : INPUTS_SENT;
	}
	slot = find_slot(sorting, group->last, event);
	if (slot == NOBODY)
		return why_not(sorting, event);
	group->contact |= event->code == ABS_MT_SLOT && event->type == EV_ABS;
	if (++group->n > LIMIT_INPUT_GROUP || (input_is_contact(event) && !group->contact))
		return INPUTS_CODE;
	if (!input_takes_value(&sorting->inputs->slots[slot]->kind, event))
		return INPUTS_VALUE;
	group->last = slot;
	sorting->slots[i] = (uint8_t)slot;
	return INPUTS_SENT;
}

/* What of each group is sink @slot's. */
static void send_sorted(struct sorting *sorting, size_t slot)
{
	struct sink *sink = sorting->inputs->slots[slot]->sink;
	struct input_event group[LIMIT_INPUT_GROUP];
	size_t used = 0;

	for (size_t i = 0; i <= sorting->n; i++) {
		if (i < sorting->n && sorting->slots[i] == slot)
			group[used++] = sorting->events[i];
		if (i < sorting->n && !input_is_report(&sorting->events[i]))
			continue;
		if (!sink_send(sink, group, used))
			sorting->result.dropped += used;
		used = 0;
	}
}

struct inputs_result inputs_send(struct inputs *inputs, const enum input_kind *kind,
	const struct input_event *events, size_t n)
{
	struct sorting sorting = {.inputs = inputs, .kind = kind, .events = events, .n = n};
	struct group group = {.last = NOBODY};

	assert(n <= LIMIT_INPUT_EVENTS);
	for (size_t i = 0; i < n; i++) {
		sorting.result.refusal = sort_one(&sorting, i, &group);
		sorting.result.event = i;
		if (sorting.result.refusal)
			return sorting.result;
	}
	for (size_t slot = 0; slot < inputs->used; slot++)
		send_sorted(&sorting, slot);
	return sorting.result;
}
