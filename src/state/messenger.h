/* SPDX-License-Identifier: GPL-2.0-or-later */
/* messenger.h - what systemd is told goes through $NOTIFY_SOCKET (sd_notify(3)), and never waits: sd_notify() itself would where that socket's queue
 * is full, and with it all that the main thread does. Main thread. */
#pragma once

#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

struct messenger {
	struct sockaddr_un address;
	socklen_t address_size;
	int fd; /* owned; -EBADF: systemd has given us no socket, or it cannot be reached */
};

/* 0 where there is no socket, too. Any error leaves it closed. */
int messenger_init(struct messenger *messenger);
void messenger_finish(struct messenger *messenger);
/* @fd, borrowed, goes with it; -EBADF: none. -EAGAIN: not until the socket is writable; -ENOBUFS: not now, for another reason. Any other error:
 * never. */
int messenger_send(struct messenger *messenger, const char *text, size_t size, int fd);
