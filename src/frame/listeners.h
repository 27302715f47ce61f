/* SPDX-License-Identifier: GPL-2.0-or-later */
/* listeners.h - where viewers of one display, or of the gate, may knock: listening sockets, watched while no RFB program has them.
 *
 * Main thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "frame/link.h"

struct loop;
struct loop_source;
struct listeners;

struct listener {
	struct listeners *all;
	int fd; /* owned */
	bool ours; /* nobody but this daemon and its programs has it */
	struct loop_source *source;
	bool dead;		     /* whoever gave it has shut it down */
	struct link_message message; /* as it goes to each program */
	char endpoint[128];
	char *unlink_path; /* owned, may be NULL */
};

struct listeners {
	struct loop *loop;
	const char *id; /* of the display, for the log; borrowed */
	void (*knock)(void *arg);
	void *arg;
	bool watching;
	size_t used;
	struct listener at[LIMIT_LISTENERS];
};

/* @knock: somebody has come, while watched. Called from the loop. */
void listeners_init(struct listeners *listeners, struct loop *loop, const char *id, void (*knock)(void *arg), void *arg);
/* @fd, a listening socket, is consumed in every case. @ours: it was made here, so that nobody is to come through it after the end.
 * @unlink_path (may be NULL) is removed at the end. *ret is good until the next call. -ENOSPC, -ENOMEM. */
int listeners_add(struct listeners *listeners, int fd, const struct link_listener *policy, const char *endpoint,
	bool ours, const char *unlink_path, const struct listener **ret);
/* While a program has them, they are not watched. */
void listeners_watch(struct listeners *listeners, bool watch);
/* Gives all of them to a program. As link_send(). */
int listeners_send(const struct listeners *listeners, int link);
/* Closes all; more may be added. The addresses of those that are ours are free then, whoever still holds a copy. */
void listeners_close(struct listeners *listeners);
/* Closes this daemon's copies and nothing else: another broker has them, too. */
void listeners_abandon(struct listeners *listeners);
