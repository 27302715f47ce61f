/* SPDX-License-Identifier: GPL-2.0-or-later */
/* outbox.h - what is to be said to the broker (frame/link.h), kept until the link takes it. It never waits, and a broker that has gone is
 * no error: what it would have been told is dropped.
 */
#pragma once

#include <sys/queue.h>

#include "frame/link.h"

struct loop_source;
struct outbox_entry;

/* TAKEN, MAY_WRITE, WATCH, BUSY, RESIZE, POWER, IDLE */
enum { OUTBOX_SLOTS = 7 };

struct outbox {
	int link;		    /* borrowed */
	struct loop_source *source; /* of the link, borrowed; NULL: nobody listens, nothing is sent any more */
	STAILQ_HEAD(, outbox_entry) entries;
	unsigned int count; /* of entries */
	bool input; /* who was told that none goes waits for outbox_room() */
	struct {
		bool waits;
		struct link_message message;
	} slots[OUTBOX_SLOTS];
};

/* @link: borrowed. The caller sets outbox::source, and back to NULL before it frees that. */
void outbox_init(struct outbox *outbox, int link);
/* Forgets all that waits, passwords too. */
void outbox_clear(struct outbox *outbox);

/* What counts each time: after all that was posted before. -ENOMEM. */
int outbox_post(struct outbox *outbox, const struct link_message *message);
/* How many of those wait. */
unsigned int outbox_count(const struct outbox *outbox);
/* What only the newest of its type counts of, one of the types above: in place of the one that waits. */
void outbox_note(struct outbox *outbox, const struct link_message *message);
bool outbox_waits(const struct outbox *outbox, enum link_type type);
void outbox_drop(struct outbox *outbox, enum link_type type);
/* Now or not at all. True: it is on its way, or nobody is there to hear it. */
bool outbox_offer(struct outbox *outbox, const struct link_message *message);
/* LINK_INPUT: behind all that was posted before, and none overtakes one that was refused. False: not now. */
bool outbox_input(struct outbox *outbox, const struct link_message *message);
/* After outbox_flush(): one that was refused may be tried again. */
bool outbox_room(struct outbox *outbox);
/* The link may be writable. */
void outbox_flush(struct outbox *outbox);

/* This viewer has gone: what it wished for. */
void outbox_drop_wishes(struct outbox *outbox, uint32_t viewer);
/* Its CHECK, where that waits; one that has been sent will be answered. */
void outbox_drop_check(struct outbox *outbox, uint32_t viewer);
