/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bitmaps.h - what one reader has not got yet: moves, and two damage bitmaps of a frame (layout: damage/tiles.h), in one allocation with one to work with: `damage` collects what
 * changes, `taken` is what its worker looks at meanwhile. A new frame needs new ones; what the worker looks at is kept until it is done.
 *
 * The picture's lock guards all but the contents of `taken`.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "damage/move.h"
#include "frame/frame.h"

struct bitmaps {
	uint64_t *damage, *taken; /* parts of `pair` */
	uint64_t *scratch;	  /* likewise */
	uint64_t *pair;		  /* owned, as the rest */
	uint64_t *next;		  /* prepared */
	struct move moves[LIMIT_MOVES_WAITING], taken_moves[LIMIT_MOVES_WAITING]; /* to be made before damage means anything */
	size_t move_count, taken_count;
	struct rect within, taken_within; /* nothing outside of it is damage, whatever the bitmap says; width 0: nothing is damage */
	uint64_t *retired;	  /* an older frame's pair that the worker still looks at */
};

size_t bitmaps_words(const struct frame *frame); /* of one */
/* To be followed by bitmaps_install() for the same frame, or by bitmaps_unprepare(). -ENOMEM. */
int bitmaps_prepare(struct bitmaps *bitmaps, const struct frame *frame);
void bitmaps_unprepare(struct bitmaps *bitmaps);
/* Takes what was prepared into use, with everything damaged. @looking: the worker looks at `taken`. */
void bitmaps_install(struct bitmaps *bitmaps, const struct frame *frame, bool looking);
/* What a publish of @frame, at rest, has changed; @moves: those of it that the reader's viewer can make. */
void bitmaps_follow(struct bitmaps *bitmaps, const struct frame *frame, const struct move *moves, size_t count);
/* The damage so far, and moves, go to the worker; none is collected yet. */
void bitmaps_take(struct bitmaps *bitmaps, const struct frame *frame);
/* The worker is done. */
void bitmaps_done(struct bitmaps *bitmaps);
void bitmaps_finish(struct bitmaps *bitmaps);
