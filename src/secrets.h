/* SPDX-License-Identifier: GPL-2.0-or-later */
/* secrets.h - the certificate, its key, who signs viewers' certificates and the key of RSA-AES: read from the administrator's files,
 * checked, and put into one sealed memfd, as RFB programs get it (LINK_TLS).
 *
 * Each is the file that the configuration names, or else the systemd credential tls.cert, tls.key, tls.ca or rsa.key. An RSA key that
 * is nowhere is made when it is first wanted, on a thread, and kept in the state directory. Main thread.
 */
#pragma once

#include <stdbool.h>

#include "frame/link.h"

struct config;
struct loop;
struct secrets;

/* Called from the loop: an RSA key has been made, secrets_bundle() has it. */
typedef void (*secrets_fn)(void *arg);

/* Nothing is read yet. @config is borrowed; @state_dir is copied. -ENOMEM. */
int secrets_create(struct loop *loop, const struct config *config, const char *state_dir, secrets_fn made, void *arg,
	struct secrets **ret);
/* Waits for the thread. Takes NULL. */
void secrets_destroy(struct secrets *secrets);

/* Reads everything again. On an error what was there stays, and *ret_error, to be freed, says which file and why (NULL: out of
 * memory). What does not keep TLS from working, such as a certificate that has expired, is logged. */
int secrets_load(struct secrets *secrets, char **ret_error);
/* The memfd, borrowed until the next secrets_load() or `made`, and its message; -EBADF: there is nothing in it. */
int secrets_bundle(const struct secrets *secrets, struct link_message *ret);
bool secrets_certificate(const struct secrets *secrets);
bool secrets_authorities(const struct secrets *secrets);
/* A listener offers RSA-AES: if there is no key, one is made. */
void secrets_want_rsa(struct secrets *secrets);

/* The path of systemd credential @name, to be freed; NULL: there is none. */
char *secrets_credential(const char *name);
