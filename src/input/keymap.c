/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "input/keymap.h"

#include <errno.h>
#include <linux/input-event-codes.h>
#include <stdbool.h>
#include <xkbcommon/xkbcommon.h>

#include "base/limits.h"
#include "base/mem.h"
#include "input/layout.h"

enum {
	NO_KEY = 84, /* xkeyboard-config has a modifier there that no keyboard has */
	OFFSET = 8,  /* of X11's keycodes (xkeyboard-config's keycodes/evdev) */
	WAYS = 8,    /* combinations of enum layout_modifier */
	GROWTH = 1024,
	UNICODE = 0x01000000,
};

/* What a keyboard of its own does: keys go down in it as they would in the guest. */
struct model {
	struct xkb_keymap *map;
	bool has_caps;
	struct keymap *to;
	size_t room;
};

/* Mistakes in the system's files are of no interest to anybody here, nor is the name that was asked for. */
static void log_nothing(struct xkb_context *context, enum xkb_log_level level, const char *format,
	va_list arguments)
{
}

static uint32_t plain_keysym(struct model *model, uint16_t code)
{
	struct xkb_state *state = xkb_state_new(model->map);
	uint32_t keysym = state ? xkb_state_key_get_one_sym(state, code + OFFSET) : 0;

	xkb_state_unref(state);
	return keysym;
}

static uint16_t find_altgr(struct model *model)
{
	if (plain_keysym(model, KEY_RIGHTALT) == XKB_KEY_ISO_Level3_Shift)
		return KEY_RIGHTALT;
	for (uint16_t code = 1; code <= KEY_COMPOSE; code++)
		if (code != NO_KEY && plain_keysym(model, code) == XKB_KEY_ISO_Level3_Shift)
			return code;
	return 0;
}

static int add(struct model *model, uint32_t keysym, uint16_t code, unsigned int way)
{
	struct keymap *to = model->to;

	for (size_t i = to->used; i-- > 0 && to->used - i <= 3 * WAYS;) {
		if (to->entries[i].keysym != keysym || to->entries[i].code != code)
			continue;
		to->entries[i].ways |= (uint8_t)(1u << way);
		return 0;
	}
	if (to->used == model->room) {
		struct keymap_entry *more =
			reallocarray(to->entries, model->room + GROWTH, sizeof(*to->entries));

		if (!more)
			return -ENOMEM;
		to->entries = more;
		model->room += GROWTH;
	}
	to->entries[to->used++] =
		(struct keymap_entry){.keysym = keysym, .code = code, .ways = (uint8_t)(1u << way)};
	return 0;
}

/* Under its own keysym, the one for its character, and the character's number, so that a viewer may call it by any. */
static int add_all(struct model *model, uint32_t keysym, uint16_t code, unsigned int way)
{
	uint32_t character = xkb_keysym_to_utf32(keysym);
	uint32_t named = character ? xkb_utf32_to_keysym(character) : 0;
	int r = add(model, keysym, code, way);

	/* The keypad's are found by their own names alone: what they make is NumLock's matter. */
	if (r < 0 || character < 0x20 || character == 0x7f || keysym >> 8 == 0xff)
		return r;
	if (named && named != keysym)
		r = add(model, named, code, way);
	if (r == 0 && keysym != UNICODE + character && named != UNICODE + character)
		r = add(model, UNICODE + character, code, way);
	return r;
}

static struct xkb_state *state_with(const struct model *model, unsigned int way)
{
	struct xkb_state *state = xkb_state_new(model->map);

	if (!state)
		return NULL;
	if (way & LAYOUT_SHIFT)
		xkb_state_update_key(state, KEY_LEFTSHIFT + OFFSET, XKB_KEY_DOWN);
	if (way & LAYOUT_ALTGR)
		xkb_state_update_key(state, model->to->altgr + OFFSET, XKB_KEY_DOWN);
	if (way & LAYOUT_CAPS && model->has_caps) {
		xkb_state_update_key(state, KEY_CAPSLOCK + OFFSET, XKB_KEY_DOWN);
		xkb_state_update_key(state, KEY_CAPSLOCK + OFFSET, XKB_KEY_UP);
	}
	return state;
}

static int walk(struct model *model, struct xkb_state *const states[WAYS])
{
	xkb_keycode_t first = MAX(xkb_keymap_min_keycode(model->map), (xkb_keycode_t)OFFSET + 1);
	xkb_keycode_t last = MIN(
		xkb_keymap_max_keycode(model->map), (xkb_keycode_t)(OFFSET + LIMIT_INPUT_KEYS - 1));

	for (xkb_keycode_t keycode = first; keycode <= last; keycode++)
		for (unsigned int way = 0; way < WAYS; way++) {
			uint32_t keysym;
			int r;

			if (!states[way])
				continue;
			keysym = xkb_state_key_get_one_sym(states[way], keycode);
			r = keysym ? add_all(model, keysym, (uint16_t)(keycode - OFFSET), way) : 0;
			if (r < 0)
				return r;
		}
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct keymap_entry *first = a, *second = b;

	if (first->keysym != second->keysym)
		return first->keysym < second->keysym ? -1 : 1;
	return (int)first->code - (int)second->code;
}

static int collect(struct xkb_keymap *map, struct keymap *to)
{
	struct model model = {.map = map, .to = to};
	struct xkb_state *states[WAYS] = {0};
	int r = 0;

	model.has_caps = plain_keysym(&model, KEY_CAPSLOCK) == XKB_KEY_Caps_Lock;
	to->altgr = find_altgr(&model);
	for (unsigned int way = 0; way < WAYS && r == 0; way++) {
		if (way & LAYOUT_ALTGR && !to->altgr)
			continue;
		states[way] = state_with(&model, way);
		r = states[way] ? 0 : -ENOMEM;
	}
	if (r == 0)
		r = walk(&model, states);
	for (unsigned int way = 0; way < WAYS; way++)
		xkb_state_unref(states[way]);
	if (r == 0)
		qsort(to->entries, to->used, sizeof(*to->entries), compare);
	return r;
}

int keymap_compile(const char *layout, const char *variant, struct keymap *ret)
{
	const struct xkb_rule_names names = {.rules = "evdev",
		.model = "pc105",
		.layout = layout,
		.variant = variant,
		.options = ""};
	struct keymap made = {.entries = NULL};
	struct xkb_context *context;
	struct xkb_keymap *map = NULL;
	int r = -ENOENT;

	context =
		xkb_context_new(XKB_CONTEXT_NO_DEFAULT_INCLUDES | XKB_CONTEXT_NO_ENVIRONMENT_NAMES);
	if (!context)
		return -ENOMEM;
	xkb_context_set_log_fn(context, log_nothing);
	if (xkb_context_include_path_append(context, XKB_DIRECTORY))
		map = xkb_keymap_new_from_names(context, &names, XKB_KEYMAP_COMPILE_NO_FLAGS);
	if (map)
		r = collect(map, &made);
	xkb_keymap_unref(map);
	xkb_context_unref(context);
	if (r < 0)
		free(made.entries);
	else
		*ret = made;
	return r;
}
