/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The wire alone: messages out of bytes, whatever the pieces they come in, and who owns the descriptors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "raw-peer.h"
#include "varlink/wire.h"

static struct wire *make_wire(void)
{
	struct wire *wire;

	assert_int_equal(wire_create(&wire), 0);
	return wire;
}

/* Feeds all of @bytes as far as there is room, @step at a time; 0 or the first error. */
static int feed(struct wire *wire, const char *bytes, size_t size, size_t step)
{
	while (size > 0) {
		char *at;
		size_t room = wire_room(wire, &at);
		size_t now = MIN(size, step);
		int r;

		if (room == 0)
			return wire_feed(wire, 0, NULL, 0, false);
		now = MIN(now, room);
		memcpy(at, bytes, now);
		r = wire_feed(wire, now, NULL, 0, false);
		if (r < 0)
			return r;
		bytes += now;
		size -= now;
	}
	return 0;
}

/* One byte, with descriptors. */
static int feed_first(struct wire *wire, char byte, const int *fds, size_t fds_used, bool truncated)
{
	char *at;

	assert_true(wire_room(wire, &at) >= 1);
	*at = byte;
	return wire_feed(wire, 1, fds, fds_used, truncated);
}

static void expect_message(struct wire *wire, const char *text)
{
	struct wire_message message;
	char *got;

	assert_int_equal(wire_take(wire, &message), 1);
	got = json_dumps(message.object, JSON_COMPACT);
	assert_string_equal(got, text);
	free(got);
	wire_message_finish(&message);
}

static void test_pieces(void **state)
{
	static const char text[] =
		"{\"method\":\"a.B\",\"parameters\":{\"text\":\"[{\\\"\\\\\",\"n\":[1,2,{}]}}";

	for (size_t step = 1; step <= sizeof(text); step++) {
		struct wire *wire = make_wire();
		struct wire_message message;

		for (int again = 0; again < 3; again++) {
			assert_int_equal(feed(wire, text, sizeof(text) - 1, step), 0);
			assert_int_equal(wire_take(wire, &message), 0);
			assert_int_equal(feed(wire, "", 1, 1), 0);
			expect_message(wire, text);
			assert_int_equal(wire_take(wire, &message), 0);
		}
		wire_destroy(wire);
	}
}

static void test_several_in_one_read(void **state)
{
	static const char text[] = "\"a\":1}\0{\"b\":2}\0{\"c\":";
	struct wire *wire = make_wire();
	char *at;

	assert_int_equal(feed(wire, "{", 1, 1), 0);
	assert_int_equal(feed(wire, text, sizeof(text) - 1, sizeof(text)), 0);
	assert_int_equal(wire_room(wire, &at), 0);
	expect_message(wire, "{\"a\":1}");
	expect_message(wire, "{\"b\":2}");
	assert_int_equal(feed(wire, "3}", 3, 3), 0);
	expect_message(wire, "{\"c\":3}");
	wire_destroy(wire);
}

static void test_room_is_one_byte_at_the_start(void **state)
{
	struct wire *wire = make_wire();
	char *at;

	assert_int_equal(wire_room(wire, &at), 1);
	assert_int_equal(feed(wire, "{", 1, 1), 0);
	assert_true(wire_room(wire, &at) > 1);
	assert_int_equal(feed(wire, "}", 2, 2), 0);
	assert_int_equal(wire_room(wire, &at), 0);
	expect_message(wire, "{}");
	assert_int_equal(wire_room(wire, &at), 1);
	wire_destroy(wire);
}

static void expect_error(const char *bytes, size_t size, int error)
{
	struct wire *wire = make_wire();
	struct wire_message message;
	char *at;
	int r;

	r = feed(wire, bytes, size, size);
	if (r == 0)
		r = wire_take(wire, &message);
	assert_int_equal(r, error);
	/* Dead: the same answer for ever. */
	assert_int_equal(wire_take(wire, &message), error);
	assert_int_equal(wire_room(wire, &at), 0);
	assert_int_equal(wire_feed(wire, 0, NULL, 0, false), error);
	wire_destroy(wire);
}

static void test_not_a_message(void **state)
{
	static const char *const bad[] = {"", " ", "x", "[]", "1", "\"a\"", "null", "{", "{}}",
		"{} {}", "{'a':1}", "{\"a\":1,\"a\":2}", "{\"a\":{\"b\":1,\"b\":1}}",
		"{\"a\":\"\\u0000\"}", "{\"a\":\"\xff\"}", "{\"\\u0000\":1}",
		"{\"a\":18446744073709551615}", "{\"a\":1e999}", "{\"a\":\"\\ud800\"}",
		"{\"a\":NaN}"};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		expect_error(bad[i], strlen(bad[i]) + 1, -EBADMSG);
}

static size_t nested(char *text, unsigned int depth)
{
	size_t used = 0;

	text[used++] = '{';
	text[used++] = '"';
	text[used++] = '"';
	text[used++] = ':';
	for (unsigned int i = 1; i < depth; i++)
		text[used++] = '[';
	for (unsigned int i = 1; i < depth; i++)
		text[used++] = ']';
	text[used++] = '}';
	text[used++] = 0;
	return used;
}

static void test_depth(void **state)
{
	char text[256];
	size_t size = nested(text, LIMIT_VARLINK_DEPTH);
	struct wire *wire = make_wire();

	assert_int_equal(feed(wire, text, size, size), 0);
	expect_message(wire, text);
	wire_destroy(wire);
	size = nested(text, LIMIT_VARLINK_DEPTH + 1);
	expect_error(text, size, -EBADMSG);
	/* Brackets in a string are none. */
	wire = make_wire();
	assert_int_equal(feed(wire, "{\"a\":\"\\\"[[[[[[[[[[[[[[[[[[[[[[[[[\"}", 36, 36), 0);
	expect_message(wire, "{\"a\":\"\\\"[[[[[[[[[[[[[[[[[[[[[[[[[\"}");
	wire_destroy(wire);
}

/* An object of exactly @size bytes, and its NUL. */
static char *make_long(size_t size)
{
	char *text = malloc(size + 1);

	assert_non_null(text);
	memset(text, 'x', size);
	memcpy(text, "{\"a\":\"", 6);
	memcpy(text + size - 2, "\"}", 3);
	return text;
}

static void test_size(void **state)
{
	char *longest = make_long(LIMIT_VARLINK_MESSAGE),
	     *longer = make_long(LIMIT_VARLINK_MESSAGE + 1);
	struct wire *wire = make_wire();

	for (int again = 0; again < 2; again++) {
		assert_int_equal(feed(wire, longest, LIMIT_VARLINK_MESSAGE + 1, 65536), 0);
		expect_message(wire, longest);
	}
	wire_destroy(wire);
	expect_error(longer, LIMIT_VARLINK_MESSAGE + 2, -EMSGSIZE);
	/* Before its end is seen. */
	expect_error(longer, LIMIT_VARLINK_MESSAGE + 1, -EMSGSIZE);
	free(longest);
	free(longer);
}

static void test_fds_with_the_first_byte(void **state)
{
	size_t before = count_fds();
	struct wire *wire = make_wire();
	struct wire_message message;
	int fds[LIMIT_VARLINK_FDS];

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = open_memfd();
	assert_int_equal(feed_first(wire, '{', fds, ARRAY_SIZE(fds), false), 0);
	assert_int_equal(feed(wire, "}", 2, 1), 0);
	assert_int_equal(wire_take(wire, &message), 1);
	assert_int_equal(message.fds_used, ARRAY_SIZE(fds));
	assert_memory_equal(message.fds, fds, sizeof(fds));
	fd_close(take_fd(&message.fds[3]));
	wire_message_finish(&message);
	/* The next message has its own, or none. */
	assert_int_equal(feed(wire, "{}", 3, 1), 0);
	assert_int_equal(wire_take(wire, &message), 1);
	assert_int_equal(message.fds_used, 0);
	wire_message_finish(&message);
	wire_destroy(wire);
	assert_int_equal(count_fds(), before);
}

static void test_fds_elsewhere(void **state)
{
	size_t before = count_fds();
	struct wire *wire = make_wire();
	int first = open_memfd(), later = open_memfd();

	assert_int_equal(feed_first(wire, '{', &first, 1, false), 0);
	assert_int_equal(feed_first(wire, '}', &later, 1, false), -EPROTO);
	assert_int_equal(count_fds(), before);
	later = open_memfd();
	assert_int_equal(wire_feed(wire, 0, &later, 1, false), -EPROTO);
	wire_destroy(wire);

	/* With no byte at all. */
	wire = make_wire();
	first = open_memfd();
	assert_int_equal(wire_feed(wire, 0, &first, 1, false), -EPROTO);
	wire_destroy(wire);

	/* While a whole message waits, too. */
	wire = make_wire();
	first = open_memfd();
	later = open_memfd();
	assert_int_equal(feed_first(wire, '{', &first, 1, false), 0);
	assert_int_equal(feed(wire, "}", 2, 2), 0);
	assert_int_equal(wire_feed(wire, 1, &later, 1, false), -EINVAL);
	wire_destroy(wire);
	assert_int_equal(count_fds(), before);
}

static void test_too_many_fds(void **state)
{
	size_t before = count_fds();
	struct wire *wire = make_wire();
	int fds[LIMIT_VARLINK_FDS + 1];

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = open_memfd();
	assert_int_equal(feed_first(wire, '{', fds, ARRAY_SIZE(fds), false), -EMFILE);
	wire_destroy(wire);
	wire = make_wire();
	fds[0] = open_memfd();
	assert_int_equal(feed_first(wire, '{', fds, 1, true), -EMFILE);
	wire_destroy(wire);
	assert_int_equal(count_fds(), before);
}

static void test_destroyed_with_fds(void **state)
{
	size_t before = count_fds();
	struct wire *wire = make_wire();
	int fd = open_memfd();

	assert_int_equal(feed_first(wire, '{', &fd, 1, false), 0);
	wire_destroy(wire);
	/* A bad message takes its descriptors along. */
	wire = make_wire();
	fd = open_memfd();
	assert_int_equal(feed_first(wire, '[', &fd, 1, false), 0);
	assert_int_equal(feed(wire, "]", 2, 2), 0);
	assert_int_equal(wire_take(wire, &(struct wire_message){0}), -EBADMSG);
	assert_int_equal(count_fds(), before);
	wire_destroy(wire);
	wire_destroy(NULL);
}

static void test_encode(void **state)
{
	json_t *object = json_pack("{s:s%, s:i}", "a", "x\0y", (size_t)3, "b", 1);
	char *bytes, *text;
	size_t size;

	assert_int_equal(wire_encode(object, &bytes, &size), 0);
	assert_int_equal(size, strlen(bytes) + 1);
	assert_string_equal(bytes, "{\"a\":\"x\\u0000y\",\"b\":1}");
	free(bytes);
	text = make_long(LIMIT_VARLINK_MESSAGE + 1);
	json_object_set_new(object, "a", json_string(text));
	assert_int_equal(wire_encode(object, &bytes, &size), -EMSGSIZE);
	free(text);
	json_decref(object);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_several_in_one_read),
		cmocka_unit_test(test_room_is_one_byte_at_the_start),
		cmocka_unit_test(test_not_a_message),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_fds_with_the_first_byte),
		cmocka_unit_test(test_fds_elsewhere),
		cmocka_unit_test(test_too_many_fds),
		cmocka_unit_test(test_destroyed_with_fds),
		cmocka_unit_test(test_encode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
