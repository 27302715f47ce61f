/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pointer.h - one guest's pointer: which sink moves it, and what that is told. Part of hands.c.
 *
 * Absolute before relative before touch, whichever sink is connected. Who has places where the sink wants steps, or the other way round,
 * is understood all the same.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "input/hands.h"

/* All bits but the wheels': what can be held. */
#define POINTER_HELD (HANDS_LEFT | HANDS_MIDDLE | HANDS_RIGHT | HANDS_BACK | HANDS_FORWARD)

struct pointer {
	struct inputs *inputs;	/* borrowed */
	uint32_t width, height; /* of the picture; 0: not known */
	bool placed;
	int32_t x, y;  /* in the picture, when placed */
	uint16_t down; /* HANDS_..., as the guest has been told */
	bool touching;
	uint16_t contact; /* number of the last touch */
};

/* False: there is none. */
bool pointer_kind(const struct inputs *inputs, enum input_kind *ret);
/* Its sink is gone. */
void pointer_forget(struct pointer *pointer);
/* The middle of pixel @at of @size as a place from 0 to @maximum, so that a guest that divides the same way finds the pixel again. */
int32_t pointer_scale(int32_t at, uint32_t size, uint32_t maximum);
/* @move NULL: it stays. @down: all that are to be down now. @wheels: edges. How many events were dropped. */
size_t pointer_send(
	struct pointer *pointer, const struct hands_pointer *move, uint16_t down, uint16_t wheels);
