/* SPDX-License-Identifier: GPL-2.0-or-later */
/* herald.h - what systemd is told of a program that has no store, and signs of life where it waits for them. Nothing here waits: what systemd does not take now
 * is said again at a later turn, unless something newer has taken its place.
 */
#pragma once

#include <stdint.h>

#include "state/messenger.h"

struct herald {
	struct messenger messenger;
	uint64_t watchdog_ms;	     /* 0: nobody waits for signs of life */
	char state[16], status[160]; /* not said yet; "": nothing */
};

/* All of it does nothing where systemd is not there. Finish it in every case. */
void herald_init(struct herald *herald);
void herald_finish(struct herald *herald);
void herald_ready(struct herald *herald);
void herald_stopping(struct herald *herald);
/* A line for `systemctl status`. */
void herald_status(struct herald *herald, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* A sign of life, and what is left to say. */
void herald_turn(struct herald *herald);
/* Milliseconds until it wants its next turn, at the latest. */
uint64_t herald_rest(const struct herald *herald);
