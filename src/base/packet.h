/* SPDX-License-Identifier: GPL-2.0-or-later */
/* packet.h - messages of one fixed size with at most one descriptor, over a SOCK_SEQPACKET pair. Never blocks. */
#pragma once

#include <stddef.h>

/* @fd: sent along, -EBADF: none. -EAGAIN: the peer does not read; -EPIPE: it is gone. */
int packet_send(int socket, const void *packet, size_t size, int fd);
/* *ret_fd is the caller's, -EBADF: none came. -EAGAIN: nothing there; -EPIPE: the peer is gone; -EPROTO: another size, or more
 * than one descriptor, all of which are closed. On an error @packet holds nothing of use. */
int packet_receive(int socket, void *packet, size_t size, int *ret_fd);
