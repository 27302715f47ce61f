/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pem.h - are these texts what TLS and RSA-AES need? Checks of the administrator's own files, through libcrypto.
 *
 * All return NULL if so, else static text to stand behind a file's name.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct pem {
	char *text; /* owned, with a NUL behind; NULL: there is none */
	size_t size;
};

/* A chain, the key of its first certificate. *ret_key: is it the key that is wrong? *ret_remark: NULL, or what is odd about the
 * certificate, but no reason not to use it: static text. */
const char *pem_check_chain(const struct pem *chain, const struct pem *key, int *ret_key, const char **ret_remark);
/* Certificates that may sign others. */
const char *pem_check_authorities(const struct pem *authorities);
const char *pem_check_rsa(const struct pem *key);
/* A new RSA key; takes about a second, or until *@unwanted is true, set by any thread. @ret's text is the caller's to wipe. -EIO,
 * -ENOMEM, -ECANCELED. */
int pem_make_rsa(_Atomic bool *unwanted, struct pem *ret);
/* Wipes and frees. */
void pem_finish(struct pem *pem);
