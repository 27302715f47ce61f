/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * What a viewer's screen shows differs from the frame in no more than its damage, *once it has made the moves in its list*. Each publish
 * keeps that true. Its moves, made in order on that screen, carry what is wrong there along, and what else changed is wrong beside it:
 * the list grows by the moves, and damage becomes moved(damage) | left. Or the screen stays as it is and is wrong wherever something
 * changed: damage | changed. The second is always right, and is what happens where the list is full. A single move that would carry
 * mostly what is wrong anyway is left out, and what changed where it ends is damage: no later one of its publish begins there, and
 * any other that ends there puts the right pixels there.
 */
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

static struct rect all_of(const struct frame *frame)
{
	return (struct rect){0, 0, frame->header.width, frame->header.height};
}

/* What the last publish changed lies there. */
static struct rect news_of(const struct frame *frame)
{
	const uint32_t *news = frame_live(frame)->news;
	struct rect rect = {news[0], news[1], news[2], news[3]}, all = all_of(frame);

	if (!rect.width || !rect.height || rect.width > all.width || rect.height > all.height ||
		rect.x > all.width - rect.width || rect.y > all.height - rect.height)
		return all;
	return rect;
}

int bitmaps_prepare(struct bitmaps *bitmaps, const struct frame *frame)
{
	bitmaps->next = calloc(3 * bitmaps_words(frame), sizeof(uint64_t));
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
	bitmaps->scratch = bitmaps->taken + bitmaps_words(frame);
	fill(bitmaps->damage, frame);
	bitmaps->move_count = 0;
	bitmaps->within = all_of(frame);
}

/* Would @move carry something right? */
static bool pays(const struct bitmaps *bitmaps, const struct move *move, uint32_t width)
{
	size_t set, all = move_count(&move->from, width, bitmaps->damage, &set);

	return set <= all / 2;
}

static void add_bits(uint64_t *bitmap, const uint64_t *more, size_t words)
{
	for (size_t i = 0; i < words; i++)
		bitmap[i] |= more[i];
}

static struct rect around(struct rect a, struct rect b)
{
	uint32_t right = MAX(a.x + a.width, b.x + b.width);
	uint32_t bottom = MAX(a.y + a.height, b.y + b.height);
	uint32_t x = MIN(a.x, b.x), y = MIN(a.y, b.y);

	return a.width ? (struct rect){x, y, right - x, bottom - y} : b;
}

void bitmaps_follow(
	struct bitmaps *bitmaps, const struct frame *frame, const struct move *moves, size_t count)
{
	uint32_t width = frame->header.width, height = frame->header.height;
	const uint64_t *changed = frame_damage(frame);

	bitmaps->within = count ? all_of(frame) : around(bitmaps->within, news_of(frame));
	if (!count || bitmaps->move_count + count > ARRAY_SIZE(bitmaps->moves)) {
		add_bits(bitmaps->damage, changed, bitmaps_words(frame));
		return;
	}
	for (size_t i = 0; i < count; i++) {
		struct rect to = move_to(&moves[i]);

		if (pays(bitmaps, &moves[i], width)) {
			move_wrong(&moves[i], width, height, bitmaps->damage, bitmaps->scratch);
			bitmaps->moves[bitmaps->move_count++] = moves[i];
		} else {
			move_mark(&to, width, changed, bitmaps->damage);
		}
	}
	add_bits(bitmaps->damage, frame_left(frame), bitmaps_words(frame));
}

void bitmaps_take(struct bitmaps *bitmaps, const struct frame *frame)
{
	uint64_t *swap = bitmaps->taken;

	bitmaps->taken = bitmaps->damage;
	bitmaps->damage = swap;
	memcpy(bitmaps->taken_moves, bitmaps->moves, sizeof(bitmaps->moves));
	bitmaps->taken_count = bitmaps->move_count;
	bitmaps->move_count = 0;
	bitmaps->taken_within = bitmaps->within;
	bitmaps->within = (struct rect){0};
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
