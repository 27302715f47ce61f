/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "adapter/held.h"

#include <linux/input-event-codes.h>

#include "base/mem.h"

static bool bit_get(const uint64_t *bits, uint16_t n)
{
	return bits[n / 64] >> n % 64 & 1;
}

static void bit_set(uint64_t *bits, uint16_t n, bool on)
{
	uint64_t bit = UINT64_C(1) << n % 64;

	bits[n / 64] = on ? bits[n / 64] | bit : bits[n / 64] & ~bit;
}

static bool is_key(const struct input_event *event)
{
	return event->type == EV_KEY && event->code < LIMIT_INPUT_KEYS;
}

void held_sent(struct held *held, const struct group *group)
{
	uint32_t contact = 0;

	for (size_t i = 0; i < group->used; i++) {
		const struct input_event *event = &group->events[i];

		if (is_key(event)) {
			bit_set(held->down, event->code, event->value);
			bit_set(held->owed, event->code, false);
			held->kinds[event->code] = group->kind;
		} else if (event->type == EV_ABS && event->code == ABS_MT_SLOT) {
			contact = (uint32_t)event->value < LIMIT_INPUT_CONTACTS ? 1u << event->value
										: 0;
		} else if (event->type == EV_ABS && event->code == ABS_MT_TRACKING_ID) {
			held->contacts_owed &= ~contact;
			held->contacts_down = event->value < 0 ? held->contacts_down & ~contact
							       : held->contacts_down | contact;
		}
	}
}

void held_failed(struct held *held, const struct group *group)
{
	uint32_t contact = 0;

	for (size_t i = 0; i < group->used; i++) {
		const struct input_event *event = &group->events[i];

		if (is_key(event) && !event->value && !bit_get(held->down, event->code)) {
			bit_set(held->down, event->code, true);
			bit_set(held->owed, event->code, true);
			held->kinds[event->code] = group->kind;
		} else if (event->type == EV_ABS && event->code == ABS_MT_SLOT) {
			contact = (uint32_t)event->value < LIMIT_INPUT_CONTACTS ? 1u << event->value
										: 0;
		} else if (event->type == EV_ABS && event->code == ABS_MT_TRACKING_ID &&
			   event->value < 0) {
			held->contacts_owed |= contact & ~held->contacts_down;
			held->contacts_down |= contact;
		}
	}
}

void held_let_go(struct held *held)
{
	memcpy(held->owed, held->down, sizeof(held->owed));
	held->contacts_owed = held->contacts_down;
}

bool held_any(const struct held *held)
{
	uint64_t any = held->contacts_down;

	for (size_t i = 0; i < ARRAY_SIZE(held->down); i++)
		any |= held->down[i] | held->owed[i];
	return any;
}

bool held_owes(const struct held *held)
{
	uint64_t any = held->contacts_owed;

	for (size_t i = 0; i < ARRAY_SIZE(held->owed); i++)
		any |= held->owed[i];
	return any;
}

static void add(struct group *group, uint16_t type, uint16_t code, int32_t value)
{
	group->events[group->used++] = (struct input_event){type, code, value};
}

static void settle_contacts(struct held *held, struct group *group)
{
	group->kind = INPUT_TOUCH;
	for (int slot = 0; slot < LIMIT_INPUT_CONTACTS; slot++) {
		if (!(held->contacts_owed >> slot & 1))
			continue;
		add(group, EV_ABS, ABS_MT_SLOT, slot);
		add(group, EV_ABS, ABS_MT_TRACKING_ID, -1);
	}
	if (bit_get(held->owed, BTN_TOUCH))
		add(group, EV_KEY, BTN_TOUCH, 0);
}

bool held_settle(struct held *held, struct group *ret)
{
	struct group group = {0};

	if (held->contacts_owed)
		settle_contacts(held, &group);
	for (uint16_t code = 0; code < LIMIT_INPUT_KEYS && group.used < LIMIT_ADAPTER_SETTLE;
		code++) {
		if (!bit_get(held->owed, code) || group_find(&group, EV_KEY, code))
			continue;
		if (!group.used)
			group.kind = held->kinds[code];
		if (held->kinds[code] == group.kind)
			add(&group, EV_KEY, code, 0);
	}
	if (!group.used)
		return false;
	held_sent(held, &group);
	*ret = group;
	return true;
}
