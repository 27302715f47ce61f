/* SPDX-License-Identifier: GPL-2.0-or-later */
/* manager.h - the daemon: owns the loop's objects and every display. Main thread.
 *
 * The control room sees displays through here.
 */
#pragma once

#include <stddef.h>

#include "base/log.h"
#include "display.h"

struct config;
struct credentials;
struct loop;
struct manager;
struct rights;

struct manager_options {
	const char *control_path; /* where to listen when systemd gave no socket */
	const char *policy_path;  /* where the configuration names none; need not be there */
	const char *config_path;  /* where the configuration came from */
	bool config_optional;	  /* it need not be there */
	const char *state_dir;	  /* has rfb/, the displays' Unix sockets; NULL: beside the control socket */
	const char *testcard;	  /* NULL: none; "" or "WxH[@FPS]" */
	const char *listen;	  /* of the test card; NULL: none */
};

/* Everything in @config and @options must outlive the manager. On an error it has been logged. */
int manager_create(struct config *config, const struct manager_options *options,
	struct manager **ret);
/* Runs until SIGTERM, SIGINT or a fatal error; by then every device is let go. */
int manager_run(struct manager *manager);
void manager_destroy(struct manager *manager);

/* Checks the hand-over's descriptors and id (made up when empty) and starts a display. Descriptors of @handover are taken or
 * closed in every case. *ret_reason: static text; *ret_index: enum handover_place, -1: none.
 * 0: @ready follows. 1: the same device under the same id by the same uid is there already: done, @ready does not come.
 * -EEXIST: the id is taken; -EBUSY: the device is registered under another id; -EBADF: a descriptor is not fit;
 * -EINVAL: the address of a listener; -EADDRINUSE and others: the listener could not be made; -EACCES: what a listener
 * shall offer is too little for its place, or cannot be had (policy.h); -ENOSPC: LIMIT_DISPLAYS; -ESHUTDOWN. */
int manager_register(struct manager *manager, struct handover *handover, display_ready_fn ready,
	void *arg, const char **ret_reason, int *ret_index);
struct display *manager_find(struct manager *manager, const char *id);
/* Reads certificates and keys again, for new connections, the policy, and what of the configuration config_renew() takes. On an error, which has been logged, what was there is kept; *ret_error,
 * to be freed, says why (NULL: out of memory). */
int manager_reload(struct manager *manager, char **ret_error);
/* What is logged from now on, also by the programs that serve viewers. */
void manager_log_level(struct manager *manager, enum log_level level);
/* NULL begins; NULL ends. Order of registration. */
struct display *manager_next(struct manager *manager, struct display *after);
/* registry_after(). */
struct display *manager_after(struct manager *manager, uint64_t *number);
/* Which display has this viewer. */
struct display *manager_find_viewer(struct manager *manager, const char *viewer);
const struct config *manager_config(const struct manager *manager);
struct credentials *manager_credentials(struct manager *manager);
const struct rights *manager_rights(const struct manager *manager);
unsigned int manager_connections(const struct manager *manager); /* to the control socket */
unsigned int manager_stored(const struct manager *manager);	 /* descriptors that systemd keeps for us */
unsigned int manager_untold(const struct manager *manager);	 /* changes of that which systemd has not heard of yet */
/* The daemon ends; its displays are the next one's. */
bool manager_leaves(const struct manager *manager);
struct loop *manager_loop(struct manager *manager);
