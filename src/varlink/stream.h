/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stream.h - a wire on a Unix stream socket: reading with descriptors, and a queue for what is to be sent.
 *
 * Never blocks (MSG_DONTWAIT), whatever the socket's own flags are: they belong to the open file, which others may share.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

struct parcel;
struct shared;
struct wire;

/* Feeds @wire with at most the rest of one message. 1: some bytes came; 0: the peer closed its side; -EAGAIN; -EBUSY: a
 * message waits to be taken; -errno of the socket or of the wire (wire.h). */
int stream_receive(int fd, struct wire *wire);

/* Encoded messages with their descriptors, in order. */
struct outbox {
	STAILQ_HEAD(, parcel) parcels;
	size_t bytes; /* of memory, for a cap */
};

void outbox_init(struct outbox *outbox);
void outbox_finish(struct outbox *outbox);
bool outbox_is_empty(const struct outbox *outbox);
/* @bytes (malloc'ed) and the @fds (at most LIMIT_VARLINK_FDS) are consumed in every case. -ENOMEM. */
int outbox_push(struct outbox *outbox, char *bytes, size_t size, const int *fds, size_t fds_used);
/* @text, of which a reference is taken, and then @tail, which must last: one message without descriptors. -ENOMEM. */
int outbox_push_shared(struct outbox *outbox, struct shared *text, const char *tail, size_t tail_size);
/* Sends what goes. 0: all is sent; -EAGAIN: more when @fd is writable; -errno. A message with descriptors has a sendmsg() of its own, so
 * descriptors of two messages never mix. */
int outbox_flush(struct outbox *outbox, int fd);
