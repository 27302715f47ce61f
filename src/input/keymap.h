/* SPDX-License-Identifier: GPL-2.0-or-later */
/* keymap.h - a keyboard layout as libxkbcommon compiles it from the system's files, as a list of what each key makes. Any thread; takes some
 * milliseconds. Part of layout.c.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* One keysym of one key. */
struct keymap_entry {
	uint32_t keysym;
	uint16_t code; /* KEY_... */
	uint8_t ways;  /* bit n: with the modifiers n (enum layout_modifier) held */
};

struct keymap {
	struct keymap_entry *
		entries; /* owned; sorted by keysym, then code. A letter is there by all keysyms that it has */
	size_t used;
	uint16_t altgr; /* 0: none */
};

/* @layout and @variant (may be empty) as layout_name_valid() has found them. -ENOENT: there is no such layout, or it cannot be compiled;
 * -ENOTSUP: this daemon was built without the library; -ENOMEM. */
int keymap_compile(const char *layout, const char *variant, struct keymap *ret);
