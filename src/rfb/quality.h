/* SPDX-License-Identifier: GPL-2.0-or-later */
/* quality.h - what may a viewer's updates cost? JPEG inside Tight, adapted to the line. Sans I/O.
 *
 * The viewer's wish is the most it gets. When updates have to wait for the line again and again, quality goes down a level at a time, by
 * QUALITY_STEPS at most and never below QUALITY_FLOOR, unless the viewer wished for less. When they do not wait for a while it
 * goes up again; a level that turned out to be too high is tried again after longer and longer, so that it does not flap.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define QUALITY_STEPS 4
#define QUALITY_FLOOR \
	2 /* a level, RFB 7.8: still easy to read; below it letters drown in noise for few bytes */

struct quality {
	unsigned int step;  /* levels below the wish */
	unsigned int heavy; /* updates in a row that waited long */
	unsigned int
		failed; /* the step above this one was too much when it was last tried; 0: none was */
	uint64_t changed_ns, raised_ns, calm_ns, patience_ns;
};

/* As LibVNCServer keeps it. */
struct quality_levels {
	int quality;	 /* 1 to 100, as libjpeg has it; -1: no JPEG */
	int subsampling; /* TurboVNC's number */
	int compression; /* 0 to 9 */
};

void quality_init(struct quality *quality);
/* An update starts that waited for the line so long, not counting what it waited for the frame rate. */
void quality_started(struct quality *quality, uint64_t now, uint64_t held_ns);
/* What an update that starts now is to have. @level: the one that the viewer listed, 0 to 9; -1: none, its wish in @wish
 * is fine-grained, and its subsampling is left alone. */
void quality_levels(const struct quality *quality, int level, const struct quality_levels *wish,
	struct quality_levels *ret);
