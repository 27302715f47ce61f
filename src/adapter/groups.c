/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "adapter/groups.h"

#include <linux/input-event-codes.h>

#include "base/mem.h"

struct input_event *group_find(struct group *group, uint16_t type, uint16_t code)
{
	for (size_t i = 0; i < group->used; i++)
		if (group->events[i].type == type && group->events[i].code == code)
			return &group->events[i];
	return NULL;
}

/* Contacts are not merged here: what was said of one depends on what was said before. */
static bool is_motion(const struct group *group)
{
	for (size_t i = 0; i < group->used; i++)
		if (!input_is_motion(&group->events[i]) || input_is_contact(&group->events[i]))
			return false;
	return group->used > 0;
}

static int32_t add_steps(int32_t a, int32_t b)
{
	int64_t sum = (int64_t)a + b;

	sum = MIN(sum, (int64_t)LIMIT_INPUT_STEP);
	return (int32_t)MAX(sum, (int64_t)-LIMIT_INPUT_STEP);
}

static bool merge(struct group *last, const struct group *group)
{
	size_t wanted = last->used;

	if (last->kind != group->kind || !is_motion(last))
		return false;
	for (size_t i = 0; i < group->used; i++)
		wanted += !group_find(last, group->events[i].type, group->events[i].code);
	if (wanted > LIMIT_INPUT_GROUP)
		return false;
	for (size_t i = 0; i < group->used; i++) {
		const struct input_event *event = &group->events[i];
		struct input_event *old = group_find(last, event->type, event->code);

		if (!old)
			last->events[last->used++] = *event;
		else if (event->type == EV_REL)
			old->value = add_steps(old->value, event->value);
		else
			old->value = event->value;
	}
	return true;
}

bool groups_push(struct groups *groups, const struct group *group)
{
	size_t end = (groups->first + groups->used) % LIMIT_ADAPTER_GROUPS;
	struct group *last = &groups->at[(end + LIMIT_ADAPTER_GROUPS - 1) % LIMIT_ADAPTER_GROUPS];

	if (groups->used && is_motion(group) && merge(last, group))
		return true;
	if (groups->used == LIMIT_ADAPTER_GROUPS)
		return false;
	groups->at[end] = *group;
	groups->used++;
	return true;
}

struct group *groups_peek(struct groups *groups)
{
	return groups->used ? &groups->at[groups->first] : NULL;
}

void groups_pop(struct groups *groups)
{
	assert(groups->used);
	groups->first = (groups->first + 1) % LIMIT_ADAPTER_GROUPS;
	groups->used--;
}

void groups_clear(struct groups *groups)
{
	groups->first = groups->used = 0;
}

bool groups_full(const struct groups *groups)
{
	return groups->used >= LIMIT_ADAPTER_GROUPS / 2;
}
