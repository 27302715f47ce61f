/* SPDX-License-Identifier: GPL-2.0-or-later */
/* discard.h - closing what a peer handed over.
 *
 * close() can block, for as long as that peer likes: a TCP socket with SO_LINGER and data that nobody reads
 * (net/ipv4/tcp.c, __tcp_close), a file of a FUSE server that never answers FLUSH (fs/fuse/file.c). So what may be such a thing
 * is closed by a thread.
 */
#pragma once

/* Any thread. Never blocks, but when no thread can be had. Returns -EBADF, as fd_close() does. Memfds, pipes, eventfds, pidfds,
 * Unix and listening sockets are closed by the time it returns, everything else soon after. */
int fd_discard(int fd);
void fd_discardp(int *fd);

#define _cleanup_discard_ __attribute__((cleanup(fd_discardp)))
