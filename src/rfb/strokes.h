/* SPDX-License-Identifier: GPL-2.0-or-later */
/* strokes.h - what one viewer types and points, in its order, until the broker takes it (LINK_INPUT). No I/O, no clock, no allocation.
 *
 * While more waits than one message holds, a pointer's move takes the place of the move before it (steps add up); keys and what a
 * button did stay where they were. Where there is no room for one it is lost, and all behind it until there is room: the broker hears
 * of it at that place.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "frame/link.h"
#include "rfb/parse.h"

struct strokes {
	uint32_t used;
	uint16_t buttons; /* of the last pointer that was taken */
	bool moves;	  /* the last one here is a move and nothing else */
	struct link_input at[LIMIT_STROKES];
};

/* @now: measure_now(). */
void strokes_key(struct strokes *strokes, bool down, uint32_t keysym, uint32_t keycode, uint64_t now);
/* @width, @height: of the screen, not 0. */
void strokes_pointer(struct strokes *strokes, const struct parse_pointer *pointer, uint32_t width, uint32_t height, uint64_t now);

/* The oldest of them, as a message of @viewer, for strokes_eat() once it is on its way. False: there are none. */
bool strokes_message(const struct strokes *strokes, uint32_t viewer, struct link_message *ret);
void strokes_eat(struct strokes *strokes, uint32_t n);
