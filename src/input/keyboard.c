/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "input/keyboard.h"

#include <linux/input-event-codes.h>
#include <string.h>

#include "base/loop.h"
#include "input/inputs.h"

enum { NUMLOCK_MS = 500 }; /* a guest that shows lights has switched this one by then */

bool keyboard_is_down(const struct keyboard *keyboard, uint16_t code)
{
	return keyboard->down[code / 64] >> code % 64 & 1;
}

static void note_down(struct keyboard *keyboard, uint16_t code, bool on)
{
	uint64_t bit = UINT64_C(1) << code % 64, *word = &keyboard->down[code / 64];

	*word = on ? *word | bit : *word & ~bit;
}

bool keyboard_tell(struct keyboard *keyboard, uint16_t code, int32_t value)
{
	static const enum input_kind kind = INPUT_KEYBOARD;
	const struct input_event event = {EV_KEY, code, value};
	struct inputs_result result;

	if (!value)
		note_down(keyboard, code, false);
	result = inputs_send(keyboard->inputs, &kind, &event, 1);
	keyboard->dropped += result.dropped;
	if (result.refusal || result.dropped)
		return false;
	if (value)
		note_down(keyboard, code, true);
	if (value == 1 && code == KEY_CAPSLOCK && !keyboard->locks_known)
		keyboard->locks ^= 1u << LED_CAPSL;
	return true;
}

bool keyboard_lit(const struct keyboard *keyboard, unsigned int led)
{
	return keyboard->locks >> led & 1;
}

void keyboard_numlock(struct keyboard *keyboard, bool on)
{
	uint64_t now = loop_now_ms();

	if (keyboard_lit(keyboard, LED_NUML) == on || !keyboard->locks_known ||
		keyboard_is_down(keyboard, KEY_NUMLOCK))
		return;
	if (keyboard->numlock_tapped && now - keyboard->numlock_tapped < NUMLOCK_MS)
		return; /* its light has not come yet */
	keyboard->numlock_tapped = now;
	if (keyboard_tell(keyboard, KEY_NUMLOCK, 1))
		keyboard_tell(keyboard, KEY_NUMLOCK, 0);
}

void keyboard_leds(struct keyboard *keyboard)
{
	keyboard->locks = inputs_leds(keyboard->inputs);
	keyboard->locks_known = true;
	keyboard->numlock_tapped = 0;
}

void keyboard_lost(struct keyboard *keyboard)
{
	memset(keyboard->down, 0, sizeof(keyboard->down));
	keyboard->locks = 0;
	keyboard->locks_known = false;
}
