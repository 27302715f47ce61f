/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rfb/spool.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/limits.h"

static struct shot *shot_of(struct spool *spool, uint64_t number)
{
	return &spool->shots[number % SPOOL_SHOTS];
}

void spool_init(struct spool *spool)
{
	*spool = (struct spool){.oldest = 1, .next = 1};
}

/* A mapping of its own: what is given back is the system's again at once. */
static void unmap(struct spool *spool)
{
	if (spool->ring)
		munmap(spool->ring, LIMIT_FILM);
	spool->ring = NULL;
}

void spool_finish(struct spool *spool)
{
	unmap(spool);
}

int spool_prepare(struct spool *spool)
{
	void *ring;

	if (spool->ring)
		return 0;
	ring = mmap(NULL, LIMIT_FILM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (ring == MAP_FAILED)
		return -ENOMEM;
	spool->ring = ring;
	return 0;
}

static bool in_the_way(const struct spool *spool, size_t at, size_t size)
{
	if (spool->next - spool->oldest == SPOOL_SHOTS)
		return true;
	for (uint64_t i = spool->oldest; i < spool->next; i++) {
		const struct shot *shot = spool_shot(spool, i);

		if (shot->at < at + size && at < shot->at + shot->size)
			return true;
	}
	return false;
}

bool spool_add(struct spool *spool, uint64_t serial, bool key, const uint8_t *bytes, size_t size)
{
	size_t at = spool->end + size <= LIMIT_FILM ? spool->end : 0;

	for (; in_the_way(spool, at, size); spool->oldest++)
		if (spool_shot(spool, spool->oldest)->held)
			return false;
	*shot_of(spool, spool->next) = (struct shot){
		.number = spool->next,
		.serial = serial,
		.at = at,
		.size = size,
		.key = key,
		.bytes = spool->ring + at,
	};
	memcpy(spool->ring + at, bytes, size);
	spool->end = at + size;
	spool->next++;
	return true;
}

const struct shot *spool_shot(const struct spool *spool, uint64_t number)
{
	return &spool->shots[number % SPOOL_SHOTS];
}

uint64_t spool_key(const struct spool *spool, uint64_t first)
{
	uint64_t end = first > spool->oldest ? first : spool->oldest;

	for (uint64_t i = spool->next; i-- > end;)
		if (spool_shot(spool, i)->key)
			return i;
	return 0;
}

size_t spool_hold(
	struct spool *spool, uint64_t first, size_t bytes, const struct shot **ret, size_t count)
{
	size_t used = 0;

	for (uint64_t i = first; i < spool->next; i++, used++) {
		const struct shot *shot = spool_shot(spool, i);

		if (used == count || shot->size > bytes)
			return 0;
		bytes -= shot->size;
		ret[used] = shot;
	}
	for (size_t i = 0; i < used; i++)
		shot_of(spool, first + i)->held++;
	return used;
}

void spool_drop(struct spool *spool, const struct shot *const *shots, size_t count)
{
	for (size_t i = 0; i < count; i++)
		shot_of(spool, shots[i]->number)->held--;
}

void spool_clear(struct spool *spool)
{
	for (uint64_t i = spool->oldest; i < spool->next; i++)
		if (spool_shot(spool, i)->held)
			return;
	spool->oldest = spool->next;
	spool->end = 0;
	unmap(spool);
}
