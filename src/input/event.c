/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "input/event.h"

#include <linux/input-event-codes.h>

#include "base/mem.h"

_Static_assert(LIMIT_INPUT_KEYS == KEY_CNT, "limits.h is kept free of the kernel's headers");

/* A contact's number of its own: what the kernel's drivers use (input_mt_new_trackingid()). */
enum { TRACKING_ID_MAX = 0xffff };

void input_pack(const struct input_event *event, uint8_t record[INPUT_RECORD_BYTES])
{
	uint32_t value = (uint32_t)event->value;

	record[0] = (uint8_t)event->type;
	record[1] = (uint8_t)(event->type >> 8);
	record[2] = (uint8_t)event->code;
	record[3] = (uint8_t)(event->code >> 8);
	for (int i = 0; i < 4; i++)
		record[4 + i] = (uint8_t)(value >> 8 * i);
}

struct input_event input_unpack(const uint8_t record[INPUT_RECORD_BYTES])
{
	uint32_t value = 0;

	for (int i = 0; i < 4; i++)
		value |= (uint32_t)record[4 + i] << 8 * i;
	return (struct input_event){
		.type = (uint16_t)(record[0] | record[1] << 8),
		.code = (uint16_t)(record[2] | record[3] << 8),
		.value = (int32_t)value,
	};
}

bool input_is_report(const struct input_event *event)
{
	return event->type == EV_SYN;
}

bool input_is_motion(const struct input_event *event)
{
	return event->type == EV_REL ||
	       (event->type == EV_ABS && event->code != ABS_MT_TRACKING_ID);
}

bool input_is_contact(const struct input_event *event)
{
	return event->type == EV_ABS && event->code >= ABS_MT_SLOT && event->code <= ABS_MT_TOOL_Y;
}

/* Buttons lie between the keys, in three places. */
static bool is_key(uint16_t code)
{
	return (code > KEY_RESERVED && code < BTN_MISC) || (code >= KEY_OK && code < BTN_DPAD_UP) ||
	       (code > BTN_DPAD_RIGHT && code < BTN_TRIGGER_HAPPY);
}

static bool is_wheel(uint16_t code)
{
	return code == REL_WHEEL || code == REL_HWHEEL || code == REL_WHEEL_HI_RES ||
	       code == REL_HWHEEL_HI_RES;
}

static bool is_button(uint16_t code)
{
	return code >= BTN_LEFT && code <= BTN_TASK;
}

static bool touch_takes(uint16_t code)
{
	return code == ABS_X || code == ABS_Y || code == ABS_MT_SLOT ||
	       code == ABS_MT_TRACKING_ID || code == ABS_MT_POSITION_X || code == ABS_MT_POSITION_Y;
}

bool input_takes(enum input_kind kind, uint16_t type, uint16_t code)
{
	switch (kind) {
	case INPUT_KEYBOARD:
		return type == EV_KEY && is_key(code);
	case INPUT_ABSOLUTE_POINTER:
		return (type == EV_ABS && (code == ABS_X || code == ABS_Y)) ||
		       (type == EV_REL && is_wheel(code)) || (type == EV_KEY && is_button(code));
	case INPUT_RELATIVE_POINTER:
		return (type == EV_REL && (code == REL_X || code == REL_Y || is_wheel(code))) ||
		       (type == EV_KEY && is_button(code));
	case INPUT_TOUCH:
		return (type == EV_ABS && touch_takes(code)) ||
		       (type == EV_KEY && code == BTN_TOUCH);
	}
	return false;
}

bool input_takes_type(enum input_kind kind, uint16_t type)
{
	for (unsigned int code = 0; code < KEY_CNT; code++)
		if (input_takes(kind, type, (uint16_t)code))
			return true;
	return false;
}

bool input_takes_value(const struct handover_input *input, const struct input_event *event)
{
	int32_t value = event->value;

	if (event->type == EV_REL)
		return value >= -LIMIT_INPUT_STEP && value <= LIMIT_INPUT_STEP;
	if (event->type == EV_KEY) /* 2: it repeats; buttons do not */
		return value >= 0 && value <= (input->kind == INPUT_KEYBOARD ? 2 : 1);
	switch (event->code) {
	case ABS_MT_SLOT:
		return value >= 0 && value < LIMIT_INPUT_CONTACTS;
	case ABS_MT_TRACKING_ID:
		return value >= -1 && value <= TRACKING_ID_MAX;
	case ABS_X:
	case ABS_MT_POSITION_X:
		return value >= 0 && (uint32_t)value <= input->x_maximum;
	}
	return value >= 0 && (uint32_t)value <= input->y_maximum;
}

const char *input_kind_name(size_t kind)
{
	static const char *const names[] = {
		[INPUT_KEYBOARD] = "keyboard",
		[INPUT_ABSOLUTE_POINTER] = "absolutePointer",
		[INPUT_RELATIVE_POINTER] = "relativePointer",
		[INPUT_TOUCH] = "touch",
	};

	return kind < ARRAY_SIZE(names) ? names[kind] : NULL;
}
