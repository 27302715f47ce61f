/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tempo.h - when may a viewer's next update start? Sans I/O: the caller brings the clock (CLOCK_MONOTONIC, nanoseconds).
 *
 * Frames and bytes for each second have caps. A viewer that knows Fence (rfbproto.rst) is sent a fence request behind each
 * update, and, when nothing was on its way, one before it: the answers measure the round trip and the rate, and no more is on
 * its way than fills the line for one round trip and a little.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define TEMPO_PINGS 32 /* fence requests without an answer; then the next update waits for one */

struct tempo_ping {
	uint64_t position; /* bytes sent to the viewer before it */
	uint64_t began_ns; /* the update that it ends; itself if none */
	uint64_t sent_ns;
	bool empty; /* nothing was on its way */
};

struct tempo {
	uint64_t period_ns, bytes_maximum; /* bytes for each second; 0: no cap */
	uint64_t frame_due_ns, bytes_due_ns;
	uint64_t began_ns; /* the update under way, or the last one */

	bool fences;  /* the viewer knows them */
	bool answers; /* and has answered one */
	bool deaf;    /* and has not answered for long: the caller's queue has to do */
	struct tempo_ping pings[TEMPO_PINGS];
	uint32_t first, next; /* ids: of the oldest without an answer, of the next one */
	uint64_t sent, acked; /* bytes */
	uint64_t pong_ns;     /* the last answer */
	uint64_t rate;	      /* bytes a second; 0: not known */
	uint64_t trip_ns[2];  /* shortest in this spell and in the last; UINT64_MAX */
	uint64_t spell_ns;    /* began */
	uint64_t empty_ns;    /* the empty line was last measured; 0: never */
};

void tempo_init(struct tempo *tempo);
/* @frames: not 0. @bytes: 0: no cap. What a cap of bytes has put off comes as much sooner or later as the new one is larger or smaller. */
void tempo_limits(struct tempo *tempo, uint32_t frames, uint32_t bytes);
void tempo_fences(struct tempo *tempo, bool known);

/* An update begins. True: a fence request with *ret_id is to be written before it. */
bool tempo_begin(struct tempo *tempo, uint64_t now, uint32_t *ret_id);
/* It was written, and had @bytes. True: a fence request with *ret_id is to be written behind it. */
bool tempo_end(struct tempo *tempo, uint64_t now, uint64_t bytes, uint32_t *ret_id);
/* A fence came back. Ids that are not awaited are nothing. */
void tempo_pong(struct tempo *tempo, uint64_t now, uint32_t id);

/* When the next update may start: not after @now: at once. To be asked again at that time, or after a pong. *ret_line: it is the
 * line that it waits for, or the cap of bytes, not the cap of frames. */
uint64_t tempo_due(struct tempo *tempo, uint64_t now, bool *ret_line);
/* Bytes that keep the line for a short moment, so that what comes next is not delayed: for what can wait. */
uint64_t tempo_spare(const struct tempo *tempo);
/* Shortest round trip lately; 0: not known. Bytes a second; 0: not known. */
uint64_t tempo_trip_ns(const struct tempo *tempo);
uint64_t tempo_rate(const struct tempo *tempo);
