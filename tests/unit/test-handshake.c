/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "rfb/handshake.h"

static void begin(struct handshake *handshake, enum handshake_security security)
{
	handshake_init(handshake, security, "secret");
	assert_int_equal(handshake->out_size, 12);
	assert_memory_equal(handshake->out, "RFB 003.008\n", 12);
	handshake->out_size = 0;
}

/* Byte by byte, so that every step is seen to wait; all must be eaten up to the verdict. */
static enum handshake_verdict feed(struct handshake *handshake, const void *data, size_t size)
{
	enum handshake_verdict verdict = HANDSHAKE_MORE;
	size_t eaten;

	for (size_t i = 0; i < size; i++) {
		assert_int_equal(verdict, HANDSHAKE_MORE);
		verdict = handshake_eat(handshake, (const uint8_t *)data + i, 1, &eaten);
		assert_int_equal(eaten, 1);
	}
	return verdict;
}

static void expect_out(struct handshake *handshake, const void *data, size_t size)
{
	assert_int_equal(handshake->out_size, size);
	assert_memory_equal(handshake->out, data, size);
	handshake->out_size = 0;
}

static void greet(
	struct handshake *handshake, enum handshake_security security, const char *version)
{
	size_t eaten;

	begin(handshake, security);
	assert_int_equal(feed(handshake, version, 12), HANDSHAKE_ASK);
	assert_int_equal(handshake_eat(handshake, NULL, 0, &eaten), HANDSHAKE_MORE);
}

static void none_by_version(void **state)
{
	struct handshake h;

	greet(&h, HANDSHAKE_NONE, "RFB 003.003\n");
	expect_out(&h, "\0\0\0\1", 4);
	assert_int_equal(feed(&h, "\1", 1), HANDSHAKE_DONE);
	assert_true(h.shared);
	greet(&h, HANDSHAKE_NONE, "RFB 003.007\n");
	expect_out(&h, "\1\1", 2);
	assert_int_equal(feed(&h, "\1", 1), HANDSHAKE_MORE);
	expect_out(&h, "", 0);
	assert_int_equal(feed(&h, "\0", 1), HANDSHAKE_DONE);
	assert_false(h.shared);
	greet(&h, HANDSHAKE_NONE, "RFB 003.008\n");
	expect_out(&h, "\1\1", 2);
	assert_int_equal(feed(&h, "\1", 1), HANDSHAKE_MORE);
	expect_out(&h, "\0\0\0\0", 4);
	assert_int_equal(feed(&h, "\1", 1), HANDSHAKE_DONE);
}

static void password_by_version(void **state)
{
	static const char *const versions[] = {"RFB 003.003\n", "RFB 003.007\n", "RFB 003.008\n"};

	for (size_t i = 0; i < ARRAY_SIZE(versions); i++)
		for (int good = 0; good < 2; good++) {
			uint8_t answer[VNCAUTH_CHALLENGE];
			struct handshake h;

			greet(&h, HANDSHAKE_VNCAUTH, versions[i]);
			if (i == 0) {
				assert_int_equal(h.out_size, 4 + VNCAUTH_CHALLENGE);
				assert_memory_equal(h.out, "\0\0\0\2", 4);
				h.out_size = 0;
			} else {
				expect_out(&h, "\1\2", 2);
				assert_int_equal(feed(&h, "\2", 1), HANDSHAKE_MORE);
				expect_out(&h, h.challenge, VNCAUTH_CHALLENGE);
			}
			assert_int_equal(
				vncauth_response(good ? "secret" : "Secret", h.challenge, answer), 0);
			if (good) {
				assert_int_equal(feed(&h, answer, 16), HANDSHAKE_MORE);
				expect_out(&h, "\0\0\0\0", 4);
				assert_int_equal(feed(&h, "\1", 1), HANDSHAKE_DONE);
				continue;
			}
			assert_int_equal(feed(&h, answer, 16), HANDSHAKE_DENIED);
			expect_out(&h, "", 0);
			handshake_deny(&h);
			if (i == 2)
				expect_out(&h, "\0\0\0\1\0\0\0\16wrong password", 22);
			else
				expect_out(&h, "\0\0\0\1", 4);
			assert_false(h.authenticated);
		}
}

static void odd_versions(void **state)
{
	static const struct {
		const char *version;
		unsigned int minor;
	} cases[] = {{"RFB 003.000\n", 3}, {"RFB 003.005\n", 3}, {"RFB 003.006\n", 3},
		{"RFB 003.009\n", 8}, {"RFB 003.889\n", 8}, {"RFB 003.999\n", 8}};
	static const char *const bad[] = {"RFB 003.00x\n", "RFB 003-008\n", "GET / HTTP/1",
		"RFB  3.008\n\n", "rfb 003.008\n", "RFB 003.0088"};
	struct handshake h;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		greet(&h, HANDSHAKE_NONE, cases[i].version);
		assert_int_equal(h.minor, cases[i].minor);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		begin(&h, HANDSHAKE_NONE);
		assert_int_equal(feed(&h, bad[i], 12), HANDSHAKE_FAILED);
		expect_out(&h, "", 0);
	}
	begin(&h, HANDSHAKE_NONE);
	assert_int_equal(feed(&h, "RFB 004.001\n", 12), HANDSHAKE_FAILED);
	assert_memory_equal(h.out, "\0\0\0\0", 4);
}

static void types_not_offered_fail(void **state)
{
	for (int security = 1; security <= 2; security++)
		for (int type = 0; type < 256; type++) {
			uint8_t byte = type;
			struct handshake h;
			size_t eaten;

			if (type == security)
				continue;
			greet(&h, security, type % 2 ? "RFB 003.007\n" : "RFB 003.008\n");
			assert_int_equal(feed(&h, &byte, 1), HANDSHAKE_FAILED);
			assert_false(h.authenticated);
			/* And nothing more is listened to. */
			assert_int_equal(
				handshake_eat(&h, (uint8_t *)"\1\1\1", 3, &eaten), HANDSHAKE_MORE);
			assert_int_equal(eaten, 0);
		}
}

static void refusal_in_the_words_of_the_version(void **state)
{
	struct handshake h;

	begin(&h, HANDSHAKE_NONE);
	assert_int_equal(feed(&h, "RFB 003.003\n", 12), HANDSHAKE_ASK);
	handshake_refuse(&h, "full");
	expect_out(&h, "\0\0\0\0\0\0\0\4full", 12);
	begin(&h, HANDSHAKE_VNCAUTH);
	assert_int_equal(feed(&h, "RFB 003.008\n", 12), HANDSHAKE_ASK);
	handshake_refuse(&h, "full");
	expect_out(&h, "\0\0\0\0\4full", 9);
}

static void what_follows_is_not_eaten(void **state)
{
	static const uint8_t rest[] = {1, 1, 0xaa, 0xbb};
	struct handshake h;
	size_t eaten;

	greet(&h, HANDSHAKE_NONE, "RFB 003.008\n");
	assert_int_equal(handshake_eat(&h, rest, sizeof(rest), &eaten), HANDSHAKE_DONE);
	assert_int_equal(eaten, 2);
}

static int setup(void **state)
{
	return vncauth_open();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(none_by_version),
		cmocka_unit_test(password_by_version),
		cmocka_unit_test(odd_versions),
		cmocka_unit_test(types_not_offered_fail),
		cmocka_unit_test(refusal_in_the_words_of_the_version),
		cmocka_unit_test(what_follows_is_not_eaten),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
