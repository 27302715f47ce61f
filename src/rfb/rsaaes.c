/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rfb/rsaaes.h"

#include <errno.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <string.h>

#include "base/mem.h"
#include "rfb/wire.h"

/* An exponent as long as the modulus is a second of work for a few bytes. 3 and 65537 are what there is. */
#define EXPONENT_BITS_MAX 32

struct rsaaes_key {
	unsigned int users;
	EVP_PKEY *pair; /* owned */
	size_t public_size;
	uint8_t public[RSAAES_PUBLIC_MAX];
};

struct rsaaes {
	struct rsaaes_key *key; /* a reference */
	bool strong;
	uint8_t our_random[RSAAES_RANDOM_MAX], viewer_random[RSAAES_RANDOM_MAX];
	size_t viewer_size;
	uint8_t viewer[RSAAES_PUBLIC_MAX]; /* its public key as it came */
};

/* ---- our key ---- */

/* Of a random number, and of a session key. */
static size_t key_size(const struct rsaaes *rsaaes)
{
	return rsaaes->strong ? 32 : 16;
}

static int write_public(struct rsaaes_key *key)
{
	int bits = EVP_PKEY_get_bits(key->pair), bytes = (bits + 7) / 8;
	BIGNUM *modulus = NULL, *exponent = NULL;
	bool done;

	wire_put_u32(key->public, bits);
	key->public_size = 4 + 2 * bytes;
	done = EVP_PKEY_get_bn_param(key->pair, OSSL_PKEY_PARAM_RSA_N, &modulus) == 1 &&
	       EVP_PKEY_get_bn_param(key->pair, OSSL_PKEY_PARAM_RSA_E, &exponent) == 1 &&
	       BN_bn2binpad(modulus, key->public + 4, bytes) == bytes &&
	       BN_bn2binpad(exponent, key->public + 4 + bytes, bytes) == bytes;
	BN_free(modulus);
	BN_free(exponent);
	return done ? 0 : -EINVAL;
}

int rsaaes_key_create(EVP_PKEY *pair, struct rsaaes_key **ret)
{
	struct rsaaes_key *key;
	int r;

	if (!EVP_PKEY_is_a(pair, "RSA") || EVP_PKEY_get_bits(pair) < (int)RSAAES_OWN_BITS_MIN ||
		EVP_PKEY_get_bits(pair) > (int)RSAAES_BITS_MAX)
		return -EINVAL;
	key = new0(struct rsaaes_key);
	if (!key)
		return -ENOMEM;
	key->users = 1;
	EVP_PKEY_up_ref(pair);
	key->pair = pair;
	r = write_public(key);
	if (r < 0) {
		rsaaes_key_unref(key);
		return r;
	}
	*ret = key;
	return 0;
}

struct rsaaes_key *rsaaes_key_ref(struct rsaaes_key *key)
{
	key->users++;
	return key;
}

void rsaaes_key_unref(struct rsaaes_key *key)
{
	if (!key || --key->users)
		return;
	EVP_PKEY_free(key->pair);
	free(key);
}

/* ---- one connection ---- */

int rsaaes_create(struct rsaaes_key *key, bool strong, struct rsaaes **ret)
{
	struct rsaaes *rsaaes = new0(struct rsaaes);

	if (!rsaaes)
		return -ENOMEM;
	rsaaes->key = rsaaes_key_ref(key);
	rsaaes->strong = strong;
	*ret = rsaaes;
	return 0;
}

void rsaaes_destroy(struct rsaaes *rsaaes)
{
	if (!rsaaes)
		return;
	rsaaes_key_unref(rsaaes->key);
	OPENSSL_cleanse(rsaaes, sizeof(*rsaaes));
	free(rsaaes);
}

const uint8_t *rsaaes_public(const struct rsaaes *rsaaes, size_t *ret_size)
{
	*ret_size = rsaaes->key->public_size;
	return rsaaes->key->public;
}

size_t rsaaes_viewer_key_size(const uint8_t length[4])
{
	uint32_t bits = wire_u32(length);

	return bits >= RSAAES_BITS_MIN && bits <= RSAAES_BITS_MAX ? 4 + 2 * ((bits + 7) / 8) : 0;
}

/* NULL: no key to encrypt with. */
static EVP_PKEY *make_key(const BIGNUM *modulus, const BIGNUM *exponent)
{
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	OSSL_PARAM *params = NULL;
	EVP_PKEY *key = NULL;

	if (build && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, modulus) == 1 &&
		OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, exponent) == 1)
		params = OSSL_PARAM_BLD_to_param(build);
	if (params && context && EVP_PKEY_fromdata_init(context) == 1 &&
		EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		key = NULL;
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(build);
	EVP_PKEY_CTX_free(context);
	return key;
}

static EVP_PKEY *parse_viewer_key(const uint8_t *text)
{
	int bits = wire_u32(text), bytes = (bits + 7) / 8;
	BIGNUM *modulus = BN_bin2bn(text + 4, bytes, NULL);
	BIGNUM *exponent = BN_bin2bn(text + 4 + bytes, bytes, NULL);
	EVP_PKEY *key = NULL;

	if (modulus && exponent && BN_num_bits(modulus) == bits && BN_is_odd(modulus) &&
		BN_is_odd(exponent) && !BN_is_one(exponent) &&
		BN_num_bits(exponent) <= EXPONENT_BITS_MAX)
		key = make_key(modulus, exponent);
	BN_free(modulus);
	BN_free(exponent);
	return key;
}

static EVP_PKEY_CTX *padded(EVP_PKEY *key, int (*init)(EVP_PKEY_CTX *context))
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);

	if (context && init(context) == 1 &&
		EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1)
		return context;
	EVP_PKEY_CTX_free(context);
	return NULL;
}

int rsaaes_viewer_key(
	struct rsaaes *rsaaes, const uint8_t *key, size_t size, uint8_t *ret, size_t *ret_size)
{
	size_t length = (size - 4) / 2;
	EVP_PKEY_CTX *context = NULL;
	EVP_PKEY *viewer;
	bool done;

	memcpy(rsaaes->viewer, key, size);
	rsaaes->viewer_size = size;
	viewer = parse_viewer_key(rsaaes->viewer);
	if (viewer)
		context = padded(viewer, EVP_PKEY_encrypt_init);
	wire_put_u16(ret, length);
	done = context && RAND_bytes(rsaaes->our_random, key_size(rsaaes)) == 1 &&
	       EVP_PKEY_encrypt(context, ret + 2, &length, rsaaes->our_random, key_size(rsaaes)) ==
		       1;
	EVP_PKEY_CTX_free(context);
	EVP_PKEY_free(viewer);
	ERR_clear_error();
	if (!done)
		return -EPROTO;
	*ret_size = 2 + length;
	return 0;
}

size_t rsaaes_random_size(const struct rsaaes *rsaaes)
{
	return 2 + (rsaaes->key->public_size - 4) / 2;
}

int rsaaes_viewer_random(struct rsaaes *rsaaes, const uint8_t *line)
{
	size_t size = wire_u16(line), length = RSAAES_BITS_MAX / 8;
	uint8_t text[RSAAES_BITS_MAX / 8] = {0}, made_up[RSAAES_RANDOM_MAX];
	EVP_PKEY_CTX *context;
	uint8_t mask;
	bool good;

	if (size + 2 != rsaaes_random_size(rsaaes))
		return -EPROTO;
	/* Bleichenbacher's oracle: who sends texts of his own must not learn which of them are padded well. */
	context = padded(rsaaes->key->pair, EVP_PKEY_decrypt_init);
	if (!context || RAND_bytes(made_up, key_size(rsaaes)) != 1) {
		EVP_PKEY_CTX_free(context);
		return -ENOMEM;
	}
	good = EVP_PKEY_decrypt(context, text, &length, line + 2, size) == 1;
	mask = -(uint8_t)(good & (length == key_size(rsaaes)));
	for (size_t i = 0; i < key_size(rsaaes); i++)
		rsaaes->viewer_random[i] = (text[i] & mask) | (made_up[i] & ~mask);
	OPENSSL_cleanse(text, sizeof(text));
	EVP_PKEY_CTX_free(context);
	ERR_clear_error();
	return 0;
}

/* ---- hashes ---- */

size_t rsaaes_hash_size(const struct rsaaes *rsaaes)
{
	return rsaaes->strong ? 32 : 20;
}

static void hash(const struct rsaaes *rsaaes, const uint8_t *first, size_t first_size,
	const uint8_t *second, size_t second_size, uint8_t ret[RSAAES_HASH_MAX])
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool done;

	done = context &&
	       EVP_DigestInit_ex2(context, rsaaes->strong ? EVP_sha256() : EVP_sha1(), NULL) == 1 &&
	       EVP_DigestUpdate(context, first, first_size) == 1 &&
	       EVP_DigestUpdate(context, second, second_size) == 1 &&
	       EVP_DigestFinal_ex(context, ret, NULL) == 1;
	EVP_MD_CTX_free(context);
	/* Out of memory: what nobody can have computed, and nobody can guess. */
	if (!done && RAND_bytes(ret, RSAAES_HASH_MAX) != 1)
		abort();
}

void rsaaes_session_keys(
	const struct rsaaes *rsaaes, uint8_t ret_viewer[32], uint8_t ret_ours[32], size_t *ret_size)
{
	hash(rsaaes, rsaaes->our_random, key_size(rsaaes), rsaaes->viewer_random, key_size(rsaaes),
		ret_viewer);
	hash(rsaaes, rsaaes->viewer_random, key_size(rsaaes), rsaaes->our_random, key_size(rsaaes),
		ret_ours);
	*ret_size = key_size(rsaaes);
}

void rsaaes_our_hash(const struct rsaaes *rsaaes, uint8_t ret[RSAAES_HASH_MAX])
{
	hash(rsaaes, rsaaes->key->public, rsaaes->key->public_size, rsaaes->viewer,
		rsaaes->viewer_size, ret);
}

bool rsaaes_viewer_hash_is(const struct rsaaes *rsaaes, const uint8_t *viewer_hash)
{
	uint8_t expected[RSAAES_HASH_MAX];

	hash(rsaaes, rsaaes->viewer, rsaaes->viewer_size, rsaaes->key->public,
		rsaaes->key->public_size, expected);
	return CRYPTO_memcmp(expected, viewer_hash, rsaaes_hash_size(rsaaes)) == 0;
}
