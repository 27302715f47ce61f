/* SPDX-License-Identifier: GPL-2.0-or-later */
/* certificates.h - certificates and keys for one run of a test. */
#pragma once

#include <openssl/types.h>
#include <stddef.h>

struct identity {
	X509 *certificate;
	EVP_PKEY *key;
	char *certificate_pem, *key_pem; /* with an end */
};

/* Signed by @issuer, or by itself where that is NULL: an authority then. P-256. */
void identity_make(struct identity *identity, const char *name, const struct identity *issuer);
void identity_finish(struct identity *identity);
