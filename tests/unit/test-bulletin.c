/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a display says in the bulletin about its state, and who hears it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/limits.h"
#include "bulletin.h"
#include "frame/roster.h"
#include "rehearsal.h"

static struct {
	unsigned int times[BULLETIN_KINDS];
	uint64_t last;
	enum bulletin_kind kind;
	struct display_runtime runtime;
	char words[64];
} heard;

static void on_event(void *arg, const struct bulletin_event *event)
{
	assert_ptr_equal(arg, &heard);
	assert_int_equal(event->sequence, bulletin_sequence());
	if (heard.last)
		assert_int_equal(event->sequence, heard.last + 1);
	heard.last = event->sequence;
	heard.kind = event->kind;
	heard.times[event->kind]++;
	heard.words[0] = '\0';
	if (event->reason)
		strncpy(heard.words, event->reason, sizeof(heard.words) - 1);
	if (!event->display)
		return;
	assert_string_equal(event->id, display_context(event->display)->id);
	assert_ptr_equal(event->owner, display_registrant(event->display));
	display_runtime(event->display, &heard.runtime);
}

static struct bulletin_listener listener = {.fn = on_event, .arg = &heard};

static int begin(void **state)
{
	memset(&heard, 0, sizeof(heard));
	bulletin_listen(&listener);
	return rehearsal_begin(state);
}

static int end(void **state)
{
	bulletin_unlisten(&listener);
	return rehearsal_end(state);
}

static unsigned int states(void)
{
	return heard.times[BULLETIN_DISPLAY_STATE];
}

static bool says_live(void)
{
	return states() && heard.runtime.state == DISPLAY_LIVE;
}

static bool says_blank(void)
{
	return states() && heard.runtime.state == DISPLAY_BLANK;
}

static bool says_resized(void)
{
	return heard.times[BULLETIN_DISPLAY_RESIZED];
}

static bool says_slow(void)
{
	return states() && strstr(heard.runtime.reason, "has not answered");
}

static void nobody_has_to_ask(void **state)
{
	unsigned int before_that;

	display_begin_plain();
	until(says_live);
	fake_wall_watch(1);
	until(sees_picture);
	before_that = states();
	fake_source_pixel(pixel = 0x111111);
	until(sees_pixel);
	/* A picture is no event. */
	assert_int_equal(states(), before_that);
	fake_source_result(FAKE_QUERY, -EINVAL);
	until(says_blank);
	assert_non_null(strstr(heard.runtime.reason, "does not say what it shows"));
	fake_source_result(FAKE_QUERY, 0);
	until(says_live);
	assert_int_equal(heard.times[BULLETIN_DISPLAY_RESIZED], 0);
	display_end();
}

static void another_size_is_told_once(void **state)
{
	struct plane plane;

	display_begin_plain();
	fake_wall_watch(1);
	until(sees_picture);
	plane = fake_source_primary();
	plane.width = 300;
	fake_source_plane(&plane);
	until(says_resized);
	assert_int_equal(heard.runtime.planes[0].width, 300);
	pass(300);
	assert_int_equal(heard.times[BULLETIN_DISPLAY_RESIZED], 1);
	display_end();
}

static void end_is_a_state(void **state)
{
	display_begin_plain();
	until(says_live);
	display_drain();
	assert_int_equal(heard.kind, BULLETIN_DISPLAY_STATE);
	assert_int_equal(heard.runtime.state, DISPLAY_DRAINING);
	until(is_gone);
}

static void silent_driver_is_told_once(void **state)
{
	unsigned int before_that;

	display_begin_plain();
	fake_wall_watch(1);
	until(sees_picture);
	fake_source_block(FAKE_QUERY);
	until(says_slow);
	before_that = states();
	pass(1500);
	assert_int_equal(states(), before_that);
	fake_source_unblock();
	until(says_live);
	display_end();
}

/* Behind an eventfd nobody looks after a driver that is not called: until it is. */
static void silent_driver_is_told_after_a_long_sleep(void **state)
{
	struct handover handover;
	int change = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	handover_init(&handover);
	handover.change = fcntl(change, F_DUPFD_CLOEXEC, 3);
	display_begin(&handover);
	until(is_ready);
	fake_wall_watch(1);
	until(sees_picture);
	pass(5500);
	fake_source_block(FAKE_QUERY);
	assert_int_equal(eventfd_write(change, 1), 0);
	until(says_slow);
	fake_source_unblock();
	until(says_live);
	display_end();
	close(change);
}

static void each_kind_comes_as_it_was_said(void **state)
{
	struct wall_viewer viewer = {.name = "1-2"};

	display_begin_plain();
	until(says_live);
	bulletin_viewer(BULLETIN_VIEWER_DETACHED, display, &viewer, "left");
	assert_string_equal(heard.words, "left");
	bulletin_power(display, DISPLAY_POWER_RESET, &viewer);
	bulletin_input_lost(display, "keyboard", "hung up");
	assert_string_equal(heard.words, "hung up");
	bulletin_ticket_used("vm1", "ann", "192.0.2.1:1");
	bulletin_daemon(BULLETIN_STOPPING);
	assert_int_equal(heard.times[BULLETIN_VIEWER_DETACHED], 1);
	assert_int_equal(heard.times[BULLETIN_POWER_REQUESTED], 1);
	assert_int_equal(heard.times[BULLETIN_INPUT_LOST], 1);
	assert_int_equal(heard.times[BULLETIN_TICKET_USED], 1);
	assert_int_equal(heard.times[BULLETIN_STOPPING], 1);
	bulletin_unlisten(&listener);
	bulletin_daemon(BULLETIN_RELOADING);
	assert_int_equal(heard.times[BULLETIN_RELOADING], 0);
	assert_int_equal(bulletin_sequence(), heard.last + 1);
	bulletin_listen(&listener);
	heard.last = 0;
	display_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nobody_has_to_ask, begin, end),
		cmocka_unit_test_setup_teardown(another_size_is_told_once, begin, end),
		cmocka_unit_test_setup_teardown(end_is_a_state, begin, end),
		cmocka_unit_test_setup_teardown(silent_driver_is_told_once, begin, end),
		cmocka_unit_test_setup_teardown(
			silent_driver_is_told_after_a_long_sleep, begin, end),
		cmocka_unit_test_setup_teardown(each_kind_comes_as_it_was_said, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
