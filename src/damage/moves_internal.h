/* SPDX-License-Identifier: GPL-2.0-or-later */
/* moves_internal.h - what moves.c, vote.c and area.c share: a search. */
#pragma once

#include "base/limits.h"
#include "damage/moves.h"

#define SPAN_ROWS 16 /* of a block */
#define SHIFTS 4 /* at most, that are looked at for one look */

/* What a mark changes, of a column. */
struct unmarked {
	uint8_t stored;
	bool changed;
};

/* How far something may have gone. */
struct shift {
	int32_t dx, dy;
	uint32_t votes;
};

/* Bits of rows of pixels. */
struct strips {
	uint64_t *bits; /* [column][words] */
	size_t words;
};

/* Rows [begin, end) of a column in which a move ends within the span: all of the span is right once it is made, for the rest has stayed. */
struct edge {
	size_t column;
	uint32_t begin, end;
	struct rect from; /* what moves there */
};
#define EDGES (2 * LIMIT_MOVES)

struct moves {
	uint32_t width, height;
	size_t columns; /* of spans */
	size_t rows;	/* of pixels, whole blocks */
	size_t words;	/* of a column of bits */
	const struct span_key *key;
	uint64_t **then, **now; /* of each row of blocks: [column][row]; 0: not known. now: where something was stored since the publish, and while a search runs */
	uint64_t *spans;	/* both; NULL: it rests, and there is neither */
	uint8_t *stored;	/* [row of blocks][column]: rows of pixels since the publish, 0: as it was; and these flags */
	uint8_t *known;		/* [row of blocks][column]: enum known, of then */
	bool *changed;	      /* [column]: something was stored there */
	uint64_t *explained;  /* blocks */
	struct move list[LIMIT_MOVES];
	size_t count;
	struct edge edges[EDGES]; /* of the list */
	size_t edge_count;
	bool stale;	     /* nothing has been published yet */
	unsigned int blocks; /* that looks have found to change since the publish */
	uint32_t readable;   /* rows at the most that they may have stored since then */
	unsigned int fruitless, skip;

	/* Of a look. */
	const uint32_t *pixels; /* the frame */
	size_t stride;		/* pixels */
	struct unmarked *unmarked; /* [column]: before the last mark */

	/* Of a search. */
	void *room;	   /* in which all this lies; NULL: it rests */
	struct strips differ;	/* now and then differ there, and no move explains it yet */
	struct strips match[SHIFTS]; /* by where a move of that shift would end; column: of where it begins */
	struct run *best[SHIFTS];    /* [column] */
	uint16_t *votes;
	uint32_t *table;
	uint64_t *rolled; /* a row's */
	uint32_t steps;	  /* that are left */
};

enum known {
	KNOWN, /* as far as it is not 0 */
	BLANK, /* it is all 0 */
	LOST,  /* likewise, but it was published, and the frame shows it still where nothing was stored since */
};

#define STORED_ROWS    0x1f
#define STORED_UNKNOWN 0x20 /* what was there before is not known */
#define STORED_BEGUN   0x40 /* nobody knows what is there now */
#define STORED_AGAIN   0x80 /* while it is begun: not for the first time */

/* Rows [begin, end), and how many of them nothing else explains. */
struct run {
	uint32_t begin, end, gain;
};

/* One of @spans, then or now; those of the other rows of its block lie beside it. */
static inline uint64_t *span_at(uint64_t *const *spans, size_t column, size_t y)
{
	return spans[y / SPAN_ROWS] + column * SPAN_ROWS + y % SPAN_ROWS;
}
static inline bool bit_is_set(const uint64_t *bits, size_t i)
{
	return bits[i / 64] >> i % 64 & 1;
}
static inline uint64_t *strips_at(const struct strips *strips, size_t column)
{
	return strips->bits + column * strips->words;
}
/* Pays for work. False: there was enough. */
static inline bool moves_spend(struct moves *moves, uint32_t steps)
{
	if (steps > moves->steps)
		return false;
	moves->steps -= steps;
	return true;
}

/* Up and down: whole columns of spans stay in their place. Best first; returns how many. */
size_t vote_upright(struct moves *moves, struct shift *ret);
/* Spans that are not explained yet. */
size_t moves_rest(const struct moves *moves);
/* Any way, for what is not explained yet. */
size_t vote_slanted(struct moves *moves, struct shift *ret);
/* Finds rectangles that went by one of @shifts, and lists those that explain @least spans, or more. */
void areas_find(struct moves *moves, const struct shift *shifts, size_t count, size_t least);
/* Where what goes up or down by @move, whole columns, goes on into the columns beside it: at most two. */
size_t edges_find(struct moves *moves, const struct move *move, struct edge *ret);
/* Puts one in its place in the list. False: there is none. */
bool moves_list(struct moves *moves, const struct move *move);
