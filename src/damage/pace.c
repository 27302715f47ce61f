/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "damage/pace.h"

#include "base/mem.h"

/* Seconds of quiet double from step to step: 1, 2, 4 .. 64. At the last one the interval is slow_ms. */
#define PACE_STEPS     7u
#define PACE_ACTIVE_MS 1000u
#define BEAT_MOST_MS   1000u

void retry_failed(struct retry *retry, uint64_t now)
{
	if (!retry->rest_ms) {
		retry->since = now;
		retry->rest_ms = RETRY_REST_MS;
	} else if (now - retry->since >= PACE_HOLD_MS) {
		retry->rest_ms = MIN(retry->rest_ms * 2, RETRY_REST_MAX_MS);
	}
	retry->last = now;
}

void retry_succeeded(struct retry *retry)
{
	*retry = (struct retry){0};
}

void retry_again(struct retry *retry)
{
	retry->rest_ms = MIN(retry->rest_ms, RETRY_REST_MS);
}

static uint32_t until(uint64_t due, uint64_t now)
{
	return due > now ? (uint32_t)(due - now) : 0;
}

uint32_t retry_wait(const struct retry *retry, bool eager, uint64_t now)
{
	uint32_t rest = eager ? MIN(retry->rest_ms, RETRY_EVENT_MS) : retry->rest_ms;

	return until(retry->last + rest, now);
}

void pace_init(struct pace *pace, bool evented, uint32_t fast_ms, uint32_t slow_ms,
	uint32_t safety_ms, uint32_t frames_maximum, uint64_t now)
{
	*pace = (struct pace){
		.fast_ms = fast_ms,
		.slow_ms = MAX(slow_ms, fast_ms),
		.still_ms = MAX(slow_ms, fast_ms),
		.safety_ms = safety_ms,
		.frame_ms = DIV_ROUND_UP(1000u, MAX(frames_maximum, 1u)),
		.evented = evented,
		.safety_times = 1,
		.pending = true,
		.beat_ms = BEAT_MOST_MS,
		.last_change = now,
		.last_scan = now,
	};
	pace->last_look = now - MIN(now, (uint64_t)pace->frame_ms);
}

void pace_still(struct pace *pace, uint32_t still_ms)
{
	pace->still_ms = MAX(still_ms, pace->slow_ms);
}

void pace_event(struct pace *pace)
{
	pace->pending = true;
}

void pace_nudge(struct pace *pace, uint64_t now)
{
	pace->pending = true;
	pace->last_change = now;
	retry_again(&pace->retry);
}

void pace_touch(struct pace *pace, uint64_t now)
{
	pace->last_touch = now;
	pace->safety_times = 1;
}

/* And the answer is still to come. */
static bool is_touched(const struct pace *pace, uint64_t now)
{
	if (!pace->last_touch || now >= pace->last_touch + PACE_TOUCH_MS)
		return false;
	return pace->last_pixels <= pace->last_touch || now < pace->last_pixels + PACE_ANSWER_MS;
}

bool pace_active(const struct pace *pace, uint64_t now)
{
	return now < MAX(pace->last_change, pace->last_touch) + PACE_ACTIVE_MS;
}

bool pace_expects(const struct pace *pace)
{
	return pace->streak >= (pace->evented ? 1 : PACE_STREAK);
}

bool pace_doubts(const struct pace *pace)
{
	return pace->pending || pace->evented || pace->streak >= PACE_STREAK;
}

bool pace_skims(const struct pace *pace, uint64_t now)
{
	return pace->last_pixels && now < pace->last_pixels + PACE_NEAR_MS;
}

bool pace_owes(const struct pace *pace, uint64_t now)
{
	return pace->owes && (!pace_skims(pace, now) || now >= pace->last_scan + PACE_WHOLE_MS);
}

/* A registrant who tells of everything is asked less and less often; one who was found to forget something, as often as ever. But
 * an event right after that was on its way. */
static void safety_learn(struct pace *pace, bool changed, uint64_t now)
{
	if (changed && !pace->pending)
		pace->forgotten = now;
	else if (pace->pending && now - pace->forgotten < PACE_TOUCH_MS)
		pace->forgotten = 0;
	if (changed || pace->pending || pace->forgotten)
		pace->safety_times = 1;
	else
		pace->safety_times = MIN(pace->safety_times * 2, PACE_SAFETY_MOST);
}

static void beat_learn(struct pace *pace, uint64_t now)
{
	uint64_t rest = pace->last_pixels ? now - pace->last_pixels : BEAT_MOST_MS;

	pace->beat_ms = (pace->beat_ms + (uint32_t)MIN(rest, (uint64_t)BEAT_MOST_MS)) / 2;
}

/* It does not stop with one picture that is late. */
static bool has_beat(const struct pace *pace, uint64_t now)
{
	return pace->beat_ms < PACE_BEAT_MS && now < pace->last_pixels + 2 * pace->beat_ms;
}

void pace_looked(struct pace *pace, enum pace_found found, bool scanned, uint64_t now)
{
	bool changed = found != PACE_NOTHING, goes_on = pace->evented || found == PACE_PIXELS;

	if (scanned)
		safety_learn(pace, changed, now);
	if (scanned)
		pace->owes = false;
	else
		pace->owes |= found == PACE_PIXELS || pace_skims(pace, now);
	if (found == PACE_PIXELS) {
		beat_learn(pace, now);
		pace->last_pixels = now;
	}
	pace->pending = false;
	pace->last_look = now;
	pace->streak = changed && goes_on ? pace->streak + 1 : 0;
	if (changed)
		pace->last_change = now;
	if (scanned)
		pace->last_scan = now;
}

void pace_found(struct pace *pace)
{
	pace->gap_since = 0;
	retry_succeeded(&pace->retry);
}

void pace_missed(struct pace *pace, bool failed, uint64_t now)
{
	if (!pace->gap_since)
		pace->gap_since = now;
	pace->safety_times = 1; /* to ask costs little then */
	if (failed)
		retry_failed(&pace->retry, now);
	else
		retry_succeeded(&pace->retry);
}

bool pace_holds(const struct pace *pace, uint64_t now)
{
	return pace->gap_since && now - pace->gap_since < PACE_HOLD_MS;
}

static uint64_t safety_rest(const struct pace *pace)
{
	return (uint64_t)pace->safety_ms * pace->safety_times;
}

bool pace_scan_due(const struct pace *pace, uint64_t now)
{
	return now - pace->last_scan >= safety_rest(pace);
}

static uint32_t timer_interval(const struct pace *pace, uint64_t now)
{
	uint64_t quiet = (now > pace->last_change ? now - pace->last_change : 0) / 1000;
	uint32_t begin = MIN(3 * pace->fast_ms, pace->slow_ms);
	unsigned int step = 0;

	if (is_touched(pace, now) || pace->streak >= PACE_STREAK || has_beat(pace, now))
		return pace->fast_ms;
	if (now >= MAX(pace->last_change, pace->last_touch) + PACE_STILL_MS)
		return pace->still_ms;
	while (quiet && step < PACE_STEPS) {
		quiet >>= 1;
		step++;
	}
	return begin + (uint32_t)((uint64_t)(pace->slow_ms - begin) * step / PACE_STEPS);
}

uint32_t pace_wait(const struct pace *pace, uint64_t now)
{
	uint64_t due = pace->last_look,
		 scan = MIN(pace->last_scan, pace->last_look) + safety_rest(pace);

	if (pace->retry.rest_ms)
		return MAX(retry_wait(&pace->retry, pace->pending, now),
			until(due + pace->frame_ms, now));
	if (pace->pending)
		due += pace->frame_ms;
	else if (pace_holds(pace, pace->last_look))
		due += MAX(RETRY_REST_MS, pace->frame_ms);
	else if (pace->evented)
		due = MAX(scan, due + pace->frame_ms);
	else
		due += MAX(timer_interval(pace, now), pace->frame_ms);
	return until(due, now);
}
