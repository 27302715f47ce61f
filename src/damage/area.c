/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * For each shift and each column of spans a bit for each row says whether what stands there now is what stood there before, that shift away. A
 * rectangle begins with the run of such rows that explains most in one column, and goes on into the columns beside it as long as it
 * explains more. The best of all is listed, what it explains is taken out, and so on. Rows that would be right without a move may
 * lie in a rectangle, too: all of it is proven.
 */
#include <string.h>

#include "base/mem.h"
#include "damage/moves_internal.h"

#define GAIN_MIN   32 /* spans: what a move must explain */
#define ROWS_MIN   8
#define COST_RUN   8
#define COST_HASH  24
#define PROBE_ROWS 16  /* sideways, one row of so many is tried first */
#define BRIDGE	   160 /* rows between two that went */

/* A rectangle: columns of spans where it begins, rows where it ends. */
struct area {
	size_t shift, left, right;
	uint32_t begin, end, gain;
};

static void set_bit(uint64_t *bits, size_t i)
{
	bits[i / 64] |= 1ull << i % 64;
}

static size_t seek(const uint64_t *bits, size_t from, size_t end, bool set)
{
	while (from < end) {
		uint64_t word = (set ? bits[from / 64] : ~bits[from / 64]) >> from % 64;

		if (word)
			return MIN(from + __builtin_ctzll(word), end);
		from = (from / 64 + 1) * 64;
	}
	return end;
}

/* ---- what went by a shift ---- */

/* Something is kept back for finding rectangles in what was found. */
static bool match_pays(struct moves *moves, uint32_t steps)
{
	return moves->steps >= LIMIT_MOVE_STEPS / 8 && moves_spend(moves, steps);
}

static void match_upright(
	struct moves *moves, const struct shift *shift, size_t column, uint64_t *bits)
{
	uint32_t begin = MAX(shift->dy, 0);
	uint32_t end = MIN((int64_t)moves->readable, (int64_t)moves->rows + shift->dy);

	end = MIN((int64_t)end, (int64_t)moves->height + shift->dy);
	if (!moves->changed[column] || !match_pays(moves, moves->readable / 2))
		return;
	for (uint32_t y = begin, next; y < end; y = next) {
		const uint64_t *now = span_at(moves->now, column, y);
		const uint64_t *then = span_at(moves->then, column, y - shift->dy);
		uint64_t equal = 0;

		/* As far as both are in one block. */
		next = y + MIN(SPAN_ROWS - y % SPAN_ROWS, SPAN_ROWS - (y - shift->dy) % SPAN_ROWS);
		next = MIN(next, end);
		for (uint32_t i = 0; i < next - y; i++)
			equal |= (uint64_t)(now[i] == then[i] && now[i]) << i;
		bits[y / 64] |= equal << y % 64;
	}
}

struct slanted {
	const struct moves *moves;
	size_t column;
	int32_t dy;
	const uint32_t *pixels; /* of the first row, where the column ends */
};

static bool slanted_matches(const struct slanted *slanted, uint32_t y)
{
	const struct moves *moves = slanted->moves;
	uint64_t then = *span_at(moves->then, slanted->column, y - slanted->dy);

	return then &&
	       then == span_hash(moves->key, slanted->pixels + y * moves->stride, SPAN_BLOCKS);
}

/* The column of spans that @column covers the most of, once it is shifted; it need not be one. */
static size_t ends_in(const struct moves *moves, const struct shift *shift, size_t column)
{
	int64_t middle = (int64_t)column * SPAN_PIXELS + SPAN_PIXELS / 2 + shift->dx;

	return middle < 0 ? SIZE_MAX : (size_t)middle / SPAN_PIXELS;
}

static bool bits_before(const uint64_t *bits, uint32_t y)
{
	return y > 0 && bit_is_set(bits, y - 1);
}

/* In rows where nothing has to be explained nothing is tried: a desktop of one colour goes by any shift. */
static void match_slanted(
	struct moves *moves, const struct shift *shift, size_t column, uint64_t *bits)
{
	int64_t x = (int64_t)column * SPAN_PIXELS + shift->dx;
	uint32_t begin = MAX(shift->dy, 0), done = begin;
	uint32_t end = MIN((int64_t)moves->readable, (int64_t)moves->height + shift->dy);
	size_t to = ends_in(moves, shift, column);
	struct slanted slanted = {
		.moves = moves,
		.column = column,
		.dy = shift->dy,
		.pixels = moves->pixels + x,
	};

	if (x < 0 || x + SPAN_PIXELS > moves->width || (column + 1) * SPAN_PIXELS > moves->width ||
		!moves->changed[to])
		return;
	for (uint32_t probe = begin;; probe += PROBE_ROWS) {
		probe = seek(strips_at(&moves->differ, to), probe, end, true);
		if (probe >= end || !match_pays(moves, COST_HASH))
			return;
		if (!slanted_matches(&slanted, probe))
			continue;
		/* What is blank in between has moved, too, as likely as not. */
		if (done + PROBE_ROWS <= probe &&
			(probe - done > BRIDGE || !bits_before(bits, done)))
			done = probe - PROBE_ROWS + 1;
		for (uint32_t y = done; y < MIN(probe + PROBE_ROWS, end); y++) {
			if (!match_pays(moves, COST_HASH))
				return;
			if (slanted_matches(&slanted, y))
				set_bit(bits, y);
			done = y + 1;
		}
	}
}

/* ---- runs ---- */

static uint32_t count_bits(const uint64_t *bits, uint32_t begin, uint32_t end)
{
	uint32_t count = 0;

	for (size_t w = begin / 64; w * 64 < end; w++) {
		uint64_t word = bits[w];

		if (begin > w * 64)
			word &= UINT64_MAX << (begin - w * 64);
		if (end < w * 64 + 64)
			word &= ~(UINT64_MAX << (end - w * 64));
		count += __builtin_popcountll(word);
	}
	return count;
}

/* What rows [@begin, @end) of a column would explain. */
static uint32_t gain(
	struct moves *moves, const struct shift *shift, size_t column, uint32_t begin, uint32_t end)
{
	size_t to = ends_in(moves, shift, column);

	if (to >= moves->columns || !moves->changed[to])
		return 0;
	return count_bits(strips_at(&moves->differ, to), begin, end);
}

static void best_run(struct moves *moves, const struct shift *shift, size_t k, size_t column)
{
	const uint64_t *match = strips_at(&moves->match[k], column);
	struct run *best = &moves->best[k][column];
	size_t begin, end = 0;

	*best = (struct run){0};
	while ((begin = seek(match, end, moves->readable, true)) < moves->readable) {
		struct run run;

		end = seek(match, begin, moves->readable, false);
		if (end - begin < ROWS_MIN)
			continue;
		if (!moves_spend(moves, COST_RUN))
			return;
		run = (struct run){begin, end, gain(moves, shift, column, begin, end)};
		if (run.gain > best->gain)
			*best = run;
	}
}

/* ---- rectangles ---- */

/* The part of rows [@begin, @end) that is one run in @column, the longest. */
static struct run common_rows(
	struct moves *moves, size_t k, size_t column, uint32_t begin, uint32_t end)
{
	const uint64_t *match = strips_at(&moves->match[k], column);
	struct run longest = {0};
	size_t at = begin;

	while ((at = seek(match, at, end, true)) < end && moves_spend(moves, COST_RUN)) {
		size_t until = seek(match, at, end, false);

		if (until - at > longest.end - longest.begin)
			longest = (struct run){at, until, 0};
		at = until;
	}
	return longest;
}

/* Takes @column in, beside the area, if that explains more. */
static bool widen(struct moves *moves, const struct shift *shift, struct area *area, size_t column)
{
	struct run rows = common_rows(moves, area->shift, column, area->begin, area->end);
	size_t left = MIN(area->left, column), right = MAX(area->right, column + 1);
	uint32_t sum = 0;

	if (rows.end - rows.begin < ROWS_MIN)
		return false;
	if (rows.begin == area->begin && rows.end == area->end) {
		sum = area->gain + gain(moves, shift, column, rows.begin, rows.end);
	} else {
		if (!moves_spend(moves, COST_RUN * (right - left)))
			return false;
		for (size_t g = left; g < right; g++)
			sum += gain(moves, shift, g, rows.begin, rows.end);
	}
	if (sum < area->gain)
		return false;
	*area = (struct area){area->shift, left, right, rows.begin, rows.end, sum};
	return true;
}

static void grow(struct moves *moves, const struct shift *shift, struct area *area)
{
	while (area->left > 0 && widen(moves, shift, area, area->left - 1))
		;
	while (area->right < moves->columns && widen(moves, shift, area, area->right))
		;
}

/* The run to begin with: the one that explains most. */
static bool seed(const struct moves *moves, size_t count, struct area *ret)
{
	*ret = (struct area){0};
	for (size_t k = 0; k < count; k++)
		for (size_t g = 0; g < moves->columns; g++) {
			const struct run *run = &moves->best[k][g];

			if (run->gain > ret->gain)
				*ret = (struct area){k, g, g + 1, run->begin, run->end, run->gain};
		}
	return ret->gain;
}

static struct move area_move(
	const struct moves *moves, const struct shift *shift, const struct area *area)
{
	uint32_t x = area->left * SPAN_PIXELS;

	return (struct move){
		.from =
			{
				.x = x,
				.y = (uint32_t)((int32_t)area->begin - shift->dy),
				.width = MIN((uint32_t)(area->right * SPAN_PIXELS), moves->width) -
					 x,
				.height = area->end - area->begin,
			},
		.dx = shift->dx,
		.dy = shift->dy,
	};
}

/* Spans that end wholly in @to are explained. */
static void take_out(struct moves *moves, const struct rect *to)
{
	size_t left = DIV_ROUND_UP((size_t)to->x, SPAN_PIXELS);
	size_t right = to->x + to->width == moves->width ? moves->columns
							 : (to->x + to->width) / SPAN_PIXELS;

	for (size_t g = left; g < right; g++) {
		uint64_t *differ = strips_at(&moves->differ, g);

		for (uint32_t y = to->y; y < to->y + to->height; y++)
			differ[y / 64] &= ~(1ull << y % 64);
	}
}

static void take_out_edge(struct moves *moves, const struct edge *edge)
{
	uint64_t *differ = strips_at(&moves->differ, edge->column);

	if (moves->edge_count == EDGES)
		return;
	moves->edges[moves->edge_count++] = *edge;
	for (uint32_t y = edge->begin; y < edge->end; y++)
		differ[y / 64] &= ~(1ull << y % 64);
}

static void match_all(struct moves *moves, const struct shift *shifts, size_t count)
{
	for (size_t k = 0; k < count; k++) {
		memset(moves->match[k].bits, 0, moves->columns * moves->words * sizeof(uint64_t));
		for (size_t g = 0; g < moves->columns; g++)
			(shifts[k].dx ? match_slanted : match_upright)(
				moves, &shifts[k], g, strips_at(&moves->match[k], g));
	}
}

static void best_all(struct moves *moves, const struct shift *shifts, size_t count)
{
	for (size_t k = 0; k < count; k++)
		for (size_t g = 0; g < moves->columns; g++)
			best_run(moves, &shifts[k], k, g);
}

/* Lists @move, and what of it ends within the spans beside it: with it where that are as many rows, else after it. */
static bool list_all(struct moves *moves, const struct move *move)
{
	struct edge edges[2];
	struct move all = *move, parts[2];
	size_t count = edges_find(moves, move, edges), part_count = 0;
	struct rect to;

	for (size_t i = 0; i < count; i++) {
		const struct rect *from = &edges[i].from;

		parts[part_count] = *move;
		parts[part_count].from = *from;
		if (from->y != move->from.y || from->height != move->from.height) {
			part_count++;
			continue;
		}
		all.from.x = MIN(all.from.x, from->x);
		all.from.width += from->width;
	}
	if (!moves_list(moves, &all))
		return false;
	to = move_to(&all);
	take_out(moves, &to);
	for (size_t i = 0; i < part_count; i++)
		if (!moves_list(moves, &parts[i]))
			return true;
	for (size_t i = 0; i < count; i++)
		take_out_edge(moves, &edges[i]);
	return true;
}

void areas_find(struct moves *moves, const struct shift *shifts, size_t count, size_t least)
{
	struct area area;

	if (!count)
		return;
	match_all(moves, shifts, count);
	best_all(moves, shifts, count);
	while (moves->count < LIMIT_MOVES && seed(moves, count, &area)) {
		const struct shift *shift = &shifts[area.shift];
		struct run *runs = moves->best[area.shift];
		struct move move;

		grow(moves, shift, &area);
		move = area_move(moves, shift, &area);
		if (area.gain >= MAX(least, (size_t)GAIN_MIN) && list_all(moves, &move)) {
			best_all(moves, shifts, count);
		} else {
			memset(&runs[area.left], 0, (area.right - area.left) * sizeof(*runs));
		}
	}
}
