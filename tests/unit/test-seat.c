/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a viewer may do: rights are looked at before anybody hears of anything. The worker is played here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/mem.h"
#include "rfb/seat.h"

struct viewer {
	unsigned int denials, answers;
	enum size_status status;
	struct facts facts;
};

static struct viewer worker;

/* ---- rfb/viewer.h, as far as a seat uses it ---- */

int viewer_create(struct picture *picture, const struct viewer_options *options,
	struct viewer **ret, int *ret_fd)
{
	return -1;
}

void viewer_destroy(struct viewer *viewer)
{
}

void viewer_allow(struct viewer *viewer, bool allow)
{
}

void viewer_extras(struct viewer *viewer, unsigned int extras)
{
}

void viewer_layout(struct viewer *viewer)
{
}

void viewer_answer(struct viewer *viewer, enum size_status status)
{
	viewer->answers++;
	viewer->status = status;
}

void viewer_tell(struct viewer *viewer, const struct facts *facts)
{
	viewer->facts = *facts;
}

void viewer_deny(struct viewer *viewer)
{
	viewer->denials++;
}

/* ---- who hears of it ---- */

static struct {
	unsigned int asked, powers, keys, pointers;
	enum link_power action;
	struct wish_asked size;
	bool heard;
} door;

static enum size_status on_asked(void *arg, const struct wish_asked *asked)
{
	door.asked++;
	door.size = *asked;
	return asked->mode < LINK_MODE_CONTROL ? SIZE_PROHIBITED : SIZE_FORWARDED;
}

static bool on_power(void *arg, enum link_power action)
{
	door.powers++;
	door.action = action;
	return door.heard;
}

static void on_key(void *arg, bool down, uint32_t keysym, uint32_t keycode)
{
	door.keys++;
}

static void on_pointer(void *arg, const struct parse_pointer *pointer)
{
	door.pointers++;
}

static const struct seat_events events = {
	.asked = on_asked, .power = on_power, .key = on_key, .pointer = on_pointer};
static const struct seat_events nobody_types = {.asked = on_asked, .power = on_power};

static struct seat sit(enum link_mode mode, const struct seat_events *to)
{
	struct seat seat;

	memset(&worker, 0, sizeof(worker));
	memset(&door, 0, sizeof(door));
	door.heard = true;
	seat_init(&seat, 7, mode, to, NULL);
	seat.viewer = &worker;
	seat.hooks.arg = &seat; /* it was returned by value */
	return seat;
}

#define SIT(name, mode, to) \
	struct seat name = sit(mode, to); \
	name.hooks.arg = &name

static void type(struct seat *seat)
{
	static const struct parse_pointer pointer = {.buttons = 1, .x = 2, .y = 3};

	seat->hooks.key(seat->hooks.arg, true, 0x41, 0x1e);
	seat->hooks.pointer(seat->hooks.arg, &pointer);
}

static void only_who_controls_types(void **state)
{
	SIT(looks, LINK_MODE_VIEW, &events);

	type(&looks);
	assert_int_equal(door.keys + door.pointers, 0);
	for (enum link_mode mode = LINK_MODE_CONTROL; mode <= LINK_MODE_EXCLUSIVE; mode++) {
		SIT(controls, mode, &events);

		type(&controls);
		assert_int_equal(door.keys, 1);
		assert_int_equal(door.pointers, 1);
	}
	SIT(unheard, LINK_MODE_CONTROL, &nobody_types);
	type(&unheard);
}

static void wish(struct seat *seat, uint8_t version, uint8_t code)
{
	seat->hooks.power(seat->hooks.arg, version, code);
}

static void only_who_controls_has_power(void **state)
{
	static const struct facts heard = {.leds = 5, .relative = true, .power = true};

	for (enum link_mode mode = LINK_MODE_VIEW; mode <= LINK_MODE_EXCLUSIVE; mode++) {
		SIT(seat, mode, &events);

		seat_tell(&seat, &heard);
		assert_int_equal(worker.facts.power, mode >= LINK_MODE_CONTROL);
		assert_int_equal(worker.facts.leds, 5);
		assert_true(worker.facts.relative);
		wish(&seat, 1, LINK_POWER_RESET);
		assert_int_equal(door.powers, mode >= LINK_MODE_CONTROL);
		assert_int_equal(worker.denials, mode < LINK_MODE_CONTROL);
	}
}

static void wishes_for_power_are_checked(void **state)
{
	static const struct facts heard = {.power = true}, unheard = {0};
	unsigned int wrong = 0;
	SIT(seat, LINK_MODE_CONTROL, &events);

	wish(&seat, 1, LINK_POWER_REBOOT); /* nothing is known yet */
	assert_int_equal(door.powers, 0);
	assert_int_equal(worker.denials, 1);
	seat_tell(&seat, &heard);
	for (unsigned int version = 0; version < 256; version++)
		for (unsigned int code = 0; code < 256; code++) {
			unsigned int powers = door.powers;
			bool right = version == 1 && code >= 2 && code <= 4;

			wish(&seat, version, code);
			assert_int_equal(door.powers, powers + right);
			if (right)
				assert_int_equal(door.action, code);
			wrong += !right;
		}
	assert_int_equal(worker.denials, 1 + wrong);
	door.heard = false; /* too often */
	wish(&seat, 1, LINK_POWER_REBOOT);
	assert_int_equal(worker.denials, 2 + wrong);
	seat_tell(&seat, &unheard);
	wish(&seat, 1, LINK_POWER_REBOOT);
	assert_int_equal(worker.denials, 3 + wrong);
	assert_int_equal(door.powers, 4);
}

static void sizes_are_asked_for_in_the_viewers_name(void **state)
{
	for (enum link_mode mode = LINK_MODE_VIEW; mode <= LINK_MODE_EXCLUSIVE; mode++) {
		SIT(seat, mode, &events);

		seat.hooks.size(seat.hooks.arg, 800, 600, true);
		assert_int_equal(door.asked, 1);
		assert_int_equal(door.size.viewer, 7);
		assert_int_equal(door.size.mode, mode);
		assert_int_equal(worker.answers, 1);
		assert_int_equal(
			worker.status, mode < LINK_MODE_CONTROL ? SIZE_PROHIBITED : SIZE_FORWARDED);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_who_controls_types),
		cmocka_unit_test(only_who_controls_has_power),
		cmocka_unit_test(wishes_for_power_are_checked),
		cmocka_unit_test(sizes_are_asked_for_in_the_viewers_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
