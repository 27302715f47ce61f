/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tiling.h - where the bytes of a tiled plane lie (drm_fourcc.h, I915_FORMAT_MOD_*).
 *
 * Intel's tiles have 4096 bytes and follow each other from left to right, then from top to bottom. Inside one, the twelve bits of a
 * byte's offset are the bits of its row and the bits of its place in that row, shuffled; the lowest four are always of the
 * place, so that 16 bytes side by side stay together. Since the eighth generation nothing else is mixed in (no swizzling
 * of bit 6), and vGPUs are of the eighth and ninth.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define TILE_BYTES 4096u
#define TILE_WORD  16u /* bytes that stay together in every tiling */

struct tiling {
	uint64_t modifier;
	uint16_t pixel_sizes; /* bit n: pixels of n bytes */
	uint16_t row_bits;    /* of an offset in a tile; the rest are of the place in the row */
	uint16_t width;	      /* bytes */
	uint16_t height;      /* rows */
};

/* NULL: linear, or not known for pixels of @bytes bytes. */
const struct tiling *tiling_find(uint64_t modifier, unsigned int bytes);
/* Of the byte at @x (bytes) in row @y, from the plane's first. @stride: bytes, a multiple of the tiling's width. Where the bits
 * of x1 and x2 do not overlap, nor those of y1 and y2, the offset of their sums is the sum of their offsets. */
uint64_t tiling_offset(const struct tiling *tiling, uint32_t stride, uint32_t x, uint32_t y);
