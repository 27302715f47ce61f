/* SPDX-License-Identifier: GPL-2.0-or-later */
/* grant.h - this program's side of the grant (docs/ARCHITECTURE.md): whether the broker may write to the frame. The loop's thread, but for
 * grant_wake().
 */
#pragma once

#include <stdint.h>

struct loop;
struct loop_source;
struct outbox;
struct picture;

struct grant {
	struct outbox *outbox;	 /* borrowed */
	struct picture *picture; /* borrowed; set by the caller before the loop runs */
	uint32_t generation;	 /* of the newest frame; 0: none yet */
	int idle;		 /* eventfd: the picture may be granted */
	struct loop_source *idle_source;
	struct loop_source *busy_timer;
};

/* -ENOMEM, -EMFILE. grant_finish() is needed in every case. */
int grant_init(struct grant *grant, struct loop *loop, struct outbox *outbox);
void grant_finish(struct grant *grant);

/* No encode runs any more: for picture_create(). @arg: the grant. Any thread. */
void grant_wake(void *arg);
/* The picture has a new frame: says TAKEN. */
void grant_taken(struct grant *grant, uint32_t generation);
/* WANT_WRITE for a frame; void where that is not the newest. MAY_WRITE once no encode runs, BUSY from time to time until then. */
void grant_want(struct grant *grant, uint32_t generation);
/* What was granted or wanted is void: another broker is there. */
void grant_resume(struct grant *grant);
