/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gate.h - one port for all displays of this host: the broker's end. Main thread.
 *
 * Its program is vfio-displayd-rfb in another role (LINK_ROLE_GATE), behind a wall like a display's: started when a connection waits,
 * ended when nobody is there. It does transports and security; which display a viewer gets, and whether, is decided here: the viewer's
 * place there is one end of a socket pair, the other end of which is attached to that display's program.
 */
#pragma once

#include <stdbool.h>

struct config;
struct credentials;
struct display;
struct entrance;
struct gate;
struct loop;
struct store;

struct gate_options {
	struct loop *loop;
	const struct config *config;
	struct entrance *entrance;
	struct credentials *credentials;
	struct store *store; /* all borrowed */
	/* A display that viewers may come to; NULL: there is none of that id. */
	struct display *(*find)(void *arg, const char *id);
	void *arg;
};

/* What an earlier daemon's gate has left in the store is gone on with. *ret: NULL where the configuration and systemd have no address for it. On an error that has been logged. */
int gate_create(const struct gate_options *options, struct gate **ret);
/* Where there is a store, its viewers, its program and its sockets are left for the next daemon. Takes NULL. */
void gate_destroy(struct gate *gate);
/* There are other certificates. Takes NULL. */
void gate_renew(struct gate *gate);
/* log_level() is another. Takes NULL. */
void gate_log_level(struct gate *gate);
