/* SPDX-License-Identifier: GPL-2.0-or-later */
/* resize.h - a viewer wants the guest to have another size: when to tell the guest. Pure arithmetic on milliseconds, like pace.h.
 *
 * Dragging a window's edge wishes for a size at each step, so a size is offered only when no other was wished for in RESIZE_REST_MS;
 * the last one counts. An offer takes the guest's monitor away for EDID_DOWN_MS (plane/source.h), and whatever happens meanwhile, it comes
 * back: a link that is down is the first thing that is put right, and is tried until it succeeds.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "damage/pace.h"

#define RESIZE_REST_MS 1000u

enum resize_step { RESIZE_NOTHING, RESIZE_OFFER, RESIZE_LINK_UP };

/* All zero: nobody wishes for anything and the link is up. */
struct resize {
	uint32_t width, height; /* wished for; 0: nothing */
	uint64_t wished_at;
	bool down; /* the link is, or may be */
	uint64_t down_at;
	struct retry up; /* attempts to end that */
};

void resize_wish(struct resize *resize, uint32_t width, uint32_t height, uint64_t now);
/* Nobody is there any more who would look at it. The link comes up nevertheless. */
void resize_forget(struct resize *resize);
/* What to do next, and in how many milliseconds: 0: now; -1 with RESIZE_NOTHING. */
enum resize_step resize_next(const struct resize *resize, uint64_t now, int *ret_wait);
/* The step is done. The link may be down from now on, also if the driver has refused the offer. */
void resize_offered(struct resize *resize, uint64_t now);
void resize_link_up(struct resize *resize, bool up, uint64_t now);
