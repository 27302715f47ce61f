/* SPDX-License-Identifier: GPL-2.0-or-later */
/* credentials.h - may somebody with this ticket, or this user name and password, look at this display? Main thread.
 *
 * Answers the CHECK of an RFB program (frame/link.h), be it a display's or the gate's. The answer never says why not: the journal does.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "frame/link.h"
#include "handover/context.h"

struct config;
struct credentials;
struct loop;
struct ticket_grant;

/* The display of this id, NULL: there is none that viewers could come to. */
typedef const struct context *(*credentials_find_fn)(void *arg, const char *id);

struct credentials_answer {
	uint64_t check; /* as it was given */
	uint32_t mode;	 /* enum link_mode: what it gets; 0: refused */
	char id[LIMIT_ID_CHARS + 1]; /* where, if allowed */
	char label[LIMIT_LABEL_CHARS + 1]; /* who it is: the ticket's label or the user; empty: nobody said */
};

typedef void (*credentials_fn)(void *arg, const struct credentials_answer *answer);

struct credentials_counts {
	uint64_t tickets, logins; /* that let somebody in */
	uint64_t refused;
};

/* -ENOMEM; -EIO: ticket.h. @config and @find's @arg outlive it. */
int credentials_create(struct loop *loop, const struct config *config, credentials_find_fn find, void *arg,
	struct credentials **ret);
/* Goes on with an earlier daemon's tickets, of whose credentials_tickets() @fd, consumed in every case, is a copy. Before anybody has the challenge.
 * As ticket_store_open(); then nothing has changed. */
int credentials_resume(struct credentials *credentials, int fd);
int credentials_tickets(const struct credentials *credentials); /* borrowed: ticket_store_fd() */
/* Nobody is answered any more. Takes NULL. */
void credentials_destroy(struct credentials *credentials);
/* LINK_CHALLENGE bytes, for HELLO. */
const uint8_t *credentials_challenge(const struct credentials *credentials);

/* @message: a LINK_CHECK. @check: a number of the caller's, for the answer. @id: the display whose program asks; NULL: the gate does. @fn is
 * called once, maybe from inside, unless credentials_cancel() comes first. */
void credentials_check(struct credentials *credentials, const char *id, uint64_t check, const struct link_message *message,
	credentials_fn fn, void *arg);
/* Whoever asked with @arg does not want to know any more. */
void credentials_cancel(struct credentials *credentials, void *arg);

/* ticket_issue(), for @seconds; *ret_text is the secret. */
int credentials_issue(struct credentials *credentials, const struct ticket_grant *grant, uint32_t seconds, char *ret_text,
	size_t size);
/* The display goes, and its tickets with it. */
void credentials_revoke(struct credentials *credentials, const char *id);
/* Those of displays that are not there. */
void credentials_revoke_orphans(struct credentials *credentials);
struct credentials_counts credentials_counts(const struct credentials *credentials);
