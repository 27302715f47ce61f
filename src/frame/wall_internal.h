/* SPDX-License-Identifier: GPL-2.0-or-later */
/* wall_internal.h - what the two halves of a wall share: wall.c, the life of its program, and telling.c, what a program is told while it
 * runs. Nobody else includes it.
 */
#pragma once

#include <pthread.h>

#include "frame/listeners.h"
#include "frame/sizes.h"
#include "frame/standing.h"
#include "frame/wall.h"

struct child;
struct loop_source;

struct wall {
	struct loop *loop;
	struct wall_options options;
	struct wall_events events;
	void *arg;
	struct standing standing;
	struct listeners listeners;
	struct roster roster;
	struct sizes sizes;

	/* Of both threads, but the main thread alone changes the first two. */
	pthread_mutex_t lock;
	int link;	     /* owned, -EBADF: no program */
	struct child *child; /* owned */
	const struct frame *frame;

	struct loop_source *link_source;
	struct loop_source *timer; /* no READY yet, or too early for the next program */
	bool ready, closed;
	unsigned int watchers;
	uint32_t last_number; /* even, of viewers given by attach */
	uint64_t started_at;
	uint64_t power_at[LINK_POWER_RESET + 1]; /* when a wish for that was last heard */
};

/* Main thread. A program that does not take it is ended: -errno. */
int wall_send(struct wall *wall, const struct link_message *message, int fd);
/* The same, if a program runs. */
void wall_tell(struct wall *wall, const struct link_message *message, int fd);
