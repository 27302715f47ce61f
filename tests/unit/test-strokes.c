/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a viewer types keeps its order, whether or not the broker takes it, and what is lost is lost in one piece that is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "rfb/strokes.h"

enum { WIDTH = 640, HEIGHT = 480 };

static struct strokes strokes;
static struct link_message message;
static uint64_t now;

static int begin(void **state)
{
	memset(&strokes, 0, sizeof(strokes));
	now = 1;
	return 0;
}

static void key(bool down, uint32_t keysym)
{
	strokes_key(&strokes, down, keysym, keysym & 0x7f, now++);
}

static void point(uint16_t buttons, int32_t x, int32_t y)
{
	const struct parse_pointer pointer = {.buttons = buttons, .x = x, .y = y};

	strokes_pointer(&strokes, &pointer, WIDTH, HEIGHT, now++);
}

static void step(uint16_t buttons, int32_t x, int32_t y)
{
	const struct parse_pointer pointer = {.buttons = buttons, .relative = true, .x = x, .y = y};

	strokes_pointer(&strokes, &pointer, WIDTH, HEIGHT, now++);
}

/* The next one; what is sent must be what the broker takes for true. */
static const struct link_input *next(void)
{
	static struct link_input input;

	assert_true(strokes_message(&strokes, 7, &message));
	assert_int_equal(message.input.viewer, 7);
	assert_int_equal(link_check(&message, false, false), 0);
	input = message.input.at[0];
	strokes_eat(&strokes, 1);
	return &input;
}

static void fill(uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		key(i % 2 == 0, 0x41 + i / 2);
}

static void what_is_typed_comes_out(void **state)
{
	const struct link_input *input;

	assert_false(strokes_message(&strokes, 7, &message));
	key(true, 0x61);
	point(1, 639, 479);
	point(1, 0, 1);
	step(0, -5, 7);
	input = next();
	assert_int_equal(input->kind, LINK_INPUT_KEY);
	assert_int_equal(input->on, 1);
	assert_int_equal(input->keysym, 0x61);
	assert_int_equal(input->code, 0x61);
	assert_int_equal(input->at, 1);
	input = next();
	assert_int_equal(input->kind, LINK_INPUT_POINTER);
	assert_int_equal(input->on, 0);
	assert_int_equal(input->code, 1);
	assert_int_equal(input->x, 639);
	assert_int_equal(input->y, 479);
	assert_int_equal(input->width, WIDTH);
	assert_int_equal(input->height, HEIGHT);
	assert_int_equal(next()->y, 1);
	input = next();
	assert_int_equal(input->on, 1);
	assert_int_equal(input->x, -5);
	assert_int_equal(input->width, 0);
	assert_false(strokes_message(&strokes, 7, &message));
}

static void a_message_holds_so_many(void **state)
{
	fill(LINK_INPUTS + 3);
	assert_true(strokes_message(&strokes, 7, &message));
	assert_int_equal(message.input.used, LINK_INPUTS);
	assert_int_equal(link_check(&message, false, false), 0);
	strokes_eat(&strokes, message.input.used);
	assert_true(strokes_message(&strokes, 7, &message));
	assert_int_equal(message.input.used, 3);
	assert_int_equal(message.input.at[0].keysym, 0x41 + LINK_INPUTS / 2);
}

/* While it goes, a guest that draws sees each place. */
static void moves_are_merged_only_when_they_wait(void **state)
{
	for (int i = 0; i < 200; i++)
		point(0, i, i);
	assert_int_equal(strokes.used, LINK_INPUTS + 1);
	for (int i = 0; i < LINK_INPUTS; i++)
		assert_int_equal(next()->x, i);
	assert_int_equal(next()->x, 199);
}

static void steps_add_up(void **state)
{
	fill(LINK_INPUTS);
	for (int i = 0; i < 200; i++)
		step(0, 3, -2);
	assert_int_equal(strokes.used, LINK_INPUTS + 1);
	strokes_eat(&strokes, LINK_INPUTS);
	assert_int_equal(strokes.at[0].x, 600);
	assert_int_equal(next()->y, -400);
	fill(LINK_INPUTS);
	for (int i = 0; i < 100; i++)
		step(0, LIMIT_INPUT_STEP / 2, -LIMIT_INPUT_STEP / 2);
	strokes_eat(&strokes, LINK_INPUTS);
	assert_int_equal(next()->x, LIMIT_INPUT_STEP);
}

static void a_click_stays_where_it_was(void **state)
{
	fill(LINK_INPUTS);
	point(0, 10, 10);
	point(0, 20, 20);
	point(1, 30, 30); /* pressed here */
	point(1, 40, 40);
	point(1, 50, 50);
	point(0, 60, 60); /* and let go there */
	point(0, 70, 70);
	point(0, 80, 80);
	strokes_eat(&strokes, LINK_INPUTS);
	for (int i = 0; i < 5; i++) {
		static const int32_t at[] = {20, 30, 50, 60, 80};
		static const uint16_t buttons[] = {0, 1, 1, 0, 0};
		const struct link_input *input = next();

		assert_int_equal(input->x, at[i]);
		assert_int_equal(input->code, buttons[i]);
	}
	assert_int_equal(strokes.used, 0);
}

static void a_key_between_moves_stays_there(void **state)
{
	fill(LINK_INPUTS);
	point(0, 1, 1);
	key(true, 0x61);
	point(0, 2, 2);
	point(0, 3, 3);
	step(0, 1, 1); /* a step is no place */
	assert_int_equal(strokes.used, LINK_INPUTS + 4);
	strokes_eat(&strokes, LINK_INPUTS);
	assert_int_equal(next()->x, 1);
	assert_int_equal(next()->keysym, 0x61);
	assert_int_equal(next()->x, 3);
	assert_int_equal(next()->on, 1);
}

static void each_turn_of_a_wheel_counts(void **state)
{
	fill(LINK_INPUTS);
	for (int i = 0; i < 10; i++) {
		point(8, 5, 5);
		point(0, 5, 5);
	}
	assert_int_equal(strokes.used, LINK_INPUTS + 20);
}

static void what_finds_no_room_is_told_in_its_place(void **state)
{
	uint32_t lost = 0;

	fill(LIMIT_STROKES + 44);
	assert_int_equal(strokes.used, LIMIT_STROKES);
	point(1, 3, 3);
	assert_int_equal(strokes.used, LIMIT_STROKES);
	for (int i = 0; i < LIMIT_STROKES - 1; i++)
		assert_int_equal(next()->kind, LINK_INPUT_KEY);
	key(true, 0x62); /* there is room again */
	assert_int_equal(strokes.at[0].kind, LINK_INPUT_LOST);
	lost = next()->lost;
	assert_int_equal(lost, 44 + 1 + 1);
	assert_int_equal(next()->keysym, 0x62);
	/* A button that was down is pressed once more, not moved. */
	fill(LINK_INPUTS);
	point(1, 4, 4);
	point(1, 5, 5);
	assert_int_equal(strokes.used, LINK_INPUTS + 2);
}

/* A mark is always there when something was lost, once for each time. */
static void a_random_run(void **state)
{
	uint32_t typed = 0, came = 0, lost = 0;

	srand(6);
	for (int i = 0; i < 200000; i++) {
		if (rand() % 3) {
			key(rand() % 2, typed++);
		} else if (rand() % 2) {
			point(0, rand() % WIDTH, rand() % HEIGHT);
		} else if (strokes_message(&strokes, 7, &message)) {
			assert_int_equal(link_check(&message, false, false), 0);
			for (uint32_t n = 0; n < message.input.used; n++) {
				const struct link_input *input = &message.input.at[n];

				if (input->kind == LINK_INPUT_KEY) {
					assert_true(input->keysym >= came);
					assert_true(input->keysym == came || lost);
					came = input->keysym + 1;
					lost = 0;
				} else if (input->kind == LINK_INPUT_LOST) {
					lost = input->lost;
				}
			}
			strokes_eat(&strokes, message.input.used);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(what_is_typed_comes_out, begin),
		cmocka_unit_test_setup(a_message_holds_so_many, begin),
		cmocka_unit_test_setup(moves_are_merged_only_when_they_wait, begin),
		cmocka_unit_test_setup(steps_add_up, begin),
		cmocka_unit_test_setup(a_click_stays_where_it_was, begin),
		cmocka_unit_test_setup(a_key_between_moves_stays_there, begin),
		cmocka_unit_test_setup(each_turn_of_a_wheel_counts, begin),
		cmocka_unit_test_setup(what_finds_no_room_is_told_in_its_place, begin),
		cmocka_unit_test_setup(a_random_run, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
