/* SPDX-License-Identifier: GPL-2.0-or-later */
/* inputs.h - all sinks of one display: which event goes to which. Main thread.
 *
 * Events come from the method SendInput. Viewers' keys and pointers are to come the same way: inputs_send(), and the LEDs' event back.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "input/event.h"

struct loop;
struct sink;
struct sink_seen;

struct inputs_events {
	void (*lost)(void *arg, size_t n,
		const char *
			why); /* sink @n; inputs_fd() is about to be closed. Not to be set from inside */
	void (*leds)(void *arg); /* inputs_leds() has changed */
};

struct inputs_slot {
	struct inputs *inputs;
	struct handover_input kind; /* fd -EBADF */
	struct sink *sink;
};

struct inputs {
	struct loop *loop;
	const struct inputs_events *events;
	void *arg;
	struct inputs_slot *slots[LIMIT_INPUTS]; /* owned */
	size_t used;
};

/* Why inputs_send() did not send, and about which event. */
enum inputs_refusal {
	INPUTS_SENT,
	INPUTS_TYPE, /* no kind has events of this type */
	INPUTS_CODE, /* no kind has this one; or a contact's, before its group has said which contact; or its group is too long */
	INPUTS_VALUE, /* it cannot have this value */
	INPUTS_NONE,  /* no sink of a kind that has it is connected */
};

struct inputs_result {
	enum inputs_refusal refusal;
	size_t event;
	enum input_kind kind; /* INPUTS_NONE: the first that has it */
	size_t dropped;	      /* events, since the VMM does not read */
};

void inputs_init(
	struct inputs *inputs, struct loop *loop, const struct inputs_events *events, void *arg);
/* Takes the place of all that are there, whose keys are let go. Descriptors are taken out of @from on success only. -ENOMEM, -EINVAL:
 * those that are there stay. */
int inputs_set(struct inputs *inputs, struct handover_input *from, size_t n);
/* Lets go of all keys and closes all, as sink_part() does. */
void inputs_finish(struct inputs *inputs);

/* sink_note() for each, in one of LIMIT_INPUTS that follow each other, by its kind. NULL: nobody's. */
void inputs_note(struct inputs *inputs, struct sink_seen *seen);

/* To the sinks that have them: of @kind, or (NULL) the one that got the event before it in its group, else the first that is connected.
 * EV_SYN ends a group, and is added at the end. All or nothing is sent, but for what is dropped. @n at most LIMIT_INPUT_EVENTS. */
struct inputs_result inputs_send(struct inputs *inputs, const enum input_kind *kind,
	const struct input_event *events, size_t n);

/* Of sink @n, below `used`; -EBADF: lost. For who keeps a copy. */
int inputs_fd(const struct inputs *inputs, size_t n);
/* All keyboards' together: bit LED_... */
uint32_t inputs_leds(const struct inputs *inputs);
