/* SPDX-License-Identifier: GPL-2.0-or-later */
/* queue.h - bytes on their way to a viewer: a list of chunks, filled by one read and sent many chunks at a time.
 *
 * A few empty chunks are kept for all queues of the process: a steady stream does not allocate, and a viewer that rests has none. Each
 * queue belongs to one thread at a time.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/uio.h>

#define QUEUE_CHUNK (64u << 10)

struct queue_chunk;

struct queue {
	TAILQ_HEAD(queue_chunks, queue_chunk) chunks; /* owned */
	size_t size;				      /* bytes */
	struct queue_chunk *ready; /* owned; reserved, and nothing in it yet; NULL: none is */
};

void queue_init(struct queue *queue);
void queue_finish(struct queue *queue);
/* Room at the end, at least one byte: *ret_room bytes at *ret. To be followed by queue_commit(), of 0 bytes if there are none. -ENOMEM. */
int queue_reserve(struct queue *queue, uint8_t **ret, size_t *ret_room);
void queue_commit(struct queue *queue, size_t size);
int queue_append(struct queue *queue, const void *data, size_t size);
/* Nothing is on its way to anybody: the empty chunks are freed. */
void queue_rest(void);
/* The first bytes. Returns the number of @iov filled. */
size_t queue_peek(const struct queue *queue, struct iovec *iov, size_t max);
void queue_eat(struct queue *queue, size_t size);
