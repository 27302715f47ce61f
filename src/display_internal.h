/* SPDX-License-Identifier: GPL-2.0-or-later */
/* display_internal.h - what the two halves of a display share: display.c, its capture thread, and custody.c, its main thread's half.
 *
 * Nobody else includes it. Which thread a field belongs to is said with it.
 */
#pragma once

#include <pthread.h>
#include <sys/queue.h>

#include "damage/pace.h"
#include "display.h"
#include "inbox.h"

/* What the capture thread found. */
struct status {
	bool probed;
	bool live;
	char reason[sizeof(((struct display_runtime *)0)->reason)];
	struct plane planes[2];
	unsigned int planes_used;
	uint64_t captured, published;
};

struct display {
	/* Main thread. */
	struct loop *loop;
	const struct config *config;
	struct handover handover; /* descriptors are gone from it, but for none */
	struct lease *lease;	  /* NULL: the connection is the lease, or while ending */
	bool lease_is_descriptor;
	struct wall *wall;
	struct loop_source *ready_timer, *snapshot_timer;
	display_ready_fn ready; /* NULL once called */
	display_done_fn gone;
	void *arg;
	bool ending;
	enum display_state why; /* while ending */
	TAILQ_HEAD(, waiter) waiters;
	display_snapshot_fn snapshot;
	void *snapshot_arg;
	bool snapshot_late; /* answered, the thread still works on it */
	int device;	    /* the source's fd, for comparison only; -EBADF while ending */
	pthread_t thread;

	/* Shared. */
	struct inbox inbox;
	pthread_mutex_t lock;
	struct status status;	      /* under lock */
	_Atomic uint64_t query_since; /* a query began then and has not ended; 0: none */
	_Atomic unsigned int watchers;

	/* Capture thread; the main thread makes them before it runs and destroys what is left after it. */
	struct source *source;
	struct capture *capture;
	struct stage *stage;
	struct pace pace;
	struct status found;
	int epoll, change;
	bool change_armed, probed;
	bool hot; /* the last look found something: ask for the grant before the next */
	uint64_t trouble_since; /* no picture since then; 0: there is one */
	uint64_t last_glance, last_probe;
};

/* display.c: all that the capture thread does, from probe to release; then it posts custody_released(). @arg: the display. */
void *display_capture_thread(void *arg);

/* custody.c: messages of the capture thread, for loop_post(). The message is freed by its receiver. */
struct probed {
	struct display *display;
	int error;
	char reason[160];
};
void custody_probed(void *arg);

struct snapped {
	struct display *display;
	struct snapshot snapshot;
	int error;
};
void custody_snapped(void *arg);

void custody_released(void *arg); /* @arg: the display */
