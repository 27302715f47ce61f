/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * Each viewer that does something gets a `hand`, in which each key that it holds has an entry: what the viewer called it, and the code
 * that went down for it. A key goes up by what is in the entry, whatever the viewer's Shift or the layout are by then. What the guest knows
 * to be down is its keyboard's (input/keyboard.h).
 *
 * A keysym that needs another Shift or AltGr than are held is typed with these changed for as long as it is down, so that a guest that
 * repeats it repeats the same; whatever happens next puts them back first (`lent`). What is lent is not what anybody holds: hands'
 * entries stay as they are, and restore() makes the keyboard what they say.
 */
#include "input/hands.h"

#include <errno.h>
#include <linux/input-event-codes.h>

#include "base/loop.h"
#include "base/mem.h"
#include "input/inputs.h"
#include "input/keyboard.h"
#include "input/layout.h"
#include "input/pointer.h"
#include "input/qnum.h"

struct held {
	uint32_t keysym, keycode;
	uint16_t code;
};

struct hand {
	uint32_t viewer;
	uint16_t buttons;
	size_t used;
	struct held held[LIMIT_HANDS_KEYS];
};

struct hands {
	struct inputs *inputs;
	const struct layout *layout;
	struct keyboard keyboard;
	struct pointer pointer;
	bool lent; /* Shift or AltGr are not as they are held, for `lent_code` */
	uint16_t lent_code;
	uint32_t idle_ms; /* 0: shared */
	struct hand *holder;
	uint64_t held_since; /* ms: the last that it did */
	struct hands_counts counts;
	size_t used;
	struct hand *at[LIMIT_VIEWERS_MAX + 1]; /* owned */
};

/* ---- Keys ---- */

static bool is_held(const struct hands *hands, uint16_t code)
{
	for (size_t i = 0; i < hands->used; i++)
		for (size_t n = 0; n < hands->at[i]->used; n++)
			if (hands->at[i]->held[n].code == code)
				return true;
	return false;
}

/* The keys that LAYOUT_SHIFT and LAYOUT_ALTGR are. */
static size_t modifier_keys(const struct hands *hands, uint16_t ret[3])
{
	ret[0] = KEY_LEFTSHIFT;
	ret[1] = KEY_RIGHTSHIFT;
	ret[2] = layout_altgr(hands->layout);
	return ret[2] ? 3 : 2;
}

/* As it is held again. */
static void restore(struct hands *hands)
{
	uint16_t keys[3];
	size_t n = modifier_keys(hands, keys);

	if (!hands->lent)
		return;
	hands->lent = false;
	for (size_t i = 0; i < n; i++)
		if (keyboard_is_down(&hands->keyboard, keys[i]) && !is_held(hands, keys[i]))
			keyboard_tell(&hands->keyboard, keys[i], 0);
	for (size_t i = 0; i < n; i++)
		if (!keyboard_is_down(&hands->keyboard, keys[i]) && is_held(hands, keys[i]))
			keyboard_tell(&hands->keyboard, keys[i], 1);
}

/* What nothing that is lent changes. */
static unsigned int modifiers_held(const struct hands *hands)
{
	uint16_t altgr = layout_altgr(hands->layout);
	unsigned int now = 0;

	if (is_held(hands, KEY_LEFTSHIFT) || is_held(hands, KEY_RIGHTSHIFT))
		now |= LAYOUT_SHIFT;
	if (altgr && is_held(hands, altgr))
		now |= LAYOUT_ALTGR;
	if (keyboard_lit(&hands->keyboard, LED_CAPSL))
		now |= LAYOUT_CAPS;
	return now;
}

/* Shift and AltGr as @key needs them, from what is held. False: that could not be told. */
static bool lend(struct hands *hands, const struct layout_key *key)
{
	unsigned int now = modifiers_held(hands);
	uint16_t keys[3];
	size_t n = modifier_keys(hands, keys);

	for (size_t i = 0; i < n; i++) {
		unsigned int bit = i < 2 ? LAYOUT_SHIFT : LAYOUT_ALTGR;

		if (!keyboard_is_down(&hands->keyboard, keys[i]) || key->modifiers & bit)
			continue;
		hands->lent = true;
		keyboard_tell(&hands->keyboard, keys[i], 0);
	}
	for (size_t i = 0; i < n; i++) {
		unsigned int bit = i < 2 ? LAYOUT_SHIFT : LAYOUT_ALTGR;

		if (now & bit || !(key->modifiers & bit) || i == 1)
			continue;
		hands->lent = true;
		if (!keyboard_tell(&hands->keyboard, keys[i], 1))
			return false;
	}
	hands->lent_code = key->code;
	return true;
}

/* What a key of the keypad makes says where the viewer's NumLock is. */
static void match_numlock(struct hands *hands, const struct layout_key *key)
{
	if (key->need == LAYOUT_NUMLOCK_ON || key->need == LAYOUT_NUMLOCK_OFF)
		keyboard_numlock(&hands->keyboard, key->need == LAYOUT_NUMLOCK_ON);
}

static struct held *find_code(struct hand *hand, uint16_t code)
{
	for (size_t i = 0; i < hand->used; i++)
		if (hand->held[i].code == code)
			return &hand->held[i];
	return NULL;
}

/* A dead key: down and up, held by nobody. */
static void tap(struct hands *hands, const struct layout_key *key)
{
	restore(hands);
	if (keyboard_is_down(&hands->keyboard, key->code))
		return;
	if (lend(hands, key) && keyboard_tell(&hands->keyboard, key->code, 1))
		keyboard_tell(&hands->keyboard, key->code, 0);
	restore(hands);
}

static void press(
	struct hands *hands, struct hand *hand, const struct held *as, const struct layout_key *key)
{
	struct held *held = find_code(hand, key->code);
	bool again =
		held && held->keysym == as->keysym && hands->lent && hands->lent_code == key->code;

	if (!held && hand->used == LIMIT_HANDS_KEYS) {
		hands->counts.dropped++;
		return;
	}
	if (!again) {
		restore(hands);
		match_numlock(hands, key);
		if (key->need == LAYOUT_EXACTLY && !lend(hands, key))
			return restore(hands);
	}
	if (!keyboard_tell(&hands->keyboard, key->code,
		    keyboard_is_down(&hands->keyboard, key->code) ? 2 : 1))
		return restore(hands);
	if (!held)
		held = &hand->held[hand->used++];
	*held = *as;
}

static void release(struct hands *hands, struct hand *hand, struct held *held)
{
	uint16_t code = held->code;

	*held = hand->held[--hand->used];
	if (hands->lent && hands->lent_code != code)
		restore(hands);
	if (keyboard_is_down(&hands->keyboard, code) && !is_held(hands, code))
		keyboard_tell(&hands->keyboard, code, 0);
	restore(hands);
}

/* What a viewer calls it now, or called it when it went down, or what that would be now. */
static struct held *find_held(
	struct hands *hands, struct hand *hand, uint32_t keysym, uint32_t keycode)
{
	struct layout_stroke stroke;

	for (size_t i = 0; i < hand->used; i++)
		if (keycode && hand->held[i].keycode == keycode)
			return &hand->held[i];
	for (size_t i = 0; i < hand->used; i++)
		if (keysym && hand->held[i].keysym == keysym)
			return &hand->held[i];
	if (!keysym || !layout_stroke(hands->layout, keysym, modifiers_held(hands), &stroke))
		return NULL;
	return find_code(hand, stroke.key.code);
}

static bool is_chord(const struct hands *hands)
{
	return is_held(hands, KEY_LEFTCTRL) || is_held(hands, KEY_RIGHTCTRL) ||
	       is_held(hands, KEY_LEFTALT) || is_held(hands, KEY_LEFTMETA) ||
	       is_held(hands, KEY_RIGHTMETA);
}

static bool find_key(
	const struct hands *hands, uint32_t keysym, uint32_t keycode, struct layout_stroke *ret)
{
	uint16_t code = qnum_to_code(keycode);
	unsigned int now = modifiers_held(hands);
	struct layout_key us;

	*ret = (struct layout_stroke){.key.code = code};
	if (code)
		return true;
	if (!keysym)
		return false;
	if (layout_stroke(hands->layout, keysym, now, ret))
		return true;
	/* "Control and C" where the layout has no Latin letters: guests go by where the key is. */
	if (!is_chord(hands) || !layout_find(NULL, keysym, now, &us))
		return false;
	*ret = (struct layout_stroke){.key.code = us.code};
	return true;
}

/* ---- Who ---- */

static struct hand *find_hand(struct hands *hands, uint32_t viewer)
{
	for (size_t i = 0; i < hands->used; i++)
		if (hands->at[i]->viewer == viewer)
			return hands->at[i];
	return NULL;
}

/* NULL: no memory, or more viewers than there can be. */
static struct hand *get_hand(struct hands *hands, uint32_t viewer)
{
	struct hand *hand = find_hand(hands, viewer);

	if (hand || hands->used == ARRAY_SIZE(hands->at))
		return hand;
	hand = new0(struct hand);
	if (!hand)
		return NULL;
	hand->viewer = viewer;
	hands->at[hands->used++] = hand;
	return hand;
}

static uint16_t all_buttons(const struct hands *hands)
{
	uint16_t all = 0;

	for (size_t i = 0; i < hands->used; i++)
		all |= hands->at[i]->buttons;
	return all & POINTER_HELD;
}

static void let_go(struct hands *hands, struct hand *hand)
{
	while (hand->used)
		release(hands, hand, &hand->held[hand->used - 1]);
	hand->buttons = 0;
	hands->counts.dropped += pointer_send(&hands->pointer, NULL, all_buttons(hands), 0);
}

/* May it act? @takes: it presses something, so it gets both where nobody has them. */
static bool is_turn(struct hands *hands, struct hand *hand, bool takes)
{
	uint64_t now = loop_now_ms();

	if (!hands->idle_ms || hand->viewer == HANDS_NOBODY)
		return true;
	if (hands->holder && hands->holder != hand && now - hands->held_since < hands->idle_ms) {
		hands->counts.refused++;
		return false;
	}
	if (hands->holder != hand && takes) {
		if (hands->holder)
			let_go(hands, hands->holder);
		hands->holder = hand;
	}
	if (hands->holder == hand)
		hands->held_since = now;
	return true;
}

static void key_down(struct hands *hands, struct hand *hand, const struct held *as,
	const struct layout_stroke *stroke)
{
	if (stroke->has_dead && !find_code(hand, stroke->key.code))
		tap(hands, &stroke->dead);
	press(hands, hand, as, &stroke->key);
}

void hands_key(struct hands *hands, uint32_t viewer, bool down, uint32_t keysym, uint32_t keycode)
{
	struct hand *hand = down ? get_hand(hands, viewer) : find_hand(hands, viewer);
	struct held *held, as = {.keysym = keysym, .keycode = keycode};
	struct layout_stroke stroke;

	if (!hand || !is_turn(hands, hand, down))
		return;
	if (!down) {
		held = find_held(hands, hand, keysym, keycode);
		if (held)
			release(hands, hand, held);
		return;
	}
	if (!find_key(hands, keysym, keycode, &stroke)) {
		hands->counts.unknown++;
		return;
	}
	as.code = stroke.key.code;
	key_down(hands, hand, &as, &stroke);
}

void hands_code(struct hands *hands, uint32_t viewer, bool down, uint16_t code)
{
	struct hand *hand = down ? get_hand(hands, viewer) : find_hand(hands, viewer);
	struct held *held, as = {.code = code};
	struct layout_stroke stroke = {.key.code = code};

	if (!hand || !is_turn(hands, hand, down))
		return;
	held = find_code(hand, code);
	if (down)
		key_down(hands, hand, &as, &stroke);
	else if (held)
		release(hands, hand, held);
}

void hands_pointer(struct hands *hands, uint32_t viewer, const struct hands_pointer *pointer)
{
	struct hand *hand = get_hand(hands, viewer);
	uint16_t pressed;

	if (!hand)
		return;
	pressed = pointer->buttons & ~hand->buttons;
	if (!is_turn(hands, hand, pressed))
		return;
	hand->buttons = pointer->buttons;
	if (pressed)
		restore(hands);
	hands->counts.dropped +=
		pointer_send(&hands->pointer, pointer, all_buttons(hands), pressed & ~POINTER_HELD);
}

void hands_leave(struct hands *hands, uint32_t viewer)
{
	for (size_t i = 0; i < hands->used; i++) {
		struct hand *hand = hands->at[i];

		if (hand->viewer != viewer)
			continue;
		let_go(hands, hand);
		if (hands->holder == hand)
			hands->holder = NULL;
		hands->at[i] = hands->at[--hands->used];
		free(hand);
		return;
	}
}

void hands_clear(struct hands *hands)
{
	while (hands->used)
		hands_leave(hands, hands->at[hands->used - 1]->viewer);
}

/* ---- What it has to do with ---- */

void hands_share(struct hands *hands, uint32_t idle_ms)
{
	if (hands->idle_ms == idle_ms)
		return;
	/* Whose turn it will not be could not let go any more. */
	for (size_t i = 0; i < hands->used; i++)
		if (hands->at[i]->viewer != HANDS_NOBODY)
			let_go(hands, hands->at[i]);
	hands->holder = NULL;
	hands->idle_ms = idle_ms;
}

void hands_layout(struct hands *hands, const struct layout *layout)
{
	restore(hands);
	hands->layout = layout;
}

void hands_screen(struct hands *hands, uint32_t width, uint32_t height)
{
	if (hands->pointer.width == width && hands->pointer.height == height)
		return;
	hands->pointer.width = width;
	hands->pointer.height = height;
	hands->pointer.placed = false; /* the same place is another one now */
}

void hands_leds(struct hands *hands)
{
	keyboard_leds(&hands->keyboard);
}

void hands_lost(struct hands *hands, enum input_kind kind)
{
	if (kind != INPUT_KEYBOARD) {
		pointer_forget(&hands->pointer);
		return;
	}
	for (size_t i = 0; i < hands->used; i++)
		hands->at[i]->used = 0;
	hands->lent = false;
	keyboard_lost(&hands->keyboard);
}

void hands_replaced(struct hands *hands)
{
	hands_lost(hands, INPUT_KEYBOARD);
	pointer_forget(&hands->pointer);
	hands->pointer.placed = false;
}

bool hands_relative(const struct hands *hands)
{
	enum input_kind kind;

	return pointer_kind(hands->inputs, &kind) && kind == INPUT_RELATIVE_POINTER;
}

bool hands_has_keyboard(const struct hands *hands)
{
	for (size_t i = 0; i < hands->inputs->used; i++)
		if (hands->inputs->slots[i]->kind.kind == INPUT_KEYBOARD)
			return inputs_fd(hands->inputs, i) >= 0;
	return false;
}

struct hands_counts hands_counts(const struct hands *hands)
{
	struct hands_counts counts = hands->counts;

	counts.dropped += hands->keyboard.dropped;
	return counts;
}

int hands_create(struct inputs *inputs, struct hands **ret)
{
	struct hands *hands = new0(struct hands);

	if (!hands)
		return -ENOMEM;
	hands->inputs = inputs;
	hands->keyboard.inputs = inputs;
	hands->pointer.inputs = inputs;
	*ret = hands;
	return 0;
}

void hands_destroy(struct hands *hands)
{
	if (!hands)
		return;
	hands_clear(hands);
	free(hands);
}
