/* SPDX-License-Identifier: GPL-2.0-or-later */
/* address.h - "HOST:PORT", "[HOST]:PORT", "*:PORT" or "unix:PATH" as a listening socket. Hosts are numbers or "localhost": no name is
 * looked up. "*" is every address of IPv4 and IPv6, on one socket; "[::]" is those of IPv6 alone.
 */
#pragma once

#include <stdbool.h>

/* *ret_fd: listening, non-blocking. -EINVAL: not such an address (PORT 1 to 65535, PATH absolute); -EADDRINUSE and others.
 * A Unix socket that nobody listens on any more is replaced; its mode is 0660. */
int address_listen(const char *address, int *ret_fd);
/* The path that address_listen() made for a "unix:" address, which is the caller's to remove; NULL: it made none. */
const char *address_path(const char *address);
/* Whether only this host can reach a listening socket: AF_UNIX or a loopback address, of IPv4 mapped into IPv6 too. */
bool address_is_local(int fd);
bool address_is_unix(int fd);
/* "127.0.0.1:5900", "[::1]:5900", "unix:/path", "unix:" without one. */
void address_describe(int fd, char ret[128]);
