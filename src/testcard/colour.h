/* SPDX-License-Identifier: GPL-2.0-or-later */
/* colour.h - arithmetic on XRGB8888 pixels. */
#pragma once

#include <stdint.h>

#define COLOUR_PANEL  0x12161du
#define COLOUR_ARENA  0x0b0e14u
#define COLOUR_GRID   0x171d27u
#define COLOUR_EDGE   0x3a4557u
#define COLOUR_WORDS  0xf2f4f8u
#define COLOUR_QUIET  0x93a1b7u
#define COLOUR_ACCENT 0xf0a63au
#define COLOUR_SWEEP  0x35e0c0u

/* @weight 0: all @a, 256: all @b. */
static inline uint32_t colour_mix(uint32_t a, uint32_t b, uint32_t weight)
{
	uint32_t mixed = 0;

	for (unsigned int shift = 0; shift < 24; shift += 8) {
		uint32_t from = a >> shift & 0xff, to = b >> shift & 0xff;

		mixed |= (from * (256 - weight) + to * weight) >> 8 << shift;
	}
	return mixed;
}
