/* SPDX-License-Identifier: GPL-2.0-or-later */
/* turns.h - who may encode now: the line in which the readers of a picture wait for a processor, and how many are inside at once.
 *
 * A turn is one reader's place there:
 *
 *	out --turn_wait()--> in line --turns_call()--> called --turn_begin()--> inside --turn_end()--> out
 *
 * Who is listening, as well as out, is in line from the next turns_call() on. The broker waits for those who are called.
 *
 * Nothing here blocks, allocates or fails. A turn and its eventfd are its owner's and outlive their stay. All but turns_wake() is called
 * under the owner's lock. `open`: may readers begin, as far as the broker goes? Only then is somebody woken.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct turn {
	TAILQ_ENTRY(turn) entry;
	int wake;
	bool listening;	   /* begins at the next publish */
	bool resting;	   /* and has nothing else to begin with: turns_call() wakes it only if it is called */
	bool inside;
	bool glimpsing;	   /* inside by turn_glimpse() */
	bool called;	   /* may begin even though the broker wants to write */
	bool due;	   /* to be woken: the main thread's alone */
	uint64_t ticket;   /* its place among those that wait; 0: it does not */
	uint64_t began_ns; /* inside since then */
	uint64_t cost_ns;  /* inside, on average */
};

struct turns {
	TAILQ_HEAD(, turn) all;
	unsigned int inside, inside_maximum;
	unsigned int called;
	uint64_t last_ticket;
};

void turns_init(struct turns *turns, unsigned int inside_maximum);
void turns_join(struct turns *turns, struct turn *turn, int wake); /* @turn: zeroed */
void turns_leave(struct turns *turns, struct turn *turn);	   /* not inside, and passed */
/* A publish: calls as many as there is room for. */
void turns_call(struct turns *turns);
/* Behind turns_call() and without the lock, on the thread on which turns join and leave: wakes who has something to look at. */
void turns_wake(struct turns *turns);
/* Nobody is called any more. */
void turns_void(struct turns *turns);

/* May it begin: is it called, or is its turn while the picture is open? */
bool turn_comes(const struct turns *turns, const struct turn *turn, bool open);
void turn_wait(struct turns *turns, struct turn *turn); /* at the end of the line, if it is not in it */
void turn_begin(struct turns *turns, struct turn *turn, uint64_t now_ns, bool open);
/* turn_begin() for something that takes nobody's turn and says nothing of what it costs. False: not now. */
bool turn_glimpse(struct turns *turns, struct turn *turn, uint64_t now_ns, bool open);
void turn_end(struct turns *turns, struct turn *turn, uint64_t now_ns, bool open);
/* Neither waits nor listens. Returns whether it was called. */
bool turn_pass(struct turns *turns, struct turn *turn, bool open);
