/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A driver that fails, a driver that does not answer, and what says that the guest has drawn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/loop.h"
#include "damage/pace.h"
#include "rehearsal.h"
#include "skip.h"

#define GLANCE_MS 600 /* List looks at an unwatched display at most twice a second */

/* ---- Looking ---- */

static bool is_live(void)
{
	return runtime().state == DISPLAY_LIVE;
}

static void a_viewer_sees_the_picture(void **state)
{
	display_begin_plain();
	until(is_live);
	assert_int_equal(runtime().change, DISPLAY_CHANGE_IDLE);
	fake_wall_watch(1);
	pixel = 0x123456;
	until(sees_pixel);
	assert_int_equal(runtime().change, DISPLAY_CHANGE_TIMER);
	fake_source_pixel(pixel = 0x654321);
	until(sees_pixel);
	display_end();
}

/* ---- A driver that fails ---- */

static void errors_of_a_mode_switch_show_no_words(void **state)
{
	display_begin_plain();
	fake_wall_watch(1);
	until(sees_picture);
	fake_source_result(FAKE_QUERY, -EINVAL);
	pass(200);
	fake_source_pixel(pixel = 0x111111);
	fake_source_result(FAKE_QUERY, 0);
	until(sees_pixel);
	assert_int_equal(runtime().state, DISPLAY_LIVE);
	display_end();
}

/* Memory that vanishes under the first look at a new mode: what was read of it until then is not shown. */
static void half_a_picture_is_none(void **state)
{
	struct plane plane;

#ifdef __SANITIZE_THREAD__
	skip_because("the thread sanitizer runs a handler with its signal blocked");
#endif
	display_begin_plain();
	fake_wall_watch(1);
	until(sees_picture);
	pass(300);
	before = fake_wall_seen().publishes + 1; /* the words */
	plane = fake_source_primary();
	plane.width = 300;
	fake_source_truncate(true);
	fake_source_plane(&plane);
	until(sees_words);
	assert_int_equal(fake_wall_seen().publishes, before);
	assert_non_null(strstr(runtime().reason, "could not be read"));
	fake_source_truncate(false);
	fake_source_pixel(pixel = 0x565656);
	until(sees_pixel);
	assert_int_equal(fake_wall_seen().width, 300);
	display_end();
}

static void errors_that_last_are_said_and_not_repeated(void **state)
{
	unsigned int queries;
	uint64_t since;

	display_begin_plain();
	fake_wall_watch(1);
	until(sees_picture);
	fake_source_result(FAKE_QUERY, -EINVAL);
	queries = fake_source_calls(FAKE_QUERY);
	since = loop_now_ms();
	until(sees_words);
	assert_true(loop_now_ms() - since >= PACE_HOLD_MS);
	assert_in_range(fake_source_calls(FAKE_QUERY) - queries, 2, 12);
	assert_int_equal(runtime().state, DISPLAY_BLANK);
	assert_non_null(strstr(runtime().reason, "does not say what it shows"));
	pass(2000);
	/* 50 ms apart at first, then 100, 200, 400, 800 .. */
	assert_in_range(fake_source_calls(FAKE_QUERY) - queries, 5, 18);
	fake_source_result(FAKE_QUERY, 0);
	until(sees_picture);
	assert_int_equal(runtime().state, DISPLAY_LIVE);
	display_end();
}

static void a_new_viewer_or_event_shortens_the_rest(void **state)
{
	struct handover handover;
	uint64_t one = 1;
	int change;

	handover_init(&handover);
	handover.change = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	change = dup(handover.change);
	display_begin(&handover);
	fake_source_result(FAKE_QUERY, -EIO);
	fake_wall_watch(1);
	until(sees_words);
	pass(1500);
	fake_source_result(FAKE_QUERY, 0);
	assert_int_equal(write(change, &one, sizeof(one)), sizeof(one));
	assert_true(within(sees_picture, 1500));
	fake_source_result(FAKE_QUERY, -EIO);
	assert_int_equal(write(change, &one, sizeof(one)), sizeof(one));
	until(sees_words);
	pass(1500);
	before = fake_source_calls(FAKE_QUERY);
	/* A guest that signals without end. */
	for (int i = 0; i < 100; i++) {
		assert_int_equal(write(change, &one, sizeof(one)), sizeof(one));
		pass(10);
	}
	assert_in_range(fake_source_calls(FAKE_QUERY) - before, 1, 5);
	pass(1000);
	before = fake_source_calls(FAKE_QUERY);
	fake_wall_watch(2);
	assert_true(within(has_queried, 1000));
	close(change);
	display_end();
}

/* The rest between two attempts is the driver's, and the guest's that waits for the same lock. */
static void a_driver_that_fails_slowly_rests_too(void **state)
{
	uint64_t since;

	display_begin_plain();
	fake_wall_watch(1);
	until(sees_picture);
	fake_source_block(FAKE_QUERY);
	until(fake_source_blocks);
	pass(300);
	fake_source_result(FAKE_QUERY, -ETIMEDOUT);
	before = fake_source_calls(FAKE_QUERY);
	since = loop_now_ms();
	fake_source_unblock();
	until(has_queried);
	assert_true(fake_source_when(FAKE_QUERY) - since >= RETRY_REST_MS);
	display_end();
}

static void nothing_is_kept_for_who_asks_once(void **state)
{
	unsigned int buffers;

	display_begin_plain();
	until(is_live);
	buffers = fake_source_calls(FAKE_BUFFER);
	for (unsigned int i = 1; i <= 2; i++) {
		pass(GLANCE_MS);
		before = fake_source_calls(FAKE_QUERY);
		runtime();
		until(has_queried);
		pass(50);
		/* What was mapped for the last one is not there any more. */
		assert_int_equal(fake_source_calls(FAKE_BUFFER), buffers + i);
	}
	display_end();
}

static void list_and_capture_do_not_ask_more_often(void **state)
{
	display_begin_plain();
	fake_source_result(FAKE_QUERY, -EIO);
	runtime();
	pass(1500);
	before = fake_source_calls(FAKE_QUERY);
	for (int i = 0; i < 100; i++) {
		runtime();
		pass(10);
	}
	assert_in_range(fake_source_calls(FAKE_QUERY) - before, 0, 12);
	display_end();
}

/* ---- A driver that does not answer ---- */

static void viewers_keep_the_picture_and_list_says_so(void **state)
{
	unsigned int publishes;

	display_begin_plain();
	fake_wall_watch(1);
	until(sees_picture);
	fake_source_block(FAKE_QUERY);
	until(fake_source_blocks);
	publishes = fake_wall_seen().publishes;
	until(is_slow);
	assert_int_equal(runtime().state, DISPLAY_LIVE);
	assert_non_null(strstr(runtime().reason, "a query for"));
	fake_wall_watch(2);
	pass(2500);
	assert_true(sees_picture());
	assert_true(fake_wall_seen().publishes <= publishes + 1);
	assert_true(fake_wall_may_read());
	fake_source_pixel(pixel = 0x222222);
	fake_source_unblock();
	until(sees_pixel);
	assert_string_equal(runtime().reason, "");
	display_end();
}

static void who_comes_meanwhile_reads_why(void **state)
{
	display_begin_plain();
	pass(GLANCE_MS);
	fake_source_block(FAKE_QUERY);
	runtime();
	until(fake_source_blocks);
	fake_wall_watch(1);
	until(sees_words);
	until(is_slow);
	fake_source_unblock();
	until(sees_picture);
	/* The program ends, the next one begins, all while a query is out. */
	fake_source_block(FAKE_QUERY);
	until(fake_source_blocks);
	fake_wall_end_program();
	fake_wall_watch(1);
	until(sees_words);
	fake_wall_watch(0);
	fake_wall_watch(1);
	fake_source_unblock();
	until(sees_picture);
	display_end();
}

static void a_picture_grown_old_is_not_shown_for_a_new_one(void **state)
{
	display_begin_plain();
	fake_wall_watch(1);
	until(sees_picture);
	fake_wall_watch(0);
	pass(GLANCE_MS);
	fake_source_block(FAKE_QUERY);
	runtime();
	until(fake_source_blocks);
	fake_wall_watch(1);
	until(sees_words);
	fake_source_unblock();
	until(sees_picture);
	assert_int_equal(fake_wall_seen().audience, 2);
	display_end();
}

static bool second_has_seen(void)
{
	return fake_wall_seen().audience == 2;
}

static bool fourth_has_seen(void)
{
	return fake_wall_seen().audience == 4;
}

/* Even where nobody noticed that the others had gone, and what they read stands still. */
static void who_comes_is_shown_what_stands(void **state)
{
	struct plane off = {.type = PLANE_PRIMARY, .kind = PLANE_SURFACE};

	display_begin_plain();
	fake_source_plane(&off);
	fake_wall_watch(1);
	until(sees_words);
	assert_int_equal(fake_wall_seen().audience, 1);
	fake_wall_watch(0);
	fake_wall_watch(1);
	until(second_has_seen);
	assert_true(sees_words());
	/* The same while the driver is silent. */
	fake_source_block(FAKE_QUERY);
	until(fake_source_blocks);
	fake_wall_end_program();
	fake_wall_watch(1);
	until(sees_words);
	fake_wall_watch(0);
	fake_wall_watch(1);
	until(fourth_has_seen);
	fake_source_unblock();
	display_end();
}

/* Whoever comes to a driver that fails is not shown what others saw long ago. */
static void nor_where_the_driver_fails(void **state)
{
	struct plane off = {.type = PLANE_PRIMARY, .kind = PLANE_SURFACE}, on;

	display_begin_plain();
	on = fake_source_primary();
	for (int i = 0; i < 2; i++) {
		fake_wall_watch(1);
		until(sees_picture);
		fake_wall_watch(0);
		pass(100);
		if (i)
			fake_source_result(FAKE_QUERY, -EIO);
		else
			fake_source_plane(&off);
		before = fake_wall_seen().publishes;
		fake_wall_watch(1);
		until(has_published);
		assert_true(sees_words());
		fake_source_result(FAKE_QUERY, 0);
		fake_source_plane(&on);
		until(sees_picture);
	}
	display_end();
}

static void a_grant_goes_back(void **state)
{
	display_begin_plain();
	fake_wall_watch(1);
	until(sees_picture);
	/* Asked for after a change, and granted while the query is out. */
	fake_wall_grants(false);
	fake_source_pixel(pixel = 0x333333);
	until(fake_wall_asked);
	fake_source_block(FAKE_QUERY);
	fake_wall_grants(true);
	until(fake_source_blocks);
	assert_true(within(fake_wall_may_read, 8000));
	fake_source_unblock();
	until(sees_pixel);
	display_end();
}

static void a_probe_that_blocks(void **state)
{
	struct handover handover;

	fake_source_block(FAKE_PROBE);
	handover_init(&handover);
	display_begin(&handover);
	until(fake_source_blocks);
	fake_wall_watch(1);
	until(is_slow);
	assert_int_equal(runtime().state, DISPLAY_OFFERED);
	until(sees_words);
	until(is_ready); /* "offered" */
	fake_source_unblock();
	until(sees_picture);
	display_end();
}

static bool has_probed(void)
{
	return fake_source_calls(FAKE_PROBE) > before;
}

/* Only "no" is an answer: with any other error the driver may have a display. */
static void a_probe_that_fails_is_made_again(void **state)
{
	uint64_t first;

	fake_source_result(FAKE_PROBE, -EIO);
	display_begin_plain();
	assert_int_equal(runtime().state, DISPLAY_OFFERED);
	assert_string_equal(runtime().reason, "as the script says: Input/output error");
	before = fake_source_calls(FAKE_PROBE);
	pass(700);
	assert_true(fake_source_calls(FAKE_PROBE) <= before + 1); /* the runtime() above looked */
	fake_wall_watch(1);
	until(sees_words);
	assert_int_equal(fake_wall_seen().audience, 1);
	fake_wall_watch(0);
	fake_wall_watch(1);
	until(second_has_seen);
	assert_true(sees_words());
	before = fake_source_calls(FAKE_PROBE);
	until(has_probed);
	first = fake_source_when(FAKE_PROBE);
	before++;
	until(has_probed);
	assert_true(fake_source_when(FAKE_PROBE) - first >= 900);
	fake_source_result(FAKE_PROBE, 0);
	until(sees_picture);
	assert_int_equal(runtime().state, DISPLAY_LIVE);
	display_end();
}

static void a_probe_that_fails_may_end_in_no(void **state)
{
	fake_source_result(FAKE_PROBE, -ETIMEDOUT);
	display_begin_plain();
	fake_wall_watch(1);
	until(sees_words);
	fake_source_result(FAKE_PROBE, -ENOTTY);
	until(is_gone);
}

static void each_call_that_blocks_is_said(void **state)
{
	static const struct {
		enum fake_call call;
		const char *words;
	} calls[] = {
		{FAKE_QUERY_CURSOR, "a query"},
		{FAKE_BUFFER, "the picture's memory"},
		{FAKE_ARM, "its display interrupt"},
		{FAKE_SIZE_LIMITS, "a question about its monitor"},
		{FAKE_OFFER_SIZE, "a change of its monitor"},
		{FAKE_LINK_UP, "the end of a change of its monitor"},
	};

	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		struct handover handover;

		rehearsal_reset();
		fake_source_limits(1920, 1080);
		fake_source_block(calls[i].call);
		handover_init(&handover);
		handover.owns_edid = handover.display_interrupt = true;
		display_begin(&handover);
		fake_wall_watch(1);
		if (calls[i].call >= FAKE_OFFER_SIZE) {
			until(sees_picture);
			fake_wall_resize(640, 480);
		}
		until(fake_source_blocks);
		until(is_slow);
		assert_non_null(strstr(runtime().reason, calls[i].words));
		/* Viewers are shown something in any case. */
		until(calls[i].call == FAKE_OFFER_SIZE || calls[i].call == FAKE_LINK_UP ||
					calls[i].call == FAKE_QUERY_CURSOR
				? sees_picture
				: sees_words);
		fake_source_unblock();
		until(sees_picture);
		display_end();
	}
}

static void released_while_it_blocks(void **state)
{
	display_begin_plain();
	fake_wall_watch(1);
	until(sees_picture);
	fake_source_block(FAKE_QUERY);
	until(fake_source_blocks);
	display_drain();
	assert_true(fake_wall_closed());
	pass(1500);
	assert_false(ended);
	assert_int_equal(runtime().state, DISPLAY_DRAINING);
	assert_true(is_slow());
	assert_int_equal(fake_source_calls(FAKE_DESTROY), 0);
	fake_source_unblock();
	until(is_gone);
	assert_true(ended);
	assert_int_equal(fake_source_calls(FAKE_DESTROY), 1);
}

static void the_lease_ends_while_it_blocks(void **state)
{
	struct handover handover;
	int pair[2];

	assert_int_equal(pipe(pair), 0);
	handover_init(&handover);
	handover.lease = pair[0];
	display_begin(&handover);
	until(is_ready);
	fake_wall_watch(1);
	until(sees_picture);
	fake_source_block(FAKE_QUERY);
	until(fake_source_blocks);
	close(pair[1]);
	until(fake_wall_closed);
	assert_int_equal(runtime().state, DISPLAY_LOST);
	fake_source_unblock();
	until(is_gone);
	assert_int_equal(fake_source_calls(FAKE_DESTROY), 1);
}

/* ---- Viewers that stay when the guest has gone ---- */

/* A display whose lease has ended while its driver does not answer. */
static void lose_it_while_it_blocks(void)
{
	struct handover handover;
	int pair[2];

	rehearsal_linger(60);
	assert_int_equal(pipe(pair), 0);
	handover_init(&handover);
	handover.lease = pair[0];
	display_begin(&handover);
	until(is_ready);
	fake_wall_watch(1);
	until(sees_picture);
	fake_source_block(FAKE_QUERY);
	until(fake_source_blocks);
	close(pair[1]);
}

static void viewers_read_of_a_loss_that_takes_long(void **state)
{
	lose_it_while_it_blocks();
	until(sees_words);
	assert_false(fake_wall_closed());
	assert_false(is_ghost());
	assert_int_equal(runtime().state, DISPLAY_LOST);
	assert_int_equal(fake_source_calls(FAKE_DESTROY), 0);
	fake_source_unblock();
	until(is_ghost);
	assert_int_equal(fake_source_calls(FAKE_DESTROY), 1);
	assert_true(sees_words());
	fake_wall_watch(0);
	until(is_gone);
	assert_true(fake_wall_closed());
}

static void an_heir_shows_its_picture(void **state)
{
	struct handover handover;

	for (unsigned int i = 0; i < 3; i++) {
		rehearsal_reset();
		lose_it_while_it_blocks();
		fake_source_unblock();
		until(is_ghost);
		fake_source_reset();
		fake_source_pixel(pixel = 0x303030 + i);
		/* Frames on their way, or a program that keeps the grant, are the heir's to wait for. */
		fake_wall_grants(i != 1);
		handover_init(&handover);
		display_return(&handover);
		until(sees_pixel);
		fake_wall_grants(true);
		fake_source_pixel(pixel = 0x404040 + i);
		until(sees_pixel);
		assert_int_equal(runtime().state, DISPLAY_LIVE);
		display_end();
	}
}

static bool words_stay(void)
{
	return sees_words() && fake_wall_seen().placard == FRAME_WORDS;
}

/* Who comes right after a guest's return waits for its picture, for some time. */
static void words_of_an_heir_are_for_now(void **state)
{
	struct plane off = {.type = PLANE_PRIMARY, .kind = PLANE_SURFACE};
	struct handover handover;

	lose_it_while_it_blocks();
	fake_source_unblock();
	until(is_ghost);
	assert_int_equal(fake_wall_seen().placard, FRAME_PASSING_WORDS);
	fake_source_reset();
	fake_source_plane(&off);
	before = fake_wall_seen().publishes;
	handover_init(&handover);
	display_return(&handover);
	until(has_published);
	assert_int_equal(fake_wall_seen().placard, FRAME_PASSING_WORDS);
	until(words_stay);
	display_end();
}

static void a_ghost_ends_in_time_and_by_word(void **state)
{
	lose_it_while_it_blocks();
	rehearsal_linger(1);
	fake_source_unblock();
	until(is_ghost);
	display_drain();
	assert_false(is_ghost());
	until(is_gone);
	assert_true(ended);
	rehearsal_reset();
	lose_it_while_it_blocks();
	until(sees_words);
	display_drain();
	assert_true(fake_wall_closed());
	fake_source_unblock();
	until(is_gone);
	assert_true(ended);
}

static void a_program_that_dies_takes_its_ghost_with_it(void **state)
{
	lose_it_while_it_blocks();
	fake_source_unblock();
	until(is_ghost);
	fake_wall_end_program();
	until(is_gone);
}

/* Its lease ended while no daemon ran. */
static void a_ghost_may_be_all_there_ever_was(void **state)
{
	struct handover handover;
	uint64_t now = loop_now_ms();

	rehearsal_linger(600);
	fake_wall_before(40, 800, 600);
	display_begin_ghost(now + 1200000);
	assert_true(display_lingers_until(display) <= loop_now_ms() + 600000);
	pass(20);
	assert_int_equal(fake_wall_seen().publishes, 0);
	fake_wall_watch(1);
	until(sees_words);
	/* Who cannot follow another size need not. */
	assert_int_equal(fake_wall_seen().width, 800);
	assert_int_equal(fake_wall_seen().generation, 41);
	fake_source_pixel(pixel = 0x505050);
	handover_init(&handover);
	display_return(&handover);
	until(sees_pixel);
	assert_int_equal(runtime().state, DISPLAY_LIVE);
	assert_int_equal(display_lingers_until(display), 0);
	display_end();

	rehearsal_reset();
	display_begin_ghost(now); /* which is over */
	until(is_gone);
	display_begin_ghost(0);
	fake_wall_watch(0);
	until(is_gone);
	display_begin_ghost(0);
	fake_wall_end_program();
	until(is_gone);
	display_begin_ghost(0);
	fake_wall_watch(2);
	until(sees_words);
	display_drain();
	until(is_gone);
	assert_true(ended);
	assert_int_equal(fake_source_calls(FAKE_DESTROY), 0);
}

static void a_close_that_blocks(void **state)
{
	display_begin_plain();
	fake_source_block(FAKE_DESTROY);
	display_drain();
	until(fake_source_blocks);
	until(is_slow);
	assert_false(ended);
	fake_source_unblock();
	until(is_gone);
}

/* ---- Signals ---- */

static void the_display_interrupt(void **state)
{
	uint64_t count = (uint64_t)1 << 56;
	struct handover handover;

	fake_source_result(FAKE_ARM, 0);
	handover_init(&handover);
	handover.display_interrupt = true;
	display_begin(&handover);
	until(is_ready);
	pass(200);
	assert_int_equal(fake_source_calls(FAKE_ARM), 0);
	fake_wall_watch(1);
	until(sees_picture);
	assert_int_equal(runtime().change, DISPLAY_CHANGE_INTERRUPT);
	pass(300);
	before = fake_source_calls(FAKE_HEARD);
	fake_source_pixel(pixel = 0x444444);
	assert_int_equal(write(fake_source_event(), &count, 8), 8);
	assert_true(within(has_heard, 800));
	assert_true(fake_source_heard() == count);
	assert_true(within(sees_pixel, 800));
	/* It never comes: the safety poll. */
	fake_source_pixel(pixel = 0x555555);
	until(sees_pixel);
	/* Nobody watches: nobody is woken. */
	fake_wall_watch(0);
	pass(200);
	before = fake_source_calls(FAKE_HEARD);
	assert_int_equal(write(fake_source_event(), &count, 8), 8);
	assert_false(within(has_heard, 1500));
	fake_wall_watch(1);
	until(has_heard);
	assert_int_equal(fake_source_calls(FAKE_ARM), 1);
	display_end();
	assert_int_equal(fake_source_calls(FAKE_DISARM), 1);
	assert_true(fake_source_last(FAKE_DISARM) < fake_source_last(FAKE_DESTROY));
}

static void an_interrupt_that_cannot_be_had(void **state)
{
	struct handover handover;

	fake_source_result(FAKE_ARM, -EINVAL);
	handover_init(&handover);
	handover.display_interrupt = true;
	display_begin(&handover);
	fake_wall_watch(1);
	until(sees_picture);
	assert_int_equal(runtime().change, DISPLAY_CHANGE_TIMER);
	before = fake_source_calls(FAKE_QUERY) + 10;
	until(has_queried);
	assert_int_equal(fake_source_calls(FAKE_ARM), 1);
	display_end();
	assert_int_equal(fake_source_calls(FAKE_DISARM), 0);
}

static void no_leave_or_no_need(void **state)
{
	struct handover handover;
	uint64_t one = 1;
	int change;

	fake_source_result(FAKE_ARM, 0);
	display_begin_plain();
	fake_wall_watch(1);
	until(sees_picture);
	display_end();
	assert_int_equal(fake_source_calls(FAKE_ARM), 0);
	rehearsal_reset();
	fake_source_result(FAKE_ARM, 0);
	handover_init(&handover);
	handover.display_interrupt = true;
	handover.change = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	change = dup(handover.change);
	display_begin(&handover);
	fake_wall_watch(1);
	until(sees_picture);
	assert_int_equal(runtime().change, DISPLAY_CHANGE_EVENTFD);
	before = fake_source_calls(FAKE_HEARD);
	assert_int_equal(write(change, &one, sizeof(one)), sizeof(one));
	until(has_heard);
	assert_true(fake_source_heard() == 0);
	assert_int_equal(fake_source_calls(FAKE_ARM), 0);
	close(change);
	display_end();
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		/* First: cmocka takes SIGBUS for itself at each test's beginning, capture_guard() at its first use. */
		cmocka_unit_test_setup_teardown(
			half_a_picture_is_none, rehearsal_begin, rehearsal_end),
		cmocka_unit_test_setup_teardown(
			a_viewer_sees_the_picture, rehearsal_begin, rehearsal_end),
		cmocka_unit_test_setup_teardown(
			errors_of_a_mode_switch_show_no_words, rehearsal_begin, rehearsal_end),
		cmocka_unit_test_setup_teardown(
			errors_that_last_are_said_and_not_repeated, rehearsal_begin, rehearsal_end),
		cmocka_unit_test_setup_teardown(
			a_new_viewer_or_event_shortens_the_rest, rehearsal_begin, rehearsal_end),
		cmocka_unit_test_setup_teardown(
			list_and_capture_do_not_ask_more_often, rehearsal_begin, rehearsal_end),
		cmocka_unit_test_setup_teardown(
			a_driver_that_fails_slowly_rests_too, rehearsal_begin, rehearsal_end),
		cmocka_unit_test_setup_teardown(
			nothing_is_kept_for_who_asks_once, rehearsal_begin, rehearsal_end),
		cmocka_unit_test_setup_teardown(
			viewers_keep_the_picture_and_list_says_so, rehearsal_begin, rehearsal_end),
		cmocka_unit_test_setup_teardown(
			who_comes_meanwhile_reads_why, rehearsal_begin, rehearsal_end),
		cmocka_unit_test_setup_teardown(
			who_comes_is_shown_what_stands, rehearsal_begin, rehearsal_end),
		cmocka_unit_test_setup_teardown(a_picture_grown_old_is_not_shown_for_a_new_one,
			rehearsal_begin, rehearsal_end),
		cmocka_unit_test_setup_teardown(
			nor_where_the_driver_fails, rehearsal_begin, rehearsal_end),
		cmocka_unit_test_setup_teardown(a_grant_goes_back, rehearsal_begin, rehearsal_end),
		cmocka_unit_test_setup_teardown(
			a_probe_that_blocks, rehearsal_begin, rehearsal_end),
		cmocka_unit_test_setup_teardown(
			a_probe_that_fails_is_made_again, rehearsal_begin, rehearsal_end),
		cmocka_unit_test_setup_teardown(
			a_probe_that_fails_may_end_in_no, rehearsal_begin, rehearsal_end),
		cmocka_unit_test_setup_teardown(
			each_call_that_blocks_is_said, rehearsal_begin, rehearsal_end),
		cmocka_unit_test_setup_teardown(
			released_while_it_blocks, rehearsal_begin, rehearsal_end),
		cmocka_unit_test_setup_teardown(
			the_lease_ends_while_it_blocks, rehearsal_begin, rehearsal_end),
		cmocka_unit_test_setup_teardown(
			viewers_read_of_a_loss_that_takes_long, rehearsal_begin, rehearsal_end),
		cmocka_unit_test_setup_teardown(
			an_heir_shows_its_picture, rehearsal_begin, rehearsal_end),
		cmocka_unit_test_setup_teardown(
			words_of_an_heir_are_for_now, rehearsal_begin, rehearsal_end),
		cmocka_unit_test_setup_teardown(
			a_ghost_ends_in_time_and_by_word, rehearsal_begin, rehearsal_end),
		cmocka_unit_test_setup_teardown(
			a_ghost_may_be_all_there_ever_was, rehearsal_begin, rehearsal_end),
		cmocka_unit_test_setup_teardown(a_program_that_dies_takes_its_ghost_with_it,
			rehearsal_begin, rehearsal_end),
		cmocka_unit_test_setup_teardown(
			a_close_that_blocks, rehearsal_begin, rehearsal_end),
		cmocka_unit_test_setup_teardown(
			the_display_interrupt, rehearsal_begin, rehearsal_end),
		cmocka_unit_test_setup_teardown(
			an_interrupt_that_cannot_be_had, rehearsal_begin, rehearsal_end),
		cmocka_unit_test_setup_teardown(
			no_leave_or_no_need, rehearsal_begin, rehearsal_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
