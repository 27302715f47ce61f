/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "damage/move.h"

#include <string.h>

#include "base/mem.h"
#include "damage/tiles.h"

/* Blocks. */
struct blocks {
	size_t left, right, top, bottom;
};

static struct blocks touched(const struct rect *rect)
{
	return (struct blocks){
		.left = rect->x / BLOCK_PIXELS,
		.right = DIV_ROUND_UP((size_t)rect->x + rect->width, BLOCK_PIXELS),
		.top = rect->y / BLOCK_PIXELS,
		.bottom = DIV_ROUND_UP((size_t)rect->y + rect->height, BLOCK_PIXELS),
	};
}

/* The last block of a row or column may be narrow, and is covered when all that there is of it is. */
static size_t covered_end(size_t end, size_t length)
{
	return end == length ? DIV_ROUND_UP(end, BLOCK_PIXELS) : end / BLOCK_PIXELS;
}

static struct blocks covered(const struct rect *rect, uint32_t width, uint32_t height)
{
	return (struct blocks){
		.left = DIV_ROUND_UP((size_t)rect->x, BLOCK_PIXELS),
		.right = covered_end((size_t)rect->x + rect->width, width),
		.top = DIV_ROUND_UP((size_t)rect->y, BLOCK_PIXELS),
		.bottom = covered_end((size_t)rect->y + rect->height, height),
	};
}

/* Bits of word @w that are in columns [begin, end), which reach into it. */
static uint64_t word_bits(size_t w, size_t begin, size_t end)
{
	uint64_t bits = UINT64_MAX;

	if (begin > w * 64)
		bits &= UINT64_MAX << (begin - w * 64);
	if (end < w * 64 + 64)
		bits &= ~(UINT64_MAX << (end - w * 64));
	return bits;
}

static void set_blocks(
	const struct blocks *blocks, size_t stride, const uint64_t *mask, uint64_t *bitmap)
{
	for (size_t y = blocks->top; y < blocks->bottom; y++)
		for (size_t w = blocks->left / 64; w * 64 < blocks->right; w++)
			bitmap[y * stride + w] |= word_bits(w, blocks->left, blocks->right) &
						  (mask ? mask[y * stride + w] : UINT64_MAX);
}

static void clear_blocks(const struct blocks *blocks, size_t stride, uint64_t *bitmap)
{
	if (blocks->left >= blocks->right)
		return;
	for (size_t y = blocks->top; y < blocks->bottom; y++)
		for (size_t w = blocks->left / 64; w * 64 < blocks->right; w++)
			bitmap[y * stride + w] &= ~word_bits(w, blocks->left, blocks->right);
}

/* What is wrong in row @y of blocks, columns [begin, end), where the move begins. */
static void carry(const struct move *move, size_t stride, size_t y, size_t begin, size_t end,
	uint64_t *bitmap)
{
	const struct rect *from = &move->from;
	uint32_t left = MAX((uint32_t)begin * BLOCK_PIXELS, from->x);
	uint32_t right = MIN((uint32_t)end * BLOCK_PIXELS, from->x + from->width);
	uint32_t top = MAX((uint32_t)y * BLOCK_PIXELS, from->y);
	uint32_t bottom = MIN((uint32_t)(y + 1) * BLOCK_PIXELS, from->y + from->height);
	struct rect to = {left + move->dx, top + move->dy, right - left, bottom - top};
	struct blocks blocks = touched(&to);

	set_blocks(&blocks, stride, NULL, bitmap);
}

void move_wrong(const struct move *move, uint32_t width, uint32_t height, uint64_t *bitmap,
	uint64_t *scratch)
{
	size_t stride = tiles_bitmap_stride(width);
	struct blocks from = touched(&move->from), to;
	struct rect end = move_to(move);

	to = covered(&end, width, height);
	memcpy(scratch + from.top * stride, bitmap + from.top * stride,
		(from.bottom - from.top) * stride * sizeof(*bitmap));
	clear_blocks(&to, stride, bitmap);
	for (size_t y = from.top; y < from.bottom; y++) {
		const uint64_t *row = scratch + y * stride;

		for (size_t x = from.left, run; x < from.right; x = run) {
			uint64_t rest = row[x / 64] >> x % 64;

			run = x + 1;
			if (!rest)
				run = (x / 64 + 1) * 64;
			if (!(rest & 1))
				continue;
			while (run < from.right && row[run / 64] >> run % 64 & 1)
				run++;
			carry(move, stride, y, x, run, bitmap);
		}
	}
}

void move_mark(const struct rect *rect, uint32_t width, const uint64_t *mask, uint64_t *bitmap)
{
	struct blocks blocks = touched(rect);

	set_blocks(&blocks, tiles_bitmap_stride(width), mask, bitmap);
}

size_t move_count(const struct rect *rect, uint32_t width, const uint64_t *bitmap, size_t *ret_set)
{
	size_t stride = tiles_bitmap_stride(width), set = 0;
	struct blocks blocks = touched(rect);

	for (size_t y = blocks.top; y < blocks.bottom; y++)
		for (size_t w = blocks.left / 64; w * 64 < blocks.right; w++)
			set += __builtin_popcountll(
				bitmap[y * stride + w] & word_bits(w, blocks.left, blocks.right));
	*ret_set = set;
	return (blocks.right - blocks.left) * (blocks.bottom - blocks.top);
}
