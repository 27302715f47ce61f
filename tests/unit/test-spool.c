/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "rfb/spool.h"

#define LARGE (LIMIT_FILM / 4)

static struct spool spool;
static uint8_t bytes[LARGE];
static const struct shot *held[SPOOL_SHOTS + 1];

static int setup(void **state)
{
	spool_init(&spool);
	return spool_prepare(&spool);
}

static int teardown(void **state)
{
	spool_finish(&spool);
	return 0;
}

/* Each is of one value, by which it is known. */
static bool add(uint8_t value, bool key, size_t size)
{
	memset(bytes, value, size);
	return spool_add(&spool, 100 + value, key, bytes, size);
}

static void is_intact(uint64_t number, uint8_t value, size_t size)
{
	const struct shot *shot = spool_shot(&spool, number);

	assert_true(number >= spool.oldest && number < spool.next);
	assert_int_equal(shot->number, number);
	assert_int_equal(shot->serial, 100 + value);
	assert_int_equal(shot->size, size);
	memset(bytes, value, size);
	assert_memory_equal(shot->bytes, bytes, size);
}

static void the_oldest_make_room_for_bytes(void **state)
{
	for (uint8_t i = 1; i <= 4; i++)
		assert_true(add(i, false, LARGE));
	assert_int_equal(spool.oldest, 1);
	assert_true(add(5, false, 1)); /* at the front again */
	assert_int_equal(spool.oldest, 2);
	assert_true(add(6, false, LARGE - 1)); /* all of what the first has left */
	assert_int_equal(spool.oldest, 2);
	assert_true(add(7, false, LARGE));
	assert_int_equal(spool.oldest, 3);
	is_intact(3, 3, LARGE);
	is_intact(5, 5, 1);
	is_intact(6, 6, LARGE - 1);
	is_intact(7, 7, LARGE);
}

static void the_oldest_make_room_for_shots(void **state)
{
	for (unsigned int i = 1; i <= SPOOL_SHOTS; i++)
		assert_true(add(i, false, i));
	assert_int_equal(spool.oldest, 1);
	assert_true(add(SPOOL_SHOTS + 1, false, 7));
	assert_int_equal(spool.oldest, 2);
	is_intact(2, 2, 2);
	is_intact(SPOOL_SHOTS + 1, SPOOL_SHOTS + 1, 7);
}

static void what_is_held_stays(void **state)
{
	for (uint8_t i = 1; i <= 4; i++)
		assert_true(add(i, false, LARGE));
	assert_int_equal(spool_hold(&spool, 2, LIMIT_FILM, held, 3), 3);
	assert_int_equal(held[0]->number, 2);
	assert_int_equal(held[2]->number, 4);
	assert_true(add(5, false, LARGE));
	assert_false(add(6, false, 1));
	is_intact(2, 2, LARGE);
	is_intact(5, 5, LARGE);
	spool_clear(&spool);
	assert_non_null(spool.ring);
	is_intact(4, 4, LARGE);
	spool_drop(&spool, held, 2);
	assert_true(add(6, false, 1));
	assert_int_equal(spool.oldest, 3);
	spool_drop(&spool, held + 2, 1);
	spool_clear(&spool);
	assert_null(spool.ring);
	assert_int_equal(spool.oldest, spool.next);
	assert_int_equal(spool_prepare(&spool), 0);
	assert_true(add(7, true, 10));
	assert_int_equal(spool_shot(&spool, spool.oldest)->at, 0);
	is_intact(spool.oldest, 7, 10); /* and has a number of its own */
	assert_int_equal(spool.oldest, 7);
}

static void who_is_too_far_behind_holds_nothing(void **state)
{
	for (uint8_t i = 1; i <= 4; i++)
		assert_true(add(i, false, 10));
	assert_int_equal(spool_hold(&spool, 1, 1000, held, 3), 0);
	assert_int_equal(spool_hold(&spool, 1, 39, held, 4), 0);
	assert_int_equal(spool_hold(&spool, spool.next, 1000, held, 4), 0);
	for (uint64_t i = 1; i <= 4; i++)
		assert_int_equal(spool_shot(&spool, i)->held, 0);
	assert_int_equal(spool_hold(&spool, 1, 40, held, 4), 4);
	spool_drop(&spool, held, 4);
}

static void the_newest_key_is_found(void **state)
{
	assert_int_equal(spool_key(&spool, 1), 0);
	for (uint8_t i = 1; i <= 5; i++)
		assert_true(add(i, i == 2 || i == 4, 10));
	assert_int_equal(spool_key(&spool, 1), 4);
	assert_int_equal(spool_key(&spool, 4), 4);
	assert_int_equal(spool_key(&spool, 5), 0);
	for (unsigned int i = 6; i <= SPOOL_SHOTS + 4; i++)
		assert_true(add(i, false, 10));
	assert_int_equal(spool.oldest, 5);
	assert_int_equal(spool_key(&spool, 1), 0); /* gone */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_oldest_make_room_for_bytes, setup, teardown),
		cmocka_unit_test_setup_teardown(the_oldest_make_room_for_shots, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_held_stays, setup, teardown),
		cmocka_unit_test_setup_teardown(
			who_is_too_far_behind_holds_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(the_newest_key_is_found, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
