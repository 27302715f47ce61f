/* SPDX-License-Identifier: GPL-2.0-or-later */
/* measure.h - how long the steps of the straight line take in this process, as histograms, and how often rare things happened.
 *
 * Any thread; no lock, no allocation: a step adds to two atomic numbers. What is read while others count may be a step apart
 * between its sum and its buckets. An RFB program sends what it has measured to the broker, which adds it to its own.
 */
#pragma once

#include <stdint.h>

enum measure_step {
	MEASURE_CAPTURE, /* a look at a display: its driver's answer, the picture, the cursor */
	MEASURE_SCAN,	 /* of which: hashing the picture and copying what changed */
	MEASURE_ENCODE,	 /* RFB program: one update of one viewer, as pixels become bytes */
	MEASURE_WIRE,	 /* from when a look at a changed picture began until the last byte of a viewer's update was with its connection, whose queue is not counted */
	MEASURE_INPUT,	 /* from when a viewer's key or pointer was read by its RFB program until the guest's sink took it */
	MEASURE_STEPS,
};

/* The last one has no upper bound. */
#define MEASURE_BUCKETS 16

struct measure_times {
	uint64_t sum_ns;
	uint64_t buckets[MEASURE_BUCKETS]; /* each without the ones below */
};

enum measure_event {
	MEASURE_LEASE_LOST,
	MEASURE_PROGRAM_STARTED, /* an RFB program */
	MEASURE_PROGRAM_FAILED,	 /* it ended, or had to be ended, before its time */
	MEASURE_VIEWER_RESUMED,	 /* a viewer that was in before this daemon started */
	MEASURE_SCRAPE,		 /* texts of metrics made */
	MEASURE_INPUT_LOST,	 /* viewers' keys and pointers that were thrown away before they were at a sink */
	MEASURE_AREA_ENCODED,	 /* parts of pictures that were encoded, for whoever wants them */
	MEASURE_AREA_SHARED,	 /* how often a viewer was sent one that was there already */
	MEASURE_SHOT_ENCODED,	 /* pictures of films that were encoded, for whoever wants them */
	MEASURE_SHOT_SENT,	 /* how often a viewer was sent one */
	MEASURE_SHOT_LATE,	 /* how often a viewer was too late for the next one, and was sent pixels instead */
	MEASURE_EVENTS,
};

/* Upper bound of bucket @n, nanoseconds; the last one's is UINT64_MAX. */
uint64_t measure_bound(unsigned int n);
/* Nanoseconds of CLOCK_MONOTONIC, which is the same in all programs of a host. */
uint64_t measure_now(void);

void measure_took(enum measure_step step, uint64_t ns);
void measure_add(enum measure_step step, const struct measure_times *more);
void measure_read(enum measure_step step, struct measure_times *ret);
/* What was measured since the last call; one caller for each step. */
void measure_take(enum measure_step step, struct measure_times *ret);

void measure_count(enum measure_event event);
void measure_count_by(enum measure_event event, uint32_t n);
uint64_t measure_counted(enum measure_event event);
