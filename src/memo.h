/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memo.h - all that the next daemon must know of one display, as the text of its record (state/record.h): JSON.
 *
 * What was said at its registration is written as the parameters of Register, and read back as those; a descriptor's index is its
 * enum handover_place, and stands for a name in the store.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "frame/wall.h"
#include "handover/context.h"
#include "state/store.h"

struct memo {
	char names[HANDOVER_PLACES][STORE_NAME]; /* by enum handover_place; "": there is none */
	struct handover_input inputs[LIMIT_INPUTS]; /* what is at HANDOVER_INPUTS now; descriptors mean nothing */
	char own[STORE_NAME]; /* its own Unix socket */
	char call[STORE_NAME]; /* the connection of the registrant that waits for events */
	bool answered; /* it was told "registered" */
	char link[STORE_NAME], program[STORE_NAME]; /* of its RFB program, and what was noted of it, which means nothing without */
	struct wall_kept wall;
	uint32_t last_program; /* wall_last_program() */
};

/* To be freed. NULL: out of memory. */
char *memo_write(const struct memo *memo, const struct handover *handover, size_t *ret_size);
/* @take gives the descriptor of a name, the caller's, or -errno. The hand-over's descriptors are its caller's. -EPROTONOSUPPORT: of
 * another version; -EBADMSG: no memo, or one that cannot be; -ENOENT: something that it names is not there; -ENOMEM. *ret_memo is complete but
 * for what was wrong: its names may be dropped in any case. */
int memo_read(const char *text, size_t size, int (*take)(void *arg, const char *name), void *arg, struct memo *ret_memo,
	struct handover *ret_handover);
