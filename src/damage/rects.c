/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation.
 *
 * A rectangle is a run of set bits in one row that goes on downwards while the row below has exactly the same run; each run is
 * thus in one rectangle, found at its topmost row. When there are too many, the bitmap is read through cells of 2x2, 4x4, 8x8 ..
 * blocks that are wholly set when any block in them is, until the rectangles fit, and each is then shrunk to the set blocks in
 * it. Nothing is allocated and no list is searched: a guest that draws a chessboard costs ten walks over 32 KiB at the most.
 */
#include "damage/rects.h"

#include <stdbool.h>

#include "base/mem.h"
#include "damage/tiles.h"

struct grid {
	const uint64_t *bitmap;
	size_t words, rows; /* of blocks */
	unsigned int level; /* a cell is 1 << level blocks wide and high */
};

/* Columns [begin, end) of blocks. */
struct run {
	size_t begin, end;
};

/* Word @w of row @row of cells, with all bits of a cell set when one is. */
static uint64_t grid_word(const struct grid *grid, size_t row, size_t w)
{
	size_t row_begin = row << grid->level, w_begin = w, w_end = w + 1;
	size_t row_end = MIN(row_begin + ((size_t)1 << grid->level), grid->rows);
	uint64_t word = 0, lowest = 1;

	if (grid->level > 6) {
		w_begin = w >> (grid->level - 6) << (grid->level - 6);
		w_end = MIN(w_begin + ((size_t)1 << (grid->level - 6)), grid->words);
	}
	for (size_t y = row_begin; y < row_end; y++)
		for (size_t x = w_begin; x < w_end; x++)
			word |= grid->bitmap[y * grid->words + x];
	if (!grid->level || !word)
		return word;
	if (grid->level >= 6)
		return UINT64_MAX;
	for (unsigned int i = 0; i < grid->level; i++)
		word |= word >> (1u << i);
	for (unsigned int bit = 1u << grid->level; bit < 64; bit += 1u << grid->level)
		lowest |= (uint64_t)1 << bit;
	return (word & lowest) * (((uint64_t)1 << (1u << grid->level)) - 1);
}

static size_t grid_rows(const struct grid *grid)
{
	return ((grid->rows - 1) >> grid->level) + 1;
}

/* The first column from @from on that is set, or is not; the end of the row when there is none. */
static size_t grid_seek(const struct grid *grid, size_t row, size_t from, bool set)
{
	for (size_t w = from / 64; w < grid->words; w++) {
		uint64_t word = grid_word(grid, row, w);

		if (!set)
			word = ~word;
		if (w == from / 64)
			word &= UINT64_MAX << from % 64;
		if (word)
			return w * 64 + __builtin_ctzll(word);
	}
	return grid->words * 64;
}

static bool grid_run(const struct grid *grid, size_t row, size_t from, struct run *ret)
{
	size_t begin = grid_seek(grid, row, from, true);

	if (begin == grid->words * 64)
		return false;
	*ret = (struct run){begin, grid_seek(grid, row, begin, false)};
	return true;
}

/* Whether @row has this very run. */
static bool grid_has(const struct grid *grid, size_t row, struct run run)
{
	struct run there;

	if (run.begin > 0 && grid_word(grid, row, (run.begin - 1) / 64) >> (run.begin - 1) % 64 & 1)
		return false;
	return grid_run(grid, row, run.begin, &there) && there.begin == run.begin &&
	       there.end == run.end;
}

/* In blocks. Returns @max + 1 when there are more than @max. */
static size_t grid_rects(const struct grid *grid, struct rect *rects, size_t max)
{
	size_t used = 0, rows = grid_rows(grid);

	for (size_t row = 0; row < rows; row++) {
		struct run run = {0, 0};

		while (grid_run(grid, row, run.end, &run)) {
			size_t end = row + 1;

			if (row > 0 && grid_has(grid, row - 1, run))
				continue;
			if (used == max)
				return max + 1;
			while (end < rows && grid_has(grid, end, run))
				end++;
			rects[used++] = (struct rect){
				.x = run.begin,
				.y = row << grid->level,
				.width = run.end - run.begin,
				.height = (end - row) << grid->level,
			};
		}
	}
	return used;
}

static void rect_shrink(const struct grid *exact, struct rect *rect)
{
	size_t left = SIZE_MAX, right = 0, top = SIZE_MAX, bottom = 0;
	size_t y_end = MIN((size_t)rect->y + rect->height, exact->rows);
	size_t x_end = (size_t)rect->x + rect->width;

	for (size_t y = rect->y; y < y_end; y++) {
		struct run run = {0, rect->x};

		while (grid_run(exact, y, run.end, &run) && run.begin < x_end) {
			left = MIN(left, run.begin);
			run.end = MIN(run.end, x_end);
			right = MAX(right, run.end);
			top = MIN(top, y);
			bottom = y + 1;
		}
	}
	*rect = (struct rect){left, top, right - left, bottom - top};
}

static void rect_to_pixels(struct rect *rect, uint32_t width, uint32_t height)
{
	rect->x *= BLOCK_PIXELS;
	rect->y *= BLOCK_PIXELS;
	rect->width = MIN(rect->width * BLOCK_PIXELS, width - rect->x);
	rect->height = MIN(rect->height * BLOCK_PIXELS, height - rect->y);
}

size_t rects_from_bitmap(
	const uint64_t *bitmap, uint32_t width, uint32_t height, struct rect *rects, size_t max)
{
	struct grid grid = {
		.bitmap = bitmap,
		.words = tiles_bitmap_stride(width),
		.rows = DIV_ROUND_UP((size_t)height, BLOCK_PIXELS),
	};
	struct grid exact = grid;
	size_t used;

	if (!width || !height || !max)
		return 0;
	for (;;) {
		used = grid_rects(&grid, rects, max);
		if (used <= max)
			break;
		grid.level++;
	}
	for (size_t i = 0; i < used; i++) {
		if (grid.level > 0)
			rect_shrink(&exact, &rects[i]);
		rect_to_pixels(&rects[i], width, height);
	}
	return used;
}
