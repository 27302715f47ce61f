/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * In every tiling words of 16 bytes stay together and four words that lie one behind the other are a line of the cache. In X
 * tiles 512 bytes of a row lie together and are copied. In Y and Yf tiles the words of a line belong below each other: four
 * lines from columns side by side are 64 bytes of four rows, and that is the step: every line is read whole and once, and
 * four lines are filled. Columns are walked down first, as they lie in memory.
 *
 * The offset of a word is what its row adds plus what its place in the row adds (tiling.h). A row's are the same for
 * all columns. To go on to the right, a number is counted up whose digits are all bits but those of the row: with these set to one
 * a carry passes over them, and out of the tile into the next.
 */
#include "capture/detile.h"

#include <string.h>

#include "base/mem.h"
#include "plane/tiling.h"

#define STEP_ROWS      4u /* words in a line */
#define PICTURE_PIXELS 512u
#define PICTURE_STRIDE (PICTURE_PIXELS * 4)

static_assert(DETILE_STEP == STEP_ROWS * TILE_WORD, "a step is as many lines as a line has words");

typedef uint8_t word_t __attribute__((vector_size(TILE_WORD), aligned(1), may_alias));

static void copy_rows(const struct view *view, size_t x, uint32_t y, size_t bytes,
	unsigned int rows, uint8_t *dst, size_t dst_stride)
{
	const uint8_t *src = view->pixels + (size_t)y * view->stride + x;

	for (unsigned int i = 0; i < rows; i++)
		memcpy(dst + i * dst_stride, src + (size_t)i * view->stride, bytes);
}

void detile_scalar(const struct view *view, size_t x, uint32_t y, size_t bytes, unsigned int rows,
	uint8_t *dst, size_t dst_stride)
{
	if (!view->tiling) {
		copy_rows(view, x, y, bytes, rows, dst, dst_stride);
		return;
	}
	for (unsigned int row = 0; row < rows; row++) {
		for (size_t at = 0; at < bytes; at += TILE_WORD) {
			uint64_t offset = tiling_offset(
				view->tiling, view->stride, (uint32_t)(x + at), y + row);

			memcpy(dst + row * dst_stride + at, view->pixels + offset,
				MIN(bytes - at, (size_t)TILE_WORD));
		}
	}
}

static const uint8_t *tile_row(const struct view *view, uint32_t y)
{
	return view->pixels + tiling_offset(view->tiling, view->stride, 0, y);
}

/* Whole rows of a tile at once. */
static void detile_wide(const struct view *view, size_t x, uint32_t y, size_t bytes,
	unsigned int rows, uint8_t *dst, size_t dst_stride)
{
	const uint8_t *src = tile_row(view, y);
	uint64_t down[DETILE_ROWS];
	size_t width = view->tiling->width, end = x + bytes, next;

	for (unsigned int i = 0; i < rows; i++)
		down[i] = tiling_offset(view->tiling, view->stride, 0, i);
	for (; x < end; dst += next - x, x = next) {
		const uint8_t *tile = src + tiling_offset(view->tiling, view->stride, x, 0);

		next = MIN(x / width * width + width, end);
		detile_fetch(view, x, y, next - x);
		for (unsigned int i = 0; i < rows; i++)
			memcpy(dst + i * dst_stride, tile + down[i], next - x);
	}
}

static inline void step_copy(
	const uint8_t *src, const uint64_t side[STEP_ROWS], uint8_t *dst, size_t dst_stride)
{
#pragma GCC unroll 4
	for (unsigned int row = 0; row < STEP_ROWS; row++) {
#pragma GCC unroll 4
		for (unsigned int i = 0; i < STEP_ROWS; i++)
			*(word_t *)(dst + row * dst_stride + i * TILE_WORD) =
				*(const word_t *)(src + side[i] + row * TILE_WORD);
	}
}

static void detile_narrow(const struct view *view, size_t x, uint32_t y, size_t bytes,
	unsigned int rows, uint8_t *dst, size_t dst_stride)
{
	const uint8_t *src = tile_row(view, y);
	const struct tiling *tiling = view->tiling;
	uint64_t right = tiling_offset(tiling, view->stride, (uint32_t)x, 0);
	uint64_t step = tiling_offset(tiling, view->stride, DETILE_STEP, 0);
	uint64_t down[DETILE_ROWS / STEP_ROWS], side[STEP_ROWS];
	unsigned int steps = DIV_ROUND_UP(rows, STEP_ROWS);

	for (unsigned int i = 0; i < STEP_ROWS; i++)
		side[i] = tiling_offset(tiling, view->stride, i * TILE_WORD, 0);
	for (unsigned int i = 0; i < steps; i++)
		down[i] = tiling_offset(tiling, view->stride, 0, i * STEP_ROWS);
	for (size_t at = 0; at < bytes; at += DETILE_STEP) {
		detile_fetch(view, x + at, y, DETILE_STEP);
		for (unsigned int i = 0; i < steps; i++)
			step_copy(src + right + down[i], side,
				dst + at + i * STEP_ROWS * dst_stride, dst_stride);
		right = ((right | tiling->row_bits) + step) & ~(uint64_t)tiling->row_bits;
	}
}

void detile(const struct view *view, size_t x, uint32_t y, size_t bytes, unsigned int rows,
	uint8_t *dst, size_t dst_stride)
{
	if (!view->tiling)
		copy_rows(view, x, y, bytes, rows, dst, dst_stride);
	else if (view->tiling->width > 128)
		detile_wide(view, x, y, bytes, rows, dst, dst_stride);
	else
		detile_narrow(view, x, y, bytes, rows, dst, dst_stride);
}

static void picture_strip(const struct view *view, uint32_t y, uint8_t *dst, size_t dst_stride)
{
	_Alignas(64) uint8_t bounce[DETILE_ROWS * PICTURE_STRIDE];
	unsigned int rows = MIN(view->rows_readable - y, (uint32_t)DETILE_ROWS);

	for (size_t x = 0; x < view->width; x += PICTURE_PIXELS) {
		size_t pixels = MIN(view->width - x, (size_t)PICTURE_PIXELS);

		detile(view, x * view->bytes, y, view_row_bytes(view, pixels), rows, bounce,
			PICTURE_STRIDE);
		for (unsigned int i = 0; i < rows; i++)
			view->convert((uint32_t *)(dst + i * dst_stride) + x,
				bounce + i * PICTURE_STRIDE, pixels);
	}
}

void detile_picture(const struct view *view, uint32_t *dst, size_t dst_stride)
{
	for (uint32_t y = 0; y < view->rows_readable; y += DETILE_ROWS)
		picture_strip(view, y, (uint8_t *)dst + y * dst_stride, dst_stride);
}
