/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rfb/palette.h"

#include <string.h>

#include "base/mem.h"
#include "rfb/pixels.h"

#define PALETTE_NONE 0xffffffffu

#define CROWD_STEP \
	8 /* rows are taken eight by eight: far apart, they differ more than neighbours */
#define CROWD_FEW 48 /* colours in the first eighth: it will not come to so many */

#define ADD_AT_ONCE 64 /* pixels */

/* Colours that are counted together because of their hash only make it fewer. */
static unsigned int row_adds(struct crowd *crowd, const uint32_t *row, size_t width)
{
	const uint8_t turn = crowd->turn;
	unsigned int added = 0;

	for (size_t i = 0; i < width; i++) {
		uint8_t *seen = &crowd->seen[(row[i] & PIXEL_MASK) * 0x9e3779b1u >> 20];

		added += *seen != turn;
		*seen = turn;
	}
	return added;
}

bool crowd_is_large(
	struct crowd *crowd, const uint32_t *pixels, size_t stride, size_t width, uint32_t height)
{
	static const uint8_t firsts[CROWD_STEP] = {0, 4, 2, 6, 1, 5, 3, 7};
	unsigned int count = 0;

	if (!++crowd->turn) {
		memset(crowd->seen, 0, sizeof(crowd->seen));
		crowd->turn = 1;
	}
	for (size_t i = 0; i < CROWD_STEP; i++) {
		for (uint32_t y = firsts[i]; y < height; y += CROWD_STEP) {
			count += row_adds(crowd, pixels + y * stride, width);
			if (count > PALETTE_MAX)
				return true;
		}
		if (count < CROWD_FEW)
			return false;
	}
	return false;
}

void palette_clear(struct palette *palette)
{
	palette->used = 0;
	memset(palette->slots, 0xff, sizeof(palette->slots));
}

/* The slot of @colour: taken, or free. */
static size_t slot_of(const struct palette *palette, uint32_t colour)
{
	size_t slot = palette_slot(colour);

	while (palette->slots[slot].colour != colour && palette->slots[slot].colour != PALETTE_NONE)
		slot = (slot + 1) % PALETTE_SLOTS;
	return slot;
}

bool palette_index(struct palette *palette, const uint32_t *row, size_t width, uint8_t *ret)
{
	uint32_t last = PALETTE_NONE;
	uint8_t index = 0;

	for (size_t i = 0; i < width; i++) {
		uint32_t colour = row[i] & PIXEL_MASK;

		if (colour != last) {
			size_t slot = slot_of(palette, colour);

			if (palette->slots[slot].colour == PALETTE_NONE) {
				if (palette->used == PALETTE_MAX)
					return false;
				palette->slots[slot].colour = colour;
				palette->slots[slot].index = palette->used;
				palette->colours[palette->used++] = colour;
			}
			index = palette->slots[slot].index;
			last = colour;
		}
		ret[i] = index;
	}
	return true;
}

bool palette_add(struct palette *palette, const uint32_t *pixels, size_t stride, size_t width,
	uint32_t height)
{
	uint8_t places[ADD_AT_ONCE];

	for (uint32_t y = 0; y < height; y++)
		for (size_t x = 0; x < width; x += ADD_AT_ONCE)
			if (!palette_index(palette, pixels + y * stride + x,
				    MIN(width - x, (size_t)ADD_AT_ONCE), places))
				return false;
	return true;
}
