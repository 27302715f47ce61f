/* SPDX-License-Identifier: GPL-2.0-or-later */
/* refresh.h - which blocks a viewer has only as JPEG, and which of these have been quiet for so long that they should be sent again, exact.
 *
 * Sans I/O; no allocation but for another size. Blocks: damage/tiles.h.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "damage/move.h"
#include "damage/rects.h"

#define REFRESH_QUIET_NS \
	300000000ull /* an area is quiet after so long, at most twice that: who moves a window does not stop longer */

struct refresh {
	uint32_t width, height;
	size_t stride, words; /* of one bitmap */
	uint64_t *lossy;      /* owned, with the other three behind it: not exact at the viewer */
	uint64_t *touched;    /* of these: sent since the spell began */
	uint64_t *ripe;	      /* of these: not sent for a whole spell */
	uint64_t *scratch;
	uint64_t spell_ns;    /* began; 0: nothing to wait for */
	size_t row;	      /* of blocks: above it nothing is ripe */
	uint32_t cost;	      /* bytes for 1024 pixels without loss, lately; 0: not known */
};

/* Forgets everything but the cost. -ENOMEM: as it was. */
int refresh_resize(struct refresh *refresh, uint32_t width, uint32_t height);
void refresh_finish(struct refresh *refresh);
/* @rect was sent. @lossy: perhaps not exact. */
void refresh_sent(struct refresh *refresh, const struct rect *rect, bool lossy, uint64_t now);
/* The viewer has made @move: what was not exact where it began is not exact where it ends. */
void refresh_moved(struct refresh *refresh, const struct move *move);
/* When something is ripe: @now: it is; later: it may be then, ask again; UINT64_MAX: not before something is sent. */
uint64_t refresh_due(struct refresh *refresh, uint64_t now);
/* Part of what is ripe: whole blocks in @within, at most @pixels but for a first block. False: none. It stays ripe until it is sent. */
bool refresh_slice(
	struct refresh *refresh, const struct rect *within, uint32_t pixels, struct rect *ret);
/* The pixels of slices that make about @bytes. */
uint64_t refresh_room(const struct refresh *refresh, uint64_t bytes);
/* Slices of so many pixels were so many bytes. */
void refresh_took(struct refresh *refresh, uint32_t pixels, uint32_t bytes);
/* Does @rect have few enough colours that LibVNCServer's Tight sends it exact, as a palette, whatever the quality? @stride: pixels. */
bool refresh_exact_anyway(const uint32_t *pixels, size_t stride, const struct rect *rect);
