/* SPDX-License-Identifier: GPL-2.0-or-later */
/* On its own, because the RFB program reads bitmaps and looks at nothing. */
#include "base/mem.h"
#include "damage/tiles.h"

size_t tiles_bitmap_stride(uint32_t width)
{
	return DIV_ROUND_UP(DIV_ROUND_UP((size_t)width, BLOCK_PIXELS), 64);
}

size_t tiles_bitmap_words(uint32_t width, uint32_t height)
{
	return tiles_bitmap_stride(width) * DIV_ROUND_UP((size_t)height, BLOCK_PIXELS);
}
