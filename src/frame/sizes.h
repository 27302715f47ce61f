/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sizes.h - the sizes that a display's viewers may ask for, and the one they do ask for: the broker's side of LINK_SIZES and
 * LINK_RESIZE.
 *
 * A wish may cross a change of the sizes, so one that was allowed at any time of this program is no lie; it is only forgotten. However
 * many come, at most one in LIMIT_RESIZE_MS is heard, the newest.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "frame/link.h"

struct loop;
struct loop_source;
struct roster;

struct sizes {
	pthread_mutex_t lock;
	uint32_t width, height;		  /* may be asked for now; 0: nothing */
	uint32_t told_width, told_height; /* the largest that this program was told of */

	/* Main thread. */
	void (*wished)(void *arg, uint32_t width, uint32_t height);
	void *arg;
	struct loop_source *timer; /* owned */
	uint64_t heard_ms;	   /* when the last wish was heard */
	bool waiting;		   /* a wish is, for the timer */
	uint32_t wish_width, wish_height;
};

/* @wished is called from the loop. -ENOMEM. */
int sizes_init(struct sizes *sizes, struct loop *loop,
	void (*wished)(void *arg, uint32_t width, uint32_t height), void *arg);
void sizes_finish(struct sizes *sizes);
/* Any thread. False: there is nothing to tell the program, since these sizes are the same as before. What is out of range counts
 * as 0, 0: nothing may be asked for. */
bool sizes_set(struct sizes *sizes, uint32_t width, uint32_t height);
/* Any thread. What the program is to be told now. */
struct link_message sizes_message(struct sizes *sizes);
/* A new program, which is told the present sizes only: the last one's wishes are forgotten. */
void sizes_begin(struct sizes *sizes);
/* A wish has come from the viewers of @roster. False: it is a lie. */
bool sizes_wish(
	struct sizes *sizes, const struct roster *roster, const struct link_message *message);
