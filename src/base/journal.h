/* SPDX-License-Identifier: GPL-2.0-or-later */
/* journal.h - entries for systemd's journal, in its native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL), without ever waiting for it.
 *
 * Not sd_journal_send(3), which blocks for as long as journald does not read: one daemon that hangs is not to stop the pictures
 * of a host. What the socket does not take is dropped; who writes lines counts them (log.c). Any thread, after journal_open().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define JOURNAL_SOCKET	   "/run/systemd/journal/socket"
#define JOURNAL_FIELDS_MAX 24

/* systemd has connected our stderr to the journal (systemd.exec(5), JOURNAL_STREAM). */
bool journal_is_stderr(void);
/* @path: of a datagram socket. Once, before programs confine themselves: nothing is opened later. -errno. */
int journal_open(const char *path);
void journal_close(void);
bool journal_is_open(void);
/* Each of at most JOURNAL_FIELDS_MAX @fields is "NAME=value" without a newline. -EAGAIN: not now, it is dropped; -ENOENT, -ECONNREFUSED:
 * nobody is there; -EINVAL: too many fields. */
int journal_send(const char *const fields[], size_t fields_used);
