/* SPDX-License-Identifier: GPL-2.0-or-later */
/* wall_internal.h - what the parts of a wall share: wall.c, the life of its program, telling.c, what a program is told while it
 * runs, hearing.c, what it says, and adopt.c, how one broker goes on where another has ended. Nobody else includes it.
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
	struct wall_before before; /* an earlier broker's last frame */

	const struct wall_keeper *keeper; /* NULL: none */
	void *keeper_arg;
	bool resuming;	   /* RESUME has been sent, and not all of its answer has come */
	bool resumed;	   /* of that, RESUMED has come */
	uint32_t turn;	   /* of that RESUME */
	unsigned int here; /* HERE that are still to come */

	struct loop_source *link_source;
	struct loop_source *timer; /* no READY yet, or too early for the next program */
	bool ready, closed;
	unsigned int watchers;
	uint64_t audience;    /* wall_audience() */
	uint32_t last_number; /* even, of viewers given by attach */
	uint64_t started_at;
	uint64_t power_at[LINK_POWER_RESET + 1]; /* when a wish for that was last heard */
};

/* Main thread, all of these.
 *
 * Ends the program, if one runs. @why: NULL for the ordinary end. */
void wall_end(struct wall *wall, const char *why);
/* What each program is told first, or with @turn one that is taken over. As link_send(). */
int wall_greet(struct wall *wall, const uint32_t *turn);
/* The link's and the child's callbacks. */
void wall_on_link(int fd, unsigned int events, void *arg);
void wall_on_child_ended(void *arg, const char *how);
/* Tells the keeper. */
void wall_note(struct wall *wall);
void wall_note_program(struct wall *wall);
/* LINK_INPUT. False: it lies. */
bool wall_hear_input(struct wall *wall, const struct link_message *message);
/* While `resuming`: false: it lies. */
bool wall_hear_resumed(struct wall *wall, const struct link_message *message);

/* A program that does not take it is ended: -errno. */
int wall_send(struct wall *wall, const struct link_message *message, int fd);
/* The same, if a program runs. */
void wall_tell(struct wall *wall, const struct link_message *message, int fd);
