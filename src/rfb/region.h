/* SPDX-License-Identifier: GPL-2.0-or-later */
/* region.h - LibVNCServer's regions by our rectangles: what a viewer has asked for, and what it has not got. No state of its own; it allocates as the
 * library does, which has no way to say that there is no memory.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <rfb/rfb.h>
#include <rfb/rfbregion.h>

#include "damage/move.h"
#include "damage/rects.h"

sraRegionPtr region_of(const struct rect *rect); /* the caller's */
void region_add(sraRegionPtr region, const struct rect *rect); /* width 0: nothing */
void region_add_within(sraRegionPtr region, const struct rect *rect, const struct rect *within); /* as far as it is there */
void region_remove(sraRegionPtr region, const struct rect *rect);
/* What is in it goes along, as move_wrong() does it for blocks, to the pixel. */
void region_move(sraRegionPtr region, const struct move *move);
/* Of more than @maximum pieces, the rectangle around them. */
void region_limit(sraRegionPtr region, unsigned int maximum);
/* Is it one rectangle? */
bool region_single(sraRegionPtr region, struct rect *ret);
/* Its pixels, or some number above @enough. */
uint64_t region_covers(sraRegionPtr region, uint64_t enough);
/* Have its pixels at most PALETTE_MAX colours? @stride: pixels. */
bool region_has_few_colours(sraRegionPtr region, const uint32_t *pixels, size_t stride);
