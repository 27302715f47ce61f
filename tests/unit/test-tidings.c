/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a worker says beside pixels: whole, between two other messages, in the viewer's own order where that matters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "base/limits.h"
#include "base/mem.h"
#include "rfb/encodings.h"
#include "rfb/facts.h"
#include "rfb/parse.h"
#include "rfb/wire.h"
#include "small-viewer.h"

static const struct facts facts = {.name = "new name", .leds = 5, .relative = true, .power = true};

/* The next bytes are these. */
#define EXPECT(client, ...) \
	expect(client, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static void expect(struct client *client, const uint8_t *bytes, size_t size)
{
	uint8_t got[256];

	client_need(client, got, size);
	assert_memory_equal(got, bytes, size);
}

static void put_fence(struct client *client, uint32_t flags, const char *payload)
{
	uint8_t message[9 + FENCE_PAYLOAD] = {248};

	wire_put_u32(message + 4, flags);
	message[8] = strlen(payload);
	memcpy(message + 9, payload, strlen(payload));
	client_put(client, message, 9 + strlen(payload));
}

/* A fence behind its type: a ping of the worker's, which is answered, or the answer that is awaited. */
static bool get_answer(struct client *client, uint32_t flags, const char *payload)
{
	uint8_t head[8], got[FENCE_PAYLOAD];

	client_need(client, head, sizeof(head));
	assert_in_range(head[7], 0, FENCE_PAYLOAD);
	client_need(client, got, head[7]);
	if (wire_u32(head + 3) & FENCE_REQUEST) {
		client_fence(client, got, head[7]);
		return false;
	}
	assert_int_equal(wire_u32(head + 3), flags);
	assert_int_equal(head[7], strlen(payload));
	assert_memory_equal(got, payload, head[7]);
	return true;
}

static void expect_answer(struct client *client, uint32_t flags, const char *payload)
{
	do
		EXPECT(client, 248);
	while (!get_answer(client, flags, payload));
}

/* Nothing but pings. */
static void assert_no_answer(struct client *client)
{
	struct pollfd polled = {.fd = client->fd, .events = POLLIN};

	while (poll(&polled, 1, QUIET_MS) == 1) {
		EXPECT(client, 248);
		assert_false(get_answer(client, 0, ""));
	}
}

static void put_continuous(
	struct client *client, bool on, uint16_t x, uint16_t y, uint16_t width, uint16_t height)
{
	uint8_t message[10] = {150, on};

	wire_put_u16(message + 2, x);
	wire_put_u16(message + 4, y);
	wire_put_u16(message + 6, width);
	wire_put_u16(message + 8, height);
	client_put(client, message, sizeof(message));
}

/* No request is needed for what is no update; each is said once. */
static void announcements_come_at_once_and_once(void **state)
{
	struct fixture *f = *state;
	struct client *client = watching(f);

	viewer_tell(client->viewer, &facts);
	ENCODINGS(client, ENCODING_RAW, ENCODING_FENCE, ENCODING_CONTINUOUS_UPDATES, ENCODING_XVP);
	EXPECT(client, 248, 0, 0, 0, 0x80, 0, 0, 0, 0);
	EXPECT(client, 150);
	EXPECT(client, 250, 0, 1, 1);
	ENCODINGS(client, ENCODING_RAW);
	assert_quiet(client);
	ENCODINGS(client, ENCODING_RAW, ENCODING_FENCE, ENCODING_CONTINUOUS_UPDATES, ENCODING_XVP);
	assert_quiet(client);
}

static void power_is_offered_when_somebody_hears(void **state)
{
	struct fixture *f = *state;
	struct client *client = watching(f);

	ENCODINGS(client, ENCODING_RAW, ENCODING_XVP);
	assert_quiet(client);
	viewer_deny(client->viewer);
	EXPECT(client, 250, 0, 1, 0);
	viewer_tell(client->viewer, &facts);
	EXPECT(client, 250, 0, 1, 1);
	/* Refusals are not without end where nobody takes them. */
	for (int i = 0; i < 16; i++)
		viewer_deny(client->viewer);
	for (int i = 0; i < 16; i++)
		EXPECT(client, 250, 0, 1, 0);
	assert_quiet(client);
}

/* They are rectangles of an update, so they wait until one is asked for, and then come in one. */
static void tidings_wait_for_a_request(void **state)
{
	struct fixture *f = *state;
	struct client *client = watching(f);

	viewer_tell(client->viewer, &facts);
	viewer_extras(client->viewer, EXTRA_NAME | EXTRA_KEYS | EXTRA_BUTTONS | EXTRA_LEDS |
					      EXTRA_VMWARE_LEDS | EXTRA_POINTER_MODE);
	assert_quiet(client);
	request_all(client, true);
	EXPECT(client, 0, 0, 0, 5);
	EXPECT(client, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xfe, 0xfe); /* keys */
	EXPECT(client, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xfe, 0xc4); /* buttons */
	EXPECT(client, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xfe, 0xcd, 0, 0, 0, 8);
	expect(client, (const uint8_t *)"new name", 8);
	EXPECT(client, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xfe, 0xfb, 5); /* QEMU's, not both */
	EXPECT(client, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xfe, 0xff);	   /* steps */
	/* The request stands: a change is sent. */
	assert_quiet(client);
	want_write(f);
	paint(f, 1, 2, 3, 4, 9);
	publish(f, true);
	get_update(client);
	assert_int_equal(client->rects, 1);
	assert_screen(f, client);
}

static void only_the_newest_is_told(void **state)
{
	struct fixture *f = *state;
	struct client *client = watching(f);
	struct facts now = facts;

	viewer_extras(client->viewer, EXTRA_VMWARE_LEDS);
	viewer_tell(client->viewer, &now);
	for (now.leds = 0; now.leds < 7; now.leds++)
		viewer_tell(client->viewer, &now);
	viewer_tell(client->viewer, &now);
	request_all(client, true);
	EXPECT(client, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0x57, 0x4d, 0x56, 0x68, 0, 0, 0, 7);
	assert_quiet(client);
	viewer_tell(client->viewer, &now);
	assert_quiet(client);
}

/* Behind a whole update, never inside one: none of its bytes is lost, whatever is asked for while it is on its way. */
static void nothing_comes_inside_an_update(void **state)
{
	struct fixture *f = *state;
	struct client *client = watching(f);

	ENCODINGS(client, ENCODING_RAW, ENCODING_FENCE, ENCODING_XVP);
	EXPECT(client, 248, 0, 0, 0, 0x80, 0, 0, 0, 0);
	for (uint32_t i = 0; i < 20; i++) {
		want_write(f);
		paint_all(f, i);
		publish(f, true);
		request_all(client, false);
		put_fence(client, FENCE_REQUEST | 3, "ping");
		viewer_deny(client->viewer);
		/* The refusal comes at any boundary; the request came before the fence. */
		for (int left = 3; left;) {
			uint8_t type;

			client_need(client, &type, 1);
			if (type == 250) {
				EXPECT(client, 0, 1, 0);
			} else if (type == 248) {
				if (!get_answer(client, 3, "ping"))
					continue;
			} else {
				assert_int_equal(type, 0);
				EXPECT(client, 0, 0, 1, 0, 0, 0, 0, 0, 203, 0, 101, 0, 0, 0, 0);
				for (unsigned int y = 0; y < 101; y++) {
					uint8_t row[4 * 203];

					client_need(client, row, sizeof(row));
					for (unsigned int x = 0; x < 203; x++)
						assert_memory_equal(row + 4 * x, pixel(f, x, y), 3);
				}
			}
			left--;
		}
	}
	assert_no_answer(client);
}

/* From here on fences are not announced, so that there are none of the worker's own. It leaves it to the parser who may send some. */
static void a_fence_says_that_what_came_before_is_done(void **state)
{
	struct fixture *f = *state;
	struct client *client = watching(f);
	char payload[FENCE_PAYLOAD + 1];

	memset(payload, 'x', FENCE_PAYLOAD);
	payload[FENCE_PAYLOAD] = '\0';
	put_fence(client, FENCE_REQUEST, payload);
	expect_answer(client, 0, payload);
	put_fence(client, 0, "an answer to nothing");
	assert_no_answer(client);
}

/* Answers do not pile up: who does not take them is not heard, but for its end. */
static void a_flood_of_fences_waits(void **state)
{
	struct fixture *f = *state;
	struct client *client = watching(f);
	uint8_t rest[9 * LIMIT_FENCES + 1];
	unsigned int answers = 0;

	viewer_allow(client->viewer, false);
	for (unsigned int i = 0; i < 2 * LIMIT_FENCES; i++)
		put_fence(client, FENCE_REQUEST, "");
	for (; answers < LIMIT_FENCES; answers++)
		expect_answer(client, 0, "");
	assert_no_answer(client);
	viewer_allow(client->viewer, true);
	for (; answers < 2 * LIMIT_FENCES; answers++)
		expect_answer(client, 0, "");
	update(client, false);
	viewer_allow(client->viewer, false);
	for (unsigned int i = 0; i < 2 * LIMIT_FENCES; i++)
		put_fence(client, FENCE_REQUEST, "");
	for (answers = 0; answers < LIMIT_FENCES; answers++)
		expect_answer(client, 0, "");
	assert_no_answer(client);
	shutdown(client->fd, SHUT_WR);
	assert_int_equal(client_get(client, rest, sizeof(rest)), 9 * LIMIT_FENCES);
}

/* SyncNext: no update in the old format behind the answer, none in the new one before it. */
static void a_synchronous_fence_waits_for_the_next_message(void **state)
{
	static const uint8_t grey[20] = {0, 0, 0, 0, 8, 8, 0, 1, 0, 7, 0, 7, 0, 3, 5, 2, 0};
	static const uint8_t nothing = PARSE_NOTHING;
	struct fixture *f = *state;
	struct client *client = watching(f);
	uint8_t pixels[203 * 101];

	put_fence(client, FENCE_REQUEST | 4, "a");
	assert_no_answer(client);
	client_put(client, &nothing, 1);
	expect_answer(client, 4, "a");
	request_all(client, true);
	put_fence(client, FENCE_REQUEST | 7, "b");
	want_write(f);
	paint_all(f, 77);
	publish(f, true);
	get_update(client); /* in the old format: the answer has not come */
	assert_screen(f, client);
	request_all(client, false);
	expect_answer(client, 7, "b");
	get_update(client);
	put_fence(client, FENCE_REQUEST | 4, "c");
	client_put(client, grey, sizeof(grey));
	request_all(client, false);
	expect_answer(client, 4, "c");
	EXPECT(client, 0, 0, 0, 1, 0, 0, 0, 0, 0, 203, 0, 101, 0, 0, 0, 0);
	client_need(client, pixels, sizeof(pixels));
	assert_no_answer(client);
}

/* What was put has been done. */
static void settle(struct client *client)
{
	put_fence(client, FENCE_REQUEST, "settle");
	expect_answer(client, 0, "settle");
}

static void continuous_updates_need_no_request(void **state)
{
	struct fixture *f = *state;
	struct client *client = watching(f);

	ENCODINGS(client, ENCODING_RAW, ENCODING_CONTINUOUS_UPDATES);
	EXPECT(client, 150);
	assert_no_answer(client);
	put_continuous(client, true, 0, 0, 203, 101);
	settle(client);
	for (uint32_t i = 0; i < 5; i++) {
		want_write(f);
		paint(f, 10 * i, i, 5, 6, i);
		publish(f, true);
		get_update(client);
		assert_int_equal(client->rects, 1);
	}
	assert_screen(f, client);
	/* Another area takes the place of the first one; one over the edge is cut. */
	put_continuous(client, true, 200, 100, 65535, 65535);
	settle(client);
	want_write(f);
	paint_all(f, 99);
	publish(f, true);
	get_update(client);
	assert_int_equal(client->area, 3);
	put_continuous(client, false, 0, 0, 203, 101);
	EXPECT(client, 150);
	want_write(f);
	paint_all(f, 100);
	publish(f, true);
	assert_no_answer(client);
	put_continuous(client, false, 0, 0, 0, 0);
	EXPECT(client, 150);
	update(client, true);
	assert_screen(f, client);
}

/* A full request that waits when continuous updates end is still to be answered; what only they would have brought is not. */
static void a_full_request_outlives_them(void **state)
{
	struct fixture *f = *state;
	struct client *client = watching(f);

	ENCODINGS(client, ENCODING_RAW, ENCODING_CONTINUOUS_UPDATES);
	EXPECT(client, 150);
	assert_no_answer(client);
	put_continuous(client, true, 0, 0, 203, 101);
	settle(client);
	viewer_allow(client->viewer, false);
	want_write(f);
	paint(f, 100, 50, 5, 6, 7);
	publish(f, true);
	request(client, false, 10, 20, 30, 40);
	put_continuous(client, false, 0, 0, 203, 101);
	EXPECT(client, 150);
	assert_no_answer(client);
	viewer_allow(client->viewer, true);
	get_update(client);
	assert_int_equal(client->area, 30 * 40);
	assert_no_answer(client);
	/* It was answered: the next time nothing is owed. */
	put_continuous(client, true, 0, 0, 203, 101);
	get_update(client);
	request(client, false, 10, 20, 30, 40);
	get_update(client);
	put_continuous(client, false, 0, 0, 203, 101);
	EXPECT(client, 150);
	want_write(f);
	paint_all(f, 8);
	publish(f, true);
	assert_no_answer(client);
	update(client, true);
	assert_screen(f, client);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, viewing_begin, viewing_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(announcements_come_at_once_and_once),
		TEST(power_is_offered_when_somebody_hears),
		TEST(tidings_wait_for_a_request),
		TEST(only_the_newest_is_told),
		TEST(nothing_comes_inside_an_update),
		TEST(a_fence_says_that_what_came_before_is_done),
		TEST(a_flood_of_fences_waits),
		TEST(a_synchronous_fence_waits_for_the_next_message),
		TEST(continuous_updates_need_no_request),
		TEST(a_full_request_outlives_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
