/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Chords and text as keys, and who types them one after the other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <linux/input-event-codes.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/loop.h"
#include "base/mem.h"
#include "input/hands.h"
#include "input/inputs.h"
#include "input/layout.h"
#include "input/script.h"
#include "input/typist.h"

/* ---- Scripts ---- */

static void test_chords(void **state)
{
	static const struct {
		const char *chord;
		int error;
		uint16_t codes[4]; /* going down */
	} rows[] = {
		{"ctrl-alt-del", 0, {KEY_LEFTCTRL, KEY_LEFTALT, KEY_DELETE}},
		{"Ctrl-ALT-f12", 0, {KEY_LEFTCTRL, KEY_LEFTALT, KEY_F12}},
		{"super-l", 0, {KEY_LEFTMETA, KEY_L}},
		{"a", 0, {KEY_A}},
		{"A", 0, {KEY_LEFTSHIFT, KEY_A}},
		{"shift-A", 0, {KEY_LEFTSHIFT, KEY_A}},
		{"rshift-A", 0, {KEY_RIGHTSHIFT, KEY_A}},
		{"ctrl-+", 0, {KEY_LEFTCTRL, KEY_LEFTSHIFT, KEY_EQUAL}},
		{"ctrl+alt+del", 0, {KEY_LEFTCTRL, KEY_LEFTALT, KEY_DELETE}},
		{"ctrl++", 0, {KEY_LEFTCTRL, KEY_LEFTSHIFT, KEY_EQUAL}},
		{"+", 0, {KEY_LEFTSHIFT, KEY_EQUAL}},
		{"ctrl-minus", 0, {KEY_LEFTCTRL, KEY_MINUS}},
		{"altgr-kp5", 0, {KEY_RIGHTALT, KEY_KP5}},
		{"ctrl-KP_Enter", 0, {KEY_LEFTCTRL, KEY_KPENTER}},
		{"kp_subtract+caps_lock", 0, {KEY_KPMINUS, KEY_CAPSLOCK}},
		{"_", 0, {KEY_LEFTSHIFT, KEY_MINUS}},
		{"__", -EINVAL, {0}},
		{"kp_", -EINVAL, {0}},
		{"kp_enterx", -EINVAL, {0}},
		{"ctrl-ctrl", 0, {KEY_LEFTCTRL}},
		{"", -EINVAL, {0}},
		{"-", -EINVAL, {0}},
		{"ctrl-", -EINVAL, {0}},
		{"ctrl+", -EINVAL, {0}},
		{"++", -EINVAL, {0}},
		{"-ctrl", -EINVAL, {0}},
		{"ctrl--a", -EINVAL, {0}},
		{"ctl-a", -EINVAL, {0}},
		{"ctrl alt", -EINVAL, {0}},
		{"f25", -EINVAL, {0}},
		{"\xce\xb1", -ENOENT, {0}},
		{"a-b-c-d-e-f-g-h-i", -EINVAL, {0}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct script script = {.steps = NULL};
		size_t n = 0;

		if (script_add_chord(&script, NULL, rows[i].chord) != rows[i].error)
			fail_msg("\"%s\"", rows[i].chord);
		while (n < ARRAY_SIZE(rows[i].codes) && rows[i].codes[n])
			n++;
		assert_int_equal(script.used, 2 * n);
		for (size_t k = 0; k < n; k++) {
			assert_true(script.steps[k].down);
			assert_int_equal(script.steps[k].code, rows[i].codes[k]);
			assert_false(script.steps[n + k].down);
			assert_int_equal(script.steps[n + k].code, rows[i].codes[n - 1 - k]);
		}
		script_finish(&script);
	}
}

static void test_every_name(void **state)
{
	for (size_t i = 0; script_name(i); i++) {
		struct script script = {.steps = NULL};

		assert_int_equal(script_add_chord(&script, NULL, script_name(i)), 0);
		assert_int_equal(script.used, 2);
		script_finish(&script);
	}
}

static void test_text(void **state)
{
	struct script script = {.steps = NULL};
	size_t index = 99;

	assert_int_equal(script_length("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"), 4);
	assert_int_equal(script_add_text(&script, NULL, "aB\r\n\t", &index), 0);
	assert_int_equal(index, 99);
	assert_int_equal(script.used, 8);
	assert_int_equal(script.steps[2].keysym, 'B');
	assert_int_equal(script.steps[4].keysym, 0xff0d); /* one, for both */
	assert_int_equal(script.steps[6].keysym, 0xff09);
	assert_int_equal(script_add_text(&script, NULL, "xy\xe2\x82\xacz", &index), -ENOENT);
	assert_int_equal(index, 2);
	assert_int_equal(script.used, 8);
	assert_int_equal(script_add_text(&script, NULL, "\x01", &index), -ENOENT);
	script_finish(&script);
}

/* ---- Typists ---- */

struct desk {
	struct loop *loop;
	struct inputs inputs;
	struct hands *hands;
	struct typists *typists;
	int vmm;
	int results[LIMIT_TYPISTS];
	size_t told, wanted;
};

static void on_lost(void *arg, size_t n, const char *why)
{
	hands_lost(((struct desk *)arg)->hands, INPUT_KEYBOARD);
}

static void on_leds(void *arg)
{
}

static const struct inputs_events events = {.lost = on_lost, .leds = on_leds};

static int set_up(void **state)
{
	struct desk *desk = new0(struct desk);
	struct handover_input from = {.kind = INPUT_KEYBOARD};
	int pair[2];

	assert_int_equal(loop_create(&desk->loop), 0);
	inputs_init(&desk->inputs, desk->loop, &events, desk);
	assert_int_equal(hands_create(&desk->inputs, &desk->hands), 0);
	assert_int_equal(typists_create(desk->loop, desk->hands, &desk->typists), 0);
	assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), errno);
	from.fd = pair[0];
	desk->vmm = pair[1];
	assert_int_equal(inputs_set(&desk->inputs, &from, 1), 0);
	*state = desk;
	return 0;
}

static int tear_down(void **state)
{
	struct desk *desk = *state;

	typists_destroy(desk->typists);
	hands_destroy(desk->hands);
	inputs_finish(&desk->inputs);
	fd_close(desk->vmm);
	loop_destroy(desk->loop);
	free(desk);
	return 0;
}

static void on_done(void *arg, int error)
{
	struct desk *desk = arg;

	desk->results[desk->told++] = error;
	if (desk->told == desk->wanted)
		loop_stop(desk->loop);
}

static struct typist *type(struct desk *desk, const char *chord)
{
	struct script script = {.steps = NULL};
	struct typist *typist;

	assert_int_equal(script_add_chord(&script, NULL, chord), 0);
	assert_int_equal(typists_type(desk->typists, &script, on_done, desk, &typist), 0);
	assert_null(script.steps);
	return typist;
}

static void expect(struct desk *desk, const uint16_t (*keys)[2], size_t n)
{
	uint8_t bytes[4096];
	ssize_t got = recv(desk->vmm, bytes, sizeof(bytes), MSG_DONTWAIT);

	assert_int_equal(got, 2 * n * INPUT_RECORD_BYTES);
	for (size_t i = 0; i < n; i++) {
		struct input_event event = input_unpack(bytes + 2 * i * INPUT_RECORD_BYTES);

		assert_int_equal(event.code, keys[i][0]);
		assert_int_equal(event.value, keys[i][1]);
	}
}

static void test_they_take_turns(void **state)
{
	static const uint16_t keys[][2] = {{KEY_A, 1}, {KEY_A, 0}, {KEY_LEFTCTRL, 1}, {KEY_C, 1},
		{KEY_C, 0}, {KEY_LEFTCTRL, 0}};
	struct desk *desk = *state;
	struct script script = {.steps = NULL};
	struct typist *typist;

	type(desk, "a");
	typist_stop(type(desk, "b")); /* it has not begun */
	type(desk, "ctrl-c");
	desk->wanted = 2;
	assert_int_equal(loop_run(desk->loop), 0);
	assert_int_equal(desk->results[0], 0);
	assert_int_equal(desk->results[1], 0);
	expect(desk, keys, ARRAY_SIZE(keys));
	for (size_t i = 0; i < LIMIT_TYPISTS; i++)
		type(desk, "a");
	assert_int_equal(script_add_chord(&script, NULL, "a"), 0);
	assert_int_equal(typists_type(desk->typists, &script, on_done, desk, &typist), -EUSERS);
	assert_non_null(script.steps);
	script_finish(&script);
	desk->told = 0;
	typists_destroy(take_ptr(desk->typists));
	assert_int_equal(desk->told, LIMIT_TYPISTS);
	assert_int_equal(desk->results[0], -ESHUTDOWN);
}

static void test_the_keyboard_goes(void **state)
{
	struct desk *desk = *state;
	struct script script = {.steps = NULL};
	struct typist *typist;

	type(desk, "ctrl-alt-del");
	desk->vmm = fd_close(desk->vmm);
	desk->wanted = 1;
	assert_int_equal(loop_run(desk->loop), 0);
	assert_int_equal(desk->results[0], -ENODEV);
	assert_int_equal(script_add_chord(&script, NULL, "a"), 0);
	assert_int_equal(typists_type(desk->typists, &script, on_done, desk, &typist), -ENODEV);
	script_finish(&script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chords),
		cmocka_unit_test(test_every_name),
		cmocka_unit_test(test_text),
		cmocka_unit_test_setup_teardown(test_they_take_turns, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_the_keyboard_goes, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
