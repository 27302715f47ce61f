/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reception.h - where the control room is reached: its socket, and the monitor's for those who may only look. Main thread.
 *
 *	closed --reception_open()--> open --reception_close()--> closed
 *
 * Each is systemd's, by its name (varlink, varlink-monitor), or our own, whose path goes when it is closed. The sockets are the server's.
 */
#pragma once

#include <stddef.h>

struct notify_socket;
struct varlink_server;

/* Closed: zeroed. */
struct reception {
	char *control_path, *monitor_path; /* owned: our own sockets; NULL: systemd's, or none */
};

/* @control_path: where to listen when systemd gave no socket. @monitor_path: likewise; NULL: nowhere. What is taken of @inherited is not there any
 * more. -errno: it has been logged if a path is the reason; reception_close() is needed all the same. */
int reception_open(struct reception *reception, struct varlink_server *server, const char *control_path, const char *monitor_path,
	struct notify_socket *inherited, size_t n);
void reception_close(struct reception *reception);
