/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rfb/palette.h"

#include <string.h>

#include "rfb/pixels.h"

#define PALETTE_NONE 0xffffffffu

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
