/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cut.h - a region as pieces that are encoded one by one. Pure.
 *
 * Each rectangle is cut along lines that are the same for everybody, so that viewers who are behind by different amounts still
 * have most pieces in common; but no thin strip is cut off at its edges. A piece has at most CUT_PIXELS.
 */
#pragma once

#include <stdbool.h>
#include <rfb/rfb.h>
#include <rfb/rfbregion.h>

#include "damage/rects.h"

#define CUT_WIDTH  256 /* pixels from line to line */
#define CUT_HEIGHT 128
#define CUT_PIXELS (4 * CUT_WIDTH * CUT_HEIGHT)

struct cut {
	sraRectangleIterator *iterator; /* owned */
	struct rect rest; /* of the region's rectangle at hand: the rows not yet cut */
	uint32_t at;	  /* in its row of pieces: where the next one begins */
};

/* @region: borrowed, left alone meanwhile. False: out of memory. */
bool cut_begin(struct cut *cut, sraRegionPtr region);
/* False: that was all. */
bool cut_next(struct cut *cut, struct rect *ret);
void cut_end(struct cut *cut);
