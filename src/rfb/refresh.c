/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation: time is cut into spells. What is lossy and was not sent in a whole spell is ripe. So no block needs a
 * time of its own, and a timer is wanted only while something is lossy and not ripe yet: a still picture costs nothing.
 */
#include "rfb/refresh.h"

#include <errno.h>

#include "base/mem.h"
#include "damage/tiles.h"

#define COLOURS_MAX 24 /* tight.c of 0.9.14: palettes are no smaller at any level, with JPEG */
#define HASH_SLOTS  64 /* a power of two, above COLOURS_MAX */
#define SLICE_SMALL 4096u
#define COST_FIRST  1024 /* a byte for each pixel: text has less, photos have two */
#define COST_MIN    8

int refresh_resize(struct refresh *refresh, uint32_t width, uint32_t height)
{
	size_t words = tiles_bitmap_words(width, height);
	uint64_t *bitmaps = calloc(4 * words, sizeof(*bitmaps));

	if (!bitmaps)
		return -ENOMEM;
	free(refresh->lossy);
	*refresh = (struct refresh){
		.width = width,
		.height = height,
		.stride = tiles_bitmap_stride(width),
		.words = words,
		.lossy = bitmaps,
		.touched = bitmaps + words,
		.ripe = bitmaps + 2 * words,
		.scratch = bitmaps + 3 * words,
		.row = DIV_ROUND_UP(height, BLOCK_PIXELS),
		.cost = refresh->cost,
	};
	return 0;
}

void refresh_finish(struct refresh *refresh)
{
	free(refresh->lossy);
	*refresh = (struct refresh){0};
}

/* Blocks [*ret_first, *ret_end) of one axis: all that are touched, or those that are covered. */
static void blocks_of(
	uint32_t at, uint32_t size, uint32_t length, bool whole, size_t *ret_first, size_t *ret_end)
{
	uint32_t end = at + size;

	*ret_first = whole ? DIV_ROUND_UP(at, BLOCK_PIXELS) : at / BLOCK_PIXELS;
	*ret_end = whole && end < length ? end / BLOCK_PIXELS : DIV_ROUND_UP(end, BLOCK_PIXELS);
}

static void set(uint64_t *row, size_t column, bool value)
{
	uint64_t bit = 1ull << column % 64;

	if (value)
		row[column / 64] |= bit;
	else
		row[column / 64] &= ~bit;
}

static bool is_set(const uint64_t *row, size_t column)
{
	return row[column / 64] >> column % 64 & 1;
}

static bool nothing_lossy(const struct refresh *refresh)
{
	return !refresh->spell_ns && refresh->row * BLOCK_PIXELS >= refresh->height;
}

void refresh_sent(struct refresh *refresh, const struct rect *rect, bool lossy, uint64_t now)
{
	size_t left, right, top, bottom;

	if (!lossy && nothing_lossy(refresh))
		return;
	blocks_of(rect->x, rect->width, refresh->width, !lossy, &left, &right);
	blocks_of(rect->y, rect->height, refresh->height, !lossy, &top, &bottom);
	for (size_t y = top; y < bottom; y++)
		for (size_t x = left; x < right; x++) {
			set(refresh->lossy + y * refresh->stride, x, lossy);
			set(refresh->touched + y * refresh->stride, x, lossy);
			set(refresh->ripe + y * refresh->stride, x, false);
		}
	if (lossy && !refresh->spell_ns)
		refresh->spell_ns = MAX(now, (uint64_t)1);
}

void refresh_moved(struct refresh *refresh, const struct move *move)
{
	if (nothing_lossy(refresh))
		return;
	move_wrong(move, refresh->width, refresh->height, refresh->lossy, refresh->scratch);
	move_wrong(move, refresh->width, refresh->height, refresh->touched, refresh->scratch);
	move_wrong(move, refresh->width, refresh->height, refresh->ripe, refresh->scratch);
	/* What is half ripe is not. */
	for (size_t i = 0; i < refresh->words; i++)
		refresh->ripe[i] &= ~refresh->touched[i];
	refresh->row = 0;
}

static void turn_spell(struct refresh *refresh, uint64_t now)
{
	bool more = false;

	for (size_t i = 0; i < refresh->words; i++) {
		more |= refresh->touched[i] != 0;
		refresh->ripe[i] = refresh->lossy[i] & ~refresh->touched[i];
		refresh->touched[i] = 0;
	}
	refresh->row = 0; /* refresh_due() finds the first */
	refresh->spell_ns = more ? now : 0;
}

static bool row_is_empty(const struct refresh *refresh, size_t row)
{
	uint64_t any = 0;

	for (size_t i = 0; i < refresh->stride; i++)
		any |= refresh->ripe[row * refresh->stride + i];
	return !any;
}

uint64_t refresh_due(struct refresh *refresh, uint64_t now)
{
	size_t rows = DIV_ROUND_UP(refresh->height, BLOCK_PIXELS);

	if (refresh->spell_ns && now >= refresh->spell_ns + REFRESH_QUIET_NS)
		turn_spell(refresh, now);
	while (refresh->row < rows && row_is_empty(refresh, refresh->row))
		refresh->row++;
	if (refresh->row < rows)
		return now;
	return refresh->spell_ns ? refresh->spell_ns + REFRESH_QUIET_NS : UINT64_MAX;
}

/* From the block at @column, @row: to the right, then down, as long as all is ripe. */
static void grow(const struct refresh *refresh, size_t column, size_t row, size_t right,
	size_t bottom, uint32_t pixels, struct rect *ret)
{
	const uint64_t *ripe = refresh->ripe + row * refresh->stride;
	size_t end = column + 1, below = row + 1, most = pixels / BLOCK_PIXELS / BLOCK_PIXELS;

	while (end < right && end - column < most && is_set(ripe, end))
		end++;
	for (; below < bottom && (below + 1 - row) * (end - column) <= most; below++)
		for (size_t x = column; x < end; x++)
			if (!is_set(refresh->ripe + below * refresh->stride, x))
				goto out;
out:
	ret->x = column * BLOCK_PIXELS;
	ret->y = row * BLOCK_PIXELS;
	ret->width = MIN(end * BLOCK_PIXELS, (size_t)refresh->width) - ret->x;
	ret->height = MIN(below * BLOCK_PIXELS, (size_t)refresh->height) - ret->y;
}

bool refresh_slice(
	struct refresh *refresh, const struct rect *within, uint32_t pixels, struct rect *ret)
{
	size_t left, right, top, bottom;

	blocks_of(within->x, within->width, refresh->width, true, &left, &right);
	blocks_of(within->y, within->height, refresh->height, true, &top, &bottom);
	for (size_t y = MAX(refresh->row, top); y < bottom; y++)
		for (size_t x = left; x < right; x++)
			if (is_set(refresh->ripe + y * refresh->stride, x)) {
				grow(refresh, x, y, right, bottom, pixels, ret);
				return true;
			}
	return false;
}

bool refresh_exact_anyway(const uint32_t *pixels, size_t stride, const struct rect *rect)
{
	uint32_t slots[HASH_SLOTS], last = 0;
	uint64_t used = 0;
	unsigned int count = 0;

	for (uint32_t y = rect->y; y < rect->y + rect->height; y++) {
		const uint32_t *row = pixels + y * stride;

		for (uint32_t x = rect->x; x < rect->x + rect->width; x++) {
			uint32_t colour = row[x] & 0xffffff, slot;

			if (colour == last && count)
				continue;
			last = colour;
			slot = colour * 2654435761u >> 26;
			while (used >> slot & 1 && slots[slot] != colour)
				slot = (slot + 1) % HASH_SLOTS;
			if (used >> slot & 1)
				continue;
			if (++count > COLOURS_MAX)
				return false;
			used |= 1ull << slot;
			slots[slot] = colour;
		}
	}
	return true;
}

static uint32_t cost(const struct refresh *refresh)
{
	return refresh->cost ? refresh->cost : COST_FIRST;
}

uint64_t refresh_room(const struct refresh *refresh, uint64_t bytes)
{
	return bytes * 1024 / cost(refresh);
}

void refresh_took(struct refresh *refresh, uint32_t pixels, uint32_t bytes)
{
	uint32_t now = (uint64_t)bytes * 1024 / pixels;

	if (pixels >= SLICE_SMALL)
		refresh->cost = MAX((cost(refresh) * 3 + now) / 4, (uint32_t)COST_MIN);
}
