/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pace.h - when to look next. Pure arithmetic on milliseconds of CLOCK_MONOTONIC: no clock, no fd.
 *
 * With an eventfd: an event means look now (but not more often than the frame rate allows); while it is silent, a slow safety
 * poll. Without: a timer that is fast while the picture changes and slows down step by step to timer-slow after about a minute
 * of nothing; any change, viewer input or new viewer makes it fast again.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct pace {
	uint32_t fast_ms, slow_ms, safety_ms, frame_ms;
	bool evented;
	uint64_t last_look, last_change;
	bool pending; /* an event came since the last look */
};

/* @frames_maximum: looks for each second at most. */
void pace_init(struct pace *pace, bool evented, uint32_t fast_ms, uint32_t slow_ms,
	uint32_t safety_ms, uint32_t frames_maximum, uint64_t now);
void pace_event(struct pace *pace, uint64_t now); /* the eventfd fired */
void pace_nudge(
	struct pace *pace, uint64_t now); /* a viewer came or typed: be fast again, look now */
void pace_looked(struct pace *pace, bool changed, uint64_t now);
/* Milliseconds from @now until the next look; 0: now. */
uint32_t pace_wait(const struct pace *pace, uint64_t now);
