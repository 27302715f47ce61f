/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pending.h - what is to be written to an input device of a guest, and what its VMM was told is down. Main thread.
 *
 * A group that finds no room is dropped whole; a release that is dropped with it is owed, and made up for as soon as there is room.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "input/event.h"

/* What the guest may believe to be down, as far as its VMM was told. */
struct sink_seen {
	uint64_t keys[DIV_ROUND_UP(LIMIT_INPUT_KEYS, 64)];
	uint32_t contacts; /* bit n: slot n */
	uint32_t slot;	   /* that is spoken of */
};

struct pending {
	uint8_t queue[LIMIT_INPUT_QUEUE][INPUT_RECORD_BYTES];
	size_t used, written;
	size_t motion; /* where the last group begins; == used: it is none that can be merged into */
	uint64_t down[DIV_ROUND_UP(LIMIT_INPUT_KEYS, 64)], owed[DIV_ROUND_UP(LIMIT_INPUT_KEYS, 64)];
	uint32_t contacts_down, contacts_owed; /* bit n: slot n */
	struct sink_seen *seen, own;	       /* &own: nobody else wants to know */
};

void pending_init(struct pending *pending);
/* Nobody will read any of it. */
void pending_clear(struct pending *pending);
/* As sink_send(). False: dropped. */
bool pending_add(struct pending *pending, const struct input_event *events, size_t n);
/* What is down is owed. */
void pending_release(struct pending *pending);
/* As sink_note(); what is owed then waits. */
void pending_note(struct pending *pending, struct sink_seen *seen);
/* As much as socket @fd takes, without waiting. 0: nothing is left; -EAGAIN; -errno: it takes nothing any more. */
int pending_write(struct pending *pending, int fd);
