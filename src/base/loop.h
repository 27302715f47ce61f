/* SPDX-License-Identifier: GPL-2.0-or-later */
/* loop.h - libevent behind a few functions: one loop for each thread that has one.
 *
 * A source is freed with loop_source_free(), also from inside its own callback. All functions but loop_post()
 * belong to the loop's own thread. A callback must not block.
 * Errors: -ENOMEM, -EINVAL (an fd that cannot be polled).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct event_base;
struct loop;
struct loop_source;

enum loop_events { LOOP_READ = 1, LOOP_WRITE = 2 };

typedef void (*loop_fd_fn)(int fd, unsigned int events, void *arg);
typedef void (*loop_fn)(void *arg);

int loop_create(struct loop **ret);
void loop_destroy(struct loop *loop);
/* Runs until loop_stop(). Returns 0 or -errno. */
int loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/* Level-triggered. @events: what to wait for; 0 keeps the source silent. The fd stays the caller's and must outlive the
 * source. */
int loop_fd_add(struct loop *loop, int fd, unsigned int events, loop_fd_fn fn, void *arg,
	struct loop_source **ret);
int loop_fd_events(struct loop_source *source, unsigned int events);
/* A timer starts unarmed. */
int loop_timer_add(struct loop *loop, loop_fn fn, void *arg, struct loop_source **ret);
int loop_timer_once(struct loop_source *source, uint64_t ms);
int loop_timer_every(struct loop_source *source, uint64_t ms);
void loop_timer_stop(struct loop_source *source);
int loop_signal_add(struct loop *loop, int signum, loop_fn fn, void *arg, struct loop_source **ret);
/* Takes NULL. */
void loop_source_free(struct loop_source *source);

/* Any thread: runs fn(arg) on the loop's thread, in the order of the calls. Never blocks for long; -ENOMEM. What is
 * still queued when the loop is destroyed is run then, so that arg's memory finds its owner. */
int loop_post(struct loop *loop, loop_fn fn, void *arg);

/* For bufferevents. */
struct event_base *loop_base(struct loop *loop);

/* Milliseconds of CLOCK_MONOTONIC. */
uint64_t loop_now_ms(void);
