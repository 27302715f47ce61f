/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lease.h - how long a hand-over lasts: an fd whose hang-up ends it.
 *
 * A held dup of a device fd keeps the device open, its group busy and the guest's memory pinned after the VMM died, so every
 * registration is bound to a lease. Kinds: a pidfd (its process ends), a pipe end or a stream/seqpacket socket (the other end closes).
 * Data in a lease fd means nothing and is never read. The callback runs once on the main loop; an fd that had hung up
 * already is reported there too.
 */
#pragma once

#include <stdbool.h>

struct lease;
struct loop;

typedef void (*lease_fn)(void *arg);

/* @fd is consumed on success only. -EINVAL: no pidfd, pipe or socket (*ret_reason, static text); -ENOMEM. */
int lease_create(struct loop *loop, int fd, lease_fn ended, void *arg, struct lease **ret, const char **ret_reason);
/* Whether it has ended already; for one that is not watched. */
bool lease_is_over(int fd);
/* Takes NULL. */
void lease_destroy(struct lease *lease);
