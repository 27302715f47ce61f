/* SPDX-License-Identifier: GPL-2.0-or-later */
/* move.h - part of the picture that has gone elsewhere, and what that does to bitmaps of blocks (layout: damage/tiles.h).
 *
 * Moves stand in lists and are made one after the other, each from what the picture is then, as CopyRect does (RFB 7.7.2): where a move
 * overlaps itself, all of it is read before any of it is written.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "damage/rects.h"

struct move {
	struct rect from; /* where the pixels were */
	int32_t dx, dy;	  /* pixels, to the right and down; not both 0 */
};

/* Where they are now; of a valid move. */
static inline struct rect move_to(const struct move *move)
{
	return (struct rect){move->from.x + move->dx, move->from.y + move->dy, move->from.width,
		move->from.height};
}
static inline bool rects_meet(const struct rect *a, const struct rect *b)
{
	return a->x < b->x + b->width && b->x < a->x + a->width && a->y < b->y + b->height &&
	       b->y < a->y + a->height;
}

/* Does it begin and end inside a picture of that size, and move something? */
static inline bool move_valid(const struct move *move, uint32_t width, uint32_t height)
{
	const struct rect *from = &move->from;
	int64_t x = (int64_t)from->x + move->dx, y = (int64_t)from->y + move->dy;

	return (move->dx || move->dy) && from->width && from->height && from->width <= width &&
	       from->height <= height && from->x <= width - from->width &&
	       from->y <= height - from->height && x >= 0 && y >= 0 && x <= width - from->width &&
	       y <= height - from->height;
}

/* A picture is wrong where @bitmap says so. Makes @bitmap say where it is wrong once @move was made in it: what was wrong where the move
 * began is wrong where it ends, too, and what else was wrong there is not any more. @scratch: as large as @bitmap. */
void move_wrong(const struct move *move, uint32_t width, uint32_t height, uint64_t *bitmap,
	uint64_t *scratch);
/* Sets those blocks of @bitmap that @rect touches and that are set in @mask; NULL: all are. */
void move_mark(const struct rect *rect, uint32_t width, const uint64_t *mask, uint64_t *bitmap);
/* Blocks that @rect touches; so many of them are set. */
size_t move_count(const struct rect *rect, uint32_t width, const uint64_t *bitmap, size_t *ret_set);
