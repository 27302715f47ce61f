/* SPDX-License-Identifier: GPL-2.0-or-later */
/* level.h - one layer (layer.h) with its buffers, between what is above it and what is below. No I/O but through `below`.
 *
 * Byte counts or -errno; -EAGAIN: not now.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "rfb/layer.h"

struct below {
	ssize_t (*receive)(void *arg, void *to, size_t room);
	ssize_t (*send)(void *arg, const struct iovec *iov, size_t iov_used);
	void *arg;
};

struct level {
	const struct layer_ops *ops;
	void *layer; /* owned */
	struct below below;
	bool parted;
	bool again; /* level_receive() has stopped for others' sake, not because there was nothing */
	ssize_t error; /* -errno: the layer has failed; 0 */
	/* Owned, both NULL while they are empty. */
	uint8_t *in;  /* ops->in_maximum bytes */
	uint8_t *out; /* one encoded message on its way */
	size_t in_at, in_size;
	size_t out_at, out_size;
};

/* @layer is owned in every case. @early: input that has come already. -ENOMEM, -EMSGSIZE. */
int level_init(struct level *level, const struct layer_ops *ops, void *layer, const struct below *below,
	const void *early, size_t size);
void level_finish(struct level *level);
ssize_t level_receive(void *level, void *to, size_t room);
ssize_t level_send(void *level, const struct iovec *iov, size_t iov_used);
/* Sends what is on its way. 0: nothing is left. */
int level_flush(struct level *level);
/* As level_flush(), with the layer's last words after it. */
int level_part(struct level *level);
bool level_open(const struct level *level);
