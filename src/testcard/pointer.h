/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pointer.h - the cursor plane of the test card: two images, one after the other, on a Lissajous path. Pure. */
#pragma once

#include <stdint.h>

#define POINTER_SHAPES 2 /* an arrow, a ring */

struct pointer {
	uint32_t side;	/* pixels of an image, both ways */
	uint32_t shape; /* which image */
	int32_t x, y;	/* top left corner of the image on the card; may be outside */
	uint32_t hot_x, hot_y;
	uint32_t serial; /* changes with the shape */
};

/* For a card of this many pixels. At most 128. */
uint32_t pointer_side(uint32_t width, uint32_t height);
/* ARGB8888, premultiplied, @side squared. */
void pointer_draw(uint32_t shape, uint32_t side, uint32_t *pixels);
/* Where and what it is at @ms of the card's time. */
void pointer_at(uint32_t width, uint32_t height, uint64_t ms, struct pointer *ret);
