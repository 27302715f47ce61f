/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * A terminal's text ends in the middle of a span, beside the window's frame, which stays. What stood in that span's row is a hybrid: one
 * part of it is now another row's, that of the shift, and the rest still is where it was. All that is needed for its hash is in the
 * frame, so it can be made for each place at which the two may meet, and where it is the hash of then, both are proven: what moved, and
 * what did not. Some rows are asked for that place; then all rows are held to it.
 */
#include <string.h>

#include "base/mem.h"
#include "damage/hash.h"
#include "damage/moves_internal.h"

#define SAMPLES	  32
#define AGREE	  4 /* of them, else it is chance */
#define ROWS_MIN  32
#define AHEAD	  8 /* rows */
#define COST_ASK  400
#define COST_HOLD 48

/* One side of a rectangle that goes up or down. */
struct side {
	const struct moves *moves;
	const struct move *move;
	size_t column;
	bool right; /* of the rectangle: the first pixels of the span moved, else the last ones */
	uint32_t seam;
};

static const uint32_t *row_at(const struct side *side, uint32_t y)
{
	return side->moves->pixels + y * side->moves->stride + side->column * SPAN_PIXELS;
}

/* The two parts of what row @y was. */
static const uint32_t *head_of(const struct side *side, uint32_t y)
{
	return row_at(side, side->right ? y + side->move->dy : y);
}
static const uint32_t *tail_of(const struct side *side, uint32_t y)
{
	return row_at(side, side->right ? y : y + side->move->dy);
}

static uint64_t then_of(const struct side *side, uint32_t y)
{
	return *span_at(side->moves->then, side->column, y);
}

/* Seams that fit row @y and leave something that moved, as bits: of the right side one less. */
static uint64_t seams_of(const struct side *side, uint32_t y)
{
	uint64_t seams[SPAN_PIXELS + 1], then = then_of(side, y), fit = 0;

	if (!then)
		return 0;
	span_seams(side->moves->key, head_of(side, y), tail_of(side, y), seams);
	for (size_t i = 0; i < SPAN_PIXELS; i++)
		fit |= (uint64_t)(seams[i + side->right] == then) << i;
	return fit;
}

/* Of those that fit, the one by which most moves: text may end before it, what stays begins there. */
static bool find_seam(struct moves *moves, struct side *side)
{
	const struct rect *from = &side->move->from;
	uint32_t step = DIV_ROUND_UP(from->height, SAMPLES), agree = 0;
	uint64_t common = UINT64_MAX;

	for (uint32_t y = from->y + step / 2; y < from->y + from->height; y += step) {
		uint64_t fit;

		if (!moves_spend(moves, COST_ASK))
			return false;
		fit = seams_of(side, y) & common;
		if (!fit)
			continue;
		common = fit;
		agree++;
	}
	side->seam = side->right ? 64 - (uint32_t)__builtin_clzll(common)
				 : (uint32_t)__builtin_ctzll(common);
	return agree >= AGREE;
}

static bool holds(const struct side *side, uint32_t y)
{
	uint32_t row[SPAN_PIXELS];
	uint64_t then = then_of(side, y);

	memcpy(row, head_of(side, y), side->seam * sizeof(*row));
	memcpy(row + side->seam, tail_of(side, y) + side->seam,
		(SPAN_PIXELS - side->seam) * sizeof(*row));
	return then && span_hash(side->moves->key, row, SPAN_BLOCKS) == then;
}

/* The frame was written past the caches, and no prefetcher follows from one row to the next. */
static void fetch(const struct side *side, uint32_t y)
{
	const uint32_t *head = head_of(side, y), *tail = tail_of(side, y);

	for (uint32_t x = 0; x < side->seam; x += HASH_BYTES / 4)
		__builtin_prefetch(head + x, 0, 3);
	for (uint32_t x = side->seam; x < SPAN_PIXELS; x += HASH_BYTES / 4)
		__builtin_prefetch(tail + x, 0, 3);
}

/* The longest run of rows that hold. */
static struct run rows_that_hold(struct moves *moves, const struct side *side)
{
	const struct rect *from = &side->move->from;
	uint32_t end = from->y + from->height, begin = from->y;
	struct run longest = {0};

	for (uint32_t y = from->y; y < end; y++) {
		if (!moves_spend(moves, COST_HOLD))
			break;
		if (y + AHEAD < end)
			fetch(side, y + AHEAD);
		if (!holds(side, y))
			begin = y + 1;
		else if (y + 1 - begin > longest.end - longest.begin)
			longest = (struct run){begin, y + 1, 0};
	}
	return longest;
}

/* Of the run's rows those that end in it, too: all of their span is right. */
static void edge_of(const struct side *side, const struct run *rows, struct edge *ret)
{
	int32_t dy = side->move->dy;

	*ret = (struct edge){
		.column = side->column,
		.begin = rows->begin + MAX(dy, 0),
		.end = rows->end + MIN(dy, 0),
		.from = {(uint32_t)side->column * SPAN_PIXELS, rows->begin, side->seam,
			rows->end - rows->begin},
	};
	if (!side->right) {
		ret->from.x += side->seam;
		ret->from.width = SPAN_PIXELS - side->seam;
	}
}

static uint32_t gain(struct moves *moves, const struct edge *edge)
{
	const uint64_t *differ = strips_at(&moves->differ, edge->column);
	uint32_t sum = 0;

	for (uint32_t y = edge->begin; y < edge->end; y++)
		sum += bit_is_set(differ, y);
	return sum;
}

static bool side_find(
	struct moves *moves, const struct move *move, size_t column, bool right, struct edge *ret)
{
	struct side side = {.moves = moves, .move = move, .column = column, .right = right};
	struct run rows;

	if (column >= moves->width / SPAN_PIXELS || !moves->changed[column] ||
		!find_seam(moves, &side))
		return false;
	rows = rows_that_hold(moves, &side);
	if (rows.end - rows.begin < ROWS_MIN)
		return false;
	edge_of(&side, &rows, ret);
	return ret->begin < ret->end && gain(moves, ret) >= ROWS_MIN;
}

size_t edges_find(struct moves *moves, const struct move *move, struct edge *ret)
{
	size_t count = 0, left = move->from.x / SPAN_PIXELS;
	size_t right = (move->from.x + move->from.width) / SPAN_PIXELS;

	if (move->dx || move->from.x % SPAN_PIXELS)
		return 0;
	if (left > 0)
		count += side_find(moves, move, left - 1, false, &ret[count]);
	if (move->from.x + move->from.width < moves->width)
		count += side_find(moves, move, right, true, &ret[count]);
	return count;
}
