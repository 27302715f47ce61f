/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "certificates.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

static void expect(int truth)
{
	if (!truth)
		abort();
}

static char *text_of(BIO *bio)
{
	char *data, *text;
	long size = BIO_get_mem_data(bio, &data);

	text = strndup(data, size);
	expect(text != NULL);
	BIO_free(bio);
	return text;
}

static void write_pem(struct identity *identity)
{
	BIO *bio = BIO_new(BIO_s_mem());

	expect(PEM_write_bio_X509(bio, identity->certificate));
	identity->certificate_pem = text_of(bio);
	bio = BIO_new(BIO_s_mem());
	expect(PEM_write_bio_PrivateKey(bio, identity->key, NULL, NULL, 0, NULL, NULL));
	identity->key_pem = text_of(bio);
}

static void mark_authority(X509 *certificate)
{
	X509_EXTENSION *extension =
		X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "critical,CA:TRUE");

	expect(extension && X509_add_ext(certificate, extension, -1));
	X509_EXTENSION_free(extension);
}

void identity_make(struct identity *identity, const char *name, const struct identity *issuer)
{
	static long serial = 1;
	X509 *certificate = X509_new();
	X509_NAME *subject = X509_get_subject_name(certificate);

	identity->certificate = certificate;
	identity->key = EVP_EC_gen("P-256");
	expect(identity->key != NULL);
	X509_set_version(certificate, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++);
	X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
	X509_set_pubkey(certificate, identity->key);
	expect(X509_NAME_add_entry_by_txt(
		subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0));
	X509_set_issuer_name(
		certificate, issuer ? X509_get_subject_name(issuer->certificate) : subject);
	if (!issuer)
		mark_authority(certificate);
	expect(X509_sign(certificate, issuer ? issuer->key : identity->key, EVP_sha256()) > 0);
	write_pem(identity);
}

void identity_finish(struct identity *identity)
{
	X509_free(identity->certificate);
	EVP_PKEY_free(identity->key);
	free(identity->certificate_pem);
	free(identity->key_pem);
}
