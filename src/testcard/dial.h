/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dial.h - a round dial with a hand that sweeps. */
#pragma once

#include <stdint.h>

#include "frame/text.h"

/* What a pixel of the dial is without the hand, and where it lies for the hand. */
struct dial_pixel {
	uint32_t colour;
	uint16_t angle;	 /* 65536 to the turn, clockwise from the top */
	uint16_t weight; /* 0..256: how much of the hand's light it takes */
};

/* @side squared of them, row by row, to be freed. NULL: no memory. */
struct dial_pixel *dial_create(uint32_t side);
/* Draws the dial with its hand at @angle, top left corner at (@x, @y). */
void dial_draw(const struct dial_pixel *dial, uint32_t side, const struct canvas *canvas, int32_t x,
	int32_t y, uint16_t angle);
