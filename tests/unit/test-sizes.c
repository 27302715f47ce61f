/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <errno.h>

#include "base/loop.h"
#include "frame/roster.h"
#include "frame/sizes.h"

struct field {
	struct loop *loop;
	struct roster roster;
	struct sizes sizes;
	struct loop_source *end;
	unsigned int heard;
	uint32_t width, height;
};

static void on_wish(void *arg, uint32_t width, uint32_t height)
{
	struct field *field = arg;

	field->heard++;
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

/* Viewer 1 looks, 3 controls, 2 was given and is not in yet. */
static int setup(void **state)
{
	static struct field field;
	struct link_message added = {.type = LINK_VIEWER_ADDED};

	memset(&field, 0, sizeof(field));
	field.roster.mode = field.roster.mode_checked = LINK_MODE_CONTROL;
	assert_int_equal(loop_create(&field.loop), 0);
	assert_int_equal(loop_timer_add(field.loop, on_end, field.loop, &field.end), 0);
	assert_int_equal(sizes_init(&field.sizes, field.loop, on_wish, &field), 0);
	added.seen.viewer = 1;
	added.seen.mode = LINK_MODE_VIEW;
	assert_true(roster_added(&field.roster, &added));
	added.seen.viewer = 3;
	added.seen.mode = LINK_MODE_CONTROL;
	assert_true(roster_added(&field.roster, &added));
	roster_add(&field.roster, 2)->mode = LINK_MODE_CONTROL;
	*state = &field;
	return 0;
}

static int teardown(void **state)
{
	struct field *field = *state;

	sizes_finish(&field->sizes);
	loop_source_free(field->end);
	loop_destroy(field->loop);
	return 0;
}

static bool wish(struct field *field, uint32_t viewer, uint32_t width, uint32_t height)
{
	struct link_message message = {.type = LINK_RESIZE};

	message.resize.viewer = viewer;
	message.resize.width = width;
	message.resize.height = height;
	return sizes_wish(&field->sizes, &field->roster, &message);
}

static void nothing_may_be_asked_for_at_first(void **state)
{
	struct field *field = *state;

	assert_false(wish(field, 3, 1, 1));
	assert_int_equal(sizes_message(&field->sizes).sizes.width, 0);
}

static void only_who_controls_may_ask(void **state)
{
	struct field *field = *state;

	assert_true(sizes_set(&field->sizes, 1920, 1080));
	assert_false(sizes_set(&field->sizes, 1920, 1080)); /* no news */
	assert_int_equal(sizes_message(&field->sizes).sizes.height, 1080);
	assert_false(wish(field, 1, 640, 480));
	assert_false(wish(field, 2, 640, 480));
	assert_false(wish(field, 5, 640, 480));
	assert_false(wish(field, 3, 1921, 1080));
	assert_false(wish(field, 3, 1920, 1081));
	run_for(field, 5);
	assert_int_equal(field->heard, 0);
	assert_true(wish(field, 3, 1920, 1080));
	run_for(field, 5);
	assert_int_equal(field->heard, 1);
	assert_int_equal(field->width, 1920);
	assert_int_equal(field->height, 1080);
}

/* Who may do what was said by the broker: a program that is taken over gives no rights. */
static void nobody_controls_by_the_program_s_word(void **state)
{
	struct field *field = *state;
	struct link_message added = {.type = LINK_VIEWER_ADDED};

	sizes_set(&field->sizes, 1920, 1080);
	roster_add(&field->roster, 4)->mode = LINK_MODE_VIEW;
	added.seen.viewer = 4;
	added.seen.mode = LINK_MODE_CONTROL;
	assert_false(roster_added(&field->roster, &added));
	assert_false(wish(field, 4, 640, 480));
	field->roster.mode = LINK_MODE_VIEW;
	added.seen.viewer = 5;
	assert_false(roster_added(&field->roster, &added));
	assert_false(wish(field, 5, 640, 480));
	added.seen.mode = LINK_MODE_VIEW;
	assert_true(roster_added(&field->roster, &added));
	assert_false(wish(field, 5, 640, 480));
}

static int ask_about(struct field *field, uint32_t viewer)
{
	struct link_message message = {.type = LINK_CHECK};

	message.check.viewer = viewer;
	message.check.mode = LINK_MODE_CONTROL;
	return roster_asked(&field->roster, &message);
}

static bool ask(struct field *field, uint32_t viewer)
{
	return ask_about(field, viewer) == 0;
}

static const char *last_label(struct field *field)
{
	return field->roster.viewers[field->roster.used - 1].label;
}

/* A ticket's holder gets what the ticket says, and is known by its label, once. */
static void who_showed_a_ticket_has_its_label(void **state)
{
	struct field *field = *state;
	struct link_message added = {.type = LINK_VIEWER_ADDED};

	assert_true(ask(field, 7));
	assert_false(ask(field, 7)); /* one at a time */
	added.seen.viewer = 7;
	added.seen.mode = LINK_MODE_VIEW;
	assert_false(roster_added(&field->roster, &added)); /* before it is answered */
	assert_true(roster_answer(&field->roster, 7, LINK_MODE_VIEW, "alice"));
	assert_false(roster_answer(&field->roster, 7, LINK_MODE_CONTROL, "alice"));
	added.seen.mode = LINK_MODE_CONTROL;
	assert_false(roster_added(&field->roster, &added));
	added.seen.mode = LINK_MODE_VIEW;
	assert_true(roster_added(&field->roster, &added));
	assert_string_equal(last_label(field), "alice");
	assert_false(ask(field, 7)); /* it is in */
	added.seen.viewer = 9;
	assert_true(roster_added(&field->roster, &added));
	assert_string_equal(last_label(field), "");
}

/* Some that never come make room for those who do; but so many cannot be asking at the same time. */
static void checks_are_bounded(void **state)
{
	struct field *field = *state;
	struct link_message added = {.type = LINK_VIEWER_ADDED};

	for (uint32_t i = 0; i < 3 * LIMIT_KNOCKING; i++) {
		assert_true(ask(field, 1001 + 2 * i));
		assert_true(roster_answer(&field->roster, 1001 + 2 * i, LINK_MODE_VIEW, "nobody"));
	}
	assert_true(ask(field, 11));
	assert_true(roster_answer(&field->roster, 11, LINK_MODE_VIEW, "bob"));
	added.seen.viewer = 11;
	added.seen.mode = LINK_MODE_VIEW;
	assert_true(roster_added(&field->roster, &added));
	assert_string_equal(last_label(field), "bob");
	for (uint32_t i = 0; i < LIMIT_KNOCKING; i++)
		assert_true(ask(field, 2001 + 2 * i));
	assert_int_equal(
		ask_about(field, 3001), -EBUSY); /* who hangs up is still asked about: no lie */
	assert_int_equal(ask_about(field, 2001), -EPROTO);
	roster_clear(&field->roster, "");
	assert_true(ask(field, 3001));
}

/* Where only the broker knows who may come in, nobody comes in by the program's word. */
static void a_listener_for_tickets_gives_nothing_by_itself(void **state)
{
	struct link_listener listener = {
		.mode = LINK_MODE_EXCLUSIVE, .offers = LINK_OFFER_X509_PLAIN, .tickets = 1};
	struct link_message added = {.type = LINK_VIEWER_ADDED};
	struct roster roster = {.id = "a"};

	roster_listener(&roster, &listener);
	added.seen.viewer = 1;
	added.seen.mode = LINK_MODE_VIEW;
	assert_false(roster_added(&roster, &added));
	assert_int_equal(roster.mode_checked, LINK_MODE_EXCLUSIVE);
	listener.password[0] = 'x';
	listener.mode = LINK_MODE_VIEW;
	roster_listener(&roster, &listener);
	assert_true(roster_added(&roster, &added));
	added.seen.viewer = 3;
	added.seen.mode = LINK_MODE_CONTROL;
	assert_false(roster_added(&roster, &added));
}

static void a_flood_is_the_last_one(void **state)
{
	struct field *field = *state;

	sizes_set(&field->sizes, 8192, 8192);
	for (uint32_t i = 1; i <= 8000; i++)
		assert_true(wish(field, 3, i, i + 1));
	run_for(field, 5);
	assert_int_equal(field->heard, 1);
	assert_int_equal(field->width, 8000);
	for (uint32_t i = 1; i <= 8000; i++)
		assert_true(wish(field, 3, 2 * i % 8192 + 1, 5));
	run_for(field, 5);
	assert_int_equal(field->heard, 1);
	run_for(field, LIMIT_RESIZE_MS + 50);
	assert_int_equal(field->heard, 2);
	assert_int_equal(field->width, 2 * 8000 % 8192 + 1);
	assert_int_equal(field->height, 5);
}

/* The program could not know yet. */
static void a_wish_may_cross_new_sizes(void **state)
{
	struct field *field = *state;

	sizes_set(&field->sizes, 1920, 1080);
	sizes_set(&field->sizes, 800, 600);
	assert_true(wish(field, 3, 1920, 1080));
	run_for(field, 5);
	assert_int_equal(field->heard, 0);
	assert_true(sizes_set(&field->sizes, 0, 0));
	assert_true(wish(field, 3, 800, 600));
	run_for(field, 5);
	assert_int_equal(field->heard, 0);
	/* The next program was never told of them. */
	sizes_begin(&field->sizes);
	assert_false(wish(field, 3, 800, 600));
}

static void a_wish_ends_with_its_program(void **state)
{
	struct field *field = *state;

	sizes_set(&field->sizes, 1920, 1080);
	assert_true(wish(field, 3, 640, 480));
	sizes_begin(&field->sizes);
	run_for(field, 5);
	assert_int_equal(field->heard, 0);
	assert_true(wish(field, 3, 800, 600));
	run_for(field, 5);
	assert_int_equal(field->heard, 1);
}

static void sizes_out_of_range_are_none(void **state)
{
	struct field *field = *state;

	sizes_set(&field->sizes, 640, 480);
	assert_true(sizes_set(&field->sizes, LIMIT_WIDTH + 1, 480));
	assert_int_equal(sizes_message(&field->sizes).sizes.width, 0);
	assert_int_equal(sizes_message(&field->sizes).sizes.height, 0);
}

/* Lines in the journal cost the host; who comes and goes costs nothing. */
static void who_comes_and_goes_fills_no_journal(void **state)
{
	struct field *field = *state;
	struct link_message seen = {.seen = {.viewer = 7, .mode = LINK_MODE_VIEW}};
	int log = memfd_create("log", MFD_CLOEXEC), standard = dup(STDERR_FILENO);
	unsigned int lines = 0;
	char text[1 << 16];
	ssize_t size;

	assert_true(log >= 0 && standard >= 0);
	dup2(log, STDERR_FILENO);
	for (unsigned int i = 0; i < 5000; i++) {
		assert_true(roster_added(&field->roster, &seen));
		assert_true(roster_gone(&field->roster, &seen));
	}
	dup2(standard, STDERR_FILENO);
	close(standard);
	size = pread(log, text, sizeof(text), 0);
	close(log);
	assert_in_range(size, 1, sizeof(text) - 1);
	for (ssize_t i = 0; i < size; i++)
		lines += text[i] == '\n';
	/* Two were there before, and one says that there are more; a slow machine may see two minutes of it. */
	assert_in_range(lines, 100, 2 * LIMIT_VIEWER_LINES + 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_may_be_asked_for_at_first),
		TEST(only_who_controls_may_ask),
		TEST(nobody_controls_by_the_program_s_word),
		TEST(who_showed_a_ticket_has_its_label),
		TEST(checks_are_bounded),
		TEST(a_listener_for_tickets_gives_nothing_by_itself),
		TEST(a_flood_is_the_last_one),
		TEST(a_wish_may_cross_new_sizes),
		TEST(a_wish_ends_with_its_program),
		TEST(sizes_out_of_range_are_none),
		TEST(who_comes_and_goes_fills_no_journal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
