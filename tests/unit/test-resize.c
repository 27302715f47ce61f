/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "plane/source.h"
#include "resize.h"

static void assert_next(const struct resize *resize, uint64_t now, enum resize_step step, int wait)
{
	int got;

	assert_int_equal(resize_next(resize, now, &got), step);
	assert_int_equal(got, wait);
}

static void nothing_is_nothing(void **state)
{
	struct resize resize = {0};

	assert_next(&resize, 5000, RESIZE_NOTHING, -1);
	resize_forget(&resize);
	assert_next(&resize, 0, RESIZE_NOTHING, -1);
}

static void a_drag_is_one_offer(void **state)
{
	struct resize resize = {0};
	uint64_t now = 5000;

	for (uint32_t width = 640; width <= 800; width += 10, now += 50) {
		resize_wish(&resize, width, 480, now);
		assert_next(&resize, now, RESIZE_OFFER, RESIZE_REST_MS);
	}
	now += 450;
	assert_next(&resize, now, RESIZE_OFFER, RESIZE_REST_MS - 500);
	now += RESIZE_REST_MS - 500;
	assert_next(&resize, now, RESIZE_OFFER, 0);
	assert_int_equal(resize.width, 800);
	resize_offered(&resize, now);
	assert_next(&resize, now + 1, RESIZE_LINK_UP, EDID_DOWN_MS - 1);
	assert_next(&resize, now + EDID_DOWN_MS, RESIZE_LINK_UP, 0);
	resize_link_up(&resize, true, now + EDID_DOWN_MS);
	assert_next(&resize, now + EDID_DOWN_MS, RESIZE_NOTHING, -1);
}

static void a_link_that_is_down_comes_first(void **state)
{
	struct resize resize = {0};

	resize_wish(&resize, 800, 600, 5000);
	resize_offered(&resize, 6000);
	resize_wish(&resize, 900, 700, 6010);
	assert_next(&resize, 6010, RESIZE_LINK_UP, EDID_DOWN_MS - 10);
	/* Whoever had a wish leaves. */
	resize_forget(&resize);
	assert_next(&resize, 9000, RESIZE_LINK_UP, 0);
	resize_wish(&resize, 910, 700, 9000);
	resize_link_up(&resize, true, 9001);
	assert_next(&resize, 9001, RESIZE_OFFER, RESIZE_REST_MS - 1);
	assert_int_equal(resize.width, 910);
}

static void a_link_that_stays_down_is_tried_again(void **state)
{
	struct resize resize = {0};
	unsigned int tries = 0;
	int wait;

	resize_wish(&resize, 800, 600, 5000);
	resize_offered(&resize, 6000);
	for (uint64_t now = 6000; now < 6000 + 60000; now++) {
		assert_int_equal(resize_next(&resize, now, &wait), RESIZE_LINK_UP);
		if (wait)
			continue;
		resize_link_up(&resize, false, now);
		tries++;
	}
	assert_in_range(tries, 20, 40);
	resize_link_up(&resize, true, 70000);
	assert_next(&resize, 70000, RESIZE_NOTHING, -1);
	/* And the next time it is not waited for longer. */
	resize_wish(&resize, 640, 480, 70000);
	resize_offered(&resize, 71000);
	assert_next(&resize, 71000, RESIZE_LINK_UP, EDID_DOWN_MS);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_nothing),
		cmocka_unit_test(a_drag_is_one_offer),
		cmocka_unit_test(a_link_that_is_down_comes_first),
		cmocka_unit_test(a_link_that_stays_down_is_tried_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
