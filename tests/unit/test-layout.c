/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keyboard layouts: known keys against the kernel's codes, and every keysym of a layout typed into a keyboard of libxkbcommon's, which must say the
 * same keysym. And the keys of a 105-key keyboard by their scancodes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <linux/input-event-codes.h>
#include <stdio.h>
#include <unistd.h>

#ifdef HAVE_XKBCOMMON
#include <xkbcommon/xkbcommon.h>
#endif

#include "base/loop.h"
#include "base/mem.h"
#include "input/layout.h"
#include "input/layouts.h"
#include "input/qnum.h"

/* ---- By scancode ---- */

/* A 105-key keyboard and the keys beside it, row by row: the scancode (0x80: behind a prefix 0xe0), the kernel's code. */
static const struct {
	uint32_t qnum;
	uint16_t code;
} keyboard[] = {
	/* clang-format off */
	{0x01, KEY_ESC}, {0x3b, KEY_F1}, {0x3c, KEY_F2}, {0x3d, KEY_F3}, {0x3e, KEY_F4}, {0x3f, KEY_F5}, {0x40, KEY_F6},
	{0x41, KEY_F7}, {0x42, KEY_F8}, {0x43, KEY_F9}, {0x44, KEY_F10}, {0x57, KEY_F11}, {0x58, KEY_F12},
	{0x54, KEY_SYSRQ}, {0x46, KEY_SCROLLLOCK}, {0xc6, KEY_PAUSE},
	{0x29, KEY_GRAVE}, {0x02, KEY_1}, {0x03, KEY_2}, {0x04, KEY_3}, {0x05, KEY_4}, {0x06, KEY_5}, {0x07, KEY_6}, {0x08, KEY_7},
	{0x09, KEY_8}, {0x0a, KEY_9}, {0x0b, KEY_0}, {0x0c, KEY_MINUS}, {0x0d, KEY_EQUAL}, {0x0e, KEY_BACKSPACE},
	{0xd2, KEY_INSERT}, {0xc7, KEY_HOME}, {0xc9, KEY_PAGEUP},
	{0x45, KEY_NUMLOCK}, {0xb5, KEY_KPSLASH}, {0x37, KEY_KPASTERISK}, {0x4a, KEY_KPMINUS},
	{0x0f, KEY_TAB}, {0x10, KEY_Q}, {0x11, KEY_W}, {0x12, KEY_E}, {0x13, KEY_R}, {0x14, KEY_T}, {0x15, KEY_Y}, {0x16, KEY_U},
	{0x17, KEY_I}, {0x18, KEY_O}, {0x19, KEY_P}, {0x1a, KEY_LEFTBRACE}, {0x1b, KEY_RIGHTBRACE}, {0x1c, KEY_ENTER},
	{0xd3, KEY_DELETE}, {0xcf, KEY_END}, {0xd1, KEY_PAGEDOWN},
	{0x47, KEY_KP7}, {0x48, KEY_KP8}, {0x49, KEY_KP9}, {0x4e, KEY_KPPLUS},
	{0x3a, KEY_CAPSLOCK}, {0x1e, KEY_A}, {0x1f, KEY_S}, {0x20, KEY_D}, {0x21, KEY_F}, {0x22, KEY_G}, {0x23, KEY_H}, {0x24, KEY_J},
	{0x25, KEY_K}, {0x26, KEY_L}, {0x27, KEY_SEMICOLON}, {0x28, KEY_APOSTROPHE}, {0x2b, KEY_BACKSLASH},
	{0x4b, KEY_KP4}, {0x4c, KEY_KP5}, {0x4d, KEY_KP6},
	{0x2a, KEY_LEFTSHIFT}, {0x56, KEY_102ND}, {0x2c, KEY_Z}, {0x2d, KEY_X}, {0x2e, KEY_C}, {0x2f, KEY_V}, {0x30, KEY_B}, {0x31, KEY_N},
	{0x32, KEY_M}, {0x33, KEY_COMMA}, {0x34, KEY_DOT}, {0x35, KEY_SLASH}, {0x36, KEY_RIGHTSHIFT}, {0xc8, KEY_UP},
	{0x4f, KEY_KP1}, {0x50, KEY_KP2}, {0x51, KEY_KP3}, {0x9c, KEY_KPENTER},
	{0x1d, KEY_LEFTCTRL}, {0xdb, KEY_LEFTMETA}, {0x38, KEY_LEFTALT}, {0x39, KEY_SPACE}, {0xb8, KEY_RIGHTALT}, {0xdc, KEY_RIGHTMETA},
	{0xdd, KEY_COMPOSE}, {0x9d, KEY_RIGHTCTRL}, {0xcb, KEY_LEFT}, {0xd0, KEY_DOWN}, {0xcd, KEY_RIGHT},
	{0x52, KEY_KP0}, {0x53, KEY_KPDOT},
	/* beside the 105 */
	{0xa0, KEY_MUTE}, {0xae, KEY_VOLUMEDOWN}, {0xb0, KEY_VOLUMEUP}, {0xa2, KEY_PLAYPAUSE}, {0xa4, KEY_STOPCD}, {0x90, KEY_PREVIOUSSONG},
	{0x99, KEY_NEXTSONG}, {0xed, KEY_MEDIA}, {0xec, KEY_MAIL}, {0xa1, KEY_CALC}, {0xeb, KEY_COMPUTER}, {0xe5, KEY_SEARCH},
	{0xb2, KEY_HOMEPAGE}, {0xea, KEY_BACK}, {0xe9, KEY_FORWARD}, {0xe8, KEY_STOP}, {0xe7, KEY_REFRESH}, {0xe6, KEY_BOOKMARKS},
	{0xde, KEY_POWER}, {0xdf, KEY_SLEEP}, {0xe3, KEY_WAKEUP},
	{0x5d, KEY_F13}, {0x5e, KEY_F14}, {0x5f, KEY_F15}, {0x55, KEY_F16}, {0x83, KEY_F17}, {0xf7, KEY_F18}, {0x84, KEY_F19},
	{0x5a, KEY_F20}, {0x74, KEY_F21}, {0xf9, KEY_F22}, {0x6d, KEY_F23}, {0x6f, KEY_F24},
	{0x73, KEY_RO}, {0x7d, KEY_YEN}, {0x7e, KEY_KPCOMMA}, {0x59, KEY_KPEQUAL}, {0x79, KEY_HENKAN}, {0x7b, KEY_MUHENKAN},
	{0x70, KEY_KATAKANAHIRAGANA}, {0x72, KEY_HANGEUL}, {0x71, KEY_HANJA}, {0x77, KEY_HIRAGANA}, {0x78, KEY_KATAKANA},
	{0x76, KEY_ZENKAKUHANKAKU},
	/* clang-format on */
};

enum { KEYS_105 = 105 };

static void test_every_key_by_its_scancode(void **state)
{
	uint16_t seen[LIMIT_INPUT_KEYS] = {0};

	for (size_t i = 0; i < ARRAY_SIZE(keyboard); i++) {
		assert_int_equal(qnum_to_code(keyboard[i].qnum), keyboard[i].code);
		assert_int_equal(qnum_from_code(keyboard[i].code), keyboard[i].qnum);
		assert_int_equal(seen[keyboard[i].code]++, 0);
	}
	for (size_t i = 0; i < KEYS_105; i++)
		assert_true(keyboard[i].code < KEY_MUTE || keyboard[i].code >= KEY_PAUSE);
	assert_int_equal(keyboard[KEYS_105].code, KEY_MUTE);
	assert_int_equal(qnum_to_code(0xb7), KEY_SYSRQ);
}

static void test_what_is_no_scancode(void **state)
{
	assert_int_equal(qnum_to_code(0), 0);
	assert_int_equal(qnum_to_code(0x80), 0);
	assert_int_equal(qnum_to_code(0xff), 0);
	assert_int_equal(qnum_to_code(0x100), 0);
	assert_int_equal(qnum_to_code(0x11e), 0);
	assert_int_equal(qnum_to_code(UINT32_MAX), 0);
	for (uint32_t qnum = 1; qnum < 0x100; qnum++) {
		uint16_t code = qnum_to_code(qnum);

		assert_true(code < KEY_CNT);
		if (code && qnum != 0xb7)
			assert_int_equal(qnum_from_code(code), qnum);
	}
}

/* ---- Names ---- */

static void test_names(void **state)
{
	static const char *const good[] = {
		"us", "de(nodeadkeys)", "in(tam_TAB)", "fr(bepo-x)", "a"};
	static const char *const bad[] = {"", "(", "us(", "us()", "us)", "de(a)b", "de(a)(b)",
		"de,fr", "../de", "de/x", "de ", "de(a b)", "de+fr", "%d", "de:2", "de(no\ndead)",
		"d\xc3\xa9", "a234567890123456789012345678901234567890x"};
	struct layout *layout = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_true(layout_name_valid(good[i]));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_false(layout_name_valid(bad[i]));
		assert_int_equal(layout_create(bad[i], &layout), -EINVAL);
	}
}

/* ---- By keysym ---- */

struct typed {
	uint32_t keysym;
	uint16_t code;
	int modifiers; /* -1: any */
};

static void check(const char *name, const struct typed *keys, size_t n)
{
	struct layout *layout = NULL;
	int r = layout_create(name, &layout);

	if (r == -ENOTSUP)
		skip();
	assert_int_equal(r, 0);
	for (size_t i = 0; i < n; i++) {
		struct layout_key key;

		if (!layout_find(layout, keys[i].keysym, 0, &key))
			fail_msg("%s lacks keysym 0x%x", name, keys[i].keysym);
		if (key.code != keys[i].code)
			fail_msg("%s: 0x%x is key %u, not %u", name, keys[i].keysym, key.code,
				keys[i].code);
		if (keys[i].modifiers >= 0) {
			assert_int_equal(key.need, LAYOUT_EXACTLY);
			assert_int_equal(key.modifiers, keys[i].modifiers);
		}
	}
	layout_destroy(layout);
}

#define CHECK(name, keys) check((name), (keys), ARRAY_SIZE(keys))

static void test_german(void **state)
{
	static const struct typed keys[] = {
		{'z', KEY_Y, 0},
		{'Y', KEY_Z, LAYOUT_SHIFT},
		{'1', KEY_1, 0},
		{'/', KEY_7, LAYOUT_SHIFT},
		{0xdf, KEY_MINUS, 0},
		{'?', KEY_MINUS, LAYOUT_SHIFT},
		{'\\', KEY_MINUS, LAYOUT_ALTGR},
		{'@', KEY_Q, LAYOUT_ALTGR},
		{0x20ac, KEY_E, LAYOUT_ALTGR},
		{0x10020ac, KEY_E, LAYOUT_ALTGR},
		{0xe4, KEY_APOSTROPHE, 0},
		{0xc4, KEY_APOSTROPHE, LAYOUT_SHIFT},
		{0x10000e4, KEY_APOSTROPHE, 0},
		{'{', KEY_7, LAYOUT_ALTGR},
		{'~', KEY_RIGHTBRACE, LAYOUT_ALTGR},
		{'<', KEY_102ND, 0},
		{'>', KEY_102ND, LAYOUT_SHIFT},
		{'|', KEY_102ND, LAYOUT_ALTGR},
		{'#', KEY_BACKSLASH, 0},
		{0xb5, KEY_M, LAYOUT_ALTGR},
		{0xb2, KEY_2, LAYOUT_ALTGR},
		{0xfe52, KEY_GRAVE, 0},
		{0xfe51, KEY_EQUAL, 0},
		{0xfe50, KEY_EQUAL, LAYOUT_SHIFT},
		{0xffac, KEY_KPDOT, -1},
		{0xffae, KEY_KPDOT, -1},
		{0xfe03, KEY_RIGHTALT, -1},
		{0xff0d, KEY_ENTER, -1},
	};

	CHECK("de", keys);
}

static void test_french(void **state)
{
	static const struct typed keys[] = {
		{'a', KEY_Q, 0},
		{'q', KEY_A, 0},
		{'z', KEY_W, 0},
		{'w', KEY_Z, 0},
		{'m', KEY_SEMICOLON, 0},
		{'M', KEY_SEMICOLON, LAYOUT_SHIFT},
		{'1', KEY_1, LAYOUT_SHIFT},
		{'&', KEY_1, 0},
		{0xe9, KEY_2, 0},
		{'"', KEY_3, 0},
		{'(', KEY_5, 0},
		{'-', KEY_6, 0},
		{0xe8, KEY_7, 0},
		{'_', KEY_8, 0},
		{0xe7, KEY_9, 0},
		{0xe0, KEY_0, 0},
		{'@', KEY_0, LAYOUT_ALTGR},
		{'#', KEY_3, LAYOUT_ALTGR},
		{0x20ac, KEY_E, LAYOUT_ALTGR},
		{',', KEY_M, 0},
		{';', KEY_COMMA, 0},
		{'.', KEY_COMMA, LAYOUT_SHIFT},
		{'!', KEY_SLASH, 0},
		{0xa7, KEY_SLASH, LAYOUT_SHIFT},
		{0xf9, KEY_APOSTROPHE, 0},
		{'*', KEY_BACKSLASH, 0},
		{'<', KEY_102ND, 0},
		{'\\', KEY_8, LAYOUT_ALTGR},
		{'}', KEY_EQUAL, LAYOUT_ALTGR},
		{0xfe52, KEY_LEFTBRACE, 0},
	};

	CHECK("fr", keys);
}

static void test_american(void **state)
{
	static const struct typed keys[] = {
		{'<', KEY_COMMA, LAYOUT_SHIFT},
		{'|', KEY_BACKSLASH, LAYOUT_SHIFT},
		{'@', KEY_2, LAYOUT_SHIFT},
		{'~', KEY_GRAVE, LAYOUT_SHIFT},
		{' ', KEY_SPACE, 0},
		{0xffb7, KEY_KP7, -1},
		{0xff95, KEY_KP7, -1},
		{0x1008ff13, KEY_VOLUMEUP, -1},
		{0x10081000 + KEY_MICMUTE, KEY_MICMUTE, -1},
	};

	CHECK("us", keys);
}

/* What the library makes of "us" is what is built in. */
static void test_built_in(void **state)
{
	struct layout *us = NULL;

	if (layout_create("us", &us) == -ENOTSUP)
		skip();
	for (uint32_t keysym = 0x20; keysym < 0x7f; keysym++)
		for (unsigned int now = 0; now < 6; now += now == 1 ? 3 : 1) {
			struct layout_key a = {0}, b = {0};

			assert_true(layout_find(us, keysym, now, &a));
			assert_true(layout_find(NULL, keysym, now, &b));
			assert_int_equal(a.code, b.code);
			assert_int_equal(a.modifiers, b.modifiers);
		}
	layout_destroy(us);
}

#ifdef HAVE_XKBCOMMON

static void tap(struct xkb_state *state, uint16_t code)
{
	xkb_state_update_key(state, code + 8u, XKB_KEY_DOWN);
	xkb_state_update_key(state, code + 8u, XKB_KEY_UP);
}

/* What a guest with @map makes of @key. */
static uint32_t typed(struct xkb_keymap *map, const struct layout *layout,
	const struct layout_key *key, bool caps)
{
	struct xkb_state *state = xkb_state_new(map);
	uint32_t keysym;

	if (caps)
		tap(state, KEY_CAPSLOCK);
	if (key->need == LAYOUT_NUMLOCK_ON)
		tap(state, KEY_NUMLOCK);
	if (key->modifiers & LAYOUT_SHIFT)
		xkb_state_update_key(state, KEY_LEFTSHIFT + 8, XKB_KEY_DOWN);
	if (key->modifiers & LAYOUT_ALTGR)
		xkb_state_update_key(state, layout_altgr(layout) + 8u, XKB_KEY_DOWN);
	keysym = xkb_state_key_get_one_sym(state, key->code + 8u);
	xkb_state_unref(state);
	return keysym;
}

static bool same_character(uint32_t a, uint32_t b)
{
	return a == b ||
	       (xkb_keysym_to_utf32(a) && xkb_keysym_to_utf32(a) == xkb_keysym_to_utf32(b));
}

/* Every keysym there may be, whatever CapsLock is: what is found makes it. @wanted: so many at least. */
static void check_reverse(
	const char *name, const char *layout_word, const char *variant, size_t wanted)
{
	const struct xkb_rule_names names = {.rules = "evdev",
		.model = "pc105",
		.layout = layout_word,
		.variant = variant,
		.options = ""};
	struct xkb_context *context = xkb_context_new(XKB_CONTEXT_NO_ENVIRONMENT_NAMES);
	struct xkb_keymap *map =
		xkb_keymap_new_from_names(context, &names, XKB_KEYMAP_COMPILE_NO_FLAGS);
	struct layout *layout = NULL;
	size_t found = 0;

	assert_non_null(map);
	assert_int_equal(layout_create(name, &layout), 0);
	for (uint32_t keysym = 0x20; keysym < 0x3000; keysym++)
		for (unsigned int way = 0; way < 2; way++) {
			uint32_t asked = way ? 0x1000000 + keysym : keysym;
			unsigned int caps = found % 2 ? LAYOUT_CAPS : 0;
			struct layout_key key;

			if (!layout_find(layout, asked, caps, &key))
				continue;
			found++;
			if (!same_character(typed(map, layout, &key, caps), asked))
				fail_msg(
					"%s: 0x%x is not what key %u makes", name, asked, key.code);
		}
	if (found < wanted)
		fail_msg("%s has %zu keysyms", name, found);
	layout_destroy(layout);
	xkb_keymap_unref(map);
	xkb_context_unref(context);
}

static void test_what_is_found_is_what_the_guest_reads(void **state)
{
	check_reverse("us", "us", "", 180);
	check_reverse("de", "de", "", 250);
	check_reverse("de(nodeadkeys)", "de", "nodeadkeys", 250);
	check_reverse("fr", "fr", "", 250);
	check_reverse("ru", "ru", "", 100);
	check_reverse("de(neo)", "de", "neo", 250);
	check_reverse("us(intl)", "us", "intl", 200);
}

/* The keys that are the same everywhere are where the library's US keyboard has them. */
static void test_keys_without_characters(void **state)
{
	const struct xkb_rule_names names = {
		.rules = "evdev", .model = "pc105", .layout = "us", .variant = "", .options = ""};
	struct xkb_context *context = xkb_context_new(XKB_CONTEXT_NO_ENVIRONMENT_NAMES);
	struct xkb_keymap *map =
		xkb_keymap_new_from_names(context, &names, XKB_KEYMAP_COMPILE_NO_FLAGS);
	size_t found = 0;

	for (uint16_t code = 1; code < 248; code++) {
		struct xkb_state *keys = xkb_state_new(map);
		uint32_t keysym = xkb_state_key_get_one_sym(keys, code + 8u);
		struct layout_key key;

		xkb_state_unref(keys);
		/* Touchpads and function keys share codes there. */
		if (code >= KEY_F13 && code <= KEY_F24)
			continue;
		/* Modifiers that only the library has keys for. */
		if (keysym == 0xfe03 || keysym == 0xff7e || keysym == 0xffe7 || keysym == 0xffe8 ||
			keysym == 0xffed || keysym == 0xffee)
			continue;
		if (keysym < 0xfe00 || !layout_find(NULL, keysym, 0, &key))
			continue;
		found++;
		/* Some keysyms are on several keys: then it is another that says the same. */
		assert_int_equal(typed(map, NULL, &key, false), keysym);
	}
	assert_true(found > 120);
	xkb_keymap_unref(map);
	xkb_context_unref(context);
}

#endif

#ifdef HAVE_XKBCOMMON

/* Each key of the 105 by what it makes without and with Shift: that very key. */
static void check_keyboard(const char *name, const char *word, size_t elsewhere)
{
	const struct xkb_rule_names names = {
		.rules = "evdev", .model = "pc105", .layout = word, .variant = "", .options = ""};
	struct xkb_context *context = xkb_context_new(XKB_CONTEXT_NO_ENVIRONMENT_NAMES);
	struct xkb_keymap *map =
		xkb_keymap_new_from_names(context, &names, XKB_KEYMAP_COMPILE_NO_FLAGS);
	struct layout *layout = NULL;
	size_t other = 0;

	assert_int_equal(layout_create(name, &layout), 0);
	for (size_t i = 0; i < KEYS_105; i++)
		for (unsigned int shift = 0; shift < 2; shift++) {
			struct layout_key key = {
				.code = keyboard[i].code, .modifiers = shift ? LAYOUT_SHIFT : 0};
			uint32_t keysym = typed(map, layout, &key, false);

			/* On Alt, Pause and Print it is another function. */
			if (shift && keysym >= 0xfd00)
				continue;
			assert_true(layout_find(layout, keysym, shift ? LAYOUT_SHIFT : 0, &key));
			other += key.code != keyboard[i].code;
			assert_true(same_character(typed(map, layout, &key, false), keysym));
		}
	assert_int_equal(other, elsewhere);
	layout_destroy(layout);
	xkb_keymap_unref(map);
	xkb_context_unref(context);
}

static void test_every_key_by_its_keysym(void **state)
{
	check_keyboard("us", "us", 2); /* < and > have keys on all keyboards */
	check_keyboard("de", "de", 0);
	check_keyboard("fr", "fr", 0);
}

#endif

static void test_dead_keys(void **state)
{
	struct layout *layout = NULL;
	struct layout_stroke stroke;

	if (layout_create("de", &layout) == -ENOTSUP)
		skip();
	assert_true(layout_stroke(layout, 0xe9, 0, &stroke)); /* e with acute */
	assert_true(stroke.has_dead);
	assert_int_equal(stroke.dead.code, KEY_EQUAL);
	assert_int_equal(stroke.key.code, KEY_E);
	assert_true(layout_stroke(layout, 0xc2, 0, &stroke)); /* A with circumflex */
	assert_true(stroke.has_dead);
	assert_int_equal(stroke.dead.code, KEY_GRAVE);
	assert_int_equal(stroke.key.code, KEY_A);
	assert_int_equal(stroke.key.modifiers, LAYOUT_SHIFT);
	assert_true(layout_stroke(layout, '^', 0, &stroke));
	assert_true(stroke.has_dead);
	assert_int_equal(stroke.key.code, KEY_SPACE);
	assert_true(layout_stroke(layout, 'e', 0, &stroke));
	assert_false(stroke.has_dead);
	assert_false(layout_stroke(layout, 0x100043f, 0, &stroke)); /* Cyrillic */
	layout_destroy(layout);
	assert_false(layout_stroke(NULL, 0xe9, 0, &stroke));
}

/* ---- For a whole daemon ---- */

struct wisher {
	struct loop *loop;
	const struct layout *layout;
	int error;
	size_t told, wanted;
};

static void on_layout(void *arg, const struct layout *layout, int error)
{
	struct wisher *wisher = arg;

	wisher->layout = layout;
	wisher->error = error;
	if (++wisher->told == wisher->wanted)
		loop_stop(wisher->loop);
}

static void test_each_is_compiled_once(void **state)
{
	struct layout_wish *first, *second, *third, *none;
	struct layouts *layouts;
	struct wisher wisher = {.wanted = 3};
	const struct layout *german;
	struct layout *probe = NULL;

	if (layout_create("de", &probe) == -ENOTSUP)
		skip();
	layout_destroy(probe);
	assert_int_equal(loop_create(&wisher.loop), 0);
	assert_int_equal(layouts_create(wisher.loop, &layouts), 0);
	assert_int_equal(layouts_want(layouts, "fr", on_layout, &wisher, &first), 0);
	assert_int_equal(layouts_want(layouts, "de", on_layout, &wisher, &second), 0);
	assert_int_equal(layouts_want(layouts, "de", on_layout, &wisher, &third), 0);
	assert_int_equal(wisher.told, 0);
	assert_int_equal(loop_run(wisher.loop), 0);
	german = wisher.layout;
	assert_non_null(german);
	layout_wish_end(third);
	assert_int_equal(layouts_want(layouts, "de", on_layout, &wisher, &third), 0);
	assert_int_equal(wisher.told, 4);
	assert_ptr_equal(wisher.layout, german);
	wisher.wanted = 5;
	assert_int_equal(layouts_want(layouts, "nosuchlayout", on_layout, &wisher, &none), 0);
	assert_int_equal(loop_run(wisher.loop), 0);
	assert_int_equal(wisher.error, -ENOENT);
	assert_null(wisher.layout);
	layout_wish_end(none);
	/* One is compiled while they go. */
	assert_int_equal(layouts_want(layouts, "es", on_layout, &wisher, &none), 0);
	layout_wish_end(second);
	layouts_destroy(layouts);
	layout_wish_end(first);
	layout_wish_end(third);
	layout_wish_end(none);
	loop_destroy(wisher.loop);
	assert_int_equal(wisher.told, 5);
}

static void test_only_so_many(void **state)
{
	struct layout_wish *wishes[LIMIT_LAYOUTS + 1];
	struct wisher wisher = {0};
	struct layouts *layouts;
	char name[16];

	assert_int_equal(loop_create(&wisher.loop), 0);
	assert_int_equal(layouts_create(wisher.loop, &layouts), 0);
	for (size_t i = 0; i <= LIMIT_LAYOUTS; i++) {
		snprintf(name, sizeof(name), "none%zu", i);
		assert_int_equal(layouts_want(layouts, name, on_layout, &wisher, &wishes[i]), 0);
	}
	assert_int_equal(wisher.told, 1);
	assert_int_equal(wisher.error, -ENOSPC);
	layouts_destroy(layouts);
	for (size_t i = 0; i <= LIMIT_LAYOUTS; i++)
		layout_wish_end(wishes[i]);
	loop_destroy(wisher.loop);
}

/* One that begins from inside what is told, and gets the place of what was told. */
struct changing {
	struct wisher wisher;
	struct layouts *layouts;
	struct layout_wish *wish;
};

static void on_other(void *arg, const struct layout *layout, int error)
{
	struct changing *changing = arg;

	assert_int_equal(error, -ENOENT);
	assert_null(layout);
	loop_stop(changing->wisher.loop);
	changing->wisher.told++;
}

static void on_changed(void *arg, const struct layout *layout, int error)
{
	struct changing *changing = arg;

	assert_non_null(layout);
	layout_wish_end(take_ptr(changing->wish));
	assert_int_equal(layouts_want(changing->layouts, "nosuchlayout", on_other, changing,
				 &changing->wish),
		0);
	assert_int_equal(changing->wisher.told, 0);
}

static void test_a_place_changes_hands(void **state)
{
	struct layout_wish *wishes[LIMIT_LAYOUTS];
	struct changing changing = {.layouts = NULL};
	struct wisher others = {.wanted = LIMIT_LAYOUTS - 1};
	struct layout *probe = NULL;
	char name[16];

	if (layout_create("de", &probe) == -ENOTSUP)
		skip();
	layout_destroy(probe);
	assert_int_equal(loop_create(&changing.wisher.loop), 0);
	others.loop = changing.wisher.loop;
	assert_int_equal(layouts_create(others.loop, &changing.layouts), 0);
	for (size_t i = 1; i < LIMIT_LAYOUTS; i++) {
		snprintf(name, sizeof(name), "none%zu", i);
		assert_int_equal(
			layouts_want(changing.layouts, name, on_layout, &others, &wishes[i]), 0);
	}
	assert_int_equal(loop_run(others.loop), 0);
	assert_int_equal(
		layouts_want(changing.layouts, "de", on_changed, &changing, &changing.wish), 0);
	assert_int_equal(loop_run(others.loop), 0);
	assert_int_equal(changing.wisher.told, 1);
	layouts_destroy(changing.layouts);
	layout_wish_end(changing.wish);
	for (size_t i = 1; i < LIMIT_LAYOUTS; i++)
		layout_wish_end(wishes[i]);
	loop_destroy(others.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_key_by_its_scancode),
		cmocka_unit_test(test_what_is_no_scancode),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_german),
		cmocka_unit_test(test_french),
		cmocka_unit_test(test_american),
		cmocka_unit_test(test_built_in),
#ifdef HAVE_XKBCOMMON
		cmocka_unit_test(test_what_is_found_is_what_the_guest_reads),
		cmocka_unit_test(test_keys_without_characters),
		cmocka_unit_test(test_every_key_by_its_keysym),
#endif
		cmocka_unit_test(test_dead_keys),
		cmocka_unit_test(test_each_is_compiled_once),
		cmocka_unit_test(test_only_so_many),
		cmocka_unit_test(test_a_place_changes_hands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
