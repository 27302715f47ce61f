/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "rfb/encodings.h"
#include "small-viewer.h"

#define ENCODING_TIGHT 7
#define QUALITY_9      -23
#define LAST_RECT      -224

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ull + now.tv_nsec / 1000000;
}

static void change(struct fixture *f, uint32_t seed)
{
	want_write(f);
	paint_all(f, seed);
	publish(f, true);
}

/* What is there by now: fences, and no update. */
static void get_fences(struct client *client)
{
	struct pollfd polled = {.fd = client->fd, .events = POLLIN};
	uint8_t head[9];

	while (poll(&polled, 1, QUIET_MS) == 1) {
		client_need(client, head, sizeof(head));
		assert_int_equal(head[0], 248);
		client->fence_bytes = head[8];
		client_need(client, client->fence, client->fence_bytes);
		client->fences++;
	}
}

/* A picture of 80 KiB is more than may be on its way while nothing is known of the line: the next waits for an answer. */
static void the_line_is_waited_for(void **state)
{
	struct fixture *f = *state;
	struct client *client = watching(f);

	ENCODINGS(client, ENCODING_RAW, ENCODING_FENCE);
	update(client, false);
	get_fences(client);
	assert_int_equal(client->fences, 3); /* that we know them, one before, one behind */
	assert_int_equal(client->fence_bytes, 4);

	request_all(client, true);
	change(f, 2);
	change(f, 3);
	assert_quiet(client);
	client_fence(client, "nobody asked for this", 22);
	assert_quiet(client);
	client_fence(client, client->fence, client->fence_bytes);
	get_update(client);
	assert_screen(f, client);
	/* Now the rate is known to be high, and so is that the line is short. */
	for (uint32_t i = 0; i < 5; i++) {
		client->answers_fences = true;
		request_all(client, true);
		change(f, 10 + i);
		get_update(client);
		assert_screen(f, client);
	}
}

/* Who does not know fences is not sent any, and waits for its queue alone. */
static void without_fences(void **state)
{
	struct fixture *f = *state;
	struct client *client = watching(f);

	for (uint32_t i = 0; i < 5; i++) {
		request_all(client, true);
		change(f, i);
		get_update(client);
	}
	assert_int_equal(client->fences, 0);
}

/* 200 KB a second: four pictures of 82 KB begin no sooner than three of them have been paid for. Only a lower bound. */
static void bytes_are_capped(void **state)
{
	struct fixture *f = *state;
	struct client *client = &f->client;
	uint64_t begin = now_ms(), bytes;

	f->bytes_maximum = 200000;
	client_open(f, client, 240, false);
	bytes = client->bytes;
	viewer_allow(client->viewer, true);
	for (int i = 0; i < 4; i++)
		update(client, false);
	bytes = client->bytes - bytes;
	assert_in_range(bytes, 4 * 203 * 101 * 4, 4 * 203 * 101 * 4 + 4096);
	assert_true((now_ms() - begin) * 200 >= bytes * 3 / 4 * 98 / 100);

	/* The cap can go while there is debt. */
	viewer_limits(client->viewer, 240, 0);
	for (int i = 0; i < 4; i++)
		update(client, false);
}

/* Continuous updates need no requests; full requests are answered as well. */
static void continuous(void **state)
{
	static const uint8_t on[10] = {150, 1, 0, 0, 0, 0, 0, 203, 0, 101}, off[10] = {150};
	struct fixture *f = *state;
	struct client *client = watching(f);
	uint8_t end;

	ENCODINGS(client, ENCODING_RAW, ENCODING_CONTINUOUS_UPDATES);
	client_need(client, &end, 1); /* that we know them */
	assert_int_equal(end, 150);
	client_put(client, on, sizeof(on));
	for (uint32_t i = 0; i < 5; i++) {
		change(f, 20 + i);
		get_update(client);
		while (memcmp(client->screen, pixel(f, 0, 0), 4) != 0)
			get_update(client);
		assert_screen(f, client);
	}
	update(client, false);
	client_put(client, off, sizeof(off));
	client_need(client, &end, 1);
	assert_int_equal(end, 150);
	change(f, 30);
	assert_quiet(client);
	request_all(client, true);
	get_update(client);
	assert_screen(f, client);
}

#define WHOLE_MS (4 * QUIET_MS) /* longer than a loaded machine stops in the middle of an update */

/* Tight's bytes of one update until the viewer is quiet for as long as a refresh may take. */
static uint64_t bytes_until_quiet(struct client *client, int timeout_ms)
{
	struct pollfd polled = {.fd = client->fd, .events = POLLIN};
	static uint8_t sink[65536];
	uint64_t bytes = 0;
	ssize_t n;

	while (poll(&polled, 1, timeout_ms) == 1) {
		n = recv(client->fd, sink, sizeof(sink), 0);
		assert_true(n > 0);
		bytes += n;
	}
	return bytes;
}

/* What it looks like is a scenario's business; here: that it comes once, on a request, and only for what may have lost something. */
static void lossy_areas_come_again(void **state)
{
	struct fixture *f = *state;
	struct client *client = watching(f);

	ENCODINGS(client, ENCODING_TIGHT, QUALITY_9, LAST_RECT, ENCODING_RAW);
	request_all(client, false);
	assert_true(bytes_until_quiet(client, WHOLE_MS) > 1000);
	assert_int_equal(bytes_until_quiet(client, 1500), 0); /* nobody asked */
	request_all(client, true);
	/* Noise: a slice has all of its pixels' three bytes. */
	assert_in_range(bytes_until_quiet(client, 1500), 203 * 101 * 2, 203 * 101 * 4);
	request_all(client, true);
	assert_int_equal(bytes_until_quiet(client, 1500), 0);

	/* A picture of few colours was exact at once. */
	want_write(f);
	paint_all(f, 1);
	memset(frame_pixels(f->broker), 0, f->broker->header.stride * 101);
	*pixel(f, 100, 50) = 0xffffff;
	publish(f, true);
	assert_in_range(bytes_until_quiet(client, QUIET_MS), 1, 2000);
	request_all(client, true);
	assert_int_equal(bytes_until_quiet(client, 1500), 0);
}

static void without_jpeg_nothing_comes_again(void **state)
{
	static const int encodings[] = {0, 5, 6, 7, 16};
	struct fixture *f = *state;
	struct client *client = watching(f);

	for (size_t i = 0; i < ARRAY_SIZE(encodings); i++) {
		ENCODINGS(client, encodings[i]);
		request_all(client, false);
		assert_true(bytes_until_quiet(client, WHOLE_MS) > 1000);
		request_all(client, true);
		assert_int_equal(bytes_until_quiet(client, 800), 0);
		request_all(client, false); /* the one that waits is answered with it */
		bytes_until_quiet(client, WHOLE_MS);
	}
}

/* The broker gets the frame while slices are due, and new damage does not wait for them. */
static void refresh_yields(void **state)
{
	struct fixture *f = *state;
	struct client *client = watching(f);
	uint64_t end;

	viewer_limits(client->viewer, 240, 100000); /* so that a refresh takes seconds */
	ENCODINGS(client, ENCODING_TIGHT, QUALITY_9, ENCODING_RAW);
	request_all(client, false);
	bytes_until_quiet(client, 400);
	end = now_ms() + 1500;
	for (uint32_t i = 0; now_ms() < end; i++) {
		request_all(client, true);
		want_write(f); /* waits for no more than a slice */
		paint(f, 0, 0, 16, 16, i);
		publish(f, true);
		bytes_until_quiet(client, 1);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, viewing_begin, viewing_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_line_is_waited_for),
		TEST(without_fences),
		TEST(bytes_are_capped),
		TEST(continuous),
		TEST(lossy_areas_come_again),
		TEST(without_jpeg_nothing_comes_again),
		TEST(refresh_yields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
