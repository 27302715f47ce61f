/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "rfb/region.h"

static bool covers(sraRegionPtr region, uint32_t x, uint32_t y)
{
	const struct rect pixel = {x, y, 1, 1};
	sraRegionPtr here = region_of(&pixel);
	bool covered = sraRgnAnd(here, region);

	sraRgnDestroy(here);
	return covered;
}

static void adds_and_removes(void **state)
{
	const struct rect whole = {10, 20, 30, 40}, hole = {15, 25, 5, 5}, none = {0, 0, 0, 7};
	const struct rect over = {35, 0, 100, 100}, apart = {100, 100, 5, 5};
	sraRegionPtr region = sraRgnCreate();

	region_add(region, &none);
	assert_true(sraRgnEmpty(region));
	region_add_within(region, &apart, &whole);
	assert_true(sraRgnEmpty(region));
	region_add_within(region, &over, &whole);
	assert_int_equal(region_covers(region, 1000), 5 * 40);
	region_add(region, &whole);
	assert_int_equal(region_covers(region, 10000), 30 * 40);
	region_remove(region, &hole);
	assert_int_equal(region_covers(region, 10000), 30 * 40 - 25);
	assert_false(covers(region, 15, 25));
	assert_true(covers(region, 14, 25));
	assert_true(region_covers(region, 100) > 100);
	sraRgnDestroy(region);
}

static void colours_of_all_pieces_count(void **state)
{
	const struct rect left = {1, 2, 100, 3}, right = {120, 1, 70, 1}, one = {199, 4, 1, 1};
	uint32_t pixels[5 * 200] = {0};
	sraRegionPtr region = region_of(&left);

	/* 56 colours in each of two pieces, beside the others' one, and 200 beyond them. */
	for (uint32_t x = 0; x < 200; x++)
		pixels[2 * 200 + x] = pixels[1 * 200 + x] = 0xff000000 | x % 56;
	region_add(region, &right);
	assert_true(region_has_few_colours(region, pixels, 200));
	for (uint32_t x = 0; x < 200; x++)
		pixels[3 * 200 + x] = pixels[4 * 200 + x] = 1000 + x;
	assert_true(region_has_few_colours(region, pixels, 200)); /* 56 and 100 */
	for (uint32_t x = 0; x < 200; x++)
		pixels[1 * 200 + x] = 5000 + x;
	assert_true(region_has_few_colours(region, pixels, 200)); /* and 70 */
	for (uint32_t x = 0; x < 30; x++)
		pixels[4 * 200 + 1 + x] = 9000 + x;
	assert_true(region_has_few_colours(region, pixels, 200)); /* 30 others: 256 */
	region_add(region, &one);
	assert_false(region_has_few_colours(region, pixels, 200));
	sraRgnDestroy(region);
}

/* What is wrong in the source is wrong where it ends, and what was wrong there is not any more. */
static void moves_carry_it_along(void **state)
{
	const struct move move = {.from = {0, 0, 10, 10}, .dx = 20, .dy = 5};
	const struct rect wrong = {2, 3, 4, 1}, covered = {25, 10, 3, 3}, beside = {50, 0, 1, 1};
	sraRegionPtr region = region_of(&wrong);

	region_add(region, &covered);
	region_add(region, &beside);
	region_move(region, &move);
	assert_true(covers(region, 2, 3));
	assert_true(covers(region, 22, 8));
	assert_true(covers(region, 25, 8));
	assert_false(covers(region, 26, 8));
	assert_false(covers(region, 25, 10));
	assert_true(covers(region, 50, 0));
	assert_int_equal(region_covers(region, 1000), 4 + 4 + 1);
	sraRgnDestroy(region);
}

static void is_one_rectangle_or_not(void **state)
{
	const struct rect first = {1, 2, 3, 4}, second = {10, 10, 2, 2}, third = {20, 1, 1, 1};
	sraRegionPtr region = sraRgnCreate();
	struct rect got = {0};

	assert_false(region_single(region, &got));
	region_add(region, &first);
	assert_true(region_single(region, &got));
	assert_memory_equal(&got, &first, sizeof(got));
	region_add(region, &second);
	region_add(region, &third);
	assert_false(region_single(region, &got));
	region_limit(region, sraRgnCountRects(region));
	assert_false(region_single(region, &got));
	region_limit(region, 2);
	assert_true(region_single(region, &got));
	assert_int_equal(got.x, 1);
	assert_int_equal(got.y, 1);
	assert_int_equal(got.width, 20);
	assert_int_equal(got.height, 11);
	sraRgnDestroy(region);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(adds_and_removes),
		cmocka_unit_test(colours_of_all_pieces_count),
		cmocka_unit_test(moves_carry_it_along),
		cmocka_unit_test(is_one_rectangle_or_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
