/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * The frame is overwritten while it is looked at, so what stood in it is known by a hash of each row of each group (span.h) only: `then`. The
 * store that puts pixels into the frame hashes the very words that it stores, into `now`, and when the frame is published `now` becomes
 * `then`. Between the two a search can compare what was published with what will be, and needs no pixel of the past. The source may have changed
 * under the look as it likes: both sides are about the frame. A look that is followed by another one before the publish leaves what it stored in
 * `now`, and the next one's search is about both.
 *
 * So a span is in `then` only if that is sure to have been published. A store that is left half way (tiles.c) leaves a group STORED_BEGUN, and its
 * spans are forgotten unless it is stored again. Rows that a store did not reach keep their spans, for they keep their pixels, unless a store
 * before it, since the publish, has reached further: then the group is one that nobody knows, too.
 *
 * While nothing changes none of that is needed. So a rest gives all of it back, and what was known is LOST: the frame, all of which has been published,
 * shows it still. It is learnt there just before it is overwritten, and, if there is a search, where nothing was.
 *
 * Few moves are wanted, each of many pixels. Shifts come from votes (vote.c), and rectangles that went by them from comparing spans (area.c).
 * The guest may draw whatever makes that dear; a look pays for it from a purse (LIMIT_MOVE_STEPS), and those that find nothing several
 * times running are followed by looks that do not try, nor hash spans; what these store is not known afterwards.
 */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "damage/moves_internal.h"
#include "damage/tiles.h"

#define REST \
	512 /* spans: less than this, and less than a quarter of what there was, is not looked for any way */
#define WORTH	 64 /* blocks: less is not worth a search, nor much to be sent */
#define PART_MIN 32 /* of all that changed, that one move must explain */
#define TRIES	 3  /* searches that may find nothing before looks are left out */
#define SKIP_MAX 16

static_assert(SPAN_ROWS == BLOCK_PIXELS, "spans are kept in blocks");

/* Something in one room. */
static void *place(uint8_t *room, size_t *used, size_t bytes)
{
	void *at = room ? room + *used : NULL;

	*used += ALIGN_UP(bytes, (size_t)64);
	return at;
}

/* What a search needs; of no room, how much. */
static size_t lay_out(struct moves *moves, uint8_t *room)
{
	size_t bits = moves->columns * moves->words * sizeof(uint64_t), used = 0;

	moves->room = room;
	moves->explained = place(
		room, &used, tiles_bitmap_words(moves->width, moves->height) * sizeof(uint64_t));
	moves->votes = place(room, &used, 2 * moves->rows * sizeof(uint16_t));
	moves->table = place(room, &used, LIMIT_MOVE_TABLE * sizeof(uint32_t));
	moves->rolled = place(room, &used, moves->width * sizeof(uint64_t));
	moves->differ = (struct strips){place(room, &used, bits), moves->words};
	for (size_t i = 0; i < SHIFTS; i++) {
		moves->match[i] = (struct strips){place(room, &used, bits), moves->words};
		moves->best[i] = place(room, &used, moves->columns * sizeof(struct run));
	}
	return used;
}

/* Large ones come untouched from the kernel, and go back to it. */
static bool wake(struct moves *moves)
{
	size_t rows = moves->rows / SPAN_ROWS, each = moves->columns * SPAN_ROWS;

	if (!moves->room)
		lay_out(moves, calloc(1, lay_out(moves, NULL)));
	if (!moves->spans) {
		moves->spans = calloc(2 * rows * each, sizeof(uint64_t));
		for (size_t i = 0; moves->spans && i < 2 * rows; i++)
			moves->then[i] = moves->spans + i * each;
	}
	return moves->room && moves->spans;
}

static bool moves_allocate(struct moves *moves)
{
	size_t rows = moves->rows / SPAN_ROWS;

	moves->then = calloc(2 * rows, sizeof(uint64_t *));
	moves->stored = calloc(moves->columns * rows, 1);
	moves->known = malloc(moves->columns * rows);
	moves->changed = calloc(moves->columns, sizeof(bool));
	moves->unmarked = calloc(moves->columns, sizeof(*moves->unmarked));
	if (!moves->then || !moves->stored || !moves->known || !moves->changed || !moves->unmarked)
		return false;
	moves->now = moves->then + rows;
	memset(moves->known, BLANK, moves->columns * rows);
	return true;
}

int moves_create(uint32_t width, uint32_t height, const struct span_key *key, struct moves **ret)
{
	struct moves *moves = new0(struct moves);

	if (!moves)
		return -ENOMEM;
	moves->width = width;
	moves->height = height;
	moves->key = key;
	moves->columns = DIV_ROUND_UP((size_t)width, SPAN_PIXELS);
	moves->rows = ALIGN_UP((size_t)height, BLOCK_PIXELS);
	moves->words = DIV_ROUND_UP(moves->rows, 64);
	moves->stale = true;
	if (!moves_allocate(moves)) {
		moves_destroy(moves);
		return -ENOMEM;
	}
	*ret = moves;
	return 0;
}

static void give_back(struct moves *moves)
{
	free(take_ptr(moves->spans));
	free(moves->room);
	lay_out(moves, NULL);
}

void moves_destroy(struct moves *moves)
{
	if (!moves)
		return;
	give_back(moves);
	free(moves->then);
	free(moves->stored);
	free(moves->known);
	free(moves->changed);
	free(moves->unmarked);
	free(moves);
}

static uint8_t *known_at(struct moves *moves, size_t row, size_t column)
{
	return &moves->known[row * moves->columns + column];
}

void moves_forget(struct moves *moves)
{
	for (size_t row = 0; moves->spans && row < moves->rows / SPAN_ROWS; row++)
		for (size_t g = 0; g < moves->columns; g++)
			if (*known_at(moves, row, g) == KNOWN)
				memset(moves->then[row] + g * SPAN_ROWS, 0,
					SPAN_ROWS * sizeof(uint64_t));
	memset(moves->known, BLANK, moves->columns * (moves->rows / SPAN_ROWS));
	memset(moves->stored, 0, moves->columns * (moves->rows / BLOCK_PIXELS));
	memset(moves->changed, 0, moves->columns * sizeof(bool));
	moves->count = moves->blocks = moves->readable = 0;
	moves->stale = true;
}

/* ---- what stands in the frame ---- */

static uint8_t *stored_at(struct moves *moves, size_t row, size_t column)
{
	return &moves->stored[row * moves->columns + column];
}

static void settle(struct moves *moves, size_t row, size_t g, uint8_t stored)
{
	uint8_t *known = known_at(moves, row, g);
	size_t at = g * SPAN_ROWS;

	if (!(stored & STORED_BEGUN)) {
		memcpy(moves->then[row] + at, moves->now[row] + at,
			(stored & STORED_ROWS) * sizeof(uint64_t));
		*known = KNOWN;
		return;
	}
	if (*known == KNOWN)
		memset(moves->then[row] + at, 0, SPAN_ROWS * sizeof(uint64_t));
	*known = BLANK;
}

static void settle_row(struct moves *moves, size_t row)
{
	uint8_t *stored = stored_at(moves, row, 0);
	size_t whole = 0;

	for (size_t g = 0; g < moves->columns; g++)
		whole += (stored[g] & (STORED_ROWS | STORED_BEGUN)) == SPAN_ROWS;
	if (whole == moves->columns) {
		uint64_t *then = moves->then[row];

		moves->then[row] = moves->now[row];
		moves->now[row] = then;
		memset(moves->known + row * moves->columns, KNOWN, moves->columns);
	} else {
		for (size_t g = 0; g < moves->columns; g++)
			if (stored[g])
				settle(moves, row, g, stored[g]);
	}
	memset(stored, 0, moves->columns);
}

static void settle_all(struct moves *moves)
{
	for (size_t row = 0; row < moves->rows / SPAN_ROWS; row++)
		settle_row(moves, row);
	memset(moves->changed, 0, moves->columns * sizeof(bool));
}

void moves_begin(struct moves *moves, const uint32_t *pixels, size_t stride, uint32_t rows)
{
	moves->count = 0;
	moves->pixels = pixels;
	moves->stride = stride;
	if (!wake(moves))
		moves_forget(moves);
	moves->readable = MAX(moves->readable, rows);
}

/* What was there all the time; what lies behind the picture in a row is 0. */
static void learn(struct moves *moves, size_t row, size_t g)
{
	uint64_t *then = moves->then[row] + g * SPAN_ROWS;
	size_t left = MIN(moves->width - g * SPAN_PIXELS, (size_t)SPAN_PIXELS);
	size_t end = MIN(moves->height - row * SPAN_ROWS, (size_t)SPAN_ROWS);
	uint32_t span[SPAN_PIXELS] = {0};

	for (size_t y = 0; y < end; y++) {
		memcpy(span,
			moves->pixels + (row * SPAN_ROWS + y) * moves->stride + g * SPAN_PIXELS,
			left * sizeof(*span));
		then[y] = span_hash(moves->key, span, SPAN_BLOCKS);
	}
	*known_at(moves, row, g) = KNOWN;
}

void moves_mark(struct moves *moves, size_t row, size_t begin, size_t end)
{
	for (size_t g = begin; g < end; g++) {
		uint8_t *stored = stored_at(moves, row, g), again = *stored ? STORED_AGAIN : 0;

		moves->unmarked[g] = (struct unmarked){*stored, moves->changed[g]};
		if (*known_at(moves, row, g) == LOST && !*stored) {
			if (moves_wants_spans(moves))
				learn(moves, row, g);
			else
				*stored = STORED_UNKNOWN;
		}
		*stored = (*stored & STORED_UNKNOWN) | STORED_BEGUN | again;
		moves->changed[g] = true;
	}
}

/* Its spans are those of now, too, if they were hashed: of the same pixels. */
void moves_same(struct moves *moves, size_t row, size_t group)
{
	*stored_at(moves, row, group) = moves->unmarked[group].stored;
	moves->changed[group] = moves->unmarked[group].changed;
}

bool moves_wants_spans(const struct moves *moves)
{
	/* The search after the next look compares with this one. */
	return moves->spans && moves->skip <= 1;
}

void moves_sleep(struct moves *moves)
{
	if (!moves->spans && !moves->room)
		return;
	settle_all(moves);
	for (size_t i = 0; moves->spans && i < moves->columns * (moves->rows / SPAN_ROWS); i++)
		if (moves->known[i] == KNOWN)
			moves->known[i] = LOST;
	moves->count = 0;
	give_back(moves);
}

struct spans moves_spans(struct moves *moves, size_t row, size_t begin)
{
	return (struct spans){
		.key = moves->key,
		.at = moves->now[row] + begin * SPAN_ROWS,
		.pitch = SPAN_ROWS,
	};
}

void moves_unknown(struct moves *moves, size_t row, size_t group)
{
	*stored_at(moves, row, group) |= STORED_UNKNOWN;
}

void moves_stored(
	struct moves *moves, size_t row, size_t begin, size_t end, unsigned int rows, bool spans)
{
	bool whole = rows >= MIN(moves->height - row * SPAN_ROWS, (size_t)SPAN_ROWS);

	if (!spans)
		return;
	for (size_t g = begin; g < end; g++) {
		uint8_t *stored = stored_at(moves, row, g);

		if (whole || !(*stored & STORED_AGAIN))
			*stored = (*stored & STORED_UNKNOWN) | (uint8_t)rows;
	}
}

/* 0: not known. */
static uint64_t span_in_frame(const struct moves *moves, size_t row, size_t g, uint32_t y)
{
	uint8_t stored = moves->stored[row * moves->columns + g];

	if (stored & STORED_BEGUN)
		return 0;
	return (y < (stored & STORED_ROWS) ? moves->now : moves->then)[row][g * SPAN_ROWS + y];
}

bool moves_row(const struct moves *moves, uint32_t y, size_t begin, size_t end, uint64_t *ret)
{
	size_t row = y / SPAN_ROWS, next = MIN(row + 1, moves->rows / SPAN_ROWS - 1);
	uint64_t known = 1;

	if (!moves->spans)
		return false;
	/* Rows are asked for some apart, downwards. */
	for (size_t g = begin; g < end; g++)
		__builtin_prefetch(moves->then[next] + g * SPAN_ROWS + y % SPAN_ROWS, 0, 2);
	for (size_t g = begin; g < end && known; g++)
		known = ret[g - begin] = span_in_frame(moves, row, g, y % SPAN_ROWS);
	return known;
}

/* ---- a search ---- */

/* Then, what is not known of the past is 0; now, what was not stored is what it was. */
static void complete(struct moves *moves, size_t column)
{
	uint64_t *differ = strips_at(&moves->differ, column);

	memset(differ, 0, moves->words * sizeof(*differ));
	for (size_t row = 0; row < moves->rows / SPAN_ROWS; row++) {
		uint64_t *then = moves->then[row] + column * SPAN_ROWS;
		uint64_t *now = moves->now[row] + column * SPAN_ROWS;
		uint8_t stored = *stored_at(moves, row, column);
		size_t known = stored & STORED_ROWS, y = row * SPAN_ROWS;
		uint64_t bits = 0;

		if (!stored && *known_at(moves, row, column) == LOST)
			learn(moves, row, column);
		if (stored & (STORED_UNKNOWN | STORED_BEGUN))
			memset(then, 0, SPAN_ROWS * sizeof(*then));
		if (stored & STORED_BEGUN)
			memset(now, 0, SPAN_ROWS * sizeof(*now));
		else
			memcpy(now + known, then + known, (SPAN_ROWS - known) * sizeof(*now));
		for (size_t i = 0; i < known && y + i < moves->readable; i++)
			bits |= (uint64_t)(then[i] != now[i]) << i;
		differ[y / 64] |= bits << y % 64;
	}
}

bool moves_list(struct moves *moves, const struct move *move)
{
	struct rect to = move_to(move);

	if (moves->count == LIMIT_MOVES)
		return false;
	/* Nothing before it may end where it begins, and it must not end where one behind it begins. */
	for (size_t at = 0; at <= moves->count; at++) {
		bool fits = true;

		for (size_t i = 0; i < moves->count && fits; i++) {
			struct rect other = move_to(&moves->list[i]);

			fits = i < at ? !rects_meet(&other, &move->from)
				      : !rects_meet(&to, &moves->list[i].from);
		}
		if (!fits)
			continue;
		memmove(&moves->list[at + 1], &moves->list[at],
			(moves->count - at) * sizeof(*move));
		moves->list[at] = *move;
		moves->count++;
		return true;
	}
	return false;
}

/* Rows of a row of blocks that changed in a column, as bits. */
static unsigned int rows_changed(const struct moves *moves, size_t column, size_t row)
{
	const uint64_t *then = moves->then[row] + column * SPAN_ROWS;
	const uint64_t *now = moves->now[row] + column * SPAN_ROWS;
	unsigned int bits = 0;

	for (unsigned int y = 0; y < BLOCK_PIXELS; y++)
		if (row * BLOCK_PIXELS + y < moves->readable && then[y] != now[y])
			bits |= 1u << y;
	return bits;
}

/* Of the rows of a row of blocks those in which moves put all that is right into block @block. */
static unsigned int rows_moved(const struct moves *moves, size_t block, size_t row)
{
	uint32_t left = block * BLOCK_PIXELS, right = MIN(left + BLOCK_PIXELS, moves->width);
	uint32_t top = row * BLOCK_PIXELS;
	unsigned int bits = 0;

	for (size_t i = 0; i < moves->count; i++) {
		struct rect to = move_to(&moves->list[i]);
		uint32_t begin = MAX(to.y, top), end = MIN(to.y + to.height, top + BLOCK_PIXELS);

		if (to.x <= left && right <= to.x + to.width && begin < end)
			bits |= ((1u << (end - begin)) - 1) << (begin - top);
	}
	return bits;
}

/* The same of the rows that are right as a whole where a move ends within column @column. */
static unsigned int rows_of_edges(const struct moves *moves, size_t column, size_t row)
{
	uint32_t top = row * BLOCK_PIXELS;
	unsigned int bits = 0;

	for (size_t i = 0; i < moves->edge_count; i++) {
		const struct edge *edge = &moves->edges[i];
		uint32_t begin = MAX(edge->begin, top), end = MIN(edge->end, top + BLOCK_PIXELS);

		if (edge->column == column && begin < end)
			bits |= ((1u << (end - begin)) - 1) << (begin - top);
	}
	return bits;
}

static void explain(struct moves *moves)
{
	size_t stride = tiles_bitmap_stride(moves->width);
	size_t blocks = DIV_ROUND_UP((size_t)moves->width, BLOCK_PIXELS);

	memset(moves->explained, 0,
		tiles_bitmap_words(moves->width, moves->height) * sizeof(uint64_t));
	for (size_t row = 0; row < DIV_ROUND_UP((size_t)moves->height, BLOCK_PIXELS); row++)
		for (size_t g = 0; g < moves->columns; g++) {
			unsigned int changed;

			if (!*stored_at(moves, row, g) || *stored_at(moves, row, g) & STORED_BEGUN)
				continue;
			changed = rows_changed(moves, g, row) & ~rows_of_edges(moves, g, row);
			for (size_t b = g * SPAN_BLOCKS; b < MIN((g + 1) * SPAN_BLOCKS, blocks);
				b++)
				if (!(changed & ~rows_moved(moves, b, row)))
					moves->explained[row * stride + b / 64] |= 1ull << b % 64;
		}
}

size_t moves_rest(const struct moves *moves)
{
	size_t spans = 0;

	for (size_t g = 0; g < moves->columns; g++) {
		const uint64_t *differ = strips_at(&moves->differ, g);

		for (size_t i = 0; moves->changed[g] && i < moves->words; i++)
			spans += __builtin_popcountll(differ[i]);
	}
	return spans;
}

static void complete_all(struct moves *moves)
{
	for (size_t g = 0; g < moves->columns; g++)
		if (moves->changed[g])
			complete(moves, g);
}

/* What goes sideways may begin where nothing changed. */
static void learn_all(struct moves *moves)
{
	for (size_t row = 0; row < moves->rows / SPAN_ROWS; row++)
		for (size_t g = 0; g < moves->columns; g++)
			if (!*stored_at(moves, row, g) && *known_at(moves, row, g) == LOST)
				learn(moves, row, g);
}

/* Blank strips go by any shift, and a window that is dragged has some. So what goes up or down explains a good part of it all, or gives way to
 * what goes any way: it could end where that begins. */
static void search(struct moves *moves)
{
	struct move upright[LIMIT_MOVES];
	struct shift shifts[SHIFTS];
	size_t count, kept, edges, all, rest;

	moves->steps = LIMIT_MOVE_STEPS;
	moves->edge_count = 0;
	complete_all(moves);
	all = moves_rest(moves);
	count = vote_upright(moves, shifts);
	areas_find(moves, shifts, count, all / PART_MIN);
	rest = moves_rest(moves);
	if (rest >= REST && rest >= all / 4) {
		memcpy(upright, moves->list, sizeof(upright));
		kept = moves->count;
		edges = moves->edge_count;
		if (rest > all / 2) {
			moves->count = moves->edge_count = 0;
			complete_all(moves);
		}
		learn_all(moves);
		count = vote_slanted(moves, shifts);
		areas_find(moves, shifts, count, all / PART_MIN);
		if (!moves->count) {
			memcpy(moves->list, upright, sizeof(upright));
			moves->count = kept;
			moves->edge_count = edges;
		}
	}
	if (moves->count)
		explain(moves);
}

/* Whether this look tries. */
static bool worth_it(struct moves *moves)
{
	if (moves->blocks < WORTH) {
		moves->fruitless = moves->skip = 0;
		return false;
	}
	return !moves->stale && moves->width >= SPAN_PIXELS && !moves->skip && moves->spans &&
	       moves->room;
}

void moves_end(struct moves *moves, unsigned int changed)
{
	moves->blocks += changed;
	if (worth_it(moves))
		search(moves);
	if (moves->count) {
		moves->fruitless = 0;
	} else if (moves->skip) {
		moves->skip--;
	} else if (moves->blocks >= WORTH && ++moves->fruitless >= TRIES) {
		moves->skip =
			moves->fruitless - TRIES < 3 ? 2u << (moves->fruitless - TRIES) : SKIP_MAX;
	}
}

size_t moves_take(struct moves *moves, const uint64_t *damage, struct move *ret, uint64_t *left)
{
	size_t words = tiles_bitmap_words(moves->width, moves->height);

	if (!moves->count)
		return 0;
	memcpy(ret, moves->list, moves->count * sizeof(*ret));
	for (size_t i = 0; i < words; i++)
		left[i] = damage[i] & ~moves->explained[i];
	return moves->count;
}

void moves_published(struct moves *moves)
{
	settle_all(moves);
	moves->count = moves->blocks = moves->readable = 0;
	moves->stale = false;
}
