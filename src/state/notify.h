/* SPDX-License-Identifier: GPL-2.0-or-later */
/* notify.h - what systemd is told; all of it does nothing where systemd did not start us. Main thread. Nothing here blocks: what systemd does not take
 * now is told later, the newest of it. */
#pragma once

#include <stddef.h>

struct loop;
struct notify;
struct store;

/* Starts answering the watchdog when there is one: from the loop, so that a stuck loop is seen. */
int notify_create(struct loop *loop, struct notify **ret);
void notify_destroy(struct notify *notify);
void notify_ready(void);
void notify_stopping(void);
void notify_status(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Other certificates are being read; notify_ready() ends it. */
void notify_reloading(void);

struct notify_socket {
	char name[80]; /* FileDescriptorName=; "unknown" without one. Or store_is_name() */
	int fd;	       /* owned */
};
/* The sockets that systemd has opened for us, at most @max; more are closed. Once: they are the caller's then. Descriptors that we gave it to keep
 * go to @store. */
size_t notify_sockets(struct notify_socket *ret, size_t max, struct store *store);
