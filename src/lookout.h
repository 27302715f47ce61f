/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lookout.h - what those who watch over the daemon are told: systemd's STATUS= line, metrics, and on SIGUSR1 the journal. Main thread. */
#pragma once

#include <stddef.h>

struct loop;
struct lookout;
struct manager;
struct notify_socket;
struct varlink_server;

/* @manager and @server outlive it. -ENOMEM. */
int lookout_create(struct loop *loop, struct manager *manager, struct varlink_server *server, struct lookout **ret);
void lookout_destroy(struct lookout *lookout); /* takes NULL */
/* Takes the sockets that are named "metrics", and listens where the configuration says. An error has been logged. */
int lookout_listen(struct lookout *lookout, struct notify_socket *inherited, size_t n);
