/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/mem.h"
#include "rfb/outlet.h"
#include "rfb/update.h"
#include "skip.h"

#define SIDE 100 /* of a picture that does not fit into the library's buffer */

struct fixture {
	struct _rfbClientRec client;
	struct _rfbScreenInfo screen;
	struct update_way way;
	struct outlet outlet;
	uint32_t pixels[SIDE * SIDE];
	uint8_t put[1 << 20];
	size_t bytes;
	unsigned int pieces;
	bool rest; /* the last byte is to go to the socket */
	int other; /* the socket's other end */
};

static bool on_put(void *arg, struct iovec *parts, size_t count)
{
	struct fixture *f = arg;

	for (size_t i = 0; i < count; i++) {
		if (!parts[i].iov_len)
			continue;
		assert_true(f->bytes + parts[i].iov_len <= sizeof(f->put));
		memcpy(f->put + f->bytes, parts[i].iov_base, parts[i].iov_len);
		f->bytes += parts[i].iov_len;
	}
	f->pieces++;
	f->bytes -= f->rest;
	return f->rest;
}

static int setup(void **state)
{
	struct fixture *f = new0(struct fixture);
	int pair[2];

	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	f->other = pair[1];
	f->client.sock = pair[0];
	f->client.screen = f->client.scaledScreen = &f->screen;
	f->client.translateFn = rfbTranslateNone;
	f->client.format.bitsPerPixel = 32;
	f->screen.maxClientWait = 1000;
	f->screen.width = f->screen.height = SIDE;
	f->screen.bitsPerPixel = f->screen.serverFormat.bitsPerPixel = 32;
	f->screen.paddedWidthInBytes = SIDE * sizeof(*f->pixels);
	f->screen.frameBuffer = (char *)f->pixels;
	for (size_t i = 0; i < ARRAY_SIZE(f->pixels); i++)
		f->pixels[i] = i * 2654435761u;
	f->outlet = (struct outlet){.put = on_put, .arg = f};
	f->way.outlet = &f->outlet;
	f->client.clientData = &f->way;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	rfbResetStats(&f->client);
	fd_close(f->client.sock);
	fd_close(f->other);
	free(f);
	return 0;
}

static void nothing_on_the_socket(struct fixture *f)
{
	char byte;

	assert_int_equal(recv(f->other, &byte, 1, MSG_DONTWAIT), -1);
}

/* It is not known yet that the library's bytes come by us: those would go ahead of what is held. The first test, for it is learned once. */
static void nothing_is_held_before_it_is_safe(void **state)
{
	struct fixture *f = *state;
	uint8_t held[UPDATE_HELD];

	update_hold(&f->client, held);
	assert_true(update_put(&f->client, "abc", 3) && update_flush(&f->client));
	assert_int_equal(f->pieces, 1);
	assert_int_equal(f->bytes, 3);
	assert_true(update_release(&f->client));
	assert_int_equal(f->pieces, 1);
	assert_int_equal(update_learn(), 0);
}

/* As with a library that is linked -Bsymbolic. */
static void skip_without_holding(struct fixture *f)
{
	if (!f->way.held)
		skip_because("LibVNCServer calls its own rfbSendUpdateBuf()");
}

static void small_ones_go_in_one_piece(void **state)
{
	struct fixture *f = *state;
	uint8_t held[UPDATE_HELD];

	update_hold(&f->client, held);
	skip_without_holding(f);
	for (int i = 0; i < 3; i++) {
		assert_true(update_put_rect(&f->client, i, 0, 1, 1, 0));
		assert_true(rfbSendUpdateBuf(&f->client));
		assert_int_equal(f->client.ublen, 0);
	}
	assert_true(update_put(&f->client, "end", 3));
	assert_int_equal(f->pieces, 0);
	assert_true(update_release(&f->client));
	assert_int_equal(f->pieces, 1);
	assert_int_equal(f->bytes, 3 * 12 + 3);
	for (int i = 0; i < 3; i++)
		assert_int_equal(f->put[12 * i + 1], i);
	assert_memory_equal(f->put + 36, "end", 3);
	nothing_on_the_socket(f);
	/* From then on at once. */
	assert_true(update_put(&f->client, "x", 1) && update_flush(&f->client));
	assert_int_equal(f->pieces, 2);
	assert_true(update_release(&f->client));
	assert_int_equal(f->pieces, 2);
}

static void what_is_much_does_not_wait(void **state)
{
	static uint8_t much[UPDATE_HELD - 10];
	struct iovec part = {much, sizeof(much)};
	struct fixture *f = *state;
	uint8_t held[UPDATE_HELD];

	update_hold(&f->client, held);
	skip_without_holding(f);
	memset(much, 7, sizeof(much));
	assert_true(update_put(&f->client, "0123456789ab", 12) && rfbSendUpdateBuf(&f->client));
	assert_true(update_put(&f->client, much, sizeof(much)) && rfbSendUpdateBuf(&f->client));
	assert_int_equal(f->pieces, 1);
	assert_int_equal(f->bytes, 12 + sizeof(much));
	assert_memory_equal(f->put, "0123456789ab\7", 13);
	/* What lies elsewhere goes behind what waits. */
	f->bytes = 0;
	assert_true(update_put(&f->client, "ab", 2) && rfbSendUpdateBuf(&f->client));
	assert_true(update_put(&f->client, "c", 1));
	assert_true(update_put_parts(&f->client, &f->outlet, &part, 1));
	assert_int_equal(f->pieces, 2);
	assert_int_equal(f->bytes, 3 + sizeof(much));
	assert_memory_equal(f->put, "abc\7", 4);
	assert_true(update_release(&f->client));
	assert_int_equal(f->pieces, 2);
}

/* The library's own calls come here, so that no byte of an update wakes up the socket's other end. */
static void the_library_sends_by_it(void **state)
{
	struct fixture *f = *state;
	uint8_t held[UPDATE_HELD];

	update_hold(&f->client, held);
	skip_without_holding(f);
	assert_true(update_put_head(&f->client, 1));
	assert_true(rfbSendRectEncodingRaw(&f->client, 0, 0, SIDE, SIDE));
	assert_true(update_release(&f->client));
	nothing_on_the_socket(f);
	assert_int_equal(f->bytes, 4 + 12 + sizeof(f->pixels));
	assert_memory_equal(f->put + 16, f->pixels, sizeof(f->pixels));
}

static void the_last_byte_may_wake_it(void **state)
{
	struct fixture *f = *state;
	uint8_t held[UPDATE_HELD];
	char byte = 0;

	f->rest = true;
	update_hold(&f->client, held);
	skip_without_holding(f);
	assert_true(update_put(&f->client, "abc", 3) && rfbSendUpdateBuf(&f->client));
	assert_true(update_release(&f->client));
	assert_int_equal(f->bytes, 2);
	assert_int_equal(recv(f->other, &byte, 1, MSG_DONTWAIT), 1);
	assert_int_equal(byte, 'c');
	/* Without an outlet all of it. */
	f->way.outlet = NULL;
	assert_true(update_put(&f->client, "d", 1) && update_flush(&f->client));
	assert_int_equal(recv(f->other, &byte, 1, MSG_DONTWAIT), 1);
	assert_int_equal(byte, 'd');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nothing_is_held_before_it_is_safe, setup, teardown),
		cmocka_unit_test_setup_teardown(small_ones_go_in_one_piece, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_much_does_not_wait, setup, teardown),
		cmocka_unit_test_setup_teardown(the_library_sends_by_it, setup, teardown),
		cmocka_unit_test_setup_teardown(the_last_byte_may_wake_it, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
