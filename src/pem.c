/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pem.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
	RSA_MADE_BITS = 3072,
	RSA_LEAST_BITS = 2048,	   /* RSA-AES allows 1024 (rfbproto), nobody else does any more */
	RSA_MOST_BITS = 8192,	   /* rfbproto's own bound */
	SECURITY_LEAST_BITS = 112, /* what OpenSSL's security level 2 asks of a server's key */
};

static BIO *open_text(const struct pem *pem)
{
	return BIO_new_mem_buf(pem->text, (int)pem->size);
}

/* Was that the end of the text, or something broken? */
static bool at_end(void)
{
	unsigned long error = ERR_peek_last_error();

	ERR_clear_error();
	return ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
}

/* Nobody is there to be asked. */
static int no_passphrase(char *buffer, int size, int writing, void *arg)
{
	*(bool *)arg = true;
	return -1;
}

static EVP_PKEY *read_key(const struct pem *pem, const char **ret_wrong)
{
	BIO *bio = open_text(pem);
	bool asked = false;
	EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, &asked) : NULL;

	BIO_free(bio);
	ERR_clear_error();
	*ret_wrong = key     ? NULL
		     : asked ? "has a passphrase, which nobody could enter"
			     : "is not a private key in PEM";
	return key;
}

/* The first certificate; all behind it are read too. */
static X509 *read_chain(const struct pem *pem, const char **ret_wrong)
{
	BIO *bio = open_text(pem);
	X509 *leaf = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
	X509 *next = leaf;

	*ret_wrong = leaf ? NULL : "is not a certificate in PEM";
	while (next && (next = PEM_read_bio_X509(bio, NULL, NULL, NULL)))
		X509_free(next);
	if (leaf && !at_end())
		*ret_wrong = "has a certificate in it that cannot be read";
	BIO_free(bio);
	ERR_clear_error();
	if (*ret_wrong) {
		X509_free(leaf);
		return NULL;
	}
	return leaf;
}

static const char *remark_time(const X509 *certificate)
{
	if (X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0)
		return "has expired";
	if (X509_cmp_current_time(X509_get0_notBefore(certificate)) > 0)
		return "is not valid yet";
	return NULL;
}

const char *pem_check_chain(
	const struct pem *chain, const struct pem *key, int *ret_key, const char **ret_remark)
{
	const char *wrong;
	EVP_PKEY *private = NULL;
	X509 *leaf;

	*ret_key = 0;
	*ret_remark = NULL;
	leaf = read_chain(chain, &wrong);
	if (!leaf)
		return wrong;
	if (EVP_PKEY_get_security_bits(X509_get0_pubkey(leaf)) < SECURITY_LEAST_BITS) {
		wrong = "has a key that is too short: viewers would refuse it";
	} else {
		*ret_key = 1;
		private = read_key(key, &wrong);
		if (private && X509_check_private_key(leaf, private) != 1)
			wrong = "is not the key of the certificate";
	}
	*ret_remark = remark_time(leaf);
	EVP_PKEY_free(private);
	X509_free(leaf);
	ERR_clear_error();
	return wrong;
}

const char *pem_check_authorities(const struct pem *authorities)
{
	BIO *bio = open_text(authorities);
	const char *wrong = NULL;
	unsigned int n = 0;
	X509 *each;

	while (bio && !wrong && (each = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
		if (!X509_check_ca(each))
			wrong = "has a certificate in it that may not sign others";
		X509_free(each);
		n++;
	}
	if (!wrong && !n)
		wrong = "is not a certificate in PEM";
	else if (!wrong && !at_end())
		wrong = "has a certificate in it that cannot be read";
	BIO_free(bio);
	ERR_clear_error();
	return wrong;
}

const char *pem_check_rsa(const struct pem *key)
{
	const char *wrong;
	EVP_PKEY *private = read_key(key, &wrong);

	if (!private)
		return wrong;
	if (!EVP_PKEY_is_a(private, "RSA"))
		wrong = "is not an RSA key";
	else if (EVP_PKEY_get_bits(private) < RSA_LEAST_BITS ||
		 EVP_PKEY_get_bits(private) > RSA_MOST_BITS)
		wrong = "is an RSA key of less than 2048 or more than 8192 bits";
	EVP_PKEY_free(private);
	return wrong;
}

/* Called at each candidate for a prime. 0 ends the search. */
static int is_wanted(EVP_PKEY_CTX *context)
{
	_Atomic bool *unwanted = EVP_PKEY_CTX_get_app_data(context);

	return !atomic_load(unwanted);
}

static EVP_PKEY *make_rsa(_Atomic bool *unwanted)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	EVP_PKEY *key = NULL;

	if (context && EVP_PKEY_keygen_init(context) == 1 &&
		EVP_PKEY_CTX_set_rsa_keygen_bits(context, RSA_MADE_BITS) == 1) {
		EVP_PKEY_CTX_set_app_data(context, unwanted);
		EVP_PKEY_CTX_set_cb(context, is_wanted);
		if (EVP_PKEY_generate(context, &key) != 1)
			key = NULL;
	}
	EVP_PKEY_CTX_free(context);
	return key;
}

int pem_make_rsa(_Atomic bool *unwanted, struct pem *ret)
{
	EVP_PKEY *key = make_rsa(unwanted);
	BIO *bio = BIO_new(BIO_s_secmem());
	int r = atomic_load(unwanted) ? -ECANCELED : -EIO;
	char *text;
	long size;

	if (key && bio && PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1) {
		size = BIO_get_mem_data(bio, &text);
		ret->text = malloc(size + 1);
		r = ret->text ? 0 : -ENOMEM;
		if (r == 0) {
			memcpy(ret->text, text, size);
			ret->text[size] = '\0';
			ret->size = size;
		}
	}
	BIO_free(bio);
	EVP_PKEY_free(key);
	ERR_clear_error();
	return r;
}

void pem_finish(struct pem *pem)
{
	if (pem->text)
		explicit_bzero(pem->text, pem->size);
	free(pem->text);
	*pem = (struct pem){0};
}
