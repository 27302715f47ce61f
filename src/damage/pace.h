/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pace.h - when to look next. Pure arithmetic on milliseconds of CLOCK_MONOTONIC: no clock, no fd.
 *
 * With an eventfd: an event means look now (but not more often than the frame rate allows); while it is silent, a safety
 * poll, less and less often as long as it finds nothing. Without: a timer. It is fast (timer-fast) while a viewer types or moves,
 * while one look after the other finds something new, and while changes come as often as a film's pictures; a third as fast for a second after any
 * other change; then it slows down step by step to timer-slow after about a minute of nothing, and is timer-still when that and no viewer's touch
 * has come for PACE_STILL_MS.
 *
 * A look at all pixels need not be made each time: pace_doubts() says when one row of eight is enough. Just after a change even fewer are
 * (pace_skims()), since another one is likely to be where that was, or large; what is small and elsewhere waits for the look at all
 * pixels that follows after PACE_NEAR_MS (pace_owes()), so that it is seen that much later at most.
 *
 * Where a look finds no picture there is a gap. For PACE_HOLD_MS it may be a mode switch: look often, keep the last picture. A driver
 * that goes on failing is asked less and less often, since some log each failure: the rest between two attempts doubles up to
 * RETRY_REST_MAX_MS. An event shortens it, but not below RETRY_EVENT_MS; whoever comes to look makes it short again.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define PACE_HOLD_MS	  450u /* with the look that finds it over: within 500 ms */
#define RETRY_REST_MS	  50u
#define RETRY_EVENT_MS	  500u
#define RETRY_REST_MAX_MS 4000u
#define PACE_TOUCH_MS \
	200u /* from what a viewer typed until the guest has drawn all of the answer, if it is quick */
#define PACE_STILL_MS	 600000u
#define PACE_ANSWER_MS \
	40u /* from a change after what a viewer typed until that is the whole answer */
#define PACE_BEAT_MS 80u    /* changes that come so often, on the average of the last few, are looked out for fast */
#define PACE_NEAR_MS  250u  /* after a change fewer rows will do, for so long */
#define PACE_WHOLE_MS 1000u /* and all pixels are looked at so often at least */
#define PACE_STREAK	 2u  /* looks in a row that found something: the next one will, too */
#define PACE_SAFETY_MOST 64u /* times safety_ms: the longest rest of a silent eventfd */

/* Something that fails and is tried again. All zero: it does not fail. */
struct retry {
	uint64_t since;	  /* when it began to fail */
	uint64_t last;	  /* the last failure */
	uint32_t rest_ms; /* until the next attempt; 0: it does not fail */
};

void retry_failed(struct retry *retry, uint64_t now);
void retry_succeeded(struct retry *retry);
/* Somebody new wants to know: begin with short rests again. */
void retry_again(struct retry *retry);
/* Milliseconds until the next attempt; 0: now. @eager: there is reason to believe that it would succeed. */
uint32_t retry_wait(const struct retry *retry, bool eager, uint64_t now);

struct pace {
	uint32_t fast_ms, slow_ms, still_ms, safety_ms, frame_ms;
	bool evented;
	uint64_t last_look, last_change;
	uint64_t last_scan;  /* the last look at all pixels */
	uint64_t last_touch; /* a viewer typed or moved; 0: never */
	uint64_t last_pixels; /* the last look that found some; 0: none yet */
	uint32_t beat_ms;     /* from one change of pixels to the next, lately; 1000 and more: 1000 */
	bool owes; /* since the last look at all pixels others were brought up to date, or few rows were looked at */
	unsigned int streak; /* looks in a row that found pixels, with an eventfd anything */
	uint32_t
		safety_times; /* of safety_ms, from the last look at all pixels to the next: 1 .. PACE_SAFETY_MOST */
	uint64_t forgotten; /* when a safety poll found what no event had told; 0: never */
	bool pending;	    /* an event came since the last look */
	uint64_t gap_since; /* no picture since then; 0: there is one */
	struct retry retry;
};

/* @frames_maximum: looks for each second at most. */
void pace_init(struct pace *pace, bool evented, uint32_t fast_ms, uint32_t slow_ms,
	uint32_t safety_ms, uint32_t frames_maximum, uint64_t now);
/* Where nothing at all happens, for PACE_STILL_MS; at first, and at the least, it is slow_ms. */
void pace_still(struct pace *pace, uint32_t still_ms);
void pace_event(struct pace *pace); /* the eventfd fired */
/* A viewer came, or it is known otherwise that there is something new: be fast again, look now. */
void pace_nudge(struct pace *pace, uint64_t now);
/* A viewer typed or moved: be fast for some time. Nothing is there to be seen yet. */
void pace_touch(struct pace *pace, uint64_t now);
/* Something changed, or a viewer typed or moved, within the last second. */
bool pace_active(const struct pace *pace, uint64_t now);
/* The next look will find something, too. */
bool pace_expects(const struct pace *pace);
/* There is reason to believe that something is new: look at all pixels. Else one row of eight tells. */
bool pace_doubts(const struct pace *pace);
/* Where a probe will do: few rows, and the places of the last changes. */
bool pace_skims(const struct pace *pace, uint64_t now);
/* It will not do any more: look at all pixels. */
bool pace_owes(const struct pace *pace, uint64_t now);
/* What a look found to be new. */
enum pace_found { PACE_NOTHING, PACE_PIXELS, PACE_CURSOR /* and no pixel */ };

/* A look is over. @scanned: at all of the picture's pixels, not only at some or at the cursor. */
void pace_looked(struct pace *pace, enum pace_found found, bool scanned, uint64_t now);
/* There is a picture, or there is none: that begins a gap. @failed: the driver has, and is not to be asked too often. */
void pace_found(struct pace *pace);
void pace_missed(struct pace *pace, bool failed, uint64_t now);
/* The last picture may be back at once. */
bool pace_holds(const struct pace *pace, uint64_t now);
/* A source may say that no pixel has changed, but it is not believed for ever: it is time to look at them all. */
bool pace_scan_due(const struct pace *pace, uint64_t now);
/* Milliseconds from @now until the next look; 0: now. */
uint32_t pace_wait(const struct pace *pace, uint64_t now);
