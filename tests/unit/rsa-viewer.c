/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rsa-viewer.h"

#include <assert.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <string.h>

#include "rfb/wire.h"

/* In tests a failure here is one of the test itself. */
#define must(truth) \
	do { \
		if (!(truth)) \
			__builtin_trap(); \
	} while (0)

EVP_PKEY *rsa_viewer_make_key(unsigned int bits)
{
	EVP_PKEY *key = EVP_RSA_gen(bits);

	must(key);
	return key;
}

void rsa_viewer_init(struct rsa_viewer *viewer, unsigned int bits)
{
	unsigned int bytes = (bits + 7) / 8;
	BIGNUM *n = NULL, *e = NULL;

	*viewer = (struct rsa_viewer){.key = rsa_viewer_make_key(bits)};
	must(EVP_PKEY_get_bn_param(viewer->key, "n", &n) == 1);
	must(EVP_PKEY_get_bn_param(viewer->key, "e", &e) == 1);
	wire_put_u32(viewer->public, bits);
	must(BN_bn2binpad(n, viewer->public + 4, bytes) == (int)bytes);
	must(BN_bn2binpad(e, viewer->public + 4 + bytes, bytes) == (int)bytes);
	viewer->public_size = 4 + 2 * bytes;
	BN_free(n);
	BN_free(e);
}

void rsa_viewer_finish(struct rsa_viewer *viewer)
{
	EVP_PKEY_free(viewer->key);
	EVP_PKEY_free(viewer->server_key);
}

void rsa_viewer_see_key(struct rsa_viewer *viewer, const uint8_t *key, size_t size)
{
	unsigned int bytes = (wire_u32(key) + 7) / 8;
	BIGNUM *n = BN_bin2bn(key + 4, bytes, NULL), *e = BN_bin2bn(key + 4 + bytes, bytes, NULL);
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	OSSL_PARAM *params;

	must(size == 4 + 2 * bytes && size <= sizeof(viewer->server_public));
	memcpy(viewer->server_public, key, size);
	viewer->server_public_size = size;
	must(OSSL_PARAM_BLD_push_BN(build, "n", n) && OSSL_PARAM_BLD_push_BN(build, "e", e));
	params = OSSL_PARAM_BLD_to_param(build);
	must(EVP_PKEY_fromdata_init(context) == 1);
	must(EVP_PKEY_fromdata(context, &viewer->server_key, EVP_PKEY_PUBLIC_KEY, params) == 1);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(build);
	EVP_PKEY_CTX_free(context);
	BN_free(n);
	BN_free(e);
}

size_t rsa_viewer_random(struct rsa_viewer *viewer, bool strong, uint8_t *ret)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(viewer->server_key, NULL);
	size_t size = 1024;

	must(RAND_bytes(viewer->random, 32) == 1);
	must(EVP_PKEY_encrypt_init(context) == 1);
	must(EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1);
	must(EVP_PKEY_encrypt(context, ret + 2, &size, viewer->random, strong ? 32 : 16) == 1);
	wire_put_u16(ret, size);
	EVP_PKEY_CTX_free(context);
	return 2 + size;
}

void rsa_viewer_see_random(struct rsa_viewer *viewer, bool strong, const uint8_t *line, size_t size)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(viewer->key, NULL);
	uint8_t text[1024];
	size_t length = sizeof(text);

	must(size == 2u + wire_u16(line));
	must(EVP_PKEY_decrypt_init(context) == 1);
	must(EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1);
	must(EVP_PKEY_decrypt(context, text, &length, line + 2, size - 2) == 1 &&
		length == (strong ? 32 : 16));
	memcpy(viewer->server_random, text, length);
	EVP_PKEY_CTX_free(context);
}

static size_t hash_two(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size,
	bool strong, uint8_t ret[32])
{
	uint8_t both[2 * (4 + 2 * 1024)];

	memcpy(both, a, a_size);
	memcpy(both + a_size, b, b_size);
	if (strong)
		SHA256(both, a_size + b_size, ret);
	else
		SHA1(both, a_size + b_size, ret);
	return strong ? 32 : 20;
}

size_t rsa_viewer_hash(const struct rsa_viewer *viewer, bool strong, bool viewers, uint8_t ret[32])
{
	if (viewers)
		return hash_two(viewer->public, viewer->public_size, viewer->server_public,
			viewer->server_public_size, strong, ret);
	return hash_two(viewer->server_public, viewer->server_public_size, viewer->public,
		viewer->public_size, strong, ret);
}

size_t rsa_viewer_session_key(
	const struct rsa_viewer *viewer, bool strong, bool viewers, uint8_t ret[32])
{
	if (viewers)
		hash_two(viewer->server_random, strong ? 32 : 16, viewer->random, strong ? 32 : 16,
			strong, ret);
	else
		hash_two(viewer->random, strong ? 32 : 16, viewer->server_random, strong ? 32 : 16,
			strong, ret);
	return strong ? 32 : 16;
}
