/* SPDX-License-Identifier: GPL-2.0-or-later */
/* inbox.h - what the main thread wants of a display's capture thread: orders, and the eventfd that wakes it for them.
 *
 * Orders are states and flags, not a queue: what was ordered twice is done once, and an order never fails or waits.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct orders {
	bool stop, watch_changed, glance, snapshot, resize, touched;
	unsigned int watchers;
	uint64_t audience;	/* wall_audience() */
	uint32_t width, height; /* to resize to */

	/* About the frame alone. */
	bool program_ended, granted, busy, taken;
	uint32_t generation; /* granted or busy */
	uint32_t taken_generation;
};

struct inbox {
	int wake; /* owned: eventfd, readable while there are orders */
	pthread_mutex_t lock;
	struct orders orders;
	uint64_t touched_at;
};

/* -EMFILE. Finish it in every case. */
int inbox_init(struct inbox *inbox);
void inbox_finish(struct inbox *inbox);

/* The main thread. */
void inbox_stop(struct inbox *inbox);
void inbox_watch(struct inbox *inbox, unsigned int watchers, uint64_t audience);
void inbox_program_ended(struct inbox *inbox);
void inbox_granted(struct inbox *inbox, uint32_t generation);
void inbox_busy(struct inbox *inbox, uint32_t generation);
void inbox_taken(struct inbox *inbox, uint32_t generation);
void inbox_glance(struct inbox *inbox);
void inbox_snapshot(struct inbox *inbox);
void inbox_resize(struct inbox *inbox, uint32_t width, uint32_t height);
/* A viewer typed or moved: be quick to look. Told ten times a second at the most. */
void inbox_touch(struct inbox *inbox, uint64_t now);

/* The capture thread, in the middle of something: is it to stop? */
bool inbox_stopping(struct inbox *inbox);
/* The capture thread: what was ordered since the last call. `stop`, `watchers` and `audience` stay. */
struct orders inbox_take(struct inbox *inbox);
/* Whoever stands in for it: only what is about the frame is taken, the rest waits. */
struct orders inbox_take_frame(struct inbox *inbox);
