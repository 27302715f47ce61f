/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "input/script.h"

#include <errno.h>
#include <linux/input-event-codes.h>

#include "base/limits.h"
#include "base/mem.h"
#include "input/layout.h"

static const struct {
	const char *name;
	uint16_t code;
} names[] = {
	/* clang-format off */
	{"ctrl", KEY_LEFTCTRL}, {"control", KEY_LEFTCTRL}, {"rctrl", KEY_RIGHTCTRL}, {"shift", KEY_LEFTSHIFT}, {"rshift", KEY_RIGHTSHIFT},
	{"alt", KEY_LEFTALT}, {"altgr", KEY_RIGHTALT}, {"ralt", KEY_RIGHTALT}, {"super", KEY_LEFTMETA}, {"meta", KEY_LEFTMETA},
	{"win", KEY_LEFTMETA}, {"rsuper", KEY_RIGHTMETA}, {"menu", KEY_COMPOSE}, {"esc", KEY_ESC}, {"escape", KEY_ESC},
	{"tab", KEY_TAB}, {"enter", KEY_ENTER}, {"return", KEY_ENTER}, {"space", KEY_SPACE}, {"backspace", KEY_BACKSPACE},
	{"del", KEY_DELETE}, {"delete", KEY_DELETE}, {"ins", KEY_INSERT}, {"insert", KEY_INSERT}, {"home", KEY_HOME}, {"end", KEY_END},
	{"pgup", KEY_PAGEUP}, {"pageup", KEY_PAGEUP}, {"pgdn", KEY_PAGEDOWN}, {"pagedown", KEY_PAGEDOWN},
	{"up", KEY_UP}, {"down", KEY_DOWN}, {"left", KEY_LEFT}, {"right", KEY_RIGHT},
	{"print", KEY_SYSRQ}, {"sysrq", KEY_SYSRQ}, {"pause", KEY_PAUSE}, {"break", KEY_PAUSE}, {"capslock", KEY_CAPSLOCK},
	{"numlock", KEY_NUMLOCK}, {"scrolllock", KEY_SCROLLLOCK},
	{"f1", KEY_F1}, {"f2", KEY_F2}, {"f3", KEY_F3}, {"f4", KEY_F4}, {"f5", KEY_F5}, {"f6", KEY_F6}, {"f7", KEY_F7}, {"f8", KEY_F8},
	{"f9", KEY_F9}, {"f10", KEY_F10}, {"f11", KEY_F11}, {"f12", KEY_F12}, {"f13", KEY_F13}, {"f14", KEY_F14}, {"f15", KEY_F15},
	{"f16", KEY_F16}, {"f17", KEY_F17}, {"f18", KEY_F18}, {"f19", KEY_F19}, {"f20", KEY_F20}, {"f21", KEY_F21}, {"f22", KEY_F22},
	{"f23", KEY_F23}, {"f24", KEY_F24},
	{"kp0", KEY_KP0}, {"kp1", KEY_KP1}, {"kp2", KEY_KP2}, {"kp3", KEY_KP3}, {"kp4", KEY_KP4}, {"kp5", KEY_KP5}, {"kp6", KEY_KP6},
	{"kp7", KEY_KP7}, {"kp8", KEY_KP8}, {"kp9", KEY_KP9}, {"kpdot", KEY_KPDOT}, {"kpenter", KEY_KPENTER}, {"kpplus", KEY_KPPLUS},
	{"kpminus", KEY_KPMINUS}, {"kpmultiply", KEY_KPASTERISK}, {"kpdivide", KEY_KPSLASH}, {"kpequal", KEY_KPEQUAL},
	{"kpdecimal", KEY_KPDOT}, {"kpadd", KEY_KPPLUS}, {"kpsubtract", KEY_KPMINUS},
	{"mute", KEY_MUTE}, {"volumedown", KEY_VOLUMEDOWN}, {"volumeup", KEY_VOLUMEUP}, {"play", KEY_PLAYPAUSE}, {"power", KEY_POWER},
	{"sleep", KEY_SLEEP}, {"wakeup", KEY_WAKEUP},
	/* clang-format on */
};

const char *script_name(size_t n)
{
	return n < ARRAY_SIZE(names) ? names[n].name : NULL;
}

static void forget(const struct script *script)
{
	if (script->steps)
		explicit_bzero(script->steps, script->room * sizeof(script->steps[0]));
	free(script->steps);
}

void script_finish(struct script *script)
{
	forget(script);
	*script = (struct script){.steps = NULL};
}

static int reserve(struct script *script, size_t more)
{
	struct script_step *steps;
	size_t room = MAX(2 * script->room, script->used + more);

	if (script->used + more <= script->room)
		return 0;
	steps = reallocarray(NULL, room, sizeof(*steps));
	if (!steps)
		return -ENOMEM;
	if (script->used)
		memcpy(steps, script->steps, script->used * sizeof(*steps));
	forget(script);
	script->steps = steps;
	script->room = room;
	return 0;
}

/* The next character, and @text behind it. It is valid UTF-8. */
static uint32_t next_character(const char **text)
{
	const uint8_t *at = (const uint8_t *)*text;
	size_t more = at[0] < 0x80 ? 0 : at[0] < 0xe0 ? 1 : at[0] < 0xf0 ? 2 : 3;
	uint32_t character = more ? at[0] & (0x3fu >> more) : at[0];

	for (size_t i = 1; i <= more; i++)
		character = character << 6 | (at[i] & 0x3f);
	*text += more + 1;
	return character;
}

size_t script_length(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += (*text & 0xc0) != 0x80;
	return n;
}

/* ---- Chords ---- */

struct chord {
	uint16_t codes[LIMIT_CHORD_KEYS];
	size_t used;
};

/* Each key once: what is there already is down. */
static int chord_add(struct chord *chord, uint16_t code)
{
	for (size_t i = 0; i < chord->used; i++)
		if (chord->codes[i] == code)
			return 0;
	if (chord->used == ARRAY_SIZE(chord->codes))
		return -EINVAL;
	chord->codes[chord->used++] = code;
	return 0;
}

static bool chord_shifts(const struct chord *chord)
{
	for (size_t i = 0; i < chord->used; i++)
		if (chord->codes[i] == KEY_LEFTSHIFT || chord->codes[i] == KEY_RIGHTSHIFT)
			return true;
	return false;
}

static int chord_add_character(struct chord *chord, const struct layout *layout, uint32_t character)
{
	uint32_t keysym = layout_keysym(character);
	struct layout_key key;
	int r = 0;

	if (!keysym ||
		(!layout_find(layout, keysym, 0, &key) && !layout_find(NULL, keysym, 0, &key)))
		return -ENOENT;
	if (key.modifiers & LAYOUT_SHIFT && !chord_shifts(chord))
		r = chord_add(chord, KEY_LEFTSHIFT);
	if (key.modifiers & LAYOUT_ALTGR && r == 0)
		r = chord_add(chord, layout_altgr(layout));
	return r < 0 ? r : chord_add(chord, key.code);
}

/* "_" and case do not count: kp_enter, KP_Enter, caps_lock. */
static bool is_name(const char *name, const char *word, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (word[i] != '_' &&
			*name++ != (word[i] | ('A' <= word[i] && word[i] <= 'Z' ? 0x20 : 0)))
			return false;
	return *name == '\0';
}

static int chord_add_word(
	struct chord *chord, const struct layout *layout, const char *word, size_t length)
{
	const char *end = word;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (is_name(names[i].name, word, length))
			return chord_add(chord, names[i].code);
	if (length == strlen("minus") && strncasecmp(word, "minus", length) == 0)
		return chord_add_character(chord, layout, '-');
	if (!length)
		return -EINVAL;
	next_character(&end);
	return end == word + length ? chord_add_character(chord, layout, next_character(&word))
				    : -EINVAL;
}

int script_add_chord(struct script *script, const struct layout *layout, const char *text)
{
	struct chord chord = {.used = 0};
	int r;

	while (true) {
		size_t length =
			*text == '+' ? 1 : strcspn(text, "-+"); /* where a key stands, "+" is one */

		r = chord_add_word(&chord, layout, text, length);
		if (r < 0)
			return r;
		text += length;
		if (!*text++)
			break;
	}
	r = reserve(script, 2 * chord.used);
	if (r < 0)
		return r;
	for (size_t i = 0; i < chord.used; i++)
		script->steps[script->used++] =
			(struct script_step){.down = true, .code = chord.codes[i]};
	while (chord.used)
		script->steps[script->used++] =
			(struct script_step){.code = chord.codes[--chord.used]};
	return 0;
}

/* ---- Text ---- */

int script_add_text(
	struct script *script, const struct layout *layout, const char *text, size_t *ret_index)
{
	size_t before = script->used, n = 0;
	struct layout_stroke stroke;
	int r;

	r = reserve(script, 2 * script_length(text));
	if (r < 0)
		return r;
	for (; *text; n++) {
		uint32_t character = next_character(&text), keysym = layout_keysym(character);

		if (character == '\r' && *text == '\n') /* one end of a line */
			continue;
		if (!keysym || !layout_stroke(layout, keysym, 0, &stroke)) {
			script->used = before;
			*ret_index = n;
			return -ENOENT;
		}
		script->steps[script->used++] =
			(struct script_step){.down = true, .keysym = keysym};
		script->steps[script->used++] = (struct script_step){.keysym = keysym};
	}
	return 0;
}
