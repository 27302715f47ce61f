/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "damage/pace.h"

#include "base/mem.h"

/* Seconds of quiet double from step to step: 1, 2, 4 .. 64. At the last one the interval is slow_ms. */
#define PACE_STEPS 7u

void pace_init(struct pace *pace, bool evented, uint32_t fast_ms, uint32_t slow_ms,
	uint32_t safety_ms, uint32_t frames_maximum, uint64_t now)
{
	*pace = (struct pace){
		.fast_ms = fast_ms,
		.slow_ms = MAX(slow_ms, fast_ms),
		.safety_ms = safety_ms,
		.frame_ms = DIV_ROUND_UP(1000u, MAX(frames_maximum, 1u)),
		.evented = evented,
		.pending = true,
		.last_change = now,
	};
	pace->last_look = now - MIN(now, (uint64_t)pace->frame_ms);
}

void pace_event(struct pace *pace, uint64_t now)
{
	pace->pending = true;
}

void pace_nudge(struct pace *pace, uint64_t now)
{
	pace->pending = true;
	pace->last_change = now;
}

void pace_looked(struct pace *pace, bool changed, uint64_t now)
{
	pace->pending = false;
	pace->last_look = now;
	if (changed)
		pace->last_change = now;
}

static uint32_t timer_interval(const struct pace *pace, uint64_t now)
{
	uint64_t quiet = (now > pace->last_change ? now - pace->last_change : 0) / 1000;
	unsigned int step = 0;

	while (quiet && step < PACE_STEPS) {
		quiet >>= 1;
		step++;
	}
	return pace->fast_ms +
	       (uint32_t)((uint64_t)(pace->slow_ms - pace->fast_ms) * step / PACE_STEPS);
}

uint32_t pace_wait(const struct pace *pace, uint64_t now)
{
	uint64_t due = pace->last_look;

	if (pace->pending)
		due += pace->frame_ms;
	else if (pace->evented)
		due += MAX(pace->safety_ms, pace->frame_ms);
	else
		due += MAX(timer_interval(pace, now), pace->frame_ms);
	return due > now ? (uint32_t)(due - now) : 0;
}
