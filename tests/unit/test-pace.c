/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "damage/pace.h"

#define FAST   16u
#define SLOW   100u
#define SAFETY 1000u
#define FRAME  17u /* 60 a second */

static void looks_at_once_in_the_beginning(void **state)
{
	struct pace pace;

	pace_init(&pace, true, FAST, SLOW, SAFETY, 60, 5000);
	assert_int_equal(pace_wait(&pace, 5000), 0);
	pace_init(&pace, false, FAST, SLOW, SAFETY, 60, 5000);
	assert_int_equal(pace_wait(&pace, 5000), 0);
}

static void event_means_now_within_the_frame_rate(void **state)
{
	struct pace pace;

	pace_init(&pace, true, FAST, SLOW, SAFETY, 60, 5000);
	pace_looked(&pace, true, 5000);
	assert_int_equal(pace_wait(&pace, 5000), SAFETY);
	pace_event(&pace, 5003);
	assert_int_equal(pace_wait(&pace, 5003), FRAME - 3);
	assert_int_equal(pace_wait(&pace, 5000 + FRAME), 0);
	pace_looked(&pace, false, 5000 + FRAME);
	pace_event(&pace, 5500);
	assert_int_equal(pace_wait(&pace, 5500), 0);
}

static void silent_event_source_is_polled_for_safety(void **state)
{
	struct pace pace;

	pace_init(&pace, true, FAST, SLOW, SAFETY, 60, 5000);
	pace_looked(&pace, true, 5000);
	assert_int_equal(pace_wait(&pace, 5400), SAFETY - 400);
	assert_int_equal(pace_wait(&pace, 6000), 0);
	assert_int_equal(pace_wait(&pace, 99999), 0);
}

static void timer_slows_down_to_slow_within_about_a_minute(void **state)
{
	uint32_t before = 0, steps = 0;
	struct pace pace;

	pace_init(&pace, false, FAST, SLOW, SAFETY, 1000, 5000);
	for (uint64_t now = 5000; now <= 5000 + 70000; now += 100) {
		uint32_t wait;

		pace_looked(&pace, now == 5000, now);
		wait = pace_wait(&pace, now);
		assert_true(wait >= before && wait >= FAST && wait <= SLOW);
		steps += wait != before;
		if (now < 6000)
			assert_int_equal(wait, FAST);
		if (now < 5000 + 30000)
			assert_true(wait < SLOW);
		before = wait;
	}
	assert_int_equal(before, SLOW);
	assert_true(steps >= 4);
}

static void change_makes_the_timer_fast_again(void **state)
{
	struct pace pace;

	pace_init(&pace, false, FAST, SLOW, SAFETY, 1000, 5000);
	pace_looked(&pace, false, 100000);
	assert_int_equal(pace_wait(&pace, 100000), SLOW);
	pace_looked(&pace, true, 100100);
	assert_int_equal(pace_wait(&pace, 100100), FAST);
}

static void nudge_means_now_and_fast(void **state)
{
	struct pace pace;

	pace_init(&pace, false, FAST, SLOW, SAFETY, 1000, 5000);
	pace_looked(&pace, false, 100000);
	pace_nudge(&pace, 100050);
	assert_int_equal(pace_wait(&pace, 100050), 0);
	pace_looked(&pace, false, 100050);
	assert_int_equal(pace_wait(&pace, 100050), FAST);
}

static void frame_rate_caps_a_faster_timer(void **state)
{
	struct pace pace;

	pace_init(&pace, false, 4, 4, SAFETY, 10, 5000);
	pace_looked(&pace, true, 5000);
	assert_int_equal(pace_wait(&pace, 5000), 100);
	/* No rate at all would be a division by zero. */
	pace_init(&pace, false, 4, 4, SAFETY, 0, 5000);
	pace_looked(&pace, true, 5000);
	assert_int_equal(pace_wait(&pace, 5000), 1000);
}

static void odd_numbers_do_not_wrap(void **state)
{
	struct pace pace;

	/* slow below fast; a clock that has just begun; a look stamped after now */
	pace_init(&pace, false, 100, 10, SAFETY, 60, 3);
	assert_int_equal(pace_wait(&pace, 3), FRAME - 3);
	pace_looked(&pace, false, 100);
	assert_int_equal(pace_wait(&pace, 100), 100);
	assert_int_equal(pace_wait(&pace, 90), 110);
	assert_int_equal(pace_wait(&pace, UINT64_MAX / 2), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(looks_at_once_in_the_beginning),
		cmocka_unit_test(event_means_now_within_the_frame_rate),
		cmocka_unit_test(silent_event_source_is_polled_for_safety),
		cmocka_unit_test(timer_slows_down_to_slow_within_about_a_minute),
		cmocka_unit_test(change_makes_the_timer_fast_again),
		cmocka_unit_test(nudge_means_now_and_fast),
		cmocka_unit_test(frame_rate_caps_a_faster_timer),
		cmocka_unit_test(odd_numbers_do_not_wrap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
