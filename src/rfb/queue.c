/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rfb/queue.h"

#include <errno.h>
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

static struct queue_chunk *spares[SPARES];
static unsigned int spare_count;

/* Stays in the list. NULL: out of memory. */
static struct queue_chunk *spare_peek(void)
{
	if (!spare_count) {
		spares[0] = malloc(QUEUE_CHUNK);
		spare_count = spares[0] != NULL;
	}
	return spare_count ? spares[spare_count - 1] : NULL;
}

static void spare_keep(struct queue_chunk *chunk)
{
	if (spare_count < SPARES)
		spares[spare_count++] = chunk;
	else
		free(chunk);
}

void queue_init(struct queue *queue)
{
	*queue = (struct queue){0};
	TAILQ_INIT(&queue->chunks);
}

void queue_finish(struct queue *queue)
{
	queue_eat(queue, queue->size);
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
		chunk = spare_peek();
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

	if (!size)
		return;
	if (!chunk || chunk->end == CHUNK_ROOM) {
		chunk = spares[--spare_count];
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
