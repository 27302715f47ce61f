/* SPDX-License-Identifier: GPL-2.0-or-later */
/* layout.h - which key, and which of Shift and AltGr, makes a keysym (X11/keysymdef.h) where the guest has a certain keyboard layout.
 *
 * Keys that are the same on every keyboard (Return, F1, the keypad, media keys) are found whatever the layout is. A layout does not change:
 * any thread may look into it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"

struct layout;

enum layout_modifier { LAYOUT_SHIFT = 1, LAYOUT_ALTGR = 2, LAYOUT_CAPS = 4 };

enum layout_need {
	LAYOUT_ANY,	    /* the key does the same whatever else is held */
	LAYOUT_EXACTLY,	    /* `modifiers` and not the others of these two */
	LAYOUT_NUMLOCK_ON,  /* a key of the keypad that types */
	LAYOUT_NUMLOCK_OFF, /* and that moves */
};

struct layout_key {
	uint16_t code;	   /* KEY_... */
	uint8_t need;	   /* enum layout_need */
	uint8_t modifiers; /* LAYOUT_SHIFT, LAYOUT_ALTGR */
};

/* A dead key comes before the key. */
struct layout_stroke {
	bool has_dead;
	struct layout_key dead, key;
};

/* "de", "de(nodeadkeys)": letters, digits, "_" and "-", and the same in parentheses; at most LIMIT_LAYOUT_CHARS. Says nothing about whether
 * there is one. */
bool layout_name_valid(const char *name);
/* Takes some milliseconds. -EINVAL: the name; -ENOENT: there is none of this name; -ENOTSUP: this daemon has none but "us"; -ENOMEM. */
int layout_create(const char *name, struct layout **ret);
void layout_destroy(struct layout *layout); /* takes NULL */

/* @layout NULL: "us". @now: what is held, and LAYOUT_CAPS where CapsLock is on: of several ways the one that changes least. False: no key
 * makes it. */
bool layout_find(
	const struct layout *layout, uint32_t keysym, unsigned int now, struct layout_key *ret);
/* Also what takes a dead key before it. */
bool layout_stroke(
	const struct layout *layout, uint32_t keysym, unsigned int now, struct layout_stroke *ret);
/* The keysym of a Unicode character. 0: it is none that is typed. */
uint32_t layout_keysym(uint32_t character);
/* The key that is AltGr; 0: there is none. */
uint16_t layout_altgr(const struct layout *layout);
