/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "rfb/quality.h"

#define MS 1000000ull
#define S  (1000 * MS)

static const struct quality_levels nine = {.quality = 100, .subsampling = 0, .compression = 6};

/* Updates that each wait so long, one after the other. Returns how often the step changed. */
static unsigned int run(
	struct quality *quality, uint64_t *now, uint64_t ns, uint64_t each_ns, uint64_t held_ns)
{
	unsigned int changes = 0, step = quality->step;
	uint64_t end = *now + ns;

	for (; *now < end; *now += each_ns) {
		quality_started(quality, *now, held_ns);
		changes += quality->step != step;
		step = quality->step;
	}
	return changes;
}

static int level_now(const struct quality *quality, int level, const struct quality_levels *wish)
{
	struct quality_levels levels;

	quality_levels(quality, level, wish, &levels);
	return levels.quality;
}

static void a_wide_line_changes_nothing(void **state)
{
	struct quality quality;
	struct quality_levels levels;
	uint64_t now = S;

	quality_init(&quality);
	assert_int_equal(run(&quality, &now, 100 * S, 16 * MS, 0), 0);
	assert_int_equal(run(&quality, &now, 100 * S, 16 * MS, 15 * MS), 0);
	quality_levels(&quality, 9, &nine, &levels);
	assert_memory_equal(&levels, &nine, sizeof(levels));
}

static void down_by_steps_and_up_again(void **state)
{
	struct quality quality;
	uint64_t now = S;

	quality_init(&quality);
	run(&quality, &now, S / 10, 100 * MS, 300 * MS); /* one alone is no sign */
	assert_int_equal(quality.step, 0);
	run(&quality, &now, 10 * S, 300 * MS, 300 * MS);
	assert_int_equal(quality.step, QUALITY_STEPS);
	assert_int_equal(level_now(&quality, 9, &nine), 77);
	run(&quality, &now, 100 * S, 50 * MS, 50 * MS); /* neither */
	assert_int_equal(quality.step, QUALITY_STEPS);
	assert_int_equal(run(&quality, &now, 20 * S, 33 * MS, 5 * MS), QUALITY_STEPS);
	assert_int_equal(quality.step, 0);
}

/* A line that is too narrow for a level and wide enough for the one below it. */
static void does_not_flap(void **state)
{
	struct quality quality;
	uint64_t now = S;
	unsigned int changes = 0, last;

	quality_init(&quality);
	for (int i = 0; i < 6000; i++) /* ten minutes, a tenth of a second each */
		changes +=
			run(&quality, &now, S / 10, 50 * MS, quality.step < 2 ? 150 * MS : 5 * MS);
	assert_in_range(quality.step, 1, 3);
	assert_true(changes <= 50);
	last = 0;
	for (int i = 0; i < 1200; i++)
		last += run(&quality, &now, S / 10, 50 * MS, quality.step < 2 ? 150 * MS : 5 * MS);
	assert_true(last <= 5);
	/* And when the line has become wide, it is not for ever. */
	run(&quality, &now, 200 * S, 33 * MS, 0);
	assert_int_equal(quality.step, 0);
}

static void never_above_the_wish_never_below_the_floor(void **state)
{
	static const int qualities[] = {15, 29, 41, 42, 62, 77, 79, 86, 92, 100};
	static const int subsamplings[] = {1, 1, 1, 2, 2, 2, 0, 0, 0, 0};
	struct quality quality;
	struct quality_levels levels;

	quality_init(&quality);
	for (quality.step = 0; quality.step <= QUALITY_STEPS; quality.step++)
		for (int level = 0; level < 10; level++) {
			struct quality_levels wish = {qualities[level], subsamplings[level], 9};

			quality_levels(&quality, level, &wish, &levels);
			assert_true(levels.quality <= wish.quality);
			assert_true(levels.quality >= (level < 2 ? wish.quality : 41));
			assert_int_equal(levels.compression, 9);
		}
}

static void fine_wishes(void **state)
{
	static const struct quality_levels fine = {95, 1, 1}, low = {20, 3, 1}, none = {-1, 0, 1};
	struct quality quality;
	struct quality_levels levels;

	quality_init(&quality);
	quality.step = QUALITY_STEPS;
	quality_levels(&quality, -1, &fine, &levels);
	assert_int_equal(levels.quality, 95 - 48);
	assert_int_equal(levels.subsampling, 1);
	assert_int_equal(levels.compression, 2);
	quality_levels(&quality, 8, &fine, &levels); /* listed a level too, and then better */
	assert_int_equal(levels.quality, 95 - 48);
	assert_int_equal(levels.subsampling, 1);
	quality_levels(&quality, -1, &low, &levels);
	assert_int_equal(levels.quality, 20);
	assert_int_equal(levels.subsampling, 3);
	quality_levels(&quality, -1, &none, &levels);
	assert_memory_equal(&levels, &none, sizeof(levels));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_wide_line_changes_nothing),
		cmocka_unit_test(down_by_steps_and_up_again),
		cmocka_unit_test(does_not_flap),
		cmocka_unit_test(never_above_the_wish_never_below_the_floor),
		cmocka_unit_test(fine_wishes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
