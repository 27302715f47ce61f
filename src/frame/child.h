/* SPDX-License-Identifier: GPL-2.0-or-later */
/* child.h - programs that the daemon starts: spawned with one socket, reaped through a pidfd.
 *
 * A child owns itself once left: it has CHILD_LEAVE_MS to end and is killed then. Main thread, except child_kill().
 */
#pragma once

#include <sys/types.h>

struct child;
struct loop;

#define CHILD_LEAVE_MS 2000

/* spawn_program(), watched by the loop. @ended is called once, on the loop, with waitid's status as a text for the log
 * ("exit status 1", "signal 9"). @socket stays the caller's. */
int child_spawn(struct loop *loop, const char *program, char *const arguments[], int socket,
	void (*ended)(void *arg, const char *how), void *arg, struct child **ret);
/* The caller has no more interest: @ended does not come. */
void child_leave(struct child *child);
void child_kill(struct child *child); /* SIGKILL; @ended follows */
pid_t child_pid(const struct child *child);
/* At the end: kills and reaps every child that was left. */
void child_reap_all(void);
