/* SPDX-License-Identifier: GPL-2.0-or-later */
/* spawn.h - starting the daemon's other programs, and getting rid of them. Any thread, no event loop. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#define SPAWN_SOCKET 3 /* where the program finds its socket */

/* Starts @program with @arguments (NULL-terminated, [0] included) and @socket as fd 3; stdin and stdout are /dev/null. No other fd
 * and only a few environment variables are inherited. @socket stays the caller's. *ret_pidfd is for spawn_end(), which is due
 * whether the program ends by itself or not. -errno: the program cannot be run, or there is no pidfd for it. */
int spawn_program(const char *program, char *const arguments[], int socket, pid_t *ret_pid, int *ret_pidfd);
/* Kills it, waits at most @wait_ms for its end, reaps it and closes @pidfd. False: a driver still holds it in the kernel; a
 * thread of its own goes on waiting. */
bool spawn_end(int pidfd, int wait_ms);
