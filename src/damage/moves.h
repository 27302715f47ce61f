/* SPDX-License-Identifier: GPL-2.0-or-later */
/* moves.h - which parts of the frame have only gone elsewhere since it was published. Private to src/damage/, beside tiles.c, which tells it
 * what is stored: groups (hash.h), whole rows of blocks at a time, with a hash of each row of each group (span.h).
 *
 * What it says is proven: each span of where a move ends is, in the frame, what stood in the frame where the move begins when it was
 * published last. No memory but 3 % of the frame beside it (6 % while much changes). None while it
 * rests. No allocation but at create and by the first look after a rest. One thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "damage/move.h"
#include "damage/span.h"

struct moves;

/* -ENOMEM. */
int moves_create(uint32_t width, uint32_t height, const struct span_key *key, struct moves **ret);
void moves_destroy(struct moves *moves); /* takes NULL */
/* Nothing of the frame is known any more. */
void moves_forget(struct moves *moves);

/* Nothing has changed for a while: memory is given back. Nothing is forgotten by that; what is wanted again is learnt from the frame, so that all in
 * it must have been published. */
void moves_sleep(struct moves *moves);

/* A look is about to store. @pixels: the frame, @stride in pixels; they stay there until moves_end(). @rows of it are the source's. */
void moves_begin(struct moves *moves, const uint32_t *pixels, size_t stride, uint32_t rows);
/* Groups [@begin, @end) of row @row of blocks are about to be something else. */
void moves_mark(struct moves *moves, size_t row, size_t begin, size_t end);
/* A group of the last mark has been stored, and is what it was: as if it had not been marked. */
void moves_same(struct moves *moves, size_t row, size_t group);
/* Is it worth while to hash spans in this look? Not where for some time much changed and nothing moved, as in a film. */
bool moves_wants_spans(const struct moves *moves);
/* Where the spans of what is stored there go. */
struct spans moves_spans(struct moves *moves, size_t row, size_t begin);
/* They are there, for so many rows of pixels. @spans false: they are not. */
void moves_stored(
	struct moves *moves, size_t row, size_t begin, size_t end, unsigned int rows, bool spans);
/* What was there before one group is not known: its hash was not. */
void moves_unknown(struct moves *moves, size_t row, size_t group);
/* Between looks: the spans of row @y of pixels as the frame has it, from group @begin to @end. False: not all are known. */
bool moves_row(const struct moves *moves, uint32_t y, size_t begin, size_t end, uint64_t *ret);
/* The look has ended: @changed blocks. Looks for moves since the last publish where that pays. */
void moves_end(struct moves *moves, unsigned int changed);

/* What was found, in an order in which it can be made (move.h), at most LIMIT_MOVES, and in @left the blocks of @damage that are still wrong
 * then. 0: none, and @left was not written. */
size_t moves_take(struct moves *moves, const uint64_t *damage, struct move *ret, uint64_t *left);
/* All that is in the frame has been published; what changes from now on is for the next one. */
void moves_published(struct moves *moves);
