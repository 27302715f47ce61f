/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rfb/eax.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdbool.h>
#include <string.h>

static int open_cipher(struct eax *eax)
{
	EVP_CIPHER *cipher =
		EVP_CIPHER_fetch(NULL, eax->key_size == 16 ? "AES-128-CTR" : "AES-256-CTR", NULL);
	bool done;

	eax->cipher = EVP_CIPHER_CTX_new();
	done = cipher && eax->cipher &&
	       EVP_EncryptInit_ex2(eax->cipher, cipher, eax->key, NULL, NULL) == 1;
	EVP_CIPHER_free(cipher);
	return done ? 0 : -ENOMEM;
}

static int open_mac(struct eax *eax)
{
	char name[] = "AES-128-CBC";
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_CIPHER, name, 0),
		OSSL_PARAM_construct_end(),
	};
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "CMAC", NULL);
	bool done;

	if (eax->key_size == 32)
		memcpy(name, "AES-256-CBC", sizeof(name));
	eax->mac = mac ? EVP_MAC_CTX_new(mac) : NULL;
	done = eax->mac && EVP_MAC_CTX_set_params(eax->mac, params) == 1;
	EVP_MAC_free(mac);
	return done ? 0 : -ENOMEM;
}

int eax_init(struct eax *eax, const uint8_t *key, size_t key_size)
{
	int r;

	if (key_size != 16 && key_size != 32)
		return -EINVAL;
	*eax = (struct eax){.key_size = key_size};
	memcpy(eax->key, key, key_size);
	r = open_cipher(eax);
	if (r == 0)
		r = open_mac(eax);
	if (r < 0)
		eax_finish(eax);
	return r;
}

void eax_finish(struct eax *eax)
{
	EVP_CIPHER_CTX_free(eax->cipher);
	EVP_MAC_CTX_free(eax->mac);
	OPENSSL_cleanse(eax, sizeof(*eax));
}

static bool mac_of(
	struct eax *eax, uint8_t what, const uint8_t *data, size_t size, uint8_t ret[EAX_BLOCK])
{
	const uint8_t prefix[EAX_BLOCK] = {[EAX_BLOCK - 1] = what};
	size_t length = 0;

	/* With the key each time: not every OpenSSL 3.0 begins anew without. */
	return EVP_MAC_init(eax->mac, eax->key, eax->key_size, NULL) == 1 &&
	       EVP_MAC_update(eax->mac, prefix, sizeof(prefix)) == 1 &&
	       (!size || EVP_MAC_update(eax->mac, data, size) == 1) &&
	       EVP_MAC_final(eax->mac, ret, &length, EAX_BLOCK) == 1 && length == EAX_BLOCK;
}

static bool crypt_from(struct eax *eax, const uint8_t start[EAX_BLOCK], const uint8_t *data,
	size_t size, uint8_t *ret)
{
	int length = 0;

	return EVP_EncryptInit_ex2(eax->cipher, NULL, NULL, start, NULL) == 1 &&
	       (!size || EVP_EncryptUpdate(eax->cipher, ret, &length, data, size) == 1) &&
	       (size_t)length == size;
}

/* tag = N xor H xor C; *ret_start = N. */
static bool tag_of(struct eax *eax, const uint8_t start[EAX_BLOCK], const uint8_t *head,
	size_t head_size, const uint8_t *data, size_t size, uint8_t ret[EAX_BLOCK])
{
	uint8_t of_head[EAX_BLOCK], of_data[EAX_BLOCK];

	if (!mac_of(eax, 1, head, head_size, of_head) || !mac_of(eax, 2, data, size, of_data))
		return false;
	for (int i = 0; i < EAX_BLOCK; i++)
		ret[i] = start[i] ^ of_head[i] ^ of_data[i];
	return true;
}

int eax_encrypt(struct eax *eax, const uint8_t nonce[EAX_BLOCK], const uint8_t *head,
	size_t head_size, const uint8_t *data, size_t size, uint8_t *ret,
	uint8_t ret_tag[EAX_BLOCK])
{
	uint8_t start[EAX_BLOCK];

	if (mac_of(eax, 0, nonce, EAX_BLOCK, start) && crypt_from(eax, start, data, size, ret) &&
		tag_of(eax, start, head, head_size, ret, size, ret_tag))
		return 0;
	return -EIO;
}

int eax_decrypt(struct eax *eax, const uint8_t nonce[EAX_BLOCK], const uint8_t *head,
	size_t head_size, const uint8_t *data, size_t size, const uint8_t tag[EAX_BLOCK],
	uint8_t *ret)
{
	uint8_t start[EAX_BLOCK], expected[EAX_BLOCK];

	if (!mac_of(eax, 0, nonce, EAX_BLOCK, start) ||
		!tag_of(eax, start, head, head_size, data, size, expected))
		return -EIO;
	if (CRYPTO_memcmp(expected, tag, EAX_BLOCK) != 0)
		return -EBADMSG;
	return crypt_from(eax, start, data, size, ret) ? 0 : -EIO;
}
