/* SPDX-License-Identifier: GPL-2.0-or-later */
/* groups.h - events that belong together, on their way to a VMM: they wait in order, newer places take older ones' place, steps add up. No I/O. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "input/event.h"

/* What was said up to one SYN_REPORT, which is not among the events. */
struct group {
	enum input_kind kind;
	size_t used;
	struct input_event events[LIMIT_INPUT_GROUP];
};

struct groups {
	struct group at[LIMIT_ADAPTER_GROUPS]; /* a ring */
	size_t first, used;
};

/* It has an event of that type and code: where; else NULL. */
struct input_event *group_find(struct group *group, uint16_t type, uint16_t code);

/* False: there is no room. A group of motion alone is merged into the last one if that is another one of the same kind. */
bool groups_push(struct groups *groups, const struct group *group);
/* The oldest; NULL: none. It stays until groups_pop(). */
struct group *groups_peek(struct groups *groups);
void groups_pop(struct groups *groups);
void groups_clear(struct groups *groups);
/* So many wait that their source is to keep the next ones. */
bool groups_full(const struct groups *groups);
