/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hands.h - what viewers do with a display's keyboard and pointer, made into events for its sinks. Main thread.
 *
 * Who calls has checked that the viewer may control. What is kept of each viewer are the keys and buttons that it holds, so that they are
 * let go when it leaves, whatever way it does. Two that hold the same one: it goes up with the last. Nothing here names a key to anybody
 * but the sink.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "handover/context.h"

struct hands;
struct inputs;
struct layout;

/* Bits of a viewer's buttons, as RFB has them (7.5.5, and ExtendedMouseButtons for the last). */
enum hands_button {
	HANDS_LEFT = 1 << 0,
	HANDS_MIDDLE = 1 << 1,
	HANDS_RIGHT = 1 << 2,
	HANDS_WHEEL_UP = 1 << 3,
	HANDS_WHEEL_DOWN = 1 << 4,
	HANDS_WHEEL_LEFT = 1 << 5,
	HANDS_WHEEL_RIGHT = 1 << 6,
	HANDS_BACK = 1 << 7,
	HANDS_FORWARD = 1 << 8,
};

struct hands_pointer {
	uint16_t buttons; /* enum hands_button, all that are down now */
	bool relative;	  /* x and y are steps, not a place */
	int32_t x, y;	  /* in pixels of the published picture, or steps; any numbers */
};

struct hands_counts {
	uint64_t unknown; /* keys that this keyboard does not have */
	uint64_t refused; /* events, since another viewer has the keyboard */
	uint64_t dropped; /* keys and buttons that the VMM did not take in time */
};

/* A number that no viewer has: who calls types itself, whosever turn it is. */
#define HANDS_NOBODY 0u

/* @inputs, borrowed, must outlive it. -ENOMEM. */
int hands_create(struct inputs *inputs, struct hands **ret);
/* Lets go of everything. Takes NULL. */
void hands_destroy(struct hands *hands);

/* @idle_ms 0: all that may control share keyboard and pointer, which is how it begins. Else who presses something has both until it has
 * done nothing for so long. Where it changes, what viewers hold is let go. */
void hands_share(struct hands *hands, uint32_t idle_ms);
/* Borrowed until the next call; NULL: "us". */
void hands_layout(struct hands *hands, const struct layout *layout);
/* The size of the picture that viewers see, in pixels. Until then nobody's pointer has a place. */
void hands_screen(struct hands *hands, uint32_t width, uint32_t height);
/* The sink of this kind is gone; all of them are others now. What was down there is down no more. May be called from inside inputs_send(). */
void hands_lost(struct hands *hands, enum input_kind kind);
void hands_replaced(struct hands *hands);
/* inputs_leds() are others. */
void hands_leds(struct hands *hands);
/* The guest's pointer moves in steps alone. Another answer is possible after the last two functions. */
bool hands_relative(const struct hands *hands);
bool hands_has_keyboard(const struct hands *hands);

/* @keysym: X11's, 0: not known. @keycode: a qnum (input/qnum.h), 0: not known. One that is down already repeats. */
void hands_key(struct hands *hands, uint32_t viewer, bool down, uint32_t keysym, uint32_t keycode);
/* A key by KEY_... itself. */
void hands_code(struct hands *hands, uint32_t viewer, bool down, uint16_t code);
void hands_pointer(struct hands *hands, uint32_t viewer, const struct hands_pointer *pointer);
/* It has left, or may control no more, or what it did last was lost on the way. Any number. */
void hands_leave(struct hands *hands, uint32_t viewer);
/* All of them. */
void hands_clear(struct hands *hands);

struct hands_counts hands_counts(const struct hands *hands);
