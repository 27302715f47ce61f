/* SPDX-License-Identifier: GPL-2.0-or-later */
/* entrance.h - the listening sockets of displays and of the gate: where they come from, what each may offer, and what viewers' programs
 * need for that (password, certificates). Main thread.
 *
 * Sockets: made at a registrant's wish, or handed over by it; one Unix socket for each display; and those that systemd hands
 * over by name (FileDescriptorName=): "gate", and "display-ID" for the display of that id, whenever it is there.
 */
#pragma once

#include "handover/context.h"
#include "policy.h"

struct config;
struct display;
struct entrance;
struct loop;
struct notify_socket;
struct wall;

struct entrance_options {
	const struct config *config; /* borrowed */
	const char *control_path;
	const char *state_dir; /* NULL: the control socket's */
	bool logins;	       /* users may log in */
};

/* There are other certificates or keys now: give them to each wall. Called from the loop. */
typedef void (*entrance_fn)(void *arg);

/* Reads passwords and certificates and holds the configuration to its own rules; on an error that has been logged. @inherited: the descriptors
 * of those with a name that is known here are taken. */
int entrance_create(struct loop *loop, const struct entrance_options *options, struct notify_socket *inherited, size_t inherited_used,
	entrance_fn renewed, void *arg, struct entrance **ret);
void entrance_destroy(struct entrance *entrance); /* takes NULL */
/* Reads certificates and keys again. 0: there may be others, for entrance_secrets(); else what was there stays, and *ret_error, to be freed,
 * says why (NULL: out of memory). */
int entrance_reload(struct entrance *entrance, char **ret_error);

/* Makes sockets for the addresses in @handover and decides what each may offer. On an error *ret_reason is static text and
 * *ret_index the enum handover_place; entrance_abandon() is called for what has been made. */
int entrance_open(struct entrance *entrance, struct handover *handover, struct link_listener ret[LIMIT_LISTENERS],
	const char **ret_reason, int *ret_index);
/* The same for one, of a display that came back, whose socket is there. */
int entrance_reopen(struct entrance *entrance, const struct context *context, struct handover_listener *listener, struct link_listener *ret,
	const char **ret_reason);
/* Closes them, and takes those that were made off the disk. */
void entrance_abandon(struct handover_listener *listeners, size_t n);
/* Gives them to @display, which is new, and its own Unix socket and inherited ones, and certificates. What fails is logged. @own: its Unix
 * socket came back, consumed; -EBADF: it is to be made. */
void entrance_give(struct entrance *entrance, struct display *display, struct handover_listener *listeners,
	struct link_listener *policies, size_t n, int own);
void entrance_secrets(const struct entrance *entrance, struct wall *wall);

/* For the gate: may it listen here, and how? @fd stays the caller's. As policy_decide(). */
int entrance_decide(struct entrance *entrance, int fd, const struct policy_wish *wish, struct link_listener *ret,
	const char **ret_reason);
/* The inherited ones of the gate, one by one: the caller's now; -ENOENT: there are no more. */
int entrance_gate_socket(struct entrance *entrance);
