/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "rfb/seal.h"

/* The first three of the vectors in the paper's appendix. */
static const struct {
	size_t size;
	uint8_t text[8], key[16], nonce[16], head[8], sealed[24];
} vectors[] = {
	{0, {0},
		{0x23, 0x39, 0x52, 0xde, 0xe4, 0xd5, 0xed, 0x5f, 0x9b, 0x9c, 0x6d, 0x6f, 0xf8, 0x0f,
			0xf4, 0x78},
		{0x62, 0xec, 0x67, 0xf9, 0xc3, 0xa4, 0xa4, 0x07, 0xfc, 0xb2, 0xa8, 0xc4, 0x90, 0x31,
			0xa8, 0xb3},
		{0x6b, 0xfb, 0x91, 0x4f, 0xd0, 0x7e, 0xae, 0x6b},
		{0xe0, 0x37, 0x83, 0x0e, 0x83, 0x89, 0xf2, 0x7b, 0x02, 0x5a, 0x2d, 0x65, 0x27, 0xe7,
			0x9d, 0x01}},
	{2, {0xf7, 0xfb},
		{0x91, 0x94, 0x5d, 0x3f, 0x4d, 0xcb, 0xee, 0x0b, 0xf4, 0x5e, 0xf5, 0x22, 0x55, 0xf0,
			0x95, 0xa4},
		{0xbe, 0xca, 0xf0, 0x43, 0xb0, 0xa2, 0x3d, 0x84, 0x31, 0x94, 0xba, 0x97, 0x2c, 0x66,
			0xde, 0xbd},
		{0xfa, 0x3b, 0xfd, 0x48, 0x06, 0xeb, 0x53, 0xfa},
		{0x19, 0xdd, 0x5c, 0x4c, 0x93, 0x31, 0x04, 0x9d, 0x0b, 0xda, 0xb0, 0x27, 0x74, 0x08,
			0xf6, 0x79, 0x67, 0xe5}},
	{5, {0x1a, 0x47, 0xcb, 0x49, 0x33},
		{0x01, 0xf7, 0x4a, 0xd6, 0x40, 0x77, 0xf2, 0xe7, 0x04, 0xc0, 0xf6, 0x0a, 0xda, 0x3d,
			0xd5, 0x23},
		{0x70, 0xc3, 0xdb, 0x4f, 0x0d, 0x26, 0x36, 0x84, 0x00, 0xa1, 0x0e, 0xd0, 0x5d, 0x2b,
			0xff, 0x5e},
		{0x23, 0x4a, 0x34, 0x63, 0xc1, 0x26, 0x4a, 0xc6},
		{0xd8, 0x51, 0xd5, 0xba, 0xe0, 0x3a, 0x59, 0xf2, 0x38, 0xa2, 0x3e, 0x39, 0x19, 0x9d,
			0xc9, 0x26, 0x66, 0x26, 0xc4, 0x0f, 0x80}},
};

static void published_vectors(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		uint8_t text[8], tag[EAX_BLOCK];
		size_t size = vectors[i].size;
		struct eax eax;

		assert_int_equal(eax_init(&eax, vectors[i].key, 16), 0);
		/* Twice: what one message leaves behind must not touch the next. */
		for (int again = 0; again < 2; again++) {
			assert_int_equal(eax_encrypt(&eax, vectors[i].nonce, vectors[i].head, 8,
						 vectors[i].text, size, text, tag),
				0);
			assert_memory_equal(text, vectors[i].sealed, size);
			assert_memory_equal(tag, vectors[i].sealed + size, EAX_BLOCK);
			assert_int_equal(eax_decrypt(&eax, vectors[i].nonce, vectors[i].head, 8,
						 text, size, tag, text),
				0);
			assert_memory_equal(text, vectors[i].text, size);
		}
		eax_finish(&eax);
	}
}

static void sizes_of_keys(void **state)
{
	const uint8_t key[32] = {1};
	struct eax eax;

	assert_int_equal(eax_init(&eax, key, 24), -EINVAL);
	assert_int_equal(eax_init(&eax, key, 0), -EINVAL);
	assert_int_equal(eax_init(&eax, key, 32), 0);
	eax_finish(&eax);
	eax_finish(&eax);
}

static void pair(struct seal *from, struct seal *to, size_t key_size)
{
	const uint8_t key[32] = "a key of thirty-two bytes.......";

	assert_int_equal(seal_init(from, key, key_size), 0);
	assert_int_equal(seal_init(to, key, key_size), 0);
}

static void finish(struct seal *from, struct seal *to)
{
	seal_finish(from);
	seal_finish(to);
}

static void messages_arrive_in_order_and_whole(void **state)
{
	for (size_t key_size = 16; key_size <= 32; key_size += 16) {
		struct seal from, to;

		pair(&from, &to, key_size);
		for (int i = 0; i < 600; i++) { /* the number's second byte is used, too */
			uint8_t text[300], message[300 + SEAL_EXTRA], back[300];
			size_t size = i % 300, back_size = 0;

			memset(text, i, sizeof(text));
			assert_int_equal(seal_close(&from, text, size, message), 0);
			for (size_t part = 0; part < size + SEAL_EXTRA; part += 7)
				assert_int_equal(
					seal_open(&to, message, part, 300, back, &back_size), 0);
			assert_int_equal(
				seal_open(&to, message, sizeof(message), 300, back, &back_size),
				size + SEAL_EXTRA);
			assert_int_equal(back_size, size);
			assert_memory_equal(back, text, size);
		}
		assert_int_equal(from.number[0], 600 % 256);
		assert_int_equal(from.number[1], 600 / 256);
		finish(&from, &to);
	}
}

static void no_bit_may_change(void **state)
{
	uint8_t message[5 + SEAL_EXTRA], back[64];
	struct seal from, to;
	size_t size;

	pair(&from, &to, 32);
	assert_int_equal(seal_close(&from, (const uint8_t *)"hello", 5, message), 0);
	/* But for the size: a larger one waits for more, a smaller one is another message. */
	for (size_t bit = SEAL_HEAD * 8; bit < sizeof(message) * 8; bit++) {
		message[bit / 8] ^= 1 << bit % 8;
		assert_int_equal(
			seal_open(&to, message, sizeof(message), 64, back, &size), -EBADMSG);
		message[bit / 8] ^= 1 << bit % 8;
	}
	message[1]--;
	assert_int_equal(seal_open(&to, message, sizeof(message), 64, back, &size), -EBADMSG);
	message[1]++;
	assert_int_equal(
		seal_open(&to, message, sizeof(message), 64, back, &size), sizeof(message));
	/* Once. */
	assert_int_equal(seal_open(&to, message, sizeof(message), 64, back, &size), -EBADMSG);
	finish(&from, &to);
}

static void too_much_is_known_from_the_head(void **state)
{
	static const uint8_t head[] = {0x10, 0x01};
	uint8_t back[16], text[SEAL_SENT + 1] = {0}, message[SEAL_SENT + 1 + SEAL_EXTRA];
	struct seal from, to;
	size_t size;

	pair(&from, &to, 16);
	assert_int_equal(seal_open(&to, head, 1, 0x1000, back, &size), 0);
	assert_int_equal(seal_open(&to, head, 2, 0x1000, back, &size), -EMSGSIZE);
	assert_int_equal(seal_open(&to, head, 2, 0x1001, back, &size), 0);
	assert_int_equal(seal_close(&from, text, SEAL_SENT + 1, message), -EMSGSIZE);
	assert_int_equal(seal_close(&from, text, SEAL_SENT, message), 0);
	finish(&from, &to);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(published_vectors),
		cmocka_unit_test(sizes_of_keys),
		cmocka_unit_test(messages_arrive_in_order_and_whole),
		cmocka_unit_test(no_bit_may_change),
		cmocka_unit_test(too_much_is_known_from_the_head),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
