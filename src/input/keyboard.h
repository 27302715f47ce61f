/* SPDX-License-Identifier: GPL-2.0-or-later */
/* keyboard.h - one guest's keyboard: what it has been told is down, and what its lights say. Part of hands.c.
 *
 * Down are the codes that the guest knows to be down because of us: from when its sink has taken a press until a release. A release that the
 * sink had to drop it owes, and delivers later; so here it is done.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"
#include "base/mem.h"

struct inputs;

struct keyboard {
	struct inputs *inputs; /* borrowed */
	uint64_t down[DIV_ROUND_UP(LIMIT_INPUT_KEYS, 64)];
	uint32_t locks;	  /* bit LED_...: what the guest says is lit; before it has said anything, what we made of it */
	bool locks_known; /* it has */
	uint64_t numlock_tapped; /* ms; 0: not since its lights last came */
	uint64_t dropped; /* events that the sink did not take */
};

bool keyboard_is_down(const struct keyboard *keyboard, uint16_t code);
/* @value: 1 down, 2 again, 0 up. False: the guest has not been told, and will not. keyboard_lost() may come inside. */
bool keyboard_tell(struct keyboard *keyboard, uint16_t code, int32_t value);
bool keyboard_lit(const struct keyboard *keyboard, unsigned int led); /* LED_... */
/* NumLock is switched where it is known to be other than @on. */
void keyboard_numlock(struct keyboard *keyboard, bool on);
void keyboard_leds(struct keyboard *keyboard); /* inputs_leds() are others */
void keyboard_lost(struct keyboard *keyboard); /* its sink is gone: nothing is down, and no light is known */
