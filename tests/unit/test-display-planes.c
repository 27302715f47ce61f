/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a display makes of its planes: a cursor that moves over a picture that stands still, and sizes that viewers wish for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <drm_fourcc.h>
#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/limits.h"
#include "plane/source.h"
#include "rehearsal.h"
#include "resize.h"

#define SAFETY_MS 1000 /* the configuration's default */

static struct plane primary, cursor;
static int change; /* our end of the display's eventfd */

static void signal_change(void)
{
	uint64_t one = 1;

	assert_int_equal(write(change, &one, sizeof(one)), sizeof(one));
}

/* With a cursor of 64x64, and a source that counts what it draws. */
static void begin_with_cursor(void)
{
	struct handover handover;

	primary = fake_source_primary();
	primary.drawn = 1;
	fake_source_plane(&primary);
	cursor = (struct plane){
		.type = PLANE_CURSOR,
		.kind = PLANE_SURFACE,
		.fourcc = DRM_FORMAT_ARGB8888,
		.width = 64,
		.height = 64,
		.stride = 64 * 4,
		.offset = 512 << 10,
		.size = 64 * 64 * 4,
		.x = 10,
		.y = 20,
		.hot_x = 3,
		.hot_y = 5,
	};
	fake_source_plane(&cursor);
	handover_init(&handover);
	handover.change = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	change = dup(handover.change);
	display_begin(&handover);
	fake_wall_watch(1);
	until(sees_picture);
}

static void end_with_cursor(void)
{
	close(change);
	display_end();
}

static bool sees_cursor(void)
{
	struct frame_cursor seen = fake_wall_seen().cursor;

	return seen.visible && seen.x == cursor.x && seen.y == cursor.y;
}

static bool sees_no_cursor(void)
{
	return sees_picture() && !fake_wall_seen().cursor.visible;
}

static bool cursor_queried(void)
{
	return fake_source_calls(FAKE_QUERY_CURSOR) > before;
}

static void show_cursor(void)
{
	fake_source_plane(&cursor);
	signal_change();
}

/* ---- Moves ---- */

static void a_move_costs_no_scan(void **state)
{
	unsigned int publishes, maps;

	begin_with_cursor();
	until(sees_cursor);
	/* Right after a scan that the safety poll made. */
	before = (unsigned int)runtime().frames_captured;
	until(has_scanned);
	before = (unsigned int)runtime().frames_captured;
	publishes = fake_wall_seen().publishes;
	maps = fake_source_calls(FAKE_BUFFER);
	for (int i = 0; i < 10; i++) {
		cursor.x += 7;
		show_cursor();
		until(sees_cursor);
	}
	/* A slow machine may have had its safety poll meanwhile. */
	assert_in_range(runtime().frames_captured - before, 0, 2);
	assert_true(fake_wall_seen().publishes >= publishes + 10);
	assert_int_equal(fake_source_calls(FAKE_BUFFER), maps);
	end_with_cursor();
}

static void what_is_drawn_is_scanned(void **state)
{
	begin_with_cursor();
	for (int i = 0; i < 5; i++) {
		pass(30);
		before = (unsigned int)runtime().frames_captured;
		fake_source_pixel(pixel = 0x010101u * (unsigned int)(i + 1));
		primary.drawn++;
		fake_source_plane(&primary);
		signal_change();
		assert_true(within(sees_pixel, SAFETY_MS / 2) || within(sees_pixel, LONG_MS));
		assert_true(has_scanned());
	}
	end_with_cursor();
}

static void forgotten_drawing_is_found(void **state)
{
	begin_with_cursor();
	fake_source_pixel(pixel = 0x777777);
	until(sees_pixel);
	/* Also while the cursor moves all the time. */
	fake_source_pixel(pixel = 0x888888);
	for (unsigned int i = 0; i < LONG_MS / 20 && !sees_pixel(); i++) {
		cursor.x = (int)i % 100;
		show_cursor();
		pass(20);
	}
	assert_true(sees_pixel());
	end_with_cursor();
}

static void another_picture_is_scanned(void **state)
{
	begin_with_cursor();
	/* The count stands still, all else changes. */
	fake_source_pixel(pixel = 0x999999);
	primary.width = 160;
	fake_source_plane(&primary);
	signal_change();
	until(sees_pixel);
	assert_int_equal(fake_wall_seen().width, 160);
	/* Words and back; nobody and back; another program. */
	fake_source_result(FAKE_QUERY, -EIO);
	signal_change();
	until(sees_words);
	fake_source_result(FAKE_QUERY, 0);
	until(sees_pixel);
	fake_wall_watch(0);
	fake_source_pixel(pixel = 0xaaaaaa);
	pass(50);
	fake_wall_watch(1);
	until(sees_pixel);
	fake_wall_end_program();
	fake_wall_watch(1);
	until(sees_pixel);
	end_with_cursor();
}

static void a_scan_without_grant_is_made_again(void **state)
{
	begin_with_cursor();
	fake_wall_grants(false);
	fake_source_pixel(pixel = 0xbbbbbb);
	primary.drawn++;
	fake_source_plane(&primary);
	signal_change();
	until(fake_wall_asked);
	fake_wall_grants(true);
	until(sees_pixel);
	end_with_cursor();
}

/* Buffers are let go of while the display is off, and their ids can be given to others. */
static void what_was_off_is_scanned(void **state)
{
	struct plane off = {.type = PLANE_PRIMARY, .kind = PLANE_SURFACE};

	begin_with_cursor();
	fake_source_pixel(pixel = 0xcccccc);
	for (int i = 0; i < 2 * SAFETY_MS / 100 && !sees_pixel(); i++) {
		before = fake_source_calls(FAKE_QUERY);
		fake_source_plane(i % 2 ? &primary : &off);
		signal_change();
		until(has_queried);
		pass(50);
	}
	assert_true(sees_pixel());
	end_with_cursor();
}

static void a_source_that_cannot_tell_is_scanned(void **state)
{
	begin_with_cursor();
	primary.drawn = 0;
	fake_source_plane(&primary);
	signal_change();
	pass(100);
	before = (unsigned int)runtime().frames_captured + 3;
	for (int i = 0; i < 5; i++) {
		cursor.x += 7;
		show_cursor();
		until(sees_cursor);
	}
	assert_true(has_scanned());
	end_with_cursor();
}

/* ---- The cursor ---- */

static void a_cursor_that_fails_is_hidden(void **state)
{
	unsigned int looks;

	begin_with_cursor();
	until(sees_cursor);
	fake_source_result(FAKE_QUERY_CURSOR, -EINVAL);
	signal_change();
	until(sees_no_cursor);
	assert_int_equal(runtime().state, DISPLAY_LIVE);
	assert_int_equal(runtime().planes_used, 1);
	/* And it is not asked for at each look, however long these take on a busy machine. */
	pass(2000);
	before = fake_source_calls(FAKE_QUERY_CURSOR);
	looks = fake_source_calls(FAKE_QUERY);
	for (int i = 0; i < 50; i++) {
		signal_change();
		pass(20);
	}
	looks = fake_source_calls(FAKE_QUERY) - looks;
	assert_true(looks >= 20);
	assert_in_range(fake_source_calls(FAKE_QUERY_CURSOR) - before, 0, looks / 4);
	fake_source_pixel(pixel = 0x121212);
	until(sees_pixel);
	fake_source_result(FAKE_QUERY_CURSOR, 0);
	until(sees_cursor);
	assert_int_equal(runtime().planes_used, 2);
	end_with_cursor();
}

static void a_cursor_that_is_unfit_is_hidden(void **state)
{
	static const struct {
		uint32_t fourcc, width, height, stride;
		uint64_t modifier, size;
		enum plane_kind kind;
	} unfit[] = {
		{DRM_FORMAT_XRGB8888, 64, 64, 256, 0, 16384, PLANE_SURFACE},
		{DRM_FORMAT_ARGB8888, 257, 1, 1028, 0, 1028, PLANE_SURFACE},
		{DRM_FORMAT_ARGB8888, 64, 64, 512, I915_FORMAT_MOD_X_TILED, 32768, PLANE_SURFACE},
		{DRM_FORMAT_ARGB8888, 64, 64, 255, 0, 16384, PLANE_SURFACE},
		{DRM_FORMAT_ARGB8888, 64, 64, 256, 0, 16383, PLANE_SURFACE},
		{DRM_FORMAT_ARGB8888, 64, 64, 256, 0, 16384, PLANE_REGION},
	};
	struct plane good;

	begin_with_cursor();
	good = cursor;
	for (size_t i = 0; i < sizeof(unfit) / sizeof(*unfit); i++) {
		cursor = good;
		cursor.x = (int)i;
		show_cursor();
		until(sees_cursor);
		cursor.fourcc = unfit[i].fourcc;
		cursor.width = unfit[i].width;
		cursor.height = unfit[i].height;
		cursor.stride = unfit[i].stride;
		cursor.modifier = unfit[i].modifier;
		cursor.size = unfit[i].size;
		cursor.kind = unfit[i].kind;
		show_cursor();
		until(sees_no_cursor);
		assert_int_equal(runtime().state, DISPLAY_LIVE);
	}
	/* Beyond its memory: SIGBUS or no mapping. */
	cursor = good;
	cursor.offset = (1 << 20) - 8192;
	show_cursor();
	until(sees_no_cursor);
	assert_int_equal(runtime().state, DISPLAY_LIVE);
	cursor = good;
	show_cursor();
	until(sees_cursor);
	end_with_cursor();
}

static bool sees_another_size(void)
{
	return fake_wall_seen().width == primary.width && sees_cursor();
}

/* A viewer that compares numbers must not take the image of another frame for the one that it has. */
static void an_image_has_a_number_of_its_own(void **state)
{
	uint32_t serial;

	begin_with_cursor();
	until(sees_cursor);
	for (unsigned int i = 0; i < 3; i++) {
		serial = fake_wall_seen().cursor.serial;
		primary.width -= 16;
		primary.drawn++;
		fake_source_plane(&primary);
		cursor.x++;
		fake_source_pixel(0x01010101u * i); /* the cursor's memory, too */
		show_cursor();
		until(sees_another_size);
		assert_true(fake_wall_seen().cursor.serial > serial);
	}
	end_with_cursor();
}

static void odd_sizes_hot_spots_and_places(void **state)
{
	struct frame_cursor seen;

	begin_with_cursor();
	cursor.width = 256;
	cursor.height = 1;
	cursor.stride = 1024;
	cursor.size = 1024;
	cursor.x = -5;
	cursor.hot_x = 255;
	cursor.hot_y = 0;
	show_cursor();
	until(sees_cursor);
	seen = fake_wall_seen().cursor;
	assert_int_equal(seen.width, 256);
	assert_int_equal(seen.height, 1);
	assert_int_equal(seen.hot_x, 255);
	cursor.x = -6;
	cursor.hot_x = PLANE_HOT_UNKNOWN;
	cursor.hot_y = 1;
	show_cursor();
	until(sees_cursor);
	seen = fake_wall_seen().cursor;
	assert_int_equal(seen.hot_x, 0);
	assert_int_equal(seen.hot_y, 0);
	before = fake_wall_seen().publishes;
	cursor.x = INT32_MIN;
	cursor.y = INT32_MAX;
	show_cursor();
	until(has_published);
	until(cursor_queried);
	seen = fake_wall_seen().cursor;
	assert_true(seen.x < -(int)LIMIT_CURSOR && seen.x >= -4 * LIMIT_WIDTH);
	assert_true(seen.y > (int)LIMIT_HEIGHT && seen.y <= 4 * LIMIT_WIDTH);
	end_with_cursor();
}

/* ---- Sizes ---- */

static void begin_with_monitor(void)
{
	struct handover handover;

	fake_source_limits(1920, 1200);
	handover_init(&handover);
	handover.owns_edid = true;
	display_begin(&handover);
	until(is_ready);
}

static void a_wish_is_offered_once_it_rests(void **state)
{
	uint32_t width, height;

	begin_with_monitor();
	fake_wall_sizes(&width, &height);
	assert_int_equal(width, 1920);
	assert_int_equal(height, 1200);
	assert_int_equal(runtime().width_maximum, 1920);
	assert_int_equal(runtime().height_maximum, 1200);
	fake_wall_watch(1);
	until(sees_picture);
	for (uint32_t i = 0; i < 20; i++) {
		fake_wall_resize(640 + i, 480);
		pass(50);
	}
	assert_int_equal(fake_source_calls(FAKE_OFFER_SIZE), 0);
	before = 0;
	until(has_link_up);
	assert_int_equal(fake_source_calls(FAKE_OFFER_SIZE), 1);
	fake_source_offered(&width, &height);
	assert_int_equal(width, 659);
	assert_int_equal(height, 480);
	assert_true(
		fake_source_when(FAKE_LINK_UP) - fake_source_when(FAKE_OFFER_SIZE) >= EDID_DOWN_MS);
	pass(1500);
	assert_int_equal(fake_source_calls(FAKE_OFFER_SIZE), 1);
	assert_int_equal(fake_source_calls(FAKE_LINK_UP), 1);
	/* What the guest has already is not offered. */
	fake_wall_resize(320, 240);
	pass(1500);
	assert_int_equal(fake_source_calls(FAKE_OFFER_SIZE), 1);
	display_end();
}

static void the_link_comes_up_whatever_happens(void **state)
{
	begin_with_monitor();
	fake_wall_watch(1);
	fake_wall_resize(640, 480);
	until(has_offered);
	/* Everybody leaves. */
	fake_wall_watch(0);
	until(has_link_up);
	/* A wish of somebody who has left is none. */
	fake_wall_watch(1);
	fake_wall_resize(800, 600);
	pass(300);
	fake_wall_watch(0);
	pass(1500);
	assert_int_equal(fake_source_calls(FAKE_OFFER_SIZE), 1);
	/* The display ends. */
	fake_wall_watch(1);
	fake_wall_resize(800, 600);
	before = 1;
	until(has_offered);
	display_end();
	assert_int_equal(fake_source_calls(FAKE_LINK_UP), 2);
	assert_true(fake_source_last(FAKE_LINK_UP) < fake_source_last(FAKE_DESTROY));
}

static void a_newer_wish_while_the_link_is_down(void **state)
{
	uint32_t width, height;

	begin_with_monitor();
	fake_wall_watch(1);
	fake_wall_resize(640, 480);
	until(has_offered);
	fake_wall_resize(800, 600);
	until(has_link_up);
	assert_int_equal(fake_source_calls(FAKE_OFFER_SIZE), 1);
	before = 1;
	until(has_offered);
	fake_source_offered(&width, &height);
	assert_int_equal(width, 800);
	until(has_link_up);
	display_end();
}

static void offers_and_links_that_fail(void **state)
{
	begin_with_monitor();
	fake_wall_watch(1);
	fake_source_result(FAKE_OFFER_SIZE, -EINVAL);
	fake_wall_resize(640, 480);
	until(has_offered);
	/* The driver may have refused to take it back, too. */
	until(has_link_up);
	before = 1;
	assert_false(within(has_link_up, 500));
	fake_source_result(FAKE_OFFER_SIZE, 0);
	fake_source_result(FAKE_LINK_UP, -EIO);
	fake_wall_resize(640, 480);
	before = 2;
	until(has_link_up);
	fake_source_result(FAKE_LINK_UP, 0);
	before = 3;
	until(has_link_up);
	pass(300);
	before = fake_source_calls(FAKE_LINK_UP);
	assert_false(within(has_link_up, 1000));
	display_end();
}

static void no_leave_no_sizes(void **state)
{
	uint32_t width, height;

	fake_source_limits(1920, 1200);
	display_begin_plain();
	fake_wall_sizes(&width, &height);
	assert_int_equal(width, 0);
	assert_int_equal(runtime().width_maximum, 0);
	assert_int_equal(fake_source_calls(FAKE_SIZE_LIMITS), 0);
	display_end();
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_move_costs_no_scan, rehearsal_begin, rehearsal_end),
		cmocka_unit_test_setup_teardown(
			what_is_drawn_is_scanned, rehearsal_begin, rehearsal_end),
		cmocka_unit_test_setup_teardown(
			forgotten_drawing_is_found, rehearsal_begin, rehearsal_end),
		cmocka_unit_test_setup_teardown(
			another_picture_is_scanned, rehearsal_begin, rehearsal_end),
		cmocka_unit_test_setup_teardown(
			a_scan_without_grant_is_made_again, rehearsal_begin, rehearsal_end),
		cmocka_unit_test_setup_teardown(
			what_was_off_is_scanned, rehearsal_begin, rehearsal_end),
		cmocka_unit_test_setup_teardown(
			a_source_that_cannot_tell_is_scanned, rehearsal_begin, rehearsal_end),
		cmocka_unit_test_setup_teardown(
			a_cursor_that_fails_is_hidden, rehearsal_begin, rehearsal_end),
		cmocka_unit_test_setup_teardown(
			a_cursor_that_is_unfit_is_hidden, rehearsal_begin, rehearsal_end),
		cmocka_unit_test_setup_teardown(
			an_image_has_a_number_of_its_own, rehearsal_begin, rehearsal_end),
		cmocka_unit_test_setup_teardown(
			odd_sizes_hot_spots_and_places, rehearsal_begin, rehearsal_end),
		cmocka_unit_test_setup_teardown(
			a_wish_is_offered_once_it_rests, rehearsal_begin, rehearsal_end),
		cmocka_unit_test_setup_teardown(
			the_link_comes_up_whatever_happens, rehearsal_begin, rehearsal_end),
		cmocka_unit_test_setup_teardown(
			a_newer_wish_while_the_link_is_down, rehearsal_begin, rehearsal_end),
		cmocka_unit_test_setup_teardown(
			offers_and_links_that_fail, rehearsal_begin, rehearsal_end),
		cmocka_unit_test_setup_teardown(no_leave_no_sizes, rehearsal_begin, rehearsal_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
