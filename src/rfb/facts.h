/* SPDX-License-Identifier: GPL-2.0-or-later */
/* facts.h - what is true of a display beside its picture, as the broker tells it; viewers hear of it where they can. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"

#define LEDS_UNKNOWN (-1)

struct facts {
	char name[LIMIT_NAME_CHARS + 1]; /* UTF-8 */
	int leds;      /* 1: scroll lock, 2: num lock, 4: caps lock; LEDS_UNKNOWN */
	bool relative; /* the guest's pointer moves in steps */
	uint32_t frames_maximum, bytes_maximum; /* for each second and viewer; frames 0: not known; bytes 0: no cap */
	bool power;    /* somebody hears wishes for a shutdown, reboot or reset */
};
