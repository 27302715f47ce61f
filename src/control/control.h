/* SPDX-License-Identifier: GPL-2.0-or-later */
/* control.h - org.vfiodisplay.Display on the control socket: one table of methods over manager.h and display.h. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "display.h"

struct manager;
struct varlink_server;

/* Adds the interface. @manager is borrowed and must outlive the server. */
int control_create(struct varlink_server *server, struct manager *manager);
/* After varlink_server_destroy(): lets go of the calls that were still pending. */
void control_finish(void);
/* The registrant of display @id waits for events on @fd, consumed in every case, since an earlier daemon. @is_lease: and the display ends with
 * it. @answered: it was told "registered". To be given to the display's registration: *ret_arg. -errno: it is gone. */
int control_resume(struct varlink_server *server, struct manager *manager, int fd, const char *id, bool is_lease, bool answered,
	display_ready_fn *ret_ready, void **ret_arg);
/* What GetCapabilities answers and --print-capabilities prints. A new reference; NULL: out of memory. */
json_t *control_capabilities(void);
