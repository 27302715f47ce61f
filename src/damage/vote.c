/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * What stood in the frame goes into a table by its hash, and what stands there now is looked up: each hit says how far that span may have gone.
 * What is like the row above it, or stands in several places, says nothing and does not vote; that leaves out blank areas and patterns.
 *
 * Upright, a table holds one column, and some columns are asked. Any way, hashes of the past are known at each 64th pixel only, so some rows of
 * the present are rolled over, a hash for each pixel. One table for all columns has room for a part of them: those whose hash ends with
 * so many zeros, and what is looked up is thinned out alike.
 */
#include <string.h>

#include "base/mem.h"
#include "damage/moves_internal.h"

#define COLUMNS	      16   /* that vote upright */
#define VOTES	      8	   /* fewer are chance */
#define ROWS	      16   /* that are rolled over */
#define VOTES_SLANTED 2	   /* of spans that stood in one place only, and went the same way */
#define WAYS	      32   /* that are counted */
#define TABLE_FILL    4096 /* a quarter of it */
#define COST_LOOKUP   2	   /* steps are about the time of comparing two spans */
#define COST_ROLL     12
#define PROBES	      8
#define ROW_BITS      13	  /* of a place: row and column */
#define TWICE	      0x80000000u /* stood in several places */

static_assert(LIMIT_MOVE_TABLE >= 2 * LIMIT_HEIGHT && LIMIT_MOVE_TABLE >= 4 * TABLE_FILL,
	"a table stays half empty");
static_assert(LIMIT_HEIGHT <= 1u << ROW_BITS, "a place has room for a row");

/* An entry is one more than a place. */
static uint64_t then_at(const struct moves *moves, uint32_t place)
{
	return *span_at(moves->then, place >> ROW_BITS, place & ((1u << ROW_BITS) - 1));
}

static void table_put(struct moves *moves, size_t slots, uint32_t place)
{
	uint64_t hash = then_at(moves, place);

	for (size_t i = 0; i < PROBES; i++) {
		uint32_t *entry = &moves->table[(hash >> 32 ^ i) & (slots - 1)];

		if (!*entry) {
			*entry = place + 1;
			return;
		}
		if (then_at(moves, (*entry & ~TWICE) - 1) == hash) {
			*entry |= TWICE;
			return;
		}
	}
}

static bool table_find(const struct moves *moves, size_t slots, uint64_t hash, uint32_t *ret)
{
	for (size_t i = 0; i < PROBES; i++) {
		uint32_t entry = moves->table[(hash >> 32 ^ i) & (slots - 1)];

		if (!entry)
			return false;
		if (then_at(moves, (entry & ~TWICE) - 1) != hash)
			continue;
		*ret = entry - 1;
		return !(entry & TWICE);
	}
	return false;
}

static size_t table_clear(struct moves *moves, size_t entries)
{
	size_t slots = 1024;

	while (slots < 2 * entries && slots < LIMIT_MOVE_TABLE)
		slots *= 2;
	memset(moves->table, 0, slots * sizeof(*moves->table));
	return slots;
}

/* A span that is not like the one above it. */
static bool tells(uint64_t *const *spans, size_t column, size_t y)
{
	uint64_t hash = *span_at(spans, column, y);

	return hash && (y == 0 || hash != *span_at(spans, column, y - 1));
}

static void vote_column(struct moves *moves, size_t column)
{
	const uint64_t *differ = strips_at(&moves->differ, column);
	size_t slots = table_clear(moves, moves->readable);
	uint32_t place;

	for (size_t y = 0; y < moves->readable; y++)
		if (bit_is_set(differ, y) && tells(moves->then, column, y))
			table_put(moves, slots, (uint32_t)column << ROW_BITS | y);
	for (size_t y = 0; y < moves->readable; y++) {
		uint16_t *votes;

		if (!bit_is_set(differ, y) || !tells(moves->now, column, y) ||
			!table_find(moves, slots, *span_at(moves->now, column, y), &place))
			continue;
		votes = &moves->votes[moves->rows + y - (place & ((1u << ROW_BITS) - 1))];
		*votes += *votes < UINT16_MAX;
	}
}

static bool column_differs(const struct moves *moves, size_t column)
{
	const uint64_t *differ = strips_at(&moves->differ, column);
	uint64_t any = 0;

	if (!moves->changed[column])
		return false;
	for (size_t i = 0; i < moves->words; i++)
		any |= differ[i];
	return any;
}

/* Keeps the best ones, in their order. */
static void rank(struct shift *ranked, size_t *count, const struct shift *shift)
{
	size_t at = *count;

	while (at > 0 && ranked[at - 1].votes < shift->votes)
		at--;
	if (at == SHIFTS)
		return;
	*count = MIN(*count + 1, (size_t)SHIFTS);
	memmove(&ranked[at + 1], &ranked[at], (*count - 1 - at) * sizeof(*shift));
	ranked[at] = *shift;
}

size_t vote_upright(struct moves *moves, struct shift *ret)
{
	size_t columns = 0, count = 0, step, turn = 0;

	memset(moves->votes, 0, 2 * moves->rows * sizeof(*moves->votes));
	for (size_t g = 0; g < moves->columns; g++)
		columns += column_differs(moves, g);
	step = MAX(DIV_ROUND_UP(columns, (size_t)COLUMNS), (size_t)1);
	for (size_t g = 0; g < moves->columns; g++) {
		if (!column_differs(moves, g) || turn++ % step)
			continue;
		if (!moves_spend(moves, 2 * COST_LOOKUP * moves->readable))
			break;
		vote_column(moves, g);
	}
	for (size_t i = 0; i < 2 * moves->rows; i++)
		if (moves->votes[i] >= VOTES && i != moves->rows)
			rank(ret, &count,
				&(struct shift){
					.dy = (int32_t)i - (int32_t)moves->rows,
					.votes = moves->votes[i],
				});
	return count;
}

/* ---- any way ---- */

struct thinned {
	uint64_t mask; /* of a hash that counts these bits are 0 */
	size_t slots;
};

static void table_all(struct moves *moves, const struct thinned *thinned)
{
	for (size_t g = 0; g < moves->width / SPAN_PIXELS; g++) {
		const uint64_t *differ = strips_at(&moves->differ, g);

		if (!moves->changed[g])
			continue;
		for (size_t y = 0; y < moves->readable; y++)
			if (bit_is_set(differ, y) &&
				!(*span_at(moves->then, g, y) & thinned->mask) &&
				tells(moves->then, g, y))
				table_put(moves, thinned->slots, (uint32_t)g << ROW_BITS | y);
	}
}

static void count_way(struct shift *ways, size_t *count, int32_t dx, int32_t dy)
{
	for (size_t i = 0; i < *count; i++)
		if (ways[i].dx == dx && ways[i].dy == dy) {
			ways[i].votes++;
			return;
		}
	if (*count < WAYS)
		ways[(*count)++] = (struct shift){dx, dy, 1};
}

/* Rolls over the part of a row in which something is not explained. */
static bool roll(struct moves *moves, uint32_t y, size_t *ret_first, size_t *ret_count)
{
	size_t left = SIZE_MAX, right = 0, end = moves->width - SPAN_PIXELS + 1;

	for (size_t g = 0; g < moves->columns; g++)
		if (moves->changed[g] && bit_is_set(strips_at(&moves->differ, g), y)) {
			left = MIN(left, g);
			right = g + 1;
		}
	if (!right)
		return false;
	*ret_first = left ? (left - 1) * SPAN_PIXELS + 1 : 0;
	if (*ret_first >= end)
		return false;
	*ret_count = MIN(right * SPAN_PIXELS, end) - *ret_first;
	if (!moves_spend(moves, COST_ROLL * *ret_count))
		return false;
	span_roll(moves->key, moves->pixels + y * moves->stride + *ret_first, *ret_count,
		moves->rolled);
	return true;
}

static void vote_row(struct moves *moves, const struct thinned *thinned, uint32_t y,
	struct shift *ways, size_t *count)
{
	size_t first, n;
	uint32_t place;

	if (!roll(moves, y, &first, &n))
		return;
	for (size_t i = 0; i < n; i++) {
		uint64_t hash = moves->rolled[i];

		/* Of one colour, and so like its neighbour. */
		if (hash & thinned->mask || (i && hash == moves->rolled[i - 1]) ||
			!table_find(moves, thinned->slots, hash, &place))
			continue;
		count_way(ways, count,
			(int32_t)(first + i) - (int32_t)((place >> ROW_BITS) * SPAN_PIXELS),
			(int32_t)y - (int32_t)(place & ((1u << ROW_BITS) - 1)));
	}
}

/* Rows so chosen that what is not explained is spread evenly between them. */
static void vote_rows(struct moves *moves, const struct thinned *thinned, size_t spans,
	struct shift *ways, size_t *count)
{
	size_t each = spans / ROWS + 1, seen = each / 2;

	for (uint32_t y = 0; y < moves->readable; y++) {
		for (size_t g = 0; g < moves->columns; g++)
			seen += moves->changed[g] && bit_is_set(strips_at(&moves->differ, g), y);
		if (seen < each)
			continue;
		seen %= each;
		vote_row(moves, thinned, y, ways, count);
	}
}

size_t vote_slanted(struct moves *moves, struct shift *ret)
{
	size_t spans = moves_rest(moves), way_count = 0, count = 0;
	struct thinned thinned = {0};
	struct shift ways[WAYS];

	if (!moves_spend(moves, COST_LOOKUP * spans))
		return 0;
	while (spans / (thinned.mask + 1) > TABLE_FILL)
		thinned.mask = thinned.mask * 2 + 1;
	thinned.slots = table_clear(moves, 2 * TABLE_FILL);
	table_all(moves, &thinned);
	vote_rows(moves, &thinned, spans, ways, &way_count);
	for (size_t i = 0; i < way_count; i++)
		if (ways[i].votes >= VOTES_SLANTED && ways[i].dx)
			rank(ret, &count, &ways[i]);
	return count;
}
