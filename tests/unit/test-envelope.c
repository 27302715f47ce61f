/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <openssl/evp.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "rfb/envelope.h"
#include "rfb/rsaaes.h"
#include "rfb/seal.h"
#include "rfb/wire.h"
#include "rsa-viewer.h"

static struct rsaaes_key *server_key;

/* A layer, and the viewer's two seals at the other end of it. */
struct ends {
	struct envelope *layer;
	struct seal to_us, from_us;
};

static void begin(struct ends *ends, bool strong)
{
	uint8_t line[2 + RSAAES_BITS_MAX / 8], key[32];
	struct rsaaes *rsaaes;
	struct rsa_viewer viewer;
	const uint8_t *public;
	size_t size;

	rsa_viewer_init(&viewer, 1024);
	assert_int_equal(rsaaes_create(server_key, strong, &rsaaes), 0);
	public = rsaaes_public(rsaaes, &size);
	rsa_viewer_see_key(&viewer, public, size);
	assert_int_equal(
		rsaaes_viewer_key(rsaaes, viewer.public, viewer.public_size, line, &size), 0);
	rsa_viewer_see_random(&viewer, strong, line, size);
	assert_int_equal(rsa_viewer_random(&viewer, strong, line), rsaaes_random_size(rsaaes));
	assert_int_equal(rsaaes_viewer_random(rsaaes, line), 0);
	assert_int_equal(envelope_create(rsaaes, &ends->layer), 0);
	size = rsa_viewer_session_key(&viewer, strong, true, key);
	assert_int_equal(seal_init(&ends->to_us, key, size), 0);
	size = rsa_viewer_session_key(&viewer, strong, false, key);
	assert_int_equal(seal_init(&ends->from_us, key, size), 0);
	rsaaes_destroy(rsaaes);
	rsa_viewer_finish(&viewer);
}

static void finish(struct ends *ends)
{
	envelope_ops.destroy(ends->layer);
	seal_finish(&ends->to_us);
	seal_finish(&ends->from_us);
}

static void both_ways(void **state)
{
	for (int strong = 0; strong < 2; strong++) {
		uint8_t message[SEAL_SENT + SEAL_EXTRA], text[SEAL_SENT], back[LIMIT_SEALED];
		size_t size, used, at;
		struct ends ends;

		begin(&ends, strong);
		for (size_t i = 1; i <= SEAL_SENT; i = 3 * i + 1) {
			memset(text, i, sizeof(text));
			memcpy(message + envelope_ops.head, text, i);
			assert_int_equal(
				envelope_ops.encode(ends.layer, message, i, &at), i + SEAL_EXTRA);
			assert_int_equal(seal_open(&ends.from_us, message + at, i + SEAL_EXTRA,
						 SEAL_MAXIMUM, back, &size),
				i + SEAL_EXTRA);
			assert_int_equal(size, i);
			assert_memory_equal(back, text, i);
			assert_int_equal(seal_close(&ends.to_us, text, i, message), 0);
			assert_int_equal(envelope_ops.decode(ends.layer, message, i + SEAL_EXTRA,
						 &used, back, sizeof(back)),
				i);
			assert_int_equal(used, i + SEAL_EXTRA);
			assert_memory_equal(back, text, i);
		}
		finish(&ends);
	}
}

/* Into little room, from half a message and one and a half. */
static void little_room(void **state)
{
	uint8_t messages[2 * (100 + SEAL_EXTRA)], text[200], back[200];
	size_t size = sizeof(messages), at = 0, got = 0, used;
	struct ends ends;

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = i;
	begin(&ends, true);
	assert_int_equal(seal_close(&ends.to_us, text, 100, messages), 0);
	assert_int_equal(seal_close(&ends.to_us, text + 100, 100, messages + 100 + SEAL_EXTRA), 0);
	assert_int_equal(envelope_ops.decode(ends.layer, messages, 60, &used, back, 7), 0);
	assert_int_equal(used, 0);
	while (got < sizeof(text)) {
		ssize_t n = envelope_ops.decode(ends.layer, messages + at, size - at, &used,
			back + got, MIN(sizeof(back) - got, (size_t)7));

		assert_in_range(n, 1, 7);
		got += n;
		at += used;
	}
	assert_int_equal(at, size);
	assert_memory_equal(back, text, sizeof(text));
	/* Thrown away with something kept. */
	assert_int_equal(seal_close(&ends.to_us, text, 100, messages), 0);
	assert_int_equal(
		envelope_ops.decode(ends.layer, messages, 100 + SEAL_EXTRA, &used, back, 1), 1);
	finish(&ends);
}

static void lies_end_it(void **state)
{
	uint8_t message[20 + SEAL_EXTRA], back[LIMIT_SEALED];
	size_t used;
	struct ends ends;

	for (int room = 0; room < 2; room++) {
		begin(&ends, false);
		assert_int_equal(seal_close(&ends.to_us, back, 20, message), 0);
		message[5] ^= 1;
		assert_int_equal(envelope_ops.decode(ends.layer, message, sizeof(message), &used,
					 back, room ? sizeof(back) : 3),
			-EBADMSG);
		assert_non_null(envelope_ops.reason(ends.layer));
		wire_put_u16(message, LIMIT_SEALED + 1);
		assert_int_equal(envelope_ops.decode(ends.layer, message, 2, &used, back,
					 room ? sizeof(back) : 3),
			-EMSGSIZE);
		finish(&ends);
	}
}

static void an_empty_message_is_nothing(void **state)
{
	uint8_t message[SEAL_EXTRA], back[LIMIT_SEALED];
	struct ends ends;
	size_t used;

	begin(&ends, true);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(seal_close(&ends.to_us, back, 0, message), 0);
		assert_int_equal(envelope_ops.decode(ends.layer, message, sizeof(message), &used,
					 back, i ? sizeof(back) : 3),
			0);
		assert_int_equal(used, SEAL_EXTRA);
	}
	finish(&ends);
}

static int setup(void **state)
{
	EVP_PKEY *pair = rsa_viewer_make_key(2048);
	int r = rsaaes_key_create(pair, &server_key);

	EVP_PKEY_free(pair);
	return r;
}

static int teardown(void **state)
{
	rsaaes_key_unref(server_key);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_ways),
		cmocka_unit_test(little_room),
		cmocka_unit_test(lies_end_it),
		cmocka_unit_test(an_empty_message_is_nothing),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
