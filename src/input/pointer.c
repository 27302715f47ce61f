/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "input/pointer.h"

#include <linux/input-event-codes.h>

#include "base/mem.h"
#include "input/inputs.h"
#include "input/sink.h"

enum {
	GROUP = 24, /* the most that one call sends: two axes, four wheels, five buttons */
	NOTCH = 120, /* of a wheel, in REL_WHEEL_HI_RES's units (kernel Documentation/input/event-codes.rst) */
};

static const struct {
	uint16_t bit, code;
} buttons[] = {
	{HANDS_LEFT, BTN_LEFT},
	{HANDS_RIGHT, BTN_RIGHT},
	{HANDS_MIDDLE, BTN_MIDDLE},
	{HANDS_BACK, BTN_SIDE},
	{HANDS_FORWARD, BTN_EXTRA},
};

struct group {
	struct input_event events[GROUP];
	size_t n;
};

static void put(struct group *group, uint16_t type, uint16_t code, int32_t value)
{
	group->events[group->n++] = (struct input_event){type, code, value};
}

static const struct inputs_slot *find_slot(const struct inputs *inputs, enum input_kind kind)
{
	for (size_t i = 0; i < inputs->used; i++)
		if (inputs->slots[i]->kind.kind == kind && sink_connected(inputs->slots[i]->sink))
			return inputs->slots[i];
	return NULL;
}

static const struct inputs_slot *best_slot(const struct inputs *inputs)
{
	return find_slot(inputs, INPUT_ABSOLUTE_POINTER)
		       ?: find_slot(inputs, INPUT_RELATIVE_POINTER)
		       ?: find_slot(inputs, INPUT_TOUCH);
}

bool pointer_kind(const struct inputs *inputs, enum input_kind *ret)
{
	const struct inputs_slot *slot = best_slot(inputs);

	if (slot)
		*ret = slot->kind.kind;
	return slot;
}

void pointer_forget(struct pointer *pointer)
{
	pointer->down = 0;
	pointer->touching = false;
}

int32_t pointer_scale(int32_t at, uint32_t size, uint32_t maximum)
{
	uint64_t range = (uint64_t)maximum + 1;
	uint64_t middle = (2 * (uint64_t)at + 1) * range / (2 * (uint64_t)size);

	/* Where there are hardly more places than pixels, the middle may be rounded into the pixel before. */
	middle = MAX(middle, DIV_ROUND_UP((uint64_t)at * range, (uint64_t)size));
	return (int32_t)MIN(middle, (uint64_t)maximum);
}

static int32_t clamp(int64_t value, int64_t low, int64_t high)
{
	return (int32_t)(value < low ? low : value > high ? high : value);
}

/* Where it is to be. False: that is not known. */
static bool place(const struct pointer *pointer, const struct hands_pointer *move, int32_t *ret_x,
	int32_t *ret_y)
{
	int64_t x = move->x, y = move->y;

	if (!pointer->width || !pointer->height)
		return false;
	if (move->relative) { /* from where it is, at first the middle */
		x += pointer->placed ? pointer->x : (int32_t)(pointer->width / 2);
		y += pointer->placed ? pointer->y : (int32_t)(pointer->height / 2);
	}
	*ret_x = clamp(x, 0, (int64_t)pointer->width - 1);
	*ret_y = clamp(y, 0, (int64_t)pointer->height - 1);
	return true;
}

static void put_steps(
	struct group *group, struct pointer *pointer, const struct hands_pointer *move)
{
	int64_t dx = move->x, dy = move->y;
	int32_t x, y;

	if (!move->relative) {
		bool known = pointer->placed;

		if (!place(pointer, move, &x, &y))
			return;
		dx = known ? (int64_t)x - pointer->x : 0;
		dy = known ? (int64_t)y - pointer->y : 0;
		pointer->x = x;
		pointer->y = y;
		pointer->placed = true;
	}
	if (dx)
		put(group, EV_REL, REL_X, clamp(dx, -LIMIT_INPUT_STEP, LIMIT_INPUT_STEP));
	if (dy)
		put(group, EV_REL, REL_Y, clamp(dy, -LIMIT_INPUT_STEP, LIMIT_INPUT_STEP));
}

static void put_place(struct group *group, struct pointer *pointer,
	const struct hands_pointer *move, const struct handover_input *range)
{
	int32_t x, y;

	if (!place(pointer, move, &x, &y))
		return;
	if (pointer->placed && x == pointer->x && y == pointer->y)
		return;
	pointer->x = x;
	pointer->y = y;
	pointer->placed = true;
	put(group, EV_ABS, ABS_X, pointer_scale(x, pointer->width, range->x_maximum));
	put(group, EV_ABS, ABS_Y, pointer_scale(y, pointer->height, range->y_maximum));
}

static void put_wheel(struct group *group, uint16_t coarse, uint16_t fine, int32_t value)
{
	if (!value)
		return;
	put(group, EV_REL, coarse, value);
	put(group, EV_REL, fine, value * NOTCH);
}

static int32_t direction(uint16_t wheels, uint16_t more, uint16_t less)
{
	return !!(wheels & more) - !!(wheels & less);
}

/* One finger, down while the left button is. */
static void put_touch(struct group *group, struct pointer *pointer,
	const struct hands_pointer *move, uint16_t down, const struct handover_input *range)
{
	bool touch = down & HANDS_LEFT;
	struct group at = {.n = 0};

	if (move)
		put_place(&at, pointer, move, range);
	if (touch ? !pointer->placed : !pointer->touching)
		return;
	if (touch && pointer->touching && !at.n)
		return;
	put(group, EV_ABS, ABS_MT_SLOT, 0);
	if (touch && !pointer->touching)
		put(group, EV_ABS, ABS_MT_TRACKING_ID, ++pointer->contact);
	if (touch) {
		int32_t x = pointer_scale(pointer->x, pointer->width, range->x_maximum);
		int32_t y = pointer_scale(pointer->y, pointer->height, range->y_maximum);

		put(group, EV_ABS, ABS_MT_POSITION_X, x);
		put(group, EV_ABS, ABS_MT_POSITION_Y, y);
		put(group, EV_ABS, ABS_X, x);
		put(group, EV_ABS, ABS_Y, y);
	} else {
		put(group, EV_ABS, ABS_MT_TRACKING_ID, -1);
	}
	if (touch != pointer->touching)
		put(group, EV_KEY, BTN_TOUCH, touch);
	pointer->touching = touch;
}

static void put_buttons(
	struct group *group, const struct pointer *pointer, uint16_t down, uint16_t wheels)
{
	put_wheel(group, REL_WHEEL, REL_WHEEL_HI_RES,
		direction(wheels, HANDS_WHEEL_UP, HANDS_WHEEL_DOWN));
	put_wheel(group, REL_HWHEEL, REL_HWHEEL_HI_RES,
		direction(wheels, HANDS_WHEEL_RIGHT, HANDS_WHEEL_LEFT));
	for (size_t i = 0; i < ARRAY_SIZE(buttons); i++)
		if ((down ^ pointer->down) & buttons[i].bit)
			put(group, EV_KEY, buttons[i].code, !!(down & buttons[i].bit));
}

size_t pointer_send(
	struct pointer *pointer, const struct hands_pointer *move, uint16_t down, uint16_t wheels)
{
	const struct inputs_slot *slot = best_slot(pointer->inputs);
	bool touching = pointer->touching;
	uint16_t before = pointer->down;
	struct inputs_result result;
	struct group group = {.n = 0};
	enum input_kind kind;

	if (!slot)
		return 0;
	kind = slot->kind.kind;
	if (kind == INPUT_TOUCH)
		put_touch(&group, pointer, move, down, &slot->kind);
	else if (move && kind == INPUT_RELATIVE_POINTER)
		put_steps(&group, pointer, move);
	else if (move)
		put_place(&group, pointer, move, &slot->kind);
	if (kind != INPUT_TOUCH)
		put_buttons(&group, pointer, down, wheels);
	if (!group.n)
		return 0;
	pointer->down = down;
	result = inputs_send(pointer->inputs, &kind, group.events, group.n);
	if (!result.dropped)
		return 0;
	/* What was to go down did not; what was to go up will, the sink remembers that. */
	pointer->down &= before;
	pointer->touching &= touching;
	pointer->placed = false;
	return result.dropped;
}
