/* SPDX-License-Identifier: GPL-2.0-or-later */
/* store.h - systemd's store of descriptors (sd_pid_notify_with_fds(3), FDSTORE=1): what is put there comes back when the daemon is started
 * again, after a crash or a restart, and is closed by systemd when the service is stopped. Main thread. Nothing here blocks.
 *
 * Each thing that is kept has a name, "KIND.NUMBER": short, because systemd hands all names over in one environment variable, which the
 * kernel lets be 128 KiB long (MAX_ARG_STRLEN, include/uapi/linux/binfmts.h). Which display a name belongs to is for the records to say.
 *
 * A file that is put twice is kept once, under the name it has, and stays until it was dropped as often: systemd would ignore the second
 * one without a word (src/core/service.c, service_add_fd_store).
 */
#pragma once

#include <stdbool.h>

struct loop;
struct store;

enum store_kind {
	STORE_STATE,	  /* a display's record (record.h) */
	STORE_TICKETS,	  /* that of the tickets */
	STORE_GATE,	  /* that of the gate */
	STORE_DEVICE,	  /* VFIO device or surface */
	STORE_LEASE,	  /* may be shared, as all up to STORE_INPUT */
	STORE_CHANGE,
	STORE_RENDER,
	STORE_LISTEN,
	STORE_INPUT,
	STORE_CALL,	  /* a registrant's connection */
	STORE_LINK,	  /* our end of the link to an RFB program */
	STORE_PROGRAM,	  /* its pidfd */
	STORE_KINDS
};

#define STORE_NAME 16 /* bytes of a name with its end; "": it is not kept */

typedef void (*store_fn)(void *arg);

/* Where systemd has given us no socket (NOTIFY_SOCKET) the store is closed: nothing is kept and nothing is an error. -ENOMEM. */
int store_create(struct loop *loop, struct store **ret);
void store_destroy(struct store *store); /* takes NULL */
bool store_is_open(const struct store *store);
unsigned int store_used(const struct store *store); /* descriptors that are kept */
unsigned int store_waiting(const struct store *store); /* orders that systemd has not been told of yet */

/* Keeps what @fd, borrowed, refers to. -ENOSPC: LIMIT_STORE, LIMIT_STORE_NAMES; -ENOMEM, -EMFILE. */
int store_put(struct store *store, enum store_kind kind, int fd, char ret_name[STORE_NAME]);
/* Whoever closes its own descriptor calls this too. @name, "" included, becomes "". */
void store_drop(struct store *store, char name[STORE_NAME]);

/* Start. Whether a descriptor of this name comes from the store. */
bool store_is_name(const char *name);
/* It has come back; @fd is consumed. */
void store_returned(struct store *store, const char *name, int fd);
/* A descriptor of what has this name, the caller's; it is kept on, and is to be dropped by that name. -ENOENT: there is none; -EMFILE. */
int store_claim(struct store *store, const char *name, enum store_kind kind);
/* Whether this is what has this name, of a shared kind. */
bool store_holds(const struct store *store, const char *name, int fd);
/* The names of this kind that came back, one after another. "" begins; false ends. */
bool store_next(const struct store *store, enum store_kind kind, char name[STORE_NAME]);
/* What nobody has claimed by now is closed and removed: how many. */
unsigned int store_settle(struct store *store);

/* @fn comes once systemd has done all that it was told up to now, or does not answer within LIMIT_STORE_MS; never from inside. -ENOTCONN: it
 * was told nothing; -ENOMEM, -EMFILE. */
int store_barrier(struct store *store, store_fn fn, void *arg);
/* Forgets those barriers. */
void store_unbar(struct store *store, store_fn fn, void *arg);
