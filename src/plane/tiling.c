/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plane/tiling.h"

#include <drm_fourcc.h>

#include "base/mem.h"

#define BYTES(n) (1u << (n))

/* Yf: a word of 16 bytes has three below it (64 bytes); one more such block below, two beside (256 bytes); this twice more (4096
 * bytes). With pixels of one byte the four blocks of a unit are below each other, which makes it square. */
static const struct tiling tilings[] = {
	{I915_FORMAT_MOD_X_TILED, BYTES(1) | BYTES(2) | BYTES(4), 0xe00, 512, 8},
	{I915_FORMAT_MOD_Y_TILED, BYTES(1) | BYTES(2) | BYTES(4), 0x1f0, 128, 32},
	{I915_FORMAT_MOD_Yf_TILED, BYTES(2) | BYTES(4), 0x570, 128, 32},
	{I915_FORMAT_MOD_Yf_TILED, BYTES(1), 0x5f0, 64, 64},
};

const struct tiling *tiling_find(uint64_t modifier, unsigned int bytes)
{
	for (size_t i = 0; i < ARRAY_SIZE(tilings); i++)
		if (tilings[i].modifier == modifier && tilings[i].pixel_sizes & BYTES(bytes))
			return &tilings[i];
	return NULL;
}

/* The lowest bits of @value to the places that @bits has. */
static uint32_t deposit(uint32_t value, uint32_t bits)
{
	uint32_t result = 0;

	for (; bits; bits &= bits - 1, value >>= 1)
		if (value & 1)
			result |= bits & -bits;
	return result;
}

uint64_t tiling_offset(const struct tiling *tiling, uint32_t stride, uint32_t x, uint32_t y)
{
	uint64_t row = (uint64_t)stride * (y / tiling->height * tiling->height);
	uint64_t tile = (uint64_t)(x / tiling->width) * TILE_BYTES;

	return row + tile + deposit(x % tiling->width, TILE_BYTES - 1 - tiling->row_bits) +
	       deposit(y % tiling->height, tiling->row_bits);
}
