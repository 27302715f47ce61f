/* SPDX-License-Identifier: GPL-2.0-or-later */
/* control.h - org.vfiodisplay.Display on the control socket: one table of methods over manager.h and display.h. */
#pragma once

#include <jansson.h>

struct manager;
struct varlink_server;

/* Adds the interface. @manager is borrowed and must outlive the server. */
int control_create(struct varlink_server *server, struct manager *manager);
/* After varlink_server_destroy(): lets go of the calls that were still pending. */
void control_finish(void);
/* What GetCapabilities answers and --print-capabilities prints. A new reference; NULL: out of memory. */
json_t *control_capabilities(void);
