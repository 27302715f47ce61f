/* SPDX-License-Identifier: GPL-2.0-or-later */
/* entrance.h - where viewers come from: listening sockets and accept(). One loop's thread; nothing here blocks. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "frame/link.h"

struct entrance;
struct loop;
struct loop_source;

struct place {
	struct entrance *entrance;
	int fd; /* owned */
	struct loop_source *source;
	bool dead; /* whoever gave it has shut it down: readable for ever, and nobody comes */
	struct link_listener policy;
};

struct entrance {
	struct loop *loop;
	/* @fd, a new connection, is the receiver's. @peer: as in frame/link.h. No listener is opened or closed inside. */
	void (*came)(void *arg, int fd, const struct link_listener *policy, const char *peer);
	void *arg;
	unsigned int used;
	struct place places[LIMIT_LISTENERS];
	bool closed;
	struct loop_source *rest; /* until accepting goes on */
};

int entrance_init(struct entrance *entrance, struct loop *loop,
	void (*came)(void *arg, int fd, const struct link_listener *policy, const char *peer), void *arg);
void entrance_finish(struct entrance *entrance);
/* @fd is consumed in every case. -EINVAL: not a listening stream socket; -ENOSPC: LIMIT_LISTENERS. */
int entrance_listen(struct entrance *entrance, int fd, const struct link_listener *policy);
/* Closes every listener; there may be others later. */
void entrance_unlisten(struct entrance *entrance);
/* Nobody is accepted for so long: who comes stays in the listeners' backlog. */
void entrance_rest(struct entrance *entrance, uint64_t ms);
/* Nobody is accepted any more. */
void entrance_close(struct entrance *entrance);
/* Is @fd a stream socket that viewers may come by, listening or connected? */
bool entrance_fits(int fd, bool listening);
