/* SPDX-License-Identifier: GPL-2.0-or-later */
/* wire.h - Varlink's framing without sockets: bytes and descriptors in, messages out.
 *
 * A message is a JSON object in UTF-8 followed by one NUL. Descriptors come only with a message's first byte (sd-varlink's rule);
 * anywhere else they are an error. A wire owns the descriptors it was fed until the message is taken. After an error the wire
 * is dead: every further call answers the same error.
 * Errors: -EBADMSG (not a JSON object, NUL inside, duplicate keys, deeper than LIMIT_VARLINK_DEPTH), -EMSGSIZE
 * (LIMIT_VARLINK_MESSAGE), -EPROTO (descriptors inside a message), -EMFILE (LIMIT_VARLINK_FDS, or truncated), -ENOMEM, -EINVAL (more
 * bytes fed than there was room). Who reads a socket uses stream.h, which keeps descriptors and messages together.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/limits.h"

struct wire;

struct wire_message {
	json_t *object;		    /* owned */
	int fds[LIMIT_VARLINK_FDS]; /* owned; taken ones are -EBADF */
	size_t fds_used;
};

int wire_create(struct wire **ret);
void wire_destroy(struct wire *wire);

/* Where the next bytes are to be read into. 1 byte at a message's start, so that descriptors which come with that read are surely
 * this message's. 0: dead, or a complete message waits to be taken. */
size_t wire_room(struct wire *wire, char **ret_at);
/* @bytes were read into the room, and @fds (consumed in every case) with the first of them. @truncated: MSG_CTRUNC, an error. */
int wire_feed(struct wire *wire, size_t bytes, const int *fds, size_t fds_used, bool truncated);
/* 1: *ret is a message; 0: none complete; -errno. */
int wire_take(struct wire *wire, struct wire_message *ret);
void wire_message_finish(struct wire_message *message);

/* From now on what jansson frees in this process is overwritten first. (malloc_usable_size() says how much.) */
void wire_forget(void);

/* The other way: compact JSON and its NUL, to be freed. -EMSGSIZE: longer than the other side would take; -ENOMEM. */
int wire_encode(const json_t *object, char **ret, size_t *ret_size);
