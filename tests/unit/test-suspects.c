/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "base/mem.h"
#include "rfb/suspects.h"

#define NOW 5000000u

static void guess(struct suspects *suspects, const char *peer, int times, uint64_t now)
{
	for (int i = 0; i < times; i++)
		suspects_failed(suspects, peer, now);
}

static void five_are_one_too_many(void **state)
{
	struct suspects suspects = {0};

	guess(&suspects, "192.0.2.1:5000", LIMIT_SUSPECT_FAILURES - 1, NOW);
	assert_int_equal(suspects_refused_ms(&suspects, "192.0.2.1:5000", NOW), 0);
	guess(&suspects, "192.0.2.1:5001", 1, NOW);
	assert_int_equal(suspects_refused_ms(&suspects, "192.0.2.1:5002", NOW), LIMIT_SUSPECT_MS);
	assert_int_equal(
		suspects_refused_ms(&suspects, "192.0.2.1:5002", NOW + LIMIT_SUSPECT_MS - 1), 1);
	assert_int_equal(
		suspects_refused_ms(&suspects, "192.0.2.1:5002", NOW + LIMIT_SUSPECT_MS), 0);
	assert_int_equal(suspects_refused_ms(&suspects, "192.0.2.2:5000", NOW), 0);
}

static void each_further_one_costs_twice_as_much(void **state)
{
	struct suspects suspects = {0};
	uint64_t expected = LIMIT_SUSPECT_MS;

	guess(&suspects, "unix", LIMIT_SUSPECT_FAILURES, NOW);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(suspects_refused_ms(&suspects, "unix", NOW), expected);
		expected = MIN(2 * expected, (uint64_t)LIMIT_SUSPECT_MAX_MS);
		suspects_failed(&suspects, "unix", NOW);
	}
}

static void a_right_answer_or_time_clears(void **state)
{
	struct suspects suspects = {0};
	uint64_t later = NOW + LIMIT_SUSPECT_FORGET_MS;

	guess(&suspects, "192.0.2.1:1", 30, NOW);
	suspects_cleared(&suspects, "192.0.2.1:2");
	assert_int_equal(suspects_refused_ms(&suspects, "192.0.2.1:3", NOW), 0);
	guess(&suspects, "192.0.2.1:1", LIMIT_SUSPECT_FAILURES - 1, NOW);
	assert_int_equal(suspects_refused_ms(&suspects, "192.0.2.1:3", NOW), 0);
	/* Forgotten, it may fail as often again. */
	suspects_failed(&suspects, "192.0.2.1:1", later);
	assert_int_equal(suspects_refused_ms(&suspects, "192.0.2.1:3", later), 0);
	suspects_failed(&suspects, "192.0.2.1:1", later + LIMIT_SUSPECT_FORGET_MS - 1);
	guess(&suspects, "192.0.2.1:1", 3, later + LIMIT_SUSPECT_FORGET_MS - 1);
	assert_true(
		suspects_refused_ms(&suspects, "192.0.2.1:3", later + LIMIT_SUSPECT_FORGET_MS - 1));
}

static void who_is_one_suspect(void **state)
{
	static const struct {
		const char *guesses, *comes;
		bool same;
	} cases[] = {
		{"192.0.2.1:1", "192.0.2.1:65535", true},
		{"192.0.2.1:1", "192.0.2.11:1", false},
		{"[2001:db8:0:1::1]:5900", "[2001:db8:0:1:ffff:ffff:ffff:ffff]:1", true},
		{"[2001:db8:0:1::1]:5900", "[2001:db8:0:2::1]:5900", false},
		{"[::1]:5900", "[::1]:5901", true},
		{"[::1]:5900", "127.0.0.1:5900", false},
		{"[::1]:5900", "unix", false},
		{"unix", "unix", true},
		{"unix", "attached", true}, /* who has no address */
		{"", "unix", true},
		{"[", "]", true},
		{":::::::::::::::::::::::::::::::::::::::::::::::::::::::::::", "unix", true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct suspects suspects = {0};

		guess(&suspects, cases[i].guesses, LIMIT_SUSPECT_FAILURES, NOW);
		assert_int_equal(
			suspects_refused_ms(&suspects, cases[i].comes, NOW) > 0, cases[i].same);
	}
}

static void the_one_longest_ago_makes_room(void **state)
{
	struct suspects suspects = {0};
	char peer[64];

	for (int i = 0; i <= LIMIT_SUSPECTS; i++) {
		snprintf(peer, sizeof(peer), "10.0.%d.%d:1", i / 256, i % 256);
		guess(&suspects, peer, LIMIT_SUSPECT_FAILURES, NOW + i);
	}
	assert_int_equal(suspects_refused_ms(&suspects, "10.0.0.0:1", NOW), 0);
	assert_true(suspects_refused_ms(&suspects, "10.0.0.1:1", NOW));
	assert_true(suspects_refused_ms(&suspects, peer, NOW));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(five_are_one_too_many),
		cmocka_unit_test(each_further_one_costs_twice_as_much),
		cmocka_unit_test(a_right_answer_or_time_clears),
		cmocka_unit_test(who_is_one_suspect),
		cmocka_unit_test(the_one_longest_ago_makes_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
