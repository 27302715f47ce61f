/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rfb/bitmaps.h"

#include <errno.h>

#include "base/mem.h"
#include "damage/tiles.h"

size_t bitmaps_words(const struct frame *frame)
{
	return tiles_bitmap_words(frame->header.width, frame->header.height);
}

/* Sets the bits of blocks that exist, no others: what reads the bitmap need not know the width. */
static void fill(uint64_t *bitmap, const struct frame *frame)
{
	size_t columns = DIV_ROUND_UP(frame->header.width, BLOCK_PIXELS);
	size_t rows = DIV_ROUND_UP(frame->header.height, BLOCK_PIXELS);
	size_t stride = tiles_bitmap_stride(frame->header.width);

	memset(bitmap, 0, bitmaps_words(frame) * sizeof(*bitmap));
	for (size_t row = 0; row < rows; row++)
		for (size_t column = 0; column < columns; column += 64)
			bitmap[row * stride + column / 64] =
				~0ull >> (64 - MIN(columns - column, (size_t)64));
}

int bitmaps_prepare(struct bitmaps *bitmaps, const struct frame *frame)
{
	bitmaps->next = calloc(2 * bitmaps_words(frame), sizeof(uint64_t));
	return bitmaps->next ? 0 : -ENOMEM;
}

void bitmaps_unprepare(struct bitmaps *bitmaps)
{
	free(bitmaps->next);
	bitmaps->next = NULL;
}

void bitmaps_install(struct bitmaps *bitmaps, const struct frame *frame, bool looking)
{
	if (bitmaps->pair && looking && !bitmaps->retired)
		bitmaps->retired = bitmaps->pair;
	else
		free(bitmaps->pair);
	bitmaps->pair = take_ptr(bitmaps->next);
	bitmaps->damage = bitmaps->pair;
	bitmaps->taken = bitmaps->pair + bitmaps_words(frame);
	fill(bitmaps->damage, frame);
}

void bitmaps_take(struct bitmaps *bitmaps, const struct frame *frame)
{
	uint64_t *swap = bitmaps->taken;

	bitmaps->taken = bitmaps->damage;
	bitmaps->damage = swap;
	memset(bitmaps->damage, 0, bitmaps_words(frame) * sizeof(*bitmaps->damage));
}

void bitmaps_done(struct bitmaps *bitmaps)
{
	free(bitmaps->retired);
	bitmaps->retired = NULL;
}

void bitmaps_finish(struct bitmaps *bitmaps)
{
	free(bitmaps->pair);
	free(bitmaps->next);
	free(bitmaps->retired);
	*bitmaps = (struct bitmaps){0};
}
