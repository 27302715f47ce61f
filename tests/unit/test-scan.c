/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Looks at the picture. Guesses: where an event tells of something new, what is new where little has changed lately is published before all has been looked at. */
#include <drm_fourcc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/measure.h"
#include "rehearsal.h"
#include "skip.h"

enum { LAST_X = 319, LAST_Y = 239, BLANK = 0x123456 };

static int change;
static uint32_t colour;		 /* of what was drawn last; never the same twice */
static unsigned int at;		 /* where the next letter goes */
static unsigned int whole, part; /* looks, before the last event */
static unsigned int shown;	 /* publishes, likewise */
static uint64_t told;		 /* when that was */

static unsigned int wholes(void)
{
	struct display_runtime now = runtime();

	return (unsigned int)(now.frames_captured - now.frames_patched);
}

static unsigned int guesses(void)
{
	return (unsigned int)runtime().frames_patched;
}

static bool has_looked(void)
{
	return wholes() > whole && fake_wall_may_read();
}

static void tell(void)
{
	uint64_t one = 1;

	whole = wholes();
	part = guesses();
	shown = fake_wall_seen().publishes;
	told = measure_now();
	assert_int_equal(write(change, &one, sizeof(one)), sizeof(one));
}

/* Publishes after the first @publish ones that said that something was new. */
static unsigned int news_since(unsigned int publish)
{
	unsigned int news = 0;

	while (++publish <= fake_wall_seen().publishes)
		news += fake_wall_saw(publish).damaged;
	return news;
}

/* The next look finds nothing, and what the one before it has found is with the viewers then. */
static void settle(void)
{
	uint64_t one = 1;
	unsigned int kept = whole;

	whole = wholes();
	assert_int_equal(write(change, &one, sizeof(one)), sizeof(one));
	until(has_looked);
	whole = kept;
}

static void letter(void)
{
	fake_source_draw(at++ % 8, 0, 1, 6, ++colour);
}

/* A letter; the first pixel changes with it. */
static void type(void)
{
	letter();
	fake_source_draw(0, 0, 1, 1, pixel = ++colour);
	tell();
	until(sees_pixel);
	until(has_looked);
}

static void begin(void)
{
	struct handover handover;

	handover_init(&handover);
	handover.change = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	change = dup(handover.change);
	colour = at = 0;
	rehearsal_safety(60000); /* looks are those that are told of */
	display_begin(&handover);
	fake_wall_watch(1);
	until(sees_picture);
	/* There something changes, and there it changes again: it would have been guessed. */
	type();
	assert_int_equal(guesses(), 0);
	type();
	settle();
	assert_int_equal(guesses(), 0);
}

static void end(void)
{
	close(change);
	display_end();
}

static void letters_come_first(void **state)
{
	begin();
	for (unsigned int i = 0; i < 20; i++) {
		type();
		settle();
		assert_int_equal(guesses(), part + 1);
		assert_int_equal(news_since(shown), 1);
	}
	/* Each change has its own time, for histograms. */
	for (unsigned int i = 0; i < 5; i++) {
		type();
		assert_true(fake_wall_saw(shown + 1).damaged);
		assert_true(fake_wall_saw(shown + 1).noticed >= told);
	}
	end();
}

static bool sees_last(void)
{
	return fake_wall_seen().last_pixel == colour;
}

/* First the letter, then the rest, and then all at once, since both are places by then. */
static void what_else_is_new_follows(void **state)
{
	struct fake_seen first;

	begin();
	for (unsigned int i = 0; i < 8; i++) {
		fake_source_draw(0, 0, 1, 1, pixel = ++colour);
		fake_source_draw(LAST_X, LAST_Y, 1, 1, ++colour);
		tell();
		until(sees_last);
		until(has_looked);
		settle();
		assert_true(sees_pixel());
		assert_int_equal(guesses(), part + (i != 1));
		assert_int_equal(news_since(shown), i == 0 ? 2 : 1);
		first = fake_wall_saw(shown + 1);
		if (i == 0) {
			assert_int_equal(first.pixel, pixel);
			assert_int_equal(first.last_pixel, BLANK);
		}
	}
	end();
}

static bool has_shown(void)
{
	return fake_wall_seen().publishes > before;
}

/* Until what one grant is good for is with the viewers. */
static void grant_once(void)
{
	before = fake_wall_seen().publishes;
	until(fake_wall_asked);
	fake_wall_grants(true);
	fake_wall_turn();
	fake_wall_grants(false);
	until(has_shown);
}

/* Not even where there is another letter each time that viewers have read the last one. */
static void the_rest_is_next(void **state)
{
	uint32_t rest;

	begin();
	settle();
	fake_wall_grants(false);
	fake_source_draw(LAST_X, LAST_Y, 1, 1, rest = ++colour);
	letter();
	tell();
	grant_once();
	assert_int_equal(fake_wall_seen().last_pixel, BLANK);
	until(fake_wall_asked);
	letter();
	grant_once();
	assert_int_equal(fake_wall_seen().last_pixel, rest);
	fake_wall_grants(true);
	end();
}

/* A window that opens where somebody types is not shown in two parts more than once. */
static void a_wrong_guess_is_the_last(void **state)
{
	begin();
	for (unsigned int i = 0; i < 5; i++) {
		fake_source_draw(0, 0, 1, 1, pixel = ++colour);
		fake_source_draw(160, 100, 150, 100, ++colour);
		fake_source_draw(LAST_X, LAST_Y, 1, 1, colour);
		tell();
		until(sees_last);
		until(has_looked);
		settle();
		assert_int_equal(guesses(), part + (i == 0));
		assert_int_equal(news_since(shown), i == 0 ? 2 : 1);
	}
	/* And then: */
	type();
	settle();
	assert_int_equal(guesses(), part);
	type();
	settle();
	assert_int_equal(guesses(), part + 1);
	end();
}

static void what_goes_on_comes_at_once(void **state)
{
	begin();
	fake_source_draw(0, 0, 300, 3, pixel = ++colour);
	fake_source_draw(LAST_X, LAST_Y, 1, 1, colour);
	tell();
	until(sees_last);
	until(has_looked);
	settle();
	assert_int_equal(guesses(), part);
	assert_int_equal(news_since(shown), 1);
	assert_true(sees_pixel());
	end();
}

static bool sees_cursor(void)
{
	return fake_wall_seen().cursor.x == (int)colour;
}

/* It is looked at behind the picture, and would be late each time. */
static void a_pointer_that_moves_ends_it(void **state)
{
	struct plane cursor = {.type = PLANE_CURSOR,
		.kind = PLANE_SURFACE,
		.fourcc = DRM_FORMAT_ARGB8888,
		.width = 8,
		.height = 8,
		.stride = 32,
		.offset = 320 * 240 * 4, /* behind the picture */
		.size = 256};

	begin();
	for (unsigned int i = 0; i < 5; i++) {
		letter();
		fake_source_draw(0, 0, 1, 1, pixel = ++colour);
		cursor.x = (int)colour;
		fake_source_plane(&cursor);
		tell();
		until(sees_cursor);
		assert_true(sees_pixel());
		until(has_looked);
		settle();
		assert_int_equal(guesses(), part + (i == 0));
	}
	type();
	type();
	settle();
	assert_int_equal(guesses(), part + 1);
	end();
}

/* Nothing is written while viewers read; when they have, the letter comes first. */
static void a_viewer_that_reads_is_waited_for(void **state)
{
	begin();
	settle();
	/* The last look found nothing: the grant is asked for by the guess. */
	fake_wall_grants(false);
	letter();
	fake_source_draw(0, 0, 1, 1, pixel = ++colour);
	tell();
	until(fake_wall_asked);
	pass(100);
	assert_int_equal(fake_wall_seen().publishes, shown);
	fake_source_draw(LAST_X, LAST_Y, 1, 1, ++colour);
	fake_wall_grants(true);
	until(sees_last);
	assert_int_equal(fake_wall_saw(shown + 1).pixel, pixel);
	assert_int_equal(fake_wall_saw(shown + 1).last_pixel, BLANK);
	assert_int_equal(guesses(), part + 1);
	end();
}

static bool second_sees(void)
{
	return fake_wall_seen().audience == 2;
}

/* Of a picture that has grown old: all, or nothing. */
static void who_has_just_come_sees_all(void **state)
{
	begin();
	fake_wall_watch(0);
	fake_source_draw(0, 0, 1, 1, pixel = ++colour);
	fake_source_draw(LAST_X, LAST_Y, 1, 1, ++colour);
	tell();
	fake_wall_watch(1);
	until(second_sees);
	while (shown++ < fake_wall_seen().publishes)
		if (fake_wall_saw(shown).audience == 2)
			assert_int_equal(fake_wall_saw(shown).last_pixel, colour);
	assert_int_equal(guesses(), part);
	end();
}

static bool sees_zero(void)
{
	return sees_picture() && !fake_wall_seen().last_pixel;
}

/* Where the places are, nothing is. */
static void memory_that_vanishes(void **state)
{
#ifdef __SANITIZE_THREAD__
	skip_because("the thread sanitizer runs a handler with its signal blocked");
#endif
	begin();
	for (unsigned int i = 0; i < 3; i++) {
		fake_source_draw(LAST_X, LAST_Y, 1, 1, ++colour);
		tell();
		until(sees_last);
		until(has_looked);
	}
	assert_int_equal(guesses(), part + 1);
	fake_source_truncate(true);
	tell();
	until(sees_words);
	assert_non_null(strstr(runtime().reason, "could not be read"));
	assert_int_equal(news_since(shown), 1); /* the words */
	assert_int_equal(guesses(), part);
	fake_source_truncate(false);
	until(sees_zero);
	end();
}

/* Where a probe cannot tell, what follows it is one look at all pixels, and not two. */
static void what_cannot_be_probed_is_looked_at_once(void **state)
{
	struct plane tiled = fake_source_primary();
	unsigned int asked;

	tiled.modifier = I915_FORMAT_MOD_Y_TILED;
	tiled.size = 320 * 256 * 4;
	fake_source_plane(&tiled);
	display_begin_plain();
	fake_wall_watch(1);
	until(sees_picture);
	for (unsigned int i = 0; i < 5; i++) {
		whole = wholes();
		asked = (unsigned int)runtime().frames_probed;
		fake_source_pixel(pixel = ++colour);
		until(sees_pixel);
		pass(500);
		asked = (unsigned int)runtime().frames_probed - asked;
		assert_in_range(wholes() - whole, 1, asked + asked / 2 + 3);
	}
	display_end();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rehearsal_begin, rehearsal_end)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		/* First: cmocka takes SIGBUS for itself at each test's beginning, capture_guard() at its first use. */
		TEST(memory_that_vanishes),
		TEST(letters_come_first),
		TEST(what_else_is_new_follows),
		TEST(the_rest_is_next),
		TEST(a_wrong_guess_is_the_last),
		TEST(what_goes_on_comes_at_once),
		TEST(a_pointer_that_moves_ends_it),
		TEST(a_viewer_that_reads_is_waited_for),
		TEST(who_has_just_come_sees_all),
		TEST(what_cannot_be_probed_is_looked_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
