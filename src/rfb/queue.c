/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rfb/queue.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/mem.h"

struct queue_chunk {
	TAILQ_ENTRY(queue_chunk) link; /* queue::chunks */
	size_t begin, end;
	uint8_t data[];
};

#define CHUNK_ROOM (QUEUE_CHUNK - sizeof(struct queue_chunk))

#define SPARES \
	4 /* of each program: what is kept by all of a host's displays together is memory, too */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards the spares */
static struct queue_chunk *spares[SPARES];
static unsigned int spare_count;

/* NULL: out of memory. */
static struct queue_chunk *spare_take(void)
{
	struct queue_chunk *chunk = NULL;

	pthread_mutex_lock(&lock);
	if (spare_count)
		chunk = spares[--spare_count];
	pthread_mutex_unlock(&lock);
	return chunk ? chunk : malloc(QUEUE_CHUNK);
}

/* Takes NULL. */
static void spare_keep(struct queue_chunk *chunk)
{
	pthread_mutex_lock(&lock);
	if (chunk && spare_count < SPARES)
		spares[spare_count++] = take_ptr(chunk);
	pthread_mutex_unlock(&lock);
	free(chunk);
}

void queue_rest(void)
{
	pthread_mutex_lock(&lock);
	while (spare_count)
		free(spares[--spare_count]);
	pthread_mutex_unlock(&lock);
}

void queue_init(struct queue *queue)
{
	*queue = (struct queue){0};
	TAILQ_INIT(&queue->chunks);
}

void queue_finish(struct queue *queue)
{
	queue_eat(queue, queue->size);
	spare_keep(take_ptr(queue->ready));
}

static struct queue_chunk *last_chunk(const struct queue *queue)
{
	return TAILQ_LAST(&queue->chunks, queue_chunks); /* NULL: none */
}

int queue_reserve(struct queue *queue, uint8_t **ret, size_t *ret_room)
{
	struct queue_chunk *chunk = last_chunk(queue);

	/* An empty chunk is not in the list: commit puts it there. */
	if (!chunk || chunk->end == CHUNK_ROOM) {
		if (!queue->ready)
			queue->ready = spare_take();
		chunk = queue->ready;
		if (!chunk)
			return -ENOMEM;
		chunk->begin = chunk->end = 0;
	}
	*ret = chunk->data + chunk->end;
	*ret_room = CHUNK_ROOM - chunk->end;
	return 0;
}

void queue_commit(struct queue *queue, size_t size)
{
	struct queue_chunk *chunk = last_chunk(queue);

	if (!size) {
		spare_keep(take_ptr(queue->ready));
		return;
	}
	if (!chunk || chunk->end == CHUNK_ROOM) {
		chunk = take_ptr(queue->ready);
		TAILQ_INSERT_TAIL(&queue->chunks, chunk, link);
	}
	chunk->end += size;
	queue->size += size;
}

int queue_append(struct queue *queue, const void *data, size_t size)
{
	const uint8_t *from = data;

	while (size) {
		size_t room;
		uint8_t *to;
		int r;

		r = queue_reserve(queue, &to, &room);
		if (r < 0)
			return r;
		room = MIN(room, size);
		memcpy(to, from, room);
		queue_commit(queue, room);
		from += room;
		size -= room;
	}
	return 0;
}

size_t queue_peek(const struct queue *queue, struct iovec *iov, size_t max)
{
	struct queue_chunk *chunk;
	size_t n = 0;

	TAILQ_FOREACH (chunk, &queue->chunks, link) {
		if (n == max)
			break;
		iov[n].iov_base = chunk->data + chunk->begin;
		iov[n++].iov_len = chunk->end - chunk->begin;
	}
	return n;
}

void queue_eat(struct queue *queue, size_t size)
{
	while (size) {
		struct queue_chunk *chunk = TAILQ_FIRST(&queue->chunks);
		size_t n = MIN(size, chunk->end - chunk->begin);

		chunk->begin += n;
		queue->size -= n;
		size -= n;
		if (chunk->begin < chunk->end)
			continue;
		TAILQ_REMOVE(&queue->chunks, chunk, link);
		spare_keep(chunk);
	}
}
