/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/vncauth.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/random.h>

/* Triple DES with one key three times is DES: the middle step undoes the first. So the default provider of OpenSSL 3 is
 * enough, and neither the legacy provider, which is a module to be loaded, nor the deprecated calls are needed. */
#define CIPHER "DES-EDE3-ECB"

static EVP_CIPHER *cipher;

static uint8_t mirrored(uint8_t byte)
{
	uint8_t result = 0;

	for (int i = 0; i < 8; i++)
		if (byte & 1 << i)
			result |= 0x80 >> i;
	return result;
}

int vncauth_open(void)
{
	static const uint8_t zero[VNCAUTH_CHALLENGE];
	uint8_t answer[VNCAUTH_CHALLENGE];

	if (!cipher)
		cipher = EVP_CIPHER_fetch(NULL, CIPHER, NULL);
	return cipher ? vncauth_response("warm", zero, answer) : -EIO;
}

int vncauth_challenge(uint8_t challenge[VNCAUTH_CHALLENGE])
{
	/* So few bytes come whole and at once when the pool is ready, which it is long before any service starts. */
	return getrandom(challenge, VNCAUTH_CHALLENGE, GRND_NONBLOCK) == VNCAUTH_CHALLENGE ? 0
											   : -EIO;
}

int vncauth_response(const char *password, const uint8_t challenge[VNCAUTH_CHALLENGE],
	uint8_t ret[VNCAUTH_CHALLENGE])
{
	uint8_t key[24] = {0};
	uint8_t answer[VNCAUTH_CHALLENGE + 8];
	EVP_CIPHER_CTX *context;
	int length = 0;
	bool done;

	for (size_t i = 0; i < 8 && password[i]; i++)
		key[i] = mirrored(password[i]);
	memcpy(key + 8, key, 8);
	memcpy(key + 16, key, 8);
	context = EVP_CIPHER_CTX_new();
	done = context && cipher && EVP_EncryptInit_ex2(context, cipher, key, NULL, NULL) == 1 &&
	       EVP_CIPHER_CTX_set_padding(context, 0) == 1 &&
	       EVP_EncryptUpdate(context, answer, &length, challenge, VNCAUTH_CHALLENGE) == 1 &&
	       length == VNCAUTH_CHALLENGE;
	EVP_CIPHER_CTX_free(context);
	OPENSSL_cleanse(key, sizeof(key));
	if (!done)
		return -EIO;
	memcpy(ret, answer, VNCAUTH_CHALLENGE);
	return 0;
}

bool vncauth_check(const char *password, const uint8_t challenge[VNCAUTH_CHALLENGE],
	const uint8_t response[VNCAUTH_CHALLENGE])
{
	uint8_t expected[VNCAUTH_CHALLENGE];

	if (vncauth_response(password, challenge, expected) < 0)
		return false;
	return CRYPTO_memcmp(expected, response, VNCAUTH_CHALLENGE) == 0;
}
