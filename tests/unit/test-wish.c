/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/loop.h"
#include "rfb/wish.h"

struct field {
	struct loop *loop;
	struct loop_source *end;
	struct wish wish;
	unsigned int heard;
	uint32_t viewer, width, height;
};

static void on_forward(void *arg, uint32_t viewer, uint32_t width, uint32_t height)
{
	struct field *field = arg;

	field->heard++;
	field->viewer = viewer;
	field->width = width;
	field->height = height;
}

static void on_end(void *arg)
{
	loop_stop(arg);
}

static void run_for(struct field *field, uint64_t ms)
{
	loop_timer_once(field->end, ms);
	assert_int_equal(loop_run(field->loop), 0);
}

static int setup(void **state)
{
	static struct field field;

	memset(&field, 0, sizeof(field));
	assert_int_equal(loop_create(&field.loop), 0);
	assert_int_equal(loop_timer_add(field.loop, on_end, field.loop, &field.end), 0);
	assert_int_equal(wish_init(&field.wish, field.loop, on_forward, &field), 0);
	wish_sizes(&field.wish, 1920, 1080);
	*state = &field;
	return 0;
}

static int teardown(void **state)
{
	struct field *field = *state;

	wish_finish(&field->wish);
	loop_source_free(field->end);
	loop_destroy(field->loop);
	return 0;
}

/* The screen is 640x480. */
static enum size_status ask(struct field *field, uint32_t viewer, uint32_t width, uint32_t height)
{
	struct wish_asked asked = {viewer, LINK_MODE_CONTROL, width, height, true};

	return wish_ask(&field->wish, &asked, 640, 480);
}

static void each_has_its_answer(void **state)
{
	static const struct {
		uint32_t width, height;
		enum link_mode mode;
		bool whole;
		enum size_status status;
	} cases[] = {
		{800, 600, LINK_MODE_VIEW, true, SIZE_PROHIBITED},
		{640, 480, LINK_MODE_VIEW, true, SIZE_PROHIBITED},
		{0, 0, LINK_MODE_VIEW, false, SIZE_PROHIBITED},
		{800, 600, LINK_MODE_CONTROL, false, SIZE_INVALID},
		{0, 600, LINK_MODE_CONTROL, true, SIZE_INVALID},
		{800, 0, LINK_MODE_CONTROL, true, SIZE_INVALID},
		{1921, 1080, LINK_MODE_CONTROL, true, SIZE_INVALID},
		{1920, 1081, LINK_MODE_CONTROL, true, SIZE_INVALID},
		{640, 480, LINK_MODE_CONTROL, true, SIZE_DONE},
		{1920, 1080, LINK_MODE_CONTROL, true, SIZE_FORWARDED},
		/* The guest may be about to follow the last one. */
		{640, 480, LINK_MODE_CONTROL, true, SIZE_FORWARDED},
	};
	struct field *field = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct wish_asked asked = {
			3, cases[i].mode, cases[i].width, cases[i].height, cases[i].whole};

		assert_int_equal(wish_ask(&field->wish, &asked, 640, 480), cases[i].status);
	}
	assert_int_equal(field->heard, 1);
	wish_sizes(&field->wish, 0, 0);
	assert_int_equal(ask(field, 3, 800, 600), SIZE_PROHIBITED);
}

static void a_flood_is_the_last_one(void **state)
{
	struct field *field = *state;

	for (uint32_t i = 1; i < 1000; i++)
		assert_int_equal(ask(field, i, i, i), SIZE_FORWARDED);
	assert_int_equal(field->heard, 1);
	assert_int_equal(field->width, 1);
	run_for(field, LIMIT_RESIZE_MS + 50);
	assert_int_equal(field->heard, 2);
	assert_int_equal(field->viewer, 999);
	assert_int_equal(field->width, 999);
}

static void a_wish_waits_no_longer_than_its_leave(void **state)
{
	struct field *field = *state;

	ask(field, 1, 100, 100);
	ask(field, 1, 1600, 1000);
	wish_sizes(&field->wish, 800, 600);
	run_for(field, LIMIT_RESIZE_MS + 50);
	assert_int_equal(field->heard, 1);
	ask(field, 1, 101, 100);
	ask(field, 3, 102, 100);
	wish_forget(&field->wish, 1);
	wish_forget(&field->wish, 3); /* it has gone */
	run_for(field, LIMIT_RESIZE_MS + 50);
	assert_int_equal(field->heard, 2);
	assert_int_equal(wish_come_true(&field->wish, 102, 100), 0);
}

static void a_wish_comes_true_once(void **state)
{
	struct field *field = *state;

	assert_int_equal(wish_come_true(&field->wish, 0, 0), 0);
	ask(field, 7, 800, 600);
	assert_int_equal(wish_come_true(&field->wish, 800, 601), 0);
	assert_int_equal(wish_come_true(&field->wish, 800, 600), 7);
	assert_int_equal(wish_come_true(&field->wish, 800, 600), 0);
	/* Too late to be its doing. */
	ask(field, 7, 1024, 768);
	field->wish.made_ms -= LIMIT_WISH_MS + 1;
	assert_int_equal(wish_come_true(&field->wish, 1024, 768), 0);
	assert_int_equal(ask(field, 7, 640, 480), SIZE_DONE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_has_its_answer),
		TEST(a_flood_is_the_last_one),
		TEST(a_wish_waits_no_longer_than_its_leave),
		TEST(a_wish_comes_true_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
