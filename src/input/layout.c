/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "input/layout.h"

#include <errno.h>
#include <limits.h>
#include <linux/input-event-codes.h>
#include <uchar.h>

#include "base/mem.h"
#include "input/keymap.h"

enum { UNICODE = 0x01000000, EVDEV = 0x10081000, EVDEV_CODES = 0x300, ALT_RIGHT = 0xffea };

/* ---- Keys that are the same on every keyboard ---- */

struct fixed {
	uint32_t keysym;
	uint16_t code;
	uint8_t need;
};

/* Sorted by keysym. */
static const struct fixed fixed[] = {
	{0xfe03, KEY_RIGHTALT, LAYOUT_ANY}, /* ISO_Level3_Shift */
	{0xfe20, KEY_TAB, LAYOUT_ANY},	    /* ISO_Left_Tab: Shift is down */
	{0xff08, KEY_BACKSPACE, LAYOUT_ANY},
	{0xff09, KEY_TAB, LAYOUT_ANY},
	{0xff0a, KEY_LINEFEED, LAYOUT_ANY},
	{0xff0b, KEY_CLEAR, LAYOUT_ANY},
	{0xff0d, KEY_ENTER, LAYOUT_ANY},
	{0xff13, KEY_PAUSE, LAYOUT_ANY},
	{0xff14, KEY_SCROLLLOCK, LAYOUT_ANY},
	{0xff15, KEY_SYSRQ, LAYOUT_ANY},
	{0xff1b, KEY_ESC, LAYOUT_ANY},
	{0xff20, KEY_COMPOSE, LAYOUT_ANY}, /* Multi_key */
	{0xff21, KEY_HENKAN, LAYOUT_ANY},  /* Kanji */
	{0xff22, KEY_MUHENKAN, LAYOUT_ANY},
	{0xff23, KEY_HENKAN, LAYOUT_ANY},
	{0xff24, KEY_KATAKANAHIRAGANA, LAYOUT_ANY},
	{0xff25, KEY_HIRAGANA, LAYOUT_ANY},
	{0xff26, KEY_KATAKANA, LAYOUT_ANY},
	{0xff27, KEY_KATAKANAHIRAGANA, LAYOUT_ANY},
	{0xff28, KEY_ZENKAKUHANKAKU, LAYOUT_ANY},
	{0xff29, KEY_ZENKAKUHANKAKU, LAYOUT_ANY},
	{0xff2a, KEY_ZENKAKUHANKAKU, LAYOUT_ANY},
	{0xff2e, KEY_KATAKANAHIRAGANA, LAYOUT_ANY},
	{0xff30, KEY_CAPSLOCK, LAYOUT_ANY}, /* Eisu_toggle: a Japanese keyboard has it there */
	{0xff31, KEY_HANGEUL, LAYOUT_ANY},
	{0xff34, KEY_HANJA, LAYOUT_ANY},
	{0xff37, KEY_HENKAN, LAYOUT_ANY}, /* Codeinput, and three for candidates */
	{0xff3c, KEY_HENKAN, LAYOUT_ANY},
	{0xff3d, KEY_HENKAN, LAYOUT_ANY},
	{0xff3e, KEY_HENKAN, LAYOUT_ANY},
	{0xff50, KEY_HOME, LAYOUT_ANY},
	{0xff51, KEY_LEFT, LAYOUT_ANY},
	{0xff52, KEY_UP, LAYOUT_ANY},
	{0xff53, KEY_RIGHT, LAYOUT_ANY},
	{0xff54, KEY_DOWN, LAYOUT_ANY},
	{0xff55, KEY_PAGEUP, LAYOUT_ANY},
	{0xff56, KEY_PAGEDOWN, LAYOUT_ANY},
	{0xff57, KEY_END, LAYOUT_ANY},
	{0xff58, KEY_HOME, LAYOUT_ANY}, /* Begin */
	{0xff60, KEY_SELECT, LAYOUT_ANY},
	{0xff61, KEY_SYSRQ, LAYOUT_ANY}, /* Print */
	{0xff63, KEY_INSERT, LAYOUT_ANY},
	{0xff65, KEY_UNDO, LAYOUT_ANY},
	{0xff66, KEY_REDO, LAYOUT_ANY},
	{0xff67, KEY_COMPOSE, LAYOUT_ANY}, /* Menu */
	{0xff68, KEY_FIND, LAYOUT_ANY},
	{0xff69, KEY_CANCEL, LAYOUT_ANY},
	{0xff6a, KEY_HELP, LAYOUT_ANY},
	{0xff6b, KEY_PAUSE, LAYOUT_ANY},    /* Break: Control is down */
	{0xff7e, KEY_RIGHTALT, LAYOUT_ANY}, /* Mode_switch */
	{0xff7f, KEY_NUMLOCK, LAYOUT_ANY},
	{0xff80, KEY_SPACE, LAYOUT_ANY},
	{0xff89, KEY_TAB, LAYOUT_ANY},
	{0xff8d, KEY_KPENTER, LAYOUT_ANY},
	{0xff95, KEY_KP7, LAYOUT_NUMLOCK_OFF},
	{0xff96, KEY_KP4, LAYOUT_NUMLOCK_OFF},
	{0xff97, KEY_KP8, LAYOUT_NUMLOCK_OFF},
	{0xff98, KEY_KP6, LAYOUT_NUMLOCK_OFF},
	{0xff99, KEY_KP2, LAYOUT_NUMLOCK_OFF},
	{0xff9a, KEY_KP9, LAYOUT_NUMLOCK_OFF},
	{0xff9b, KEY_KP3, LAYOUT_NUMLOCK_OFF},
	{0xff9c, KEY_KP1, LAYOUT_NUMLOCK_OFF},
	{0xff9d, KEY_KP5, LAYOUT_NUMLOCK_OFF},
	{0xff9e, KEY_KP0, LAYOUT_NUMLOCK_OFF},
	{0xff9f, KEY_KPDOT, LAYOUT_NUMLOCK_OFF},
	{0xffaa, KEY_KPASTERISK, LAYOUT_ANY},
	{0xffab, KEY_KPPLUS, LAYOUT_ANY},
	{0xffac, KEY_KPDOT, LAYOUT_NUMLOCK_ON}, /* KP_Separator: where a comma is printed on it */
	{0xffad, KEY_KPMINUS, LAYOUT_ANY},
	{0xffae, KEY_KPDOT, LAYOUT_NUMLOCK_ON},
	{0xffaf, KEY_KPSLASH, LAYOUT_ANY},
	{0xffb0, KEY_KP0, LAYOUT_NUMLOCK_ON},
	{0xffb1, KEY_KP1, LAYOUT_NUMLOCK_ON},
	{0xffb2, KEY_KP2, LAYOUT_NUMLOCK_ON},
	{0xffb3, KEY_KP3, LAYOUT_NUMLOCK_ON},
	{0xffb4, KEY_KP4, LAYOUT_NUMLOCK_ON},
	{0xffb5, KEY_KP5, LAYOUT_NUMLOCK_ON},
	{0xffb6, KEY_KP6, LAYOUT_NUMLOCK_ON},
	{0xffb7, KEY_KP7, LAYOUT_NUMLOCK_ON},
	{0xffb8, KEY_KP8, LAYOUT_NUMLOCK_ON},
	{0xffb9, KEY_KP9, LAYOUT_NUMLOCK_ON},
	{0xffbd, KEY_KPEQUAL, LAYOUT_ANY},
	{0xffbe, KEY_F1, LAYOUT_ANY},
	{0xffbf, KEY_F2, LAYOUT_ANY},
	{0xffc0, KEY_F3, LAYOUT_ANY},
	{0xffc1, KEY_F4, LAYOUT_ANY},
	{0xffc2, KEY_F5, LAYOUT_ANY},
	{0xffc3, KEY_F6, LAYOUT_ANY},
	{0xffc4, KEY_F7, LAYOUT_ANY},
	{0xffc5, KEY_F8, LAYOUT_ANY},
	{0xffc6, KEY_F9, LAYOUT_ANY},
	{0xffc7, KEY_F10, LAYOUT_ANY},
	{0xffc8, KEY_F11, LAYOUT_ANY},
	{0xffc9, KEY_F12, LAYOUT_ANY},
	{0xffca, KEY_F13, LAYOUT_ANY},
	{0xffcb, KEY_F14, LAYOUT_ANY},
	{0xffcc, KEY_F15, LAYOUT_ANY},
	{0xffcd, KEY_F16, LAYOUT_ANY},
	{0xffce, KEY_F17, LAYOUT_ANY},
	{0xffcf, KEY_F18, LAYOUT_ANY},
	{0xffd0, KEY_F19, LAYOUT_ANY},
	{0xffd1, KEY_F20, LAYOUT_ANY},
	{0xffd2, KEY_F21, LAYOUT_ANY},
	{0xffd3, KEY_F22, LAYOUT_ANY},
	{0xffd4, KEY_F23, LAYOUT_ANY},
	{0xffd5, KEY_F24, LAYOUT_ANY},
	{0xffe1, KEY_LEFTSHIFT, LAYOUT_ANY},
	{0xffe2, KEY_RIGHTSHIFT, LAYOUT_ANY},
	{0xffe3, KEY_LEFTCTRL, LAYOUT_ANY},
	{0xffe4, KEY_RIGHTCTRL, LAYOUT_ANY},
	{0xffe5, KEY_CAPSLOCK, LAYOUT_ANY},
	{0xffe6, KEY_CAPSLOCK, LAYOUT_ANY}, /* Shift_Lock */
	{0xffe7, KEY_LEFTMETA, LAYOUT_ANY}, /* Meta: TigerVNC on a Mac */
	{0xffe8, KEY_RIGHTMETA, LAYOUT_ANY},
	{0xffe9, KEY_LEFTALT, LAYOUT_ANY},
	{0xffea, KEY_RIGHTALT, LAYOUT_ANY},
	{0xffeb, KEY_LEFTMETA, LAYOUT_ANY}, /* Super */
	{0xffec, KEY_RIGHTMETA, LAYOUT_ANY},
	{0xffed, KEY_LEFTMETA, LAYOUT_ANY}, /* Hyper */
	{0xffee, KEY_RIGHTMETA, LAYOUT_ANY},
	{0xffff, KEY_DELETE, LAYOUT_ANY},
	/* XF86keysym.h, as xkeyboard-config puts them on the kernel's keys. */
	{0x1005ff70, KEY_PROPS, LAYOUT_ANY},
	{0x1005ff71, KEY_FRONT, LAYOUT_ANY},
	{0x1008fe22, KEY_VIDEO_NEXT, LAYOUT_ANY},
	{0x1008fe23, KEY_VIDEO_PREV, LAYOUT_ANY},
	{0x1008ff02, KEY_BRIGHTNESSUP, LAYOUT_ANY},
	{0x1008ff03, KEY_BRIGHTNESSDOWN, LAYOUT_ANY},
	{0x1008ff04, KEY_KBDILLUMTOGGLE, LAYOUT_ANY},
	{0x1008ff05, KEY_KBDILLUMUP, LAYOUT_ANY},
	{0x1008ff06, KEY_KBDILLUMDOWN, LAYOUT_ANY},
	{0x1008ff07, KEY_BRIGHTNESS_CYCLE, LAYOUT_ANY},
	{0x1008ff11, KEY_VOLUMEDOWN, LAYOUT_ANY},
	{0x1008ff12, KEY_MUTE, LAYOUT_ANY},
	{0x1008ff13, KEY_VOLUMEUP, LAYOUT_ANY},
	{0x1008ff14, KEY_PLAYPAUSE, LAYOUT_ANY},
	{0x1008ff15, KEY_STOPCD, LAYOUT_ANY},
	{0x1008ff16, KEY_PREVIOUSSONG, LAYOUT_ANY},
	{0x1008ff17, KEY_NEXTSONG, LAYOUT_ANY},
	{0x1008ff18, KEY_HOMEPAGE, LAYOUT_ANY},
	{0x1008ff19, KEY_MAIL, LAYOUT_ANY},
	{0x1008ff1b, KEY_SEARCH, LAYOUT_ANY},
	{0x1008ff1c, KEY_RECORD, LAYOUT_ANY},
	{0x1008ff1d, KEY_CALC, LAYOUT_ANY},
	{0x1008ff20, KEY_CALENDAR, LAYOUT_ANY},
	{0x1008ff21, KEY_POWER, LAYOUT_ANY},
	{0x1008ff26, KEY_BACK, LAYOUT_ANY},
	{0x1008ff27, KEY_FORWARD, LAYOUT_ANY},
	{0x1008ff28, KEY_STOP, LAYOUT_ANY},
	{0x1008ff29, KEY_REFRESH, LAYOUT_ANY},
	{0x1008ff2a, KEY_POWER, LAYOUT_ANY},
	{0x1008ff2b, KEY_WAKEUP, LAYOUT_ANY},
	{0x1008ff2c, KEY_EJECTCD, LAYOUT_ANY},
	{0x1008ff2d, KEY_SCREENLOCK, LAYOUT_ANY},
	{0x1008ff2e, KEY_WWW, LAYOUT_ANY},
	{0x1008ff2f, KEY_SLEEP, LAYOUT_ANY},
	{0x1008ff30, KEY_BOOKMARKS, LAYOUT_ANY},
	{0x1008ff31, KEY_PAUSECD, LAYOUT_ANY},
	{0x1008ff32, KEY_MEDIA, LAYOUT_ANY},
	{0x1008ff33, KEY_COMPUTER, LAYOUT_ANY},
	{0x1008ff36, KEY_SHOP, LAYOUT_ANY},
	{0x1008ff3c, KEY_FINANCE, LAYOUT_ANY},
	{0x1008ff3e, KEY_REWIND, LAYOUT_ANY},
	{0x1008ff41, KEY_PROG1, LAYOUT_ANY},
	{0x1008ff42, KEY_PROG2, LAYOUT_ANY},
	{0x1008ff43, KEY_PROG3, LAYOUT_ANY},
	{0x1008ff44, KEY_PROG4, LAYOUT_ANY},
	{0x1008ff45, KEY_F14, LAYOUT_ANY},
	{0x1008ff46, KEY_F15, LAYOUT_ANY},
	{0x1008ff47, KEY_F16, LAYOUT_ANY},
	{0x1008ff48, KEY_F17, LAYOUT_ANY},
	{0x1008ff49, KEY_F18, LAYOUT_ANY},
	{0x1008ff4a, KEY_SCALE, LAYOUT_ANY},
	{0x1008ff4b, KEY_ALL_APPLICATIONS, LAYOUT_ANY},
	{0x1008ff55, KEY_CLEAR, LAYOUT_ANY},
	{0x1008ff56, KEY_CLOSE, LAYOUT_ANY},
	{0x1008ff57, KEY_COPY, LAYOUT_ANY},
	{0x1008ff58, KEY_CUT, LAYOUT_ANY},
	{0x1008ff59, KEY_SWITCHVIDEOMODE, LAYOUT_ANY},
	{0x1008ff5a, KEY_MSDOS, LAYOUT_ANY},
	{0x1008ff5b, KEY_DOCUMENTS, LAYOUT_ANY},
	{0x1008ff5d, KEY_FILE, LAYOUT_ANY},
	{0x1008ff5e, KEY_SPORT, LAYOUT_ANY},
	{0x1008ff5f, KEY_CONNECT, LAYOUT_ANY},
	{0x1008ff65, KEY_MENU, LAYOUT_ANY},
	{0x1008ff68, KEY_NEW, LAYOUT_ANY},
	{0x1008ff6b, KEY_OPEN, LAYOUT_ANY},
	{0x1008ff6d, KEY_PASTE, LAYOUT_ANY},
	{0x1008ff6e, KEY_PHONE, LAYOUT_ANY},
	{0x1008ff72, KEY_REPLY, LAYOUT_ANY},
	{0x1008ff73, KEY_REFRESH, LAYOUT_ANY},
	{0x1008ff74, KEY_ROTATE_DISPLAY, LAYOUT_ANY},
	{0x1008ff77, KEY_SAVE, LAYOUT_ANY},
	{0x1008ff78, KEY_SCROLLUP, LAYOUT_ANY},
	{0x1008ff79, KEY_SCROLLDOWN, LAYOUT_ANY},
	{0x1008ff7b, KEY_SEND, LAYOUT_ANY},
	{0x1008ff7c, KEY_SPELLCHECK, LAYOUT_ANY},
	{0x1008ff7f, KEY_CYCLEWINDOWS, LAYOUT_ANY}, /* TaskPane */
	{0x1008ff81, KEY_CONFIG, LAYOUT_ANY},
	{0x1008ff87, KEY_VIDEO_NEXT, LAYOUT_ANY},
	{0x1008ff89, KEY_WORDPROCESSOR, LAYOUT_ANY},
	{0x1008ff8a, KEY_XFER, LAYOUT_ANY},
	{0x1008ff8e, KEY_CHAT, LAYOUT_ANY},
	{0x1008ff8f, KEY_CAMERA, LAYOUT_ANY},
	{0x1008ff90, KEY_FORWARDMAIL, LAYOUT_ANY},
	{0x1008ff93, KEY_BATTERY, LAYOUT_ANY},
	{0x1008ff94, KEY_BLUETOOTH, LAYOUT_ANY},
	{0x1008ff95, KEY_WLAN, LAYOUT_ANY},
	{0x1008ff96, KEY_UWB, LAYOUT_ANY},
	{0x1008ff97, KEY_FASTFORWARD, LAYOUT_ANY},
	{0x1008ffa0, KEY_SELECT, LAYOUT_ANY},
	{0x1008ffa7, KEY_SUSPEND, LAYOUT_ANY},
	{0x1008ffa9, KEY_TOUCHPAD_TOGGLE, LAYOUT_ANY},
	{0x1008ffb0, KEY_TOUCHPAD_ON, LAYOUT_ANY},
	{0x1008ffb1, KEY_TOUCHPAD_OFF, LAYOUT_ANY},
	{0x1008ffb2, KEY_MICMUTE, LAYOUT_ANY},
	{0x1008ffb4, KEY_WWAN, LAYOUT_ANY},
	{0x1008ffb5, KEY_RFKILL, LAYOUT_ANY},
	{0x1008ffb6, KEY_SOUND, LAYOUT_ANY},
};

static const struct fixed *find_fixed(uint32_t keysym)
{
	size_t low = 0, high = ARRAY_SIZE(fixed);

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (fixed[middle].keysym == keysym)
			return &fixed[middle];
		if (fixed[middle].keysym < keysym)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* ---- The layout that needs no library ---- */

/* Keys in rows as the kernel numbers them, from `first` on. */
struct row {
	uint16_t first;
	const char *plain, *shifted;
};

static const struct row rows[] = {
	{KEY_1, "1234567890-=", "!@#$%^&*()_+"},
	{KEY_Q, "qwertyuiop[]", "QWERTYUIOP{}"},
	{KEY_A, "asdfghjkl;'`", "ASDFGHJKL:\"~"},
	{KEY_BACKSLASH, "\\zxcvbnm,./", "|ZXCVBNM<>?"},
	{KEY_SPACE, " ", " "},
};

static bool find_us(uint32_t keysym, unsigned int now, struct layout_key *ret)
{
	if (keysym < 0x20 || keysym > 0x7e)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *plain = strchr(rows[i].plain, (int)keysym);
		const char *shifted = strchr(rows[i].shifted, (int)keysym);
		bool letter = (keysym | 0x20) >= 'a' && (keysym | 0x20) <= 'z';
		bool shift = !plain;
		ptrdiff_t at = plain ? plain - rows[i].plain : shifted - rows[i].shifted;

		if (!plain && !shifted)
			continue;
		if (plain && shifted) /* the space */
			shift = now & LAYOUT_SHIFT;
		if (letter && now & LAYOUT_CAPS)
			shift = !shift;
		*ret = (struct layout_key){
			.code = (uint16_t)(rows[i].first + at),
			.need = LAYOUT_EXACTLY,
			.modifiers = shift ? LAYOUT_SHIFT : 0,
		};
		return true;
	}
	return false;
}

/* ---- The layouts of libxkbcommon ---- */

struct layout {
	struct keymap map;
};

static const struct keymap_entry *first_entry(const struct keymap *map, uint32_t keysym)
{
	size_t low = 0, high = map->used;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (map->entries[middle].keysym < keysym)
			low = middle + 1;
		else
			high = middle;
	}
	return map->entries + low;
}

/* How much must change for it; keys that not every keyboard has come last, and before them the one left of 1, whose Shift is not on all systems
 * what it is here (a French "~"). */
static unsigned int cost(uint16_t code, unsigned int way, unsigned int now)
{
	unsigned int change = (way ^ now) & (LAYOUT_SHIFT | LAYOUT_ALTGR);
	unsigned int rare = code == KEY_102ND || code == KEY_GRAVE ? 3 : code > KEY_F12 ? 16 : 0;

	return rare + 2 * !!(change & LAYOUT_SHIFT) + 4 * !!(change & LAYOUT_ALTGR);
}

static bool find_entry(
	const struct keymap *map, uint32_t keysym, unsigned int now, struct layout_key *ret)
{
	const struct keymap_entry *end = map->entries + map->used;
	unsigned int best = UINT_MAX;

	for (const struct keymap_entry *entry = first_entry(map, keysym);
		entry < end && entry->keysym == keysym; entry++)
		for (unsigned int way = 0; way < 8; way++) {
			unsigned int price = cost(entry->code, way, now);

			if (!(entry->ways >> way & 1) || (way ^ now) & LAYOUT_CAPS || price >= best)
				continue;
			best = price;
			*ret = (struct layout_key){
				.code = entry->code,
				.need = LAYOUT_EXACTLY,
				.modifiers = way & (LAYOUT_SHIFT | LAYOUT_ALTGR),
			};
		}
	return best != UINT_MAX;
}

static bool is_name(const char *text, size_t n)
{
	return n >= 1 && strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789_-") >= n;
}

bool layout_name_valid(const char *name)
{
	size_t length = strlen(name);
	size_t n = strcspn(name, "(");

	if (length > LIMIT_LAYOUT_CHARS || !is_name(name, n))
		return false;
	return n == length ||
	       (length - n > 2 && name[length - 1] == ')' && is_name(name + n + 1, length - n - 2));
}

int layout_create(const char *name, struct layout **ret)
{
	char text[LIMIT_LAYOUT_CHARS + 1] = "", *variant = text + strcspn(name, "(");
	struct layout *layout;
	int r;

	if (!layout_name_valid(name))
		return -EINVAL;
	memcpy(text, name, strlen(name));
	if (*variant) { /* "de(nodeadkeys)": two words */
		*variant++ = '\0';
		variant[strlen(variant) - 1] = '\0';
	}
	layout = new0(struct layout);
	if (!layout)
		return -ENOMEM;
	r = keymap_compile(text, variant, &layout->map);
	if (r < 0) {
		free(layout);
		return r;
	}
	*ret = layout;
	return 0;
}

void layout_destroy(struct layout *layout)
{
	if (!layout)
		return;
	free(layout->map.entries);
	free(layout);
}

/* ---- */

bool layout_find(
	const struct layout *layout, uint32_t keysym, unsigned int now, struct layout_key *ret)
{
	const struct fixed *key = find_fixed(keysym);

	if (key) {
		*ret = (struct layout_key){.code = key->code, .need = key->need};
		if (key->code == KEY_RIGHTALT && keysym != ALT_RIGHT && layout_altgr(layout))
			ret->code = layout_altgr(layout);
		return true;
	}
	if (keysym > EVDEV &&
		keysym < EVDEV + EVDEV_CODES) { /* XF86keysym.h's way to say KEY_... itself */
		*ret = (struct layout_key){.code = (uint16_t)(keysym - EVDEV)};
		return true;
	}
	if (keysym >= UNICODE + 0x20 && keysym <= UNICODE + 0xff)
		keysym -= UNICODE; /* Latin 1 has the same numbers in both */
	return layout ? find_entry(&layout->map, keysym, now, ret) : find_us(keysym, now, ret);
}

/* The letters that a dead key makes of others: Unicode's decompositions. */
static const struct accent {
	uint32_t dead;
	const char32_t *made;
	const char *of;
} accents[] = {
	{0xfe50, U"ÀÈÌÒÙàèìòù", "AEIOUaeiou"},				   /* grave */
	{0xfe51, U"ÁÉÍÓÚÝáéíóúýĆćĹĺŃńŔŕŚśŹź", "AEIOUYaeiouyCcLlNnRrSsZz"}, /* acute */
	{0xfe52, U"ÂÊÎÔÛâêîôûĈĉĜĝĤĥĴĵŜŝŴŵŶŷ", "AEIOUaeiouCcGgHhJjSsWwYy"}, /* circumflex */
	{0xfe53, U"ÃÑÕãñõĨĩŨũ", "ANOanoIiUu"},				   /* tilde */
	{0xfe54, U"ĀāĒēĪīŌōŪū", "AaEeIiOoUu"},				   /* macron */
	{0xfe55, U"ĂăĔĕĞğĬĭŎŏŬŭ", "AaEeGgIiOoUu"},			   /* breve */
	{0xfe56, U"ĊċĖėĠġİŻż", "CcEeGgIZz"},				   /* above dot */
	{0xfe57, U"ÄËÏÖÜäëïöüÿŸ", "AEIOUaeiouyY"},			   /* diaeresis */
	{0xfe58, U"ÅåŮů", "AaUu"},					   /* above ring */
	{0xfe59, U"ŐőŰű", "OoUu"},					   /* double acute */
	{0xfe5a, U"ČčĎďĚěĽľŇňŘřŠšŤťŽžȞȟ", "CcDdEeLlNnRrSsTtZzHh"},	   /* caron */
	{0xfe5b, U"ÇçĢģĶķĻļŅņŖŗŞşŢţ", "CcGgKkLlNnRrSsTt"},		   /* cedilla */
	{0xfe5c, U"ĄąĘęĮįŲų", "AaEeIiUu"},				   /* ogonek */
	{0xfe50, U"`", " "},
	{0xfe52, U"^", " "},
	{0xfe53, U"~", " "},
};

bool layout_stroke(
	const struct layout *layout, uint32_t keysym, unsigned int now, struct layout_stroke *ret)
{
	uint32_t character = keysym > UNICODE ? keysym - UNICODE : keysym;
	struct layout_stroke stroke = {.has_dead = true};

	if (layout_find(layout, keysym, now, &ret->key)) {
		ret->has_dead = false;
		return true;
	}
	for (size_t i = 0; i < ARRAY_SIZE(accents); i++)
		for (size_t n = 0; accents[i].made[n]; n++) {
			if (accents[i].made[n] != character ||
				!layout_find(layout, accents[i].dead, now, &stroke.dead) ||
				!layout_find(layout, (uint8_t)accents[i].of[n], now, &stroke.key))
				continue;
			*ret = stroke;
			return true;
		}
	return false;
}

uint32_t layout_keysym(uint32_t character)
{
	switch (character) {
	case '\n':
	case '\r':
		return 0xff0d;
	case '\t':
		return 0xff09;
	case '\b':
		return 0xff08;
	case 0x1b:
		return 0xff1b;
	}
	if (character < 0x20 || (character >= 0x7f && character < 0xa0) || character > 0x10ffff ||
		(character >= 0xd800 && character < 0xe000))
		return 0;
	return character <= 0xff ? character : UNICODE + character;
}

uint16_t layout_altgr(const struct layout *layout)
{
	return layout ? layout->map.altgr : 0;
}
