/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ring.h - the last events (bulletin.h) as texts, for any number of readers. Each is a number, its place: what a reader costs does not
 * depend on how slow it is.
 *
 * At most LIMIT_EVENTS of LIMIT_EVENT_BYTES together are kept. Of events that describe a display (state, resized, updated) the
 * newest of each kind and display counts: older ones are passed over.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/limits.h"
#include "bulletin.h"

struct ring;
struct shared;

struct ring_event {
	uint64_t sequence;
	enum bulletin_kind kind;
	char id[LIMIT_ID_CHARS + 1]; /* the display's; empty: it is about none */
	uid_t owner;		     /* who registered that */
	struct shared *text;	     /* NULL: overtaken */
};

/* -ENOMEM. */
int ring_create(struct ring **ret);
void ring_destroy(struct ring *ring); /* takes NULL */

/* The reference to its text is taken. Numbers only grow; where some are left out, or the text is NULL for want of memory, what came
 * until then is lost to those who have not read it. */
void ring_push(struct ring *ring, const struct ring_event *event);
/* The first after number *place that is not overtaken, and moves *place there. NULL: none; *place is the last one's number then.
 * *ret_missed: so many numbers between the two are not kept; the caller had better look at the whole again. */
const struct ring_event *ring_next(const struct ring *ring, uint64_t *place, uint64_t *ret_missed);
