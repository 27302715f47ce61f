/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * Keys go as "number", the make code of scancode set 1: by it every QEMU knows every key of a PC's keyboard, whereas the list of names differs between
 * versions. Places go from 0 to 32767 on both sides. A step of a wheel is a button that goes down and up; what is finer has been told as whole
 * steps, too, by whoever sent it.
 *
 * A call with one event that this QEMU does not know is refused as a whole. So what it knows is looked up in its schema: the members of the
 * union InputEvent and of the enumeration InputButton, which are found by what is in them, for a schema has numbers in place of names.
 */
#include "adapter/translate.h"

#include <linux/input-event-codes.h>

#include "base/mem.h"
#include "input/qnum.h"

enum { WHEEL_MOST = 8, PRINT = 0xb7 };

/* ---- What it knows ---- */

static bool has_value(const json_t *values, const char *word)
{
	const json_t *each;
	size_t i;

	json_array_foreach (values, i, each)
		if (json_is_string(each) && strcmp(json_string_value(each), word) == 0)
			return true;
	return false;
}

static bool has_case(const json_t *variants, const char *word)
{
	const json_t *each;
	size_t i;

	json_array_foreach (variants, i, each) {
		const char *name = json_string_value(json_object_get(each, "case"));

		if (name && strcmp(name, word) == 0)
			return true;
	}
	return false;
}

void translate_init(struct translate *translate, const json_t *schema)
{
	const json_t *each;
	size_t i;

	*translate = (struct translate){0};
	for (i = 0; i < LIMIT_INPUT_CONTACTS; i++)
		translate->contacts[i].tracking = -1;
	json_array_foreach (schema, i, each) {
		const json_t *values = json_object_get(each, "values");
		const json_t *variants = json_object_get(each, "variants");

		if (has_value(values, "wheel-up") && has_value(values, "wheel-left"))
			translate->sideways = true;
		if (has_case(variants, "btn") && has_case(variants, "abs") &&
			has_case(variants, "mtt"))
			translate->touch = true;
	}
}

/* ---- Events ---- */

static int add(json_t *events, const char *type, json_t *data)
{
	return json_array_append_new(events, json_pack("{s:s, s:o}", "type", type, "data", data));
}

static int add_button(json_t *events, const char *button, bool down)
{
	return add(events, "btn", json_pack("{s:s, s:b}", "button", button, "down", down));
}

static int add_axis(json_t *events, const char *type, bool y, int32_t value)
{
	return add(
		events, type, json_pack("{s:s, s:i}", "axis", y ? "y" : "x", "value", (int)value));
}

static const char *button_name(uint16_t code)
{
	switch (code) {
	case BTN_LEFT:
		return "left";
	case BTN_RIGHT:
		return "right";
	case BTN_MIDDLE:
		return "middle";
	case BTN_SIDE:
	case BTN_BACK:
		return "side";
	case BTN_EXTRA:
	case BTN_FORWARD:
		return "extra";
	}
	return NULL;
}

static int add_key(json_t *events, const struct input_event *event)
{
	const char *button = button_name(event->code);
	uint32_t number = event->code == KEY_SYSRQ ? PRINT : qnum_from_code(event->code);

	if (button)
		return add_button(events, button, event->value);
	if (!number)
		return 0; /* a key that PCs never had */
	return add(events, "key",
		json_pack("{s:b, s:{s:s, s:i}}", "down", event->value, "key", "type", "number",
			"data", (int)number));
}

static int add_wheel(json_t *events, const char *forth, const char *back, int32_t steps)
{
	const char *button = steps > 0 ? forth : back;
	int32_t most = MAX(steps, -WHEEL_MOST);
	int32_t n = MIN(most < 0 ? -most : most, WHEEL_MOST), r = 0;

	while (n-- > 0 && r == 0) {
		r = add_button(events, button, true);
		r = r ? r : add_button(events, button, false);
	}
	return r;
}

static int add_step(
	const struct translate *translate, json_t *events, const struct input_event *event)
{
	switch (event->code) {
	case REL_X:
	case REL_Y:
		return add_axis(events, "rel", event->code == REL_Y, event->value);
	case REL_WHEEL:
		return add_wheel(events, "wheel-up", "wheel-down", event->value);
	case REL_HWHEEL:
		return translate->sideways
			       ? add_wheel(events, "wheel-right", "wheel-left", event->value)
			       : 0;
	}
	return 0;
}

/* ---- Contacts ---- */

static int add_contact(json_t *events, const char *what, unsigned int slot, int tracking,
	const char *axis, int32_t value)
{
	return add(events, "mtt",
		json_pack("{s:s, s:i, s:i, s:s, s:i}", "type", what, "slot", (int)slot,
			"tracking-id", tracking, "axis", axis, "value", (int)value));
}

/* A place of one contact. */
static int add_place(struct translate *translate, json_t *events, const struct input_event *event)
{
	bool y = event->code == ABS_MT_POSITION_Y;
	unsigned int slot = translate->slot;
	int tracking = translate->contacts[slot].tracking;

	translate->contacts[slot].at[y] = event->value;
	return tracking < 0
		       ? 0
		       : add_contact(events, "data", slot, tracking, y ? "y" : "x", event->value);
}

static int add_touch(struct translate *translate, json_t *events, const struct input_event *event)
{
	unsigned int slot = translate->slot;
	bool up = event->value < 0;

	if (!translate->touch)
		return 0;
	switch (event->code) {
	case ABS_MT_SLOT:
		translate->slot = MIN((uint32_t)event->value, LIMIT_INPUT_CONTACTS - 1u);
		return 0;
	case ABS_MT_TRACKING_ID:
		translate->contacts[slot].tracking = event->value;
		return add_contact(events, up ? "end" : "begin", slot, event->value, "x",
			translate->contacts[slot].at[0]);
	}
	return add_place(translate, events, event);
}

static int add_event(struct translate *translate, json_t *events, enum input_kind kind,
	const struct input_event *event)
{
	if (event->type == EV_KEY && event->code == BTN_TOUCH)
		return translate->touch ? add_button(events, "touch", event->value) : 0;
	if (event->type == EV_KEY)
		return add_key(events, event);
	if (event->type == EV_REL)
		return add_step(translate, events, event);
	if (input_is_contact(event))
		return add_touch(translate, events, event);
	/* A screen's first finger is told as the pointer's place, too: QEMU has contacts for that. */
	return kind == INPUT_TOUCH ? 0
				   : add_axis(events, "abs", event->code == ABS_Y, event->value);
}

json_t *translate_group(struct translate *translate, const struct group *group)
{
	json_t *events = json_array();
	int r = events ? 0 : -1;

	for (size_t i = 0; i < group->used && r == 0; i++)
		r = add_event(translate, events, group->kind, &group->events[i]);
	if (r == 0)
		return events;
	json_decref(events);
	return NULL;
}
