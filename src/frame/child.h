/* SPDX-License-Identifier: GPL-2.0-or-later */
/* child.h - programs that the daemon starts: spawned with one socket, reaped through a pidfd. Also those that an earlier daemon has started,
 * which are somebody else's children now: they can be watched and killed, not reaped.
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
/* @pidfd, consumed in every case, of a program that runs already. *ended says "gone": how is not known to us. -EBADF: not a pidfd. */
int child_adopt(struct loop *loop, int pidfd, void (*ended)(void *arg, const char *how), void *arg, struct child **ret);
/* It goes on after the end of this daemon: nobody kills or reaps it from here, and @ended does not come. */
void child_release(struct child *child); /* takes NULL */
/* The caller has no more interest: @ended does not come. */
void child_leave(struct child *child);
void child_kill(struct child *child); /* SIGKILL; @ended follows */
pid_t child_pid(const struct child *child);   /* 0: adopted */
int child_pidfd(const struct child *child);   /* borrowed */
/* At the end: kills and reaps every child that was left. */
void child_reap_all(void);
