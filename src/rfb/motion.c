/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * Time is cut into windows. At the end of one, the blocks that have changed more than MOTION_RATE times a second in it move, and so
 * do those between two that do. What is around all that move is made smaller, by the side with the fewest of them, until it is dense: a spinner
 * in the corner does not belong to a film in the middle.
 *
 * An area that is a film stays one as long as a good part of it moves, or not much outside of it, since to begin anew costs
 * a whole picture. Windows end with a publish, so a picture that stands still has no window's end and costs nothing.
 */
#include "rfb/motion.h"

#include <errno.h>

#include "base/limits.h"
#include "base/mem.h"
#include "damage/tiles.h"

#define DENSE	 60 /* percent of the blocks of a new area move */
#define EDGE	 30 /* ... and of the blocks at each of its sides */
#define STAYS	 20 /* ... and of one that is a film already */
#define CALM_MAX 2  /* windows, until it is none any more */

int motion_resize(struct motion *motion, uint32_t width, uint32_t height)
{
	size_t columns = DIV_ROUND_UP(width, BLOCK_PIXELS);
	size_t rows = DIV_ROUND_UP(height, BLOCK_PIXELS);
	uint8_t *counts = calloc(columns, rows);
	uint32_t *sums = calloc((columns + 1) * (rows + 1), sizeof(*sums));

	if (!counts || !sums) {
		free(counts);
		free(sums);
		return -ENOMEM;
	}
	motion_finish(motion);
	*motion = (struct motion){.width = width,
		.height = height,
		.columns = columns,
		.rows = rows,
		.counts = counts,
		.sums = sums};
	return 0;
}

void motion_finish(struct motion *motion)
{
	free(motion->counts);
	free(motion->sums);
	*motion = (struct motion){0};
}

/* ---- sums: how many blocks move in any rectangle, by four numbers ---- */

static bool moves(const struct motion *motion, size_t x, size_t y, uint64_t elapsed_ns)
{
	uint64_t count = motion->counts[y * motion->columns + x];

	return count * 1000000000ull > MOTION_RATE * elapsed_ns;
}

static void sum_up(struct motion *motion, uint64_t elapsed_ns)
{
	size_t stride = motion->columns + 1;

	for (size_t y = 0; y < motion->rows; y++) {
		const uint32_t *above = motion->sums + y * stride;
		uint32_t *row = motion->sums + (y + 1) * stride, in_row = 0;
		bool before = false;

		for (size_t x = 0; x < motion->columns; x++) {
			bool now = moves(motion, x, y, elapsed_ns);
			bool after = x + 1 < motion->columns && moves(motion, x + 1, y, elapsed_ns);

			in_row += now || (before && after);
			before = now;
			row[x + 1] = above[x + 1] + in_row;
		}
	}
}

static uint32_t sum_of(const struct motion *motion, const struct rect *blocks)
{
	size_t stride = motion->columns + 1;
	const uint32_t *top = motion->sums + blocks->y * stride + blocks->x;
	const uint32_t *bottom = top + blocks->height * stride;

	return bottom[blocks->width] - bottom[0] - top[blocks->width] + top[0];
}

static uint32_t blocks_of(const struct rect *blocks)
{
	return blocks->width * blocks->height;
}

static uint32_t percent(const struct motion *motion, const struct rect *blocks)
{
	return sum_of(motion, blocks) * 100 / blocks_of(blocks);
}

/* The sides: left, right, top, bottom. */
static void side_of(const struct rect *blocks, unsigned int side, struct rect *ret)
{
	*ret = *blocks;
	if (side < 2)
		ret->width = 1;
	else
		ret->height = 1;
	if (side == 1)
		ret->x += blocks->width - 1;
	if (side == 3)
		ret->y += blocks->height - 1;
}

static void cut_side(struct rect *blocks, unsigned int side)
{
	if (side < 2)
		blocks->width--;
	else
		blocks->height--;
	blocks->x += side == 0;
	blocks->y += side == 2;
}

/* Width 0: nothing is dense. */
static struct rect dense(const struct motion *motion)
{
	struct rect blocks = {0, 0, motion->columns, motion->rows}, side;

	while (blocks.width && blocks.height) {
		unsigned int worst = 0, lowest = 101;

		for (unsigned int i = 0; i < 4; i++) {
			uint32_t share;

			side_of(&blocks, i, &side);
			share = percent(motion, &side);
			if (share < lowest) {
				lowest = share;
				worst = i;
			}
		}
		if (lowest >= EDGE && percent(motion, &blocks) >= DENSE)
			return blocks;
		cut_side(&blocks, worst);
	}
	return (struct rect){0};
}

/* ---- windows ---- */

static struct rect pixels_of(const struct motion *motion, const struct rect *blocks)
{
	struct rect area = {.x = blocks->x * BLOCK_PIXELS, .y = blocks->y * BLOCK_PIXELS};

	area.width = MIN(blocks->width * BLOCK_PIXELS, motion->width - area.x) & ~1u;
	area.height = MIN(blocks->height * BLOCK_PIXELS, motion->height - area.y) & ~1u;
	return area;
}

static bool set_area(struct motion *motion, const struct rect *blocks)
{
	struct rect area = pixels_of(motion, blocks);
	uint64_t pixels = (uint64_t)area.width * area.height;
	bool had = motion->area.width;

	motion->calm = 0;
	motion->blocks = motion->area = (struct rect){0};
	if (pixels < MOTION_PIXELS || pixels > LIMIT_FILM_PIXELS || area.width < BLOCK_PIXELS ||
		area.height < BLOCK_PIXELS)
		return had;
	motion->blocks = *blocks;
	motion->area = area;
	return true;
}

/* How much of @blocks that moves is not in the area. */
static uint32_t outside(const struct motion *motion, const struct rect *blocks)
{
	const struct rect *area = &motion->blocks;
	struct rect both = {MAX(area->x, blocks->x), MAX(area->y, blocks->y), 0, 0};
	uint32_t right = MIN(area->x + area->width, blocks->x + blocks->width);
	uint32_t bottom = MIN(area->y + area->height, blocks->y + blocks->height);

	if (right <= both.x || bottom <= both.y)
		return sum_of(motion, blocks);
	both.width = right - both.x;
	both.height = bottom - both.y;
	return sum_of(motion, blocks) - sum_of(motion, &both);
}

static bool judge(struct motion *motion, uint64_t elapsed_ns)
{
	struct rect blocks;

	sum_up(motion, elapsed_ns);
	blocks = dense(motion);
	if (!motion->area.width)
		return blocks.width && set_area(motion, &blocks);
	if (blocks.width && outside(motion, &blocks) > blocks_of(&motion->blocks) / 4)
		return set_area(motion, &blocks);
	motion->calm = percent(motion, &motion->blocks) < STAYS ? motion->calm + 1 : 0;
	/* Long windows have passed in which nothing was published at all. */
	if (motion->calm && elapsed_ns >= 2 * MOTION_WINDOW_NS)
		motion->calm = CALM_MAX;
	return motion->calm >= CALM_MAX && set_area(motion, &blocks);
}

static void count(struct motion *motion, const uint64_t *bitmap)
{
	size_t stride = DIV_ROUND_UP(motion->columns, 64);

	for (size_t y = 0; y < motion->rows; y++)
		for (size_t i = 0; i < stride; i++)
			for (uint64_t left = bitmap[y * stride + i]; left; left &= left - 1) {
				size_t x = i * 64 + __builtin_ctzll(left);
				uint8_t *at = &motion->counts[y * motion->columns + x];

				if (x < motion->columns && *at < UINT8_MAX)
					++*at;
			}
}

bool motion_note(struct motion *motion, const uint64_t *bitmap, uint64_t now)
{
	bool changed = false;

	if (motion->began_ns && now - motion->began_ns >= MOTION_WINDOW_NS) {
		changed = judge(motion, now - motion->began_ns);
		memset(motion->counts, 0, motion->columns * motion->rows);
		motion->began_ns = now;
	}
	if (!motion->began_ns)
		motion->began_ns = MAX(now, (uint64_t)1);
	count(motion, bitmap);
	return changed;
}
