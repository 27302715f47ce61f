/* SPDX-License-Identifier: GPL-2.0-or-later */
/* palette.h - the colours of a rectangle, as long as they are few. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PALETTE_MAX   256
#define PALETTE_SLOTS 1024 /* a power of two; a quarter full at most */
#define CROWD_SLOTS   4096 /* a power of two; so many that few of the first 256 colours share one */

struct palette {
	unsigned int used;
	uint32_t colours[PALETTE_MAX]; /* in the order of their first pixels */
	struct {
		uint32_t colour; /* PALETTE_NONE: free */
		uint32_t index;
	} slots[PALETTE_SLOTS];
};

/* Where @colour is first looked for. Fibonacci hashing (Knuth 6.4): 2^32 / golden ratio, and the top ten bits. */
static inline size_t palette_slot(uint32_t colour)
{
	return colour * 0x9e3779b1u >> 22;
}

/* A look at pixels that shall not take as long as counting does. */
struct crowd {
	uint8_t turn;
	uint8_t seen[CROWD_SLOTS]; /* the turn in which a colour with this hash was last seen */
};

/* True: rows of @width pixels, @height of them, have more than PALETTE_MAX colours. False: they may have. @stride: pixels. */
bool crowd_is_large(
	struct crowd *crowd, const uint32_t *pixels, size_t stride, size_t width, uint32_t height);

void palette_clear(struct palette *palette);
/* Each pixel's place among the colours, which grow. False: there are more than PALETTE_MAX, and @ret is garbage. */
bool palette_index(struct palette *palette, const uint32_t *row, size_t width, uint8_t *ret);
/* All colours of a rectangle. False: there are more than PALETTE_MAX. @stride: pixels. */
bool palette_add(struct palette *palette, const uint32_t *pixels, size_t stride, size_t width, uint32_t height);
