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
	bool leaves; /* it was told to go: what it types meanwhile comes to nothing */
	bool kept;  /* known from an earlier broker; the program has not yet said that it is still here */
};

enum roster_news { ROSTER_ATTACHED, ROSTER_AUTHENTICATED, ROSTER_DETACHED };

/* Somebody whose credentials the broker was asked about, and who has not come in yet. */
struct roster_check {
	uint32_t number;
	uint32_t mode; /* that was allowed; 0: not answered yet */
	bool kept;     /* an earlier broker has answered it; whether the program has read that is not known */
	char label[LIMIT_LABEL_CHARS + 1];
};

/* What another broker must know to go on with the same program (roster_keep). Some 40 KiB: not for the stack. */
struct roster_kept {
	uint32_t serial, mode, mode_checked; /* as in struct roster */
	size_t used;
	struct roster_kept_viewer {
		uint32_t number;
		uint32_t mode;
		bool in; /* false: it may come in, with this mode at most */
		char label[LIMIT_LABEL_CHARS + 1];
		char peer[64];
	} at[LIMIT_VIEWERS_MAX + LIMIT_KNOCKING];
};

/* What viewers of this encoding were sent, also those that have left. */
struct roster_bytes {
	char encoding[16];
	uint64_t bytes;
};

struct roster {
	const char *id; /* of the display, for the log; borrowed */
	/* NULL: nobody hears. @reason: why it was detached. Those of listeners are attached and authenticated at once. */
	void (*tell)(void *arg, enum roster_news news, const struct wall_viewer *viewer, const char *reason);
	void *tell_arg;
	uint32_t serial; /* of the program: part of the viewers' names */
	uint32_t mode;	 /* the most that listeners give to those about whom the broker is not asked; 0: nothing */
	uint32_t mode_checked; /* and to those about whom it is */
	size_t checks_used;
	struct roster_check checks[LIMIT_KNOCKING];
	uint64_t lines_since; /* ms; how many lines the log has had since then */
	uint32_t lines;
	size_t bytes_used;
	struct roster_bytes bytes[16]; /* there are fewer encodings; what a program makes up beyond them is not counted */
	size_t used;
	struct wall_viewer viewers[LIMIT_VIEWERS_MAX];
};

/* A listener that gives this has been opened. What earlier ones gave is not forgotten: who came through them may still be on the way. */
void roster_listener(struct roster *roster, const struct link_listener *listener);
/* The program asks about somebody: -EPROTO: it lies; -EBUSY: too many wait for their answer, that one is to be refused; 1: an earlier
 * broker has allowed it already, roster_allowed() says what. */
int roster_asked(struct roster *roster, const struct link_message *message);
/* It is answered; @mode 0: may not come in. False: nobody waits for that any more. */
bool roster_answer(struct roster *roster, uint32_t number, uint32_t mode, const char *label);
uint32_t roster_allowed(const struct roster *roster, uint32_t number);
/* NULL: LIMIT_VIEWERS_MAX. roster_attached() follows when it is filled in. */
struct wall_viewer *roster_add(struct roster *roster, uint32_t number);
void roster_attached(struct roster *roster, const struct wall_viewer *viewer);
bool roster_added(struct roster *roster, const struct link_message *message);
bool roster_gone(struct roster *roster, const struct link_message *message);
bool roster_state(struct roster *roster, const struct link_message *message);
/* The program is gone, and everybody with it. */
void roster_clear(struct roster *roster, const char *reason);
/* NULL: no such name. */
const struct wall_viewer *roster_find(const struct roster *roster, const char *name);
/* The viewer of this number, if it is in and may do more than look; NULL: it may not, or there is none. */
const struct wall_viewer *roster_controls(const struct roster *roster, uint32_t number);
/* It is told to go. NULL: no such name. */
const struct wall_viewer *roster_dismiss(struct roster *roster, const char *name);
/* Is somebody in who must be alone? */
bool roster_exclusive(const struct roster *roster);
/* How many are in. */
unsigned int roster_ready(const struct roster *roster);

void roster_keep(const struct roster *roster, struct roster_kept *ret);
/* Of an empty roster, before roster_here(). Listeners may have been told before. -EINVAL: that cannot be true. */
int roster_adopt(struct roster *roster, const struct roster_kept *kept);
/* LINK_HERE. */
bool roster_here(struct roster *roster, const struct link_message *message);
/* All HERE have come: who was kept and was not among them has left. */
void roster_settle(struct roster *roster);
