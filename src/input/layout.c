/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "input/layout.h"

#include <linux/input-event-codes.h>

#include "base/mem.h"

enum { UNICODE = 0x01000000, EVDEV = 0x10081000, EVDEV_CODES = 0x300 };

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
	{0xff25, KEY_HIRAGANA, LAYOUT_ANY},
	{0xff26, KEY_KATAKANA, LAYOUT_ANY},
	{0xff27, KEY_KATAKANAHIRAGANA, LAYOUT_ANY},
	{0xff2a, KEY_ZENKAKUHANKAKU, LAYOUT_ANY},
	{0xff31, KEY_HANGEUL, LAYOUT_ANY},
	{0xff34, KEY_HANJA, LAYOUT_ANY},
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
	{0x1008ff02, KEY_BRIGHTNESSUP, LAYOUT_ANY},
	{0x1008ff03, KEY_BRIGHTNESSDOWN, LAYOUT_ANY},
	{0x1008ff04, KEY_KBDILLUMTOGGLE, LAYOUT_ANY},
	{0x1008ff05, KEY_KBDILLUMUP, LAYOUT_ANY},
	{0x1008ff06, KEY_KBDILLUMDOWN, LAYOUT_ANY},
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
	{0x1008ff3e, KEY_REWIND, LAYOUT_ANY},
	{0x1008ff56, KEY_CLOSE, LAYOUT_ANY},
	{0x1008ff57, KEY_COPY, LAYOUT_ANY},
	{0x1008ff58, KEY_CUT, LAYOUT_ANY},
	{0x1008ff59, KEY_SWITCHVIDEOMODE, LAYOUT_ANY},
	{0x1008ff5b, KEY_DOCUMENTS, LAYOUT_ANY},
	{0x1008ff5d, KEY_FILE, LAYOUT_ANY},
	{0x1008ff5e, KEY_CHAT, LAYOUT_ANY},
	{0x1008ff65, KEY_MENU, LAYOUT_ANY},
	{0x1008ff68, KEY_NEW, LAYOUT_ANY},
	{0x1008ff6b, KEY_OPEN, LAYOUT_ANY},
	{0x1008ff6d, KEY_PASTE, LAYOUT_ANY},
	{0x1008ff6e, KEY_PHONE, LAYOUT_ANY},
	{0x1008ff72, KEY_REPLY, LAYOUT_ANY},
	{0x1008ff73, KEY_REFRESH, LAYOUT_ANY},
	{0x1008ff77, KEY_SAVE, LAYOUT_ANY},
	{0x1008ff78, KEY_SCROLLUP, LAYOUT_ANY},
	{0x1008ff79, KEY_SCROLLDOWN, LAYOUT_ANY},
	{0x1008ff7b, KEY_SEND, LAYOUT_ANY},
	{0x1008ff7c, KEY_SPELLCHECK, LAYOUT_ANY},
	{0x1008ff7f, KEY_CYCLEWINDOWS, LAYOUT_ANY}, /* TaskPane */
	{0x1008ff87, KEY_VIDEO_NEXT, LAYOUT_ANY},
	{0x1008ff89, KEY_WORDPROCESSOR, LAYOUT_ANY},
	{0x1008ff8f, KEY_CAMERA, LAYOUT_ANY},
	{0x1008ff90, KEY_FORWARDMAIL, LAYOUT_ANY},
	{0x1008ff93, KEY_BATTERY, LAYOUT_ANY},
	{0x1008ff94, KEY_BLUETOOTH, LAYOUT_ANY},
	{0x1008ff95, KEY_WLAN, LAYOUT_ANY},
	{0x1008ff96, KEY_UWB, LAYOUT_ANY},
	{0x1008ff97, KEY_FASTFORWARD, LAYOUT_ANY},
	{0x1008ffa7, KEY_SUSPEND, LAYOUT_ANY},
	{0x1008ffb2, KEY_MICMUTE, LAYOUT_ANY},
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

/* ---- */

bool layout_find(
	const struct layout *layout, uint32_t keysym, unsigned int now, struct layout_key *ret)
{
	const struct fixed *key = find_fixed(keysym);

	if (key) {
		*ret = (struct layout_key){.code = key->code, .need = key->need};
		return true;
	}
	if (keysym > EVDEV &&
		keysym < EVDEV + EVDEV_CODES) { /* XF86keysym.h's way to say KEY_... itself */
		*ret = (struct layout_key){.code = (uint16_t)(keysym - EVDEV)};
		return true;
	}
	if (keysym >= UNICODE + 0x20 && keysym <= UNICODE + 0xff)
		keysym -= UNICODE; /* Latin 1 has the same numbers in both */
	return find_us(keysym, now, ret);
}

uint16_t layout_altgr(const struct layout *layout)
{
	return 0;
}
