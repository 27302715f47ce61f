/* SPDX-License-Identifier: GPL-2.0-or-later */
/* motion.h - where does the picture change all the time, like a film? Of each publish the damage; what comes out is one rectangle, or none.
 *
 * Sans I/O; no allocation but for another size. Blocks: damage/tiles.h.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "damage/rects.h"

#define MOTION_WINDOW_NS 500000000ull /* changes are counted over so long */
#define MOTION_RATE	 10	      /* for each second: what changes more often moves */
#define MOTION_PIXELS	 (192u * 128)  /* a smaller area is no film */

struct motion {
	uint32_t width, height;
	size_t columns, rows; /* of blocks */
	uint8_t *counts;      /* owned: changes in this window, of each block */
	uint32_t *sums;	      /* owned: of the blocks that move, from the top left (motion.c) */
	uint64_t began_ns;    /* the window; 0: nothing has come yet */
	unsigned int calm;    /* windows in a row in which too little of the area moved */
	struct rect blocks;   /* the area, in blocks */
	struct rect area;     /* in pixels, both sides even; width 0: nothing moves like a film */
};

/* Forgets everything. -ENOMEM: as it was, but for another size. */
int motion_resize(struct motion *motion, uint32_t width, uint32_t height);
void motion_finish(struct motion *motion);
/* A publish: @bitmap, layout damage/tiles.h, has changed at @now. True: the area is another one, or there is none any more. */
bool motion_note(struct motion *motion, const uint64_t *bitmap, uint64_t now);
