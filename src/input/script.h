/* SPDX-License-Identifier: GPL-2.0-or-later */
/* script.h - what the method SendKeys types, as keys going down and up: chords by name, and text. No I/O. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct layout;

struct script_step {
	bool down;
	uint16_t code; /* KEY_...; 0: by keysym, with Shift and AltGr as the layout has it */
	uint32_t keysym;
};

struct script {
	struct script_step *steps; /* owned */
	size_t used, room;
};

void script_finish(struct script *script);
/* "ctrl-alt-del", "super-l", "f11", "ctrl-+": names of keys, or characters that @layout has, with "-" or "+" between; all go down, and up in the
 * other order. "-" itself is "minus". -EINVAL: it is none; -ENOENT: the layout has no such character; -ENOMEM. */
int script_add_chord(struct script *script, const struct layout *layout, const char *chord);
/* @text: valid UTF-8. Line feed is Return, and there are tab, backspace and escape. -ENOENT: the layout has no key for character
 * *ret_index (counted from 0; set then only), and nothing is added; -ENOMEM. */
int script_add_text(
	struct script *script, const struct layout *layout, const char *text, size_t *ret_index);
/* Characters, not bytes, of valid UTF-8. */
size_t script_length(const char *text);
/* "ctrl": for completion and help. NULL: past the end. */
const char *script_name(size_t n);
