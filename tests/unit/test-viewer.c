/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <time.h>

#include "base/fd.h"
#include "rfb/encodings.h"
#include "small-viewer.h"

#define ENCODING_QUALITY_6 -26 /* JPEG inside Tight */

static void picture_is_exact(void **state)
{
	struct fixture *f = *state;
	struct client *client = watching(f);

	assert_int_equal(client->area, 203 * 101);
	assert_string_equal(viewer_encoding(client->viewer), "raw");
	assert_int_equal(viewer_frames_behind(client->viewer), 0);
}

static void only_damage_is_sent(void **state)
{
	struct fixture *f = *state;
	struct client *client = watching(f);

	request_all(client, true);
	assert_quiet(client);
	want_write(f);
	paint(f, 20, 20, 2, 2, 7);
	*pixel(f, 200, 100) ^= 0xff; /* changed, but not damaged */
	publish(f, true);
	get_update(client);
	assert_int_equal(client->rects, 1);
	assert_int_equal(client->area, 16 * 16);
	assert_int_equal(seen(client, 21, 21), *pixel(f, 21, 21));
	assert_int_not_equal(seen(client, 200, 100), *pixel(f, 200, 100));

	/* Not asked for: two publishes become one update, clipped at the edge. */
	want_write(f);
	paint(f, 0, 0, 1, 1, 8);
	publish(f, true);
	want_write(f);
	paint(f, 202, 100, 1, 1, 8);
	publish(f, true);
	assert_quiet(client);
	assert_int_equal(viewer_frames_behind(client->viewer), 2);
	update(client, true);
	assert_int_equal(client->rects, 2);
	assert_int_equal(client->area, 16 * 16 + (203 - 192) * (101 - 96));
	assert_screen(f, client);
}

static void damage_outside_the_request_waits(void **state)
{
	struct fixture *f = *state;
	struct client *client = watching(f);

	request(client, true, 0, 0, 64, 64);
	want_write(f);
	paint(f, 100, 70, 10, 10, 9);
	publish(f, true);
	assert_quiet(client);
	request_all(client, true);
	get_update(client);
	assert_screen(f, client);
}

static void other_pixel_format(void **state)
{
	struct fixture *f = *state;
	struct client *client = watching(f);
	static const uint8_t swapped[20] = {
		0, 0, 0, 0, 32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 0, 8, 16};

	client_put(client, swapped, sizeof(swapped));
	update(client, false);
	for (uint32_t x = 0; x < 203; x++) {
		uint32_t sent = seen(client, x, 50), source = *pixel(f, x, 50);

		assert_int_equal(sent >> 16 & 0xff, source & 0xff);
		assert_int_equal(sent >> 8 & 0xff, source >> 8 & 0xff);
		assert_int_equal(sent & 0xff, source >> 16 & 0xff);
	}
}

static void names_of_encodings(void **state)
{
	static const struct {
		int number;
		const char *name;
	} all[] = {
		{2, "rre"},
		{4, "corre"},
		{5, "hextile"},
		{6, "zlib"},
		{7, "tight"},
		{9, "ultra"},
		{16, "zrle"},
		{17, "zywrle"},
	};
	struct fixture *f = *state;
	struct client *client = &f->client;
	uint8_t header[16];

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		want_write(f);
		paint_all(f, i);
		if (all[i].number <= 4) /* of noise, (Co)RRE makes raw */
			memset(frame_pixels(f->broker), i, f->broker->header.stride * 101);
		publish(f, true);
		client_open(f, client, 60, false);
		viewer_allow(client->viewer, true);
		ENCODINGS(client, all[i].number, ENCODING_QUALITY_6, ENCODING_RAW);
		request_all(client, false);
		client_need(client, header, sizeof(header));
		assert_int_equal(header[15], all[i].number);
		assert_string_equal(viewer_encoding(client->viewer), all[i].name);
		want_write(f); /* all of it is encoded then */
		publish(f, false);
		client_close(client);
	}
}

static void resized(struct fixture *f, int encoding)
{
	struct client *client = watching(f);

	ENCODINGS(client, ENCODING_RAW, encoding);
	request_all(client, true);
	for (uint32_t round = 1; round < 4; round++) {
		show_frame(f, 100 + 77 * round, 300 - 63 * round);
		paint_all(f, round);
		publish(f, true);
		while (client->width != 100 + 77 * round)
			get_update(client);
		assert_int_equal(client->sizes, 1);
		assert_int_equal(client->rects, 0); /* no pixels with a new size */
		request_all(client, false);
		while (client->area == 0 ||
			memcmp(&client->screen[client->width * client->height - 1],
				pixel(f, client->width - 1, client->height - 1), 4) != 0)
			get_update(client);
		assert_screen(f, client);
		request_all(client, true);
	}
}

static void resize_by_desktop_size(void **state)
{
	resized(*state, ENCODING_DESKTOP_SIZE);
}

static void resize_by_extended_size(void **state)
{
	resized(*state, ENCODING_EXTENDED_DESKTOP_SIZE);
}

static void cannot_resize(void **state)
{
	struct fixture *f = *state;
	struct client *client = watching(f);
	char byte;

	show_frame(f, 203, 101); /* the same size needs nothing */
	paint_all(f, 33);
	publish(f, true);
	update(client, true);
	assert_screen(f, client);
	assert_null(viewer_end_reason(client->viewer));

	request_all(client, true);
	show_frame(f, 204, 101);
	publish(f, true);
	assert_int_equal(client_get(client, &byte, 1), 0);
	assert_string_equal(viewer_end_reason(client->viewer), "cannot resize");
}

static void sizes_are_answered(void **state)
{
	struct fixture *f = *state;
	struct client *client = watching(f);

	ENCODINGS(client, ENCODING_RAW, ENCODING_EXTENDED_DESKTOP_SIZE);
	update(client, true); /* that it can be asked for is told once */
	assert_int_equal(client->sizes, 1);
	assert_int_equal(client->size_reason, REASON_SERVER);
	assert_int_equal(client->size_status, SIZE_DONE);
	request_all(client, true);
	assert_quiet(client);
	viewer_answer(client->viewer, SIZE_PROHIBITED);
	get_update(client);
	assert_int_equal(client->sizes, 1);
	assert_int_equal(client->size_reason, REASON_THIS_VIEWER);
	assert_int_equal(client->size_status, SIZE_PROHIBITED);
	assert_int_equal(client->width, 203);
	assert_int_equal(client->rects, 0);

	/* One answer each, in order, but not without end. */
	viewer_allow(client->viewer, false);
	for (int i = 0; i < 100; i++)
		viewer_answer(client->viewer, i ? SIZE_INVALID : SIZE_FORWARDED);
	viewer_allow(client->viewer, true);
	assert_in_range(drain(client), 2, 32);
	assert_int_equal(client->size_status, SIZE_INVALID);
}

/* Whose wish it was is told with the size. */
static void sizes_have_reasons(void **state)
{
	static const enum size_reason reasons[] = {
		REASON_THIS_VIEWER, REASON_OTHER_VIEWER, REASON_SERVER};
	struct fixture *f = *state;
	struct client *client = watching(f);

	ENCODINGS(client, ENCODING_RAW, ENCODING_EXTENDED_DESKTOP_SIZE, ENCODING_DESKTOP_SIZE);
	update(client, true);
	for (uint32_t i = 0; i < ARRAY_SIZE(reasons); i++) {
		request_all(client, true);
		show_frame(f, 100 + i, 100);
		viewer_resized(client->viewer, reasons[i]);
		paint_all(f, i);
		publish(f, true);
		get_update(client);
		assert_int_equal(client->sizes, 1);
		assert_int_equal(client->encoding, ENCODING_EXTENDED_DESKTOP_SIZE);
		assert_int_equal(client->size_reason, reasons[i]);
		assert_int_equal(client->size_status, SIZE_DONE);
		assert_int_equal(client->width, 100 + i);
		/* What the old request still gets may be a part. */
		request_all(client, false);
		while (client->area != client->width * client->height)
			get_update(client);
		drain(client);
		assert_screen(f, client);
	}
}

static void only_when_allowed(void **state)
{
	struct fixture *f = *state;
	struct client *client = &f->client;
	uint32_t generation;

	client_open(f, client, 240, false);
	request_all(client, false);
	assert_quiet(client);
	picture_want_write(f->picture);
	assert_true(picture_granted(f->picture, &generation)); /* nobody in the way */
	viewer_allow(client->viewer, true);
	assert_quiet(client); /* the broker writes */
	publish(f, false);
	get_update(client);
	assert_screen(f, client);

	viewer_allow(client->viewer, false);
	request_all(client, false);
	assert_quiet(client);
	viewer_allow(client->viewer, true);
	get_update(client);
}

/* A door that does not read: the grant comes when the viewer goes, and the viewer can be ended. */
static void stuck_write(void **state)
{
	struct fixture *f = *state;
	struct client *client = &f->client;
	uint32_t generation;
	uint16_t head;

	show_frame(f, 1920, 1080); /* 8 MiB go through no socket */
	publish(f, true);
	client_open(f, client, 240, false);
	viewer_allow(client->viewer, true);
	request_all(client, false);
	client_need(client, &head, sizeof(head)); /* it has begun */
	picture_want_write(f->picture);
	assert_false(picture_granted(f->picture, &generation));
	viewer_destroy(take_ptr(client->viewer));
	assert_true(picture_granted(f->picture, &generation));
}

static void ends(void **state)
{
	struct fixture *f = *state;
	struct client *client = watching(f);
	char byte;

	viewer_destroy(take_ptr(client->viewer));
	assert_int_equal(client_get(client, &byte, 1), 0);
	client_close(client);

	client = watching(f);
	assert_int_equal(shutdown(client->fd, SHUT_WR), 0);
	assert_int_equal(client_get(client, &byte, 1), 0);
	assert_null(viewer_end_reason(client->viewer));
	client_close(client);

	client = watching(f);
	client->fd = fd_close(client->fd);
	client_close(client);
}

static void nobody_waits(void *arg)
{
}

static void no_frame(void **state)
{
	struct viewer_options options = {.frames_maximum = 60, .name = "x"};
	struct picture *empty;
	struct viewer *viewer;
	int fd;

	assert_int_equal(picture_create(nobody_waits, NULL, &empty), 0);
	assert_int_equal(viewer_create(empty, &options, &viewer, &fd), -ENODATA);
	picture_destroy(empty);
}

static unsigned int open_fds(void)
{
	unsigned int count = 0;

	for (int fd = 0; fd < 4096; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void many_come_and_go(void **state)
{
	struct fixture *f = *state;
	unsigned int before = open_fds();

	for (int i = 0; i < 200; i++) {
		client_open(f, &f->client, 240, false);
		if (i % 2) {
			viewer_allow(f->client.viewer, true);
			request_all(&f->client, false);
		}
		client_close(&f->client);
	}
	assert_int_equal(open_fds(), before);
}

/* LibVNCServer's end must fit into an fd_set. */
static void no_low_number(void **state)
{
	struct viewer_options options = {.frames_maximum = 60, .name = "x"};
	struct fixture *f = *state;
	int fds[FD_SETSIZE], count = 0, fd;
	struct viewer *viewer;
	unsigned int before;
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = MIN(limit.rlim_max, (rlim_t)4096);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	while (count < FD_SETSIZE) {
		fd = dup(f->idle);
		if (fd < 0)
			break;
		fds[count++] = fd;
		if (fd >= FD_SETSIZE - 1)
			break;
	}
	before = open_fds();
	assert_int_equal(viewer_create(f->picture, &options, &viewer, &fd), -EMFILE);
	assert_int_equal(open_fds(), before);
	while (count)
		fd_close(fds[--count]);
	watching(f);
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ull + now.tv_nsec / 1000000;
}

/* Ten updates a second: the last of three cannot start before 200 ms have gone. Only a lower bound. */
static void rate_is_capped(void **state)
{
	struct fixture *f = *state;
	struct client *client = &f->client;
	uint64_t begin;

	client_open(f, client, 10, false);
	begin = now_ms();
	viewer_allow(client->viewer, true);
	for (int i = 0; i < 3; i++)
		update(client, false);
	assert_true(now_ms() - begin >= 200);
}

/* The broker paints one colour after the other; no update may have two of them. */
static void never_torn(void **state)
{
	struct fixture *f = *state;
	struct client clients[3] = {0};
	size_t pixels = 203 * 101;

	for (size_t i = 0; i < ARRAY_SIZE(clients); i++) {
		client_open(f, &clients[i], 240, false);
		viewer_allow(clients[i].viewer, true);
	}
	for (uint32_t round = 0; round < 100; round++) {
		for (size_t i = 0; i < ARRAY_SIZE(clients); i++)
			request_all(&clients[i], false);
		want_write(f);
		paint_all(f, round);
		for (uint32_t y = 0; y < 101; y++)
			for (uint32_t x = 0; x < 203; x++)
				*pixel(f, x, y) = round;
		publish(f, true);
		for (size_t i = 0; i < ARRAY_SIZE(clients); i++) {
			get_update(&clients[i]);
			if (round < 2) /* the test pattern may still come */
				continue;
			for (size_t p = 1; p < pixels; p++)
				assert_int_equal(clients[i].screen[p], clients[i].screen[0]);
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(clients); i++)
		client_close(&clients[i]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, viewing_begin, viewing_end)

/* Behind all that was sent before, as soon as the worker has done with that. */
static void ask(struct client *client, const struct rect *area)
{
	uint64_t before = 0;

	assert_quiet(client);
	while (before < 32 && !viewer_ask(client->viewer, before, area))
		before++;
	assert_in_range(before, 1, 31);
}

static void requests_come_the_short_way(void **state)
{
	const struct rect all = {0, 0, 203, 101}, corner = {0, 0, 16, 16}, empty = {5, 5, 0, 7};
	struct fixture *f = *state;
	struct client *client = watching(f);

	/* It sleeps on, and answers the next publish. */
	ask(client, &all);
	assert_false(viewer_ask(client->viewer, 0, &all)); /* something else comes before it */
	want_write(f);
	paint(f, 20, 20, 2, 2, 7);
	publish(f, true);
	get_update(client);
	assert_screen(f, client);

	/* Nothing was asked for; what has come meanwhile comes at once then, and the rest when it is asked for. */
	want_write(f);
	paint(f, 0, 0, 1, 1, 8);
	paint(f, 100, 50, 1, 1, 9);
	publish(f, true);
	ask(client, &corner);
	get_update(client);
	assert_int_equal(client->area, 16 * 16);
	ask(client, &all);
	get_update(client);
	assert_screen(f, client);

	/* Two that one cannot stand for, and one of nothing. */
	ask(client, &corner);
	for (uint64_t before = 0; before < 32; before++) {
		assert_false(
			viewer_ask(client->viewer, before, &(const struct rect){100, 50, 16, 16}));
		assert_false(viewer_ask(client->viewer, before, &empty));
	}
	request(client, true, 96, 48, 16, 16);
	want_write(f);
	paint(f, 100, 50, 1, 1, 10);
	publish(f, true);
	get_update(client);
	assert_screen(f, client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(picture_is_exact),
		TEST(only_damage_is_sent),
		TEST(requests_come_the_short_way),
		TEST(damage_outside_the_request_waits),
		TEST(other_pixel_format),
		TEST(names_of_encodings),
		TEST(resize_by_desktop_size),
		TEST(resize_by_extended_size),
		TEST(cannot_resize),
		TEST(sizes_are_answered),
		TEST(sizes_have_reasons),
		TEST(only_when_allowed),
		TEST(stuck_write),
		TEST(ends),
		TEST(no_frame),
		TEST(many_come_and_go),
		TEST(no_low_number),
		TEST(rate_is_capped),
		TEST(never_torn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
