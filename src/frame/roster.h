/* SPDX-License-Identifier: GPL-2.0-or-later */
/* roster.h - who is looking at one display, as its RFB program tells it (frame/link.h). Broker's main thread.
 *
 * What the program says is checked against what can be true; false means that it lied.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frame/link.h"

struct wall_viewer {
	uint32_t number;
	char name[24]; /* what users see: unique on this host while the daemon runs */
	uint32_t mode; /* enum link_mode */
	char label[LIMIT_LABEL_CHARS + 1];
	char peer[64];
	char encoding[16];
	uint64_t bytes_sent;
	uint32_t frames_behind;
	bool ready; /* authenticated */
};

/* Somebody whom the broker has let in, and of whom the program has not said yet that it is there. */
struct roster_expected {
	uint32_t number; /* 0: nobody */
	uint32_t mode;
	char label[LIMIT_LABEL_CHARS + 1];
};

struct roster {
	const char *id; /* of the display, for the log; borrowed */
	uint32_t serial; /* of the program: part of the viewers' names */
	uint32_t mode;	 /* the most that listeners give */
	uint64_t lines_since; /* ms; how many lines the log has had since then */
	uint32_t lines;
	size_t expected_next; /* the oldest: it may have gone without a word, and makes room */
	struct roster_expected expected[LIMIT_KNOCKING];
	size_t used;
	struct wall_viewer viewers[LIMIT_VIEWERS_MAX];
};

/* NULL: LIMIT_VIEWERS_MAX. */
struct wall_viewer *roster_add(struct roster *roster, uint32_t number);
/* @number, of the program's own, has shown a ticket or password: what it gets at most, and who it is. */
void roster_expect(struct roster *roster, uint32_t number, uint32_t mode, const char *label);
bool roster_added(struct roster *roster, const struct link_message *message);
bool roster_gone(struct roster *roster, const struct link_message *message);
bool roster_state(struct roster *roster, const struct link_message *message);
/* The program is gone, and everybody with it. */
void roster_clear(struct roster *roster, const char *reason);
/* NULL: no such name. */
const struct wall_viewer *roster_find(const struct roster *roster, const char *name);
/* Is @number a viewer that is in and may do more than look? */
bool roster_controls(const struct roster *roster, uint32_t number);
