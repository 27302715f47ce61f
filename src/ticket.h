/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ticket.h - one-time passwords: each lets one viewer into one display, once, for a while.
 *
 * A ticket is a text of TICKET_CHARS characters. Kept of it are two SHA-256 digests: of the whole text, for whoever can send that, and
 * of what RFB's VNC Authentication makes of its first 8 characters (RFB 7.2.2) with the store's challenge, which is one for the
 * store's life. To hear such an answer on the network is no use: the ticket is gone then.
 *
 * A look-up compares with every ticket there is and ends at none. Expired ones are forgotten by the next call of any
 * function. Times are milliseconds of CLOCK_MONOTONIC. Main thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"

#define TICKET_CHARS	 20
#define TICKET_CHALLENGE 16
#define TICKET_DIGEST	 32

/* Which of the two digests. */
enum ticket_proof { TICKET_ANSWER, TICKET_TEXT };

/* What a ticket is good for. */
struct ticket_grant {
	char id[LIMIT_ID_CHARS + 1];
	uint32_t mode; /* enum link_mode; not looked at here */
	char label[LIMIT_LABEL_CHARS + 1];
};

struct ticket_store;

/* -EIO: no random numbers, or libcrypto is unfit; -ENOMEM. */
int ticket_store_create(struct ticket_store **ret);
/* Goes on with one of an earlier daemon, whose ticket_store_fd() this is a copy of; @fd is consumed in every case. -EPROTONOSUPPORT: of another
 * version; -EBADMSG: damaged. */
int ticket_store_open(int fd, struct ticket_store **ret);
/* A memfd in which everything is, changed in place. Whoever dies while it changes leaves each ticket whole, or none. */
int ticket_store_fd(const struct ticket_store *store);
void ticket_store_destroy(struct ticket_store *store); /* takes NULL */
/* TICKET_CHALLENGE bytes. */
const uint8_t *ticket_store_challenge(const struct ticket_store *store);

/* @ret_text holds the secret; wipe it. -EDQUOT: LIMIT_TICKETS_DISPLAY; -ENOSPC: LIMIT_TICKETS; -EIO. */
int ticket_issue(struct ticket_store *store, const struct ticket_grant *grant, uint64_t now, uint64_t lifetime,
	char ret_text[TICKET_CHARS + 1]);
/* Takes the ticket with this @digest, which is gone then. @id: the display that was chosen, NULL: the ticket's. -ENOENT: there is
 * none; -EXDEV: there is one, of another display, and it stays. */
int ticket_redeem(struct ticket_store *store, enum ticket_proof proof, const uint8_t digest[TICKET_DIGEST], const char *id,
	uint64_t now, struct ticket_grant *ret);
/* Those of this display. */
void ticket_revoke(struct ticket_store *store, const char *id);
/* Those of displays that are not @there any more. */
void ticket_revoke_orphans(struct ticket_store *store, bool (*there)(void *arg, const char *id), void *arg);
/* Milliseconds until the next one expires, at least 1; 0: there is none. */
uint64_t ticket_expire(struct ticket_store *store, uint64_t now);
