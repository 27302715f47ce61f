/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tls.h - what TLS connections are made from: certificate, key, client CA. Never changed once made: a reload makes a new one for
 * new connections, those that are open keep theirs alive.
 *
 * With a certificate: TLS 1.2 and 1.3. Anonymous, for VeNCrypt's TLS types: TLS 1.2, as 1.3 has no such thing. One thread.
 */
#pragma once

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tls;

/* PEM texts; size 0: there is none. Borrowed for the call. */
struct tls_bundle {
	const char *certificates, *key, *authorities, *rsa_key;
	size_t certificates_size, key_size, authorities_size, rsa_key_size;
};

/* Once, before the sandbox: the libraries read their configuration now. -EIO. */
int tls_open(void);
/* -EINVAL: with *ret_reason, static text; -ENOMEM. */
int tls_create(const struct tls_bundle *bundle, const char **ret_reason, struct tls **ret);
/* From a memory file that holds the four texts one after the other. @fd stays the caller's. Also -EINVAL: not so long. */
int tls_load(int fd, const uint32_t sizes[4], const char **ret_reason, struct tls **ret);
struct tls *tls_ref(struct tls *tls);
/* Takes NULL. */
void tls_unref(struct tls *tls);

bool tls_has_certificate(const struct tls *tls);
bool tls_asks_clients(const struct tls *tls); /* there is a client CA */
/* For RSA-AES; NULL: none. Borrowed. */
EVP_PKEY *tls_rsa_key(const struct tls *tls);

/* One connection over @fd, which is borrowed: a server's that has not begun. NULL: out of memory, or no certificate. The tls must
 * outlive it. */
SSL *tls_accept(struct tls *tls, int fd, bool x509);
