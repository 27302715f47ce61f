/* SPDX-License-Identifier: GPL-2.0-or-later */
/* held.h - the keys, buttons and contacts that a VMM has been told are down, and those of them that it is still to be told are up. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "adapter/groups.h"

struct held {
	uint64_t down[(LIMIT_INPUT_KEYS + 63) / 64], owed[(LIMIT_INPUT_KEYS + 63) / 64];
	uint32_t contacts_down, contacts_owed;	 /* bit n: slot n */
	enum input_kind kinds[LIMIT_INPUT_KEYS]; /* of who said that it is down */
};

/* @group goes to the VMM now. */
void held_sent(struct held *held, const struct group *group);
/* The VMM did not take it, or nobody knows: what it said to be up may still be down. */
void held_failed(struct held *held, const struct group *group);
/* Whoever held anything has gone. */
void held_let_go(struct held *held);
bool held_any(const struct held *held); /* that is down or owed */
bool held_owes(const struct held *held);
/* What is owed, as far as it has room in one group of one kind, to be sent: then it is owed no more. False: nothing is. */
bool held_settle(struct held *held, struct group *ret);
