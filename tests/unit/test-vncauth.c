/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/vncauth.h"

/* FIPS 46's worked example: key 133457799bbcdff1, block 0123456789abcdef. A VNC password is the key with each byte's bits
 * mirrored. */
static const char example_password[] = "\xc8\x2c\xea\x9e\xd9\x3d\xfb\x8f";
static const uint8_t example_block[8] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef};
static const uint8_t example_cipher[8] = {0x85, 0xe8, 0x13, 0x54, 0x0f, 0x0a, 0xb4, 0x05};

static void answer_is_des_under_the_mirrored_password(void **state)
{
	uint8_t challenge[VNCAUTH_CHALLENGE], answer[VNCAUTH_CHALLENGE];

	memcpy(challenge, example_block, 8);
	memcpy(challenge + 8, example_block, 8);
	assert_int_equal(vncauth_response(example_password, challenge, answer), 0);
	assert_memory_equal(answer, example_cipher, 8);
	assert_memory_equal(answer + 8, example_cipher, 8);
}

static void short_password_is_padded_with_zeros(void **state)
{
	/* DES of a zero block under a zero key. */
	static const uint8_t zero_cipher[8] = {0x8c, 0xa6, 0x4d, 0xe9, 0xc1, 0xb1, 0x23, 0xa7};
	uint8_t challenge[VNCAUTH_CHALLENGE] = {0}, answer[VNCAUTH_CHALLENGE];

	assert_int_equal(vncauth_response("", challenge, answer), 0);
	assert_memory_equal(answer, zero_cipher, 8);
	assert_memory_equal(answer + 8, zero_cipher, 8);
}

static void only_eight_bytes_count(void **state)
{
	uint8_t challenge[VNCAUTH_CHALLENGE] = "0123456789abcde", a[VNCAUTH_CHALLENGE],
		b[VNCAUTH_CHALLENGE];

	assert_int_equal(vncauth_response("password", challenge, a), 0);
	assert_int_equal(vncauth_response("password and more", challenge, b), 0);
	assert_memory_equal(a, b, VNCAUTH_CHALLENGE);
	assert_int_equal(vncauth_response("passworD", challenge, b), 0);
	assert_memory_not_equal(a, b, VNCAUTH_CHALLENGE);
}

static void check_accepts_the_answer_and_no_bit_less(void **state)
{
	uint8_t challenge[VNCAUTH_CHALLENGE], answer[VNCAUTH_CHALLENGE];

	assert_int_equal(vncauth_challenge(challenge), 0);
	assert_int_equal(vncauth_response("secret", challenge, answer), 0);
	assert_true(vncauth_check("secret", challenge, answer));
	for (int bit = 0; bit < VNCAUTH_CHALLENGE * 8; bit++) {
		answer[bit / 8] ^= 1 << bit % 8;
		assert_false(vncauth_check("secret", challenge, answer));
		answer[bit / 8] ^= 1 << bit % 8;
	}
	assert_false(vncauth_check("Secret", challenge, answer));
	assert_false(vncauth_check("", challenge, answer));
}

static void challenges_differ(void **state)
{
	uint8_t a[VNCAUTH_CHALLENGE], b[VNCAUTH_CHALLENGE];

	assert_int_equal(vncauth_challenge(a), 0);
	assert_int_equal(vncauth_challenge(b), 0);
	assert_memory_not_equal(a, b, VNCAUTH_CHALLENGE);
}

static int setup(void **state)
{
	return vncauth_open();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answer_is_des_under_the_mirrored_password),
		cmocka_unit_test(short_password_is_padded_with_zeros),
		cmocka_unit_test(only_eight_bytes_count),
		cmocka_unit_test(check_accepts_the_answer_and_no_bit_less),
		cmocka_unit_test(challenges_differ),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
