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
	pace_looked(&pace, true, true, 5000);
	assert_int_equal(pace_wait(&pace, 5000), SAFETY);
	pace_event(&pace);
	assert_int_equal(pace_wait(&pace, 5003), FRAME - 3);
	assert_int_equal(pace_wait(&pace, 5000 + FRAME), 0);
	pace_looked(&pace, false, true, 5000 + FRAME);
	pace_event(&pace);
	assert_int_equal(pace_wait(&pace, 5500), 0);
}

static void silent_event_source_is_polled_for_safety(void **state)
{
	struct pace pace;

	pace_init(&pace, true, FAST, SLOW, SAFETY, 60, 5000);
	pace_looked(&pace, true, true, 5000);
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

		pace_looked(&pace, now == 5000, true, now);
		wait = pace_wait(&pace, now);
		assert_true(wait >= before && wait >= FAST && wait <= SLOW);
		steps += wait != before;
		if (now < 6000)
			assert_int_equal(wait, 3 * FAST);
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
	pace_looked(&pace, false, true, 100000);
	assert_int_equal(pace_wait(&pace, 100000), SLOW);
	pace_looked(&pace, true, true, 100100);
	assert_int_equal(pace_wait(&pace, 100100), 3 * FAST);
	/* Another one: it moves. */
	pace_looked(&pace, true, true, 100132);
	assert_int_equal(pace_wait(&pace, 100132), FAST);
	pace_looked(&pace, false, true, 100148);
	assert_int_equal(pace_wait(&pace, 100148), 3 * FAST);
}

/* Looks as often as the arithmetic says at pictures that come each @every ms, until @end. Returns how many are seen. */
static unsigned int watch_pictures(struct pace *pace, uint64_t *now, uint64_t every, uint64_t end)
{
	uint64_t seen = *now / every;
	unsigned int count = 0;

	while (*now < end) {
		bool is_new = *now / every != seen;

		seen = *now / every;
		count += is_new;
		pace_looked(pace, is_new ? PACE_PIXELS : PACE_NOTHING, true, *now);
		*now += pace_wait(pace, *now);
	}
	return count;
}

/* Each picture of a film is seen; one that changes now and then is not looked at like that. */
static void what_changes_like_a_film_is_looked_at_fast(void **state)
{
	struct pace pace;
	uint64_t now = 8000;

	pace_init(&pace, false, FAST, SLOW, SAFETY, 60, 5000);
	watch_pictures(&pace, &now, 40, 9000);
	assert_in_range(watch_pictures(&pace, &now, 40, 11000), 48, 52);
	/* It ends. */
	for (uint64_t end = now + 500; now < end; now += 3 * FAST)
		pace_looked(&pace, PACE_NOTHING, true, now);
	assert_int_equal(pace_wait(&pace, now - 3 * FAST), 3 * FAST);
	/* Some of them in a second are not a film. */
	for (unsigned int i = 0; i < 20; i++) {
		uint64_t next = now + 170;

		pace_looked(&pace, PACE_PIXELS, true, now);
		for (now += 3 * FAST; now < next; now += 3 * FAST) {
			assert_int_equal(pace_wait(&pace, now), 0);
			assert_int_equal(pace_wait(&pace, now - 1), 1);
			pace_looked(&pace, PACE_NOTHING, true, now);
		}
	}
}

static void nudge_means_now_and_fast(void **state)
{
	struct pace pace;

	pace_init(&pace, false, FAST, SLOW, SAFETY, 1000, 5000);
	pace_looked(&pace, false, true, 100000);
	pace_nudge(&pace, 100050);
	assert_int_equal(pace_wait(&pace, 100050), 0);
	pace_looked(&pace, false, true, 100050);
	assert_int_equal(pace_wait(&pace, 100050), 3 * FAST);
}

static void a_touch_means_fast_for_some_time(void **state)
{
	struct pace pace;

	pace_init(&pace, false, FAST, SLOW, SAFETY, 1000, 5000);
	pace_looked(&pace, false, true, 100000);
	assert_int_equal(pace_wait(&pace, 100000), SLOW);
	pace_touch(&pace, 100040);
	assert_int_equal(pace_wait(&pace, 100040), 0);
	for (uint64_t now = 100040; now < 100040 + PACE_TOUCH_MS; now += FAST) {
		assert_false(pace_doubts(&pace));
		pace_looked(&pace, false, false, now);
		assert_int_equal(pace_wait(&pace, now), FAST);
	}
	pace_looked(&pace, false, false, 100040 + PACE_TOUCH_MS);
	assert_int_equal(pace_wait(&pace, 100040 + PACE_TOUCH_MS), SLOW);
}

static void still_for_long(void **state)
{
	const uint64_t long_after = 5000 + PACE_STILL_MS;
	struct pace pace;

	pace_init(&pace, false, FAST, SLOW, SAFETY, 1000, 5000);
	pace_looked(&pace, PACE_NOTHING, true, long_after);
	assert_int_equal(pace_wait(&pace, long_after), SLOW);
	pace_still(&pace, SLOW - 1);
	assert_int_equal(pace_wait(&pace, long_after), SLOW);
	pace_still(&pace, 500);
	assert_int_equal(pace_wait(&pace, long_after), 500);
	pace_looked(&pace, PACE_NOTHING, true, long_after - 1);
	assert_int_equal(pace_wait(&pace, long_after - 1), SLOW);
	/* Who types may wait for a slow guest's answer. */
	pace_touch(&pace, long_after);
	pace_looked(&pace, PACE_NOTHING, false, long_after + PACE_TOUCH_MS);
	assert_int_equal(pace_wait(&pace, long_after + PACE_TOUCH_MS), SLOW);
	pace_looked(&pace, PACE_NOTHING, false, long_after + PACE_STILL_MS);
	assert_int_equal(pace_wait(&pace, long_after + PACE_STILL_MS), 500);
	pace_looked(&pace, PACE_PIXELS, true, long_after + PACE_STILL_MS + 500);
	assert_int_equal(pace_wait(&pace, long_after + PACE_STILL_MS + 500), 3 * FAST);
}

static void when_a_probe_is_not_enough(void **state)
{
	struct pace pace;

	pace_init(&pace, false, FAST, SLOW, SAFETY, 60, 5000);
	assert_true(pace_doubts(&pace));
	pace_looked(&pace, PACE_PIXELS, true, 5000);
	/* One change is one change; two in a row are a video. */
	assert_false(pace_doubts(&pace) || pace_expects(&pace));
	pace_looked(&pace, PACE_PIXELS, true, 5033);
	assert_true(pace_doubts(&pace) && pace_expects(&pace));
	pace_looked(&pace, PACE_PIXELS, true, 5050);
	assert_true(pace_doubts(&pace));
	pace_looked(&pace, PACE_NOTHING, true, 5067);
	assert_false(pace_doubts(&pace) || pace_expects(&pace));
	/* A cursor that moves says nothing about pixels. */
	for (uint64_t now = 5100; now < 5500; now += 33) {
		pace_looked(&pace, PACE_CURSOR, now % 2, now);
		assert_false(pace_doubts(&pace));
	}
	pace_nudge(&pace, 6000);
	assert_true(pace_doubts(&pace));
	/* Whoever is told is told to look. */
	pace_init(&pace, true, FAST, SLOW, SAFETY, 60, 5000);
	pace_looked(&pace, PACE_NOTHING, true, 5000);
	assert_true(pace_doubts(&pace) && !pace_expects(&pace));
	pace_looked(&pace, PACE_CURSOR, false, 5000);
	assert_true(pace_expects(&pace));
}

static void an_answer_ends_a_touch(void **state)
{
	struct pace pace;
	uint64_t now = 100000;

	pace_init(&pace, false, FAST, SLOW, SAFETY, 1000, 5000);
	pace_looked(&pace, PACE_NOTHING, true, now);
	pace_touch(&pace, now);
	/* Nothing yet, and a cursor is no answer. */
	pace_looked(&pace, PACE_NOTHING, false, now + 16);
	assert_int_equal(pace_wait(&pace, now + 16), FAST);
	pace_looked(&pace, PACE_CURSOR, false, now + 32);
	assert_int_equal(pace_wait(&pace, now + 32), FAST);
	/* The answer, and what belongs to it. */
	pace_looked(&pace, PACE_PIXELS, true, now + 48);
	assert_int_equal(pace_wait(&pace, now + 48), FAST);
	pace_looked(&pace, PACE_NOTHING, false, now + 48 + PACE_ANSWER_MS - 1);
	assert_int_equal(pace_wait(&pace, now + 48 + PACE_ANSWER_MS - 1), FAST);
	pace_looked(&pace, PACE_NOTHING, false, now + 48 + PACE_ANSWER_MS);
	assert_int_equal(pace_wait(&pace, now + 48 + PACE_ANSWER_MS), 3 * FAST);
	/* The next key. */
	pace_touch(&pace, now + 120);
	pace_looked(&pace, PACE_NOTHING, false, now + 120);
	assert_int_equal(pace_wait(&pace, now + 120), FAST);
}

static void after_a_change_few_rows_and_then_all(void **state)
{
	struct pace pace;
	uint64_t now = 6000;

	pace_init(&pace, false, FAST, SLOW, SAFETY, 60, 5000);
	pace_looked(&pace, PACE_NOTHING, true, 5000);
	assert_false(pace_skims(&pace, 5000) || pace_owes(&pace, 5000));
	/* All of it was looked at: nothing is owed, until few rows were. */
	pace_looked(&pace, PACE_PIXELS, true, now);
	assert_true(pace_skims(&pace, now + PACE_NEAR_MS - 1));
	assert_false(pace_skims(&pace, now + PACE_NEAR_MS));
	assert_false(pace_owes(&pace, now + PACE_NEAR_MS));
	pace_looked(&pace, PACE_NOTHING, false, now + 33);
	assert_false(pace_owes(&pace, now + PACE_NEAR_MS - 1));
	assert_true(pace_owes(&pace, now + PACE_NEAR_MS));
	pace_looked(&pace, PACE_NOTHING, true, now + PACE_NEAR_MS);
	assert_false(pace_owes(&pace, now + 2 * PACE_NEAR_MS));
	/* A look at one row of eight owes nothing; to bring a part up to date does. */
	pace_looked(&pace, PACE_NOTHING, false, now + 2 * PACE_NEAR_MS);
	assert_false(pace_owes(&pace, now + 2 * PACE_NEAR_MS));
	now += 3 * PACE_NEAR_MS;
	pace_looked(&pace, PACE_PIXELS, false, now);
	assert_false(pace_owes(&pace, now + PACE_NEAR_MS - 1));
	assert_true(pace_owes(&pace, now + PACE_NEAR_MS));
}

/* Somebody types without end: all pixels are looked at once a second. */
static void nothing_is_put_off_for_ever(void **state)
{
	struct pace pace;
	unsigned int whole = 0;
	uint64_t since = 5000;

	pace_init(&pace, false, FAST, SLOW, SAFETY, 60, 5000);
	pace_looked(&pace, PACE_PIXELS, true, 5000);
	for (uint64_t now = 5033, n = 1; now < 15000; now += 33, n++) {
		bool owes = pace_owes(&pace, now);

		assert_true(pace_skims(&pace, now));
		assert_true(now - since < PACE_WHOLE_MS + 33);
		if (owes)
			since = now;
		whole += owes;
		pace_looked(&pace, n % 2 ? PACE_NOTHING : PACE_PIXELS, owes, now);
	}
	assert_in_range(whole, 9, 10);
}

/* Looks when it is time until @end. Returns how many. */
static unsigned int silent_looks(struct pace *pace, uint64_t *now, uint64_t end)
{
	unsigned int n = 0;

	for (; *now + pace_wait(pace, *now) < end; n++) {
		*now += pace_wait(pace, *now);
		pace_looked(pace, PACE_NOTHING, true, *now);
	}
	return n;
}

static void silence_is_believed_more_and_more(void **state)
{
	struct pace pace;
	uint64_t now = 5000;

	pace_init(&pace, true, FAST, SLOW, SAFETY, 60, now);
	pace_event(&pace);
	pace_looked(&pace, PACE_PIXELS, true, now);
	/* 1, 2, 4 .. 64 s. */
	assert_int_equal(silent_looks(&pace, &now, now + 63 * SAFETY + 1), 6);
	assert_int_equal(silent_looks(&pace, &now, now + 640 * SAFETY + 1), 10);
	/* An event: as in the beginning. */
	pace_event(&pace);
	pace_looked(&pace, PACE_PIXELS, true, now);
	assert_int_equal(pace_wait(&pace, now), SAFETY);
	assert_int_equal(silent_looks(&pace, &now, now + 15 * SAFETY + 1), 4);
	/* A viewer types, and there is no event: not for long. */
	pace_touch(&pace, now + 10 * SAFETY);
	assert_int_equal(pace_wait(&pace, now + 10 * SAFETY), 0);
	pace_looked(&pace, PACE_NOTHING, true, now + 10 * SAFETY);
	pace_touch(&pace, now + 10 * SAFETY + 1);
	assert_int_equal(pace_wait(&pace, now + 10 * SAFETY), SAFETY);
}

static void whoever_forgets_is_not_believed(void **state)
{
	struct pace pace;
	uint64_t now = 5000;

	pace_init(&pace, true, FAST, SLOW, SAFETY, 60, now);
	pace_looked(&pace, PACE_NOTHING, true, now);
	silent_looks(&pace, &now, now + 20 * SAFETY);
	pace_looked(&pace, PACE_PIXELS, true, now);
	assert_int_equal(silent_looks(&pace, &now, now + 100 * SAFETY + 1), 100);
	/* Not forgotten: it was on its way. */
	now += SAFETY;
	pace_looked(&pace, PACE_PIXELS, true, now);
	pace_event(&pace);
	now += FRAME;
	pace_looked(&pace, PACE_NOTHING, true, now);
	assert_int_equal(silent_looks(&pace, &now, now + 63 * SAFETY + 1), 6);
}

static void frame_rate_caps_a_faster_timer(void **state)
{
	struct pace pace;

	pace_init(&pace, false, 4, 4, SAFETY, 10, 5000);
	pace_looked(&pace, true, true, 5000);
	assert_int_equal(pace_wait(&pace, 5000), 100);
	/* No rate at all would be a division by zero. */
	pace_init(&pace, false, 4, 4, SAFETY, 0, 5000);
	pace_looked(&pace, true, true, 5000);
	assert_int_equal(pace_wait(&pace, 5000), 1000);
}

static void odd_numbers_do_not_wrap(void **state)
{
	struct pace pace;

	/* slow below fast; a clock that has just begun; a look stamped after now */
	pace_init(&pace, false, 100, 10, SAFETY, 60, 3);
	assert_int_equal(pace_wait(&pace, 3), FRAME - 3);
	pace_looked(&pace, false, true, 100);
	assert_int_equal(pace_wait(&pace, 100), 100);
	assert_int_equal(pace_wait(&pace, 90), 110);
	assert_int_equal(pace_wait(&pace, UINT64_MAX / 2), 0);
}

static void cursor_looks_do_not_put_the_safety_poll_off(void **state)
{
	struct pace pace;

	pace_init(&pace, true, FAST, SLOW, SAFETY, 60, 5000);
	pace_looked(&pace, true, true, 5000);
	for (uint64_t now = 5100; now < 5000 + SAFETY; now += 100) {
		assert_false(pace_scan_due(&pace, now));
		pace_event(&pace);
		pace_looked(&pace, true, false, now);
		assert_int_equal(pace_wait(&pace, now),
			5000 + SAFETY - now > FRAME ? 5000 + SAFETY - now : FRAME);
	}
	assert_true(pace_scan_due(&pace, 5000 + SAFETY));
	pace_looked(&pace, false, true, 5000 + SAFETY);
	assert_false(pace_scan_due(&pace, 5000 + SAFETY));
	/* Long overdue is still not more often than the frame rate. */
	pace_looked(&pace, true, false, 99000);
	assert_int_equal(pace_wait(&pace, 99000), FRAME);
}

static void look_in_vain(struct pace *pace, bool failed, uint64_t now)
{
	pace_looked(pace, false, true, now);
	pace_missed(pace, failed, now);
}

static void look_well(struct pace *pace, uint64_t now)
{
	pace_looked(pace, true, true, now);
	pace_found(pace);
}

static void a_gap_is_held_and_watched_closely(void **state)
{
	for (int evented = 0; evented < 2; evented++) {
		struct pace pace;

		pace_init(&pace, evented, FAST, SLOW, SAFETY, 60, 5000);
		assert_false(pace_holds(&pace, 5000));
		for (uint64_t now = 6000; now < 6000 + PACE_HOLD_MS; now += 50) {
			look_in_vain(&pace, false, now);
			assert_true(pace_holds(&pace, now));
			assert_int_equal(pace_wait(&pace, now), 50);
		}
		look_in_vain(&pace, false, 6000 + PACE_HOLD_MS);
		assert_false(pace_holds(&pace, 6000 + PACE_HOLD_MS));
		/* A plane that is off is an answer: as with a picture from now on. */
		assert_in_range(pace_wait(&pace, 6000 + PACE_HOLD_MS), evented ? SAFETY : FRAME,
			evented ? SAFETY : SLOW);
		pace_event(&pace);
		assert_int_equal(pace_wait(&pace, 6000 + PACE_HOLD_MS), FRAME);
		look_well(&pace, 7000);
		assert_false(pace_holds(&pace, 7000));
		look_in_vain(&pace, false, 9000);
		assert_true(pace_holds(&pace, 9000));
	}
}

/* How often a driver that fails from 6000 on is asked until @end, with an event each @every ms (0: none). */
static unsigned int attempts(bool evented, uint64_t end, uint64_t every)
{
	unsigned int n = 0;
	struct pace pace;

	pace_init(&pace, evented, FAST, SLOW, SAFETY, 60, 5000);
	look_well(&pace, 5990);
	pace_event(&pace);
	for (uint64_t now = 6000; now < end; now++) {
		if (every && now % every == 0)
			pace_event(&pace);
		if (pace_wait(&pace, now))
			continue;
		look_in_vain(&pace, true, now);
		n++;
	}
	return n;
}

static void a_driver_that_fails_is_asked_less_and_less(void **state)
{
	for (int evented = 0; evented < 2; evented++) {
		assert_in_range(attempts(evented, 6000 + 500, 0), 9, 12);
		/* 50 ms apart, then 100, 200, .. 4000. */
		assert_in_range(attempts(evented, 6000 + 10000, 0), 14, 18);
		assert_in_range(attempts(evented, 6000 + 3600 * 1000, 0), 900, 920);
	}
	/* Events without end, 60 a second. */
	assert_in_range(attempts(true, 6000 + 500, 16), 9, 12);
	assert_in_range(attempts(true, 6000 + 3600 * 1000, 16), 7000, 7210);
}

static void what_ends_a_rest(void **state)
{
	struct pace pace;
	uint64_t now = 6000;

	pace_init(&pace, true, FAST, SLOW, SAFETY, 60, 5000);
	for (unsigned int i = 0; i < 30; i++) {
		look_in_vain(&pace, true, now);
		now += pace_wait(&pace, now);
	}
	look_in_vain(&pace, true, now);
	assert_int_equal(pace_wait(&pace, now), RETRY_REST_MAX_MS);
	pace_event(&pace);
	assert_int_equal(pace_wait(&pace, now), RETRY_EVENT_MS);
	assert_int_equal(pace_wait(&pace, now + 700), 0);
	look_in_vain(&pace, true, now);
	/* A viewer comes: soon, and soon again. */
	pace_nudge(&pace, now + 10);
	assert_int_equal(pace_wait(&pace, now + 10), RETRY_REST_MS - 10);
	look_in_vain(&pace, true, now + 50);
	assert_int_equal(pace_wait(&pace, now + 50), 2 * RETRY_REST_MS);
	/* An answer without a picture is a success of the driver. */
	look_in_vain(&pace, false, now + 150);
	assert_int_equal(pace_wait(&pace, now + 150), SAFETY);
	look_in_vain(&pace, true, now + 2000);
	assert_int_equal(pace_wait(&pace, now + 2000), RETRY_REST_MS);
	look_well(&pace, now + 3000);
	assert_int_equal(pace_wait(&pace, now + 3000), SAFETY);
}

static void a_retry_alone(void **state)
{
	struct retry retry = {0};

	assert_int_equal(retry_wait(&retry, false, 5), 0);
	retry_again(&retry);
	assert_int_equal(retry_wait(&retry, false, 5), 0);
	retry_failed(&retry, 1000);
	assert_int_equal(retry_wait(&retry, false, 1000), RETRY_REST_MS);
	assert_int_equal(retry_wait(&retry, false, 1049), 1);
	assert_int_equal(retry_wait(&retry, false, 1050), 0);
	retry_succeeded(&retry);
	assert_int_equal(retry_wait(&retry, false, 1001), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(looks_at_once_in_the_beginning),
		cmocka_unit_test(event_means_now_within_the_frame_rate),
		cmocka_unit_test(silent_event_source_is_polled_for_safety),
		cmocka_unit_test(timer_slows_down_to_slow_within_about_a_minute),
		cmocka_unit_test(change_makes_the_timer_fast_again),
		cmocka_unit_test(what_changes_like_a_film_is_looked_at_fast),
		cmocka_unit_test(nudge_means_now_and_fast),
		cmocka_unit_test(a_touch_means_fast_for_some_time),
		cmocka_unit_test(still_for_long),
		cmocka_unit_test(when_a_probe_is_not_enough),
		cmocka_unit_test(an_answer_ends_a_touch),
		cmocka_unit_test(after_a_change_few_rows_and_then_all),
		cmocka_unit_test(nothing_is_put_off_for_ever),
		cmocka_unit_test(silence_is_believed_more_and_more),
		cmocka_unit_test(whoever_forgets_is_not_believed),
		cmocka_unit_test(frame_rate_caps_a_faster_timer),
		cmocka_unit_test(odd_numbers_do_not_wrap),
		cmocka_unit_test(cursor_looks_do_not_put_the_safety_poll_off),
		cmocka_unit_test(a_gap_is_held_and_watched_closely),
		cmocka_unit_test(a_driver_that_fails_is_asked_less_and_less),
		cmocka_unit_test(what_ends_a_rest),
		cmocka_unit_test(a_retry_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
