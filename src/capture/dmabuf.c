/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/dmabuf.h"

#include <errno.h>
#include <linux/dma-buf.h>
#include <sys/ioctl.h>

#include "base/fd.h"
#include "base/mem.h"

/* Interrupted that often in a row, a SYNC is given up for this look. */
#define SYNC_TRIES 64

void dmabuf_cache_init(struct dmabuf_cache *cache, struct source *source)
{
	*cache = (struct dmabuf_cache){.source = source};
	for (size_t i = 0; i < LIMIT_DMABUFS; i++)
		cache->entries[i].fd = -EBADF;
}

static void entry_close(struct dmabuf_cache *cache, struct dmabuf *entry)
{
	if (entry->fd >= 0 && cache->closing)
		cache->closing(cache->closing_arg, dmabuf_cache_index(cache, entry));
	mapping_close(&entry->mapping);
	fd_closep(&entry->fd);
}

void dmabuf_cache_finish(struct dmabuf_cache *cache)
{
	for (size_t i = 0; i < LIMIT_DMABUFS; i++)
		entry_close(cache, &cache->entries[i]);
}

unsigned int dmabuf_cache_index(const struct dmabuf_cache *cache, const struct dmabuf *dmabuf)
{
	return dmabuf - cache->entries;
}

unsigned int dmabuf_cache_open(const struct dmabuf_cache *cache)
{
	unsigned int n = 0;

	for (size_t i = 0; i < LIMIT_DMABUFS; i++)
		n += cache->entries[i].fd >= 0;
	return n;
}

static const char *broken_find(const struct dmabuf_cache *cache, uint32_t id)
{
	for (unsigned int i = 0; i < cache->broken_used; i++)
		if (cache->broken[i].id == id)
			return cache->broken[i].reason;
	return NULL;
}

static void broken_add(struct dmabuf_cache *cache, uint32_t id, const char *reason)
{
	cache->broken[cache->broken_next].id = id;
	cache->broken[cache->broken_next].reason = reason;
	cache->broken_next = (cache->broken_next + 1) % LIMIT_DMABUF_BROKEN;
	cache->broken_used = MIN(cache->broken_used + 1, (unsigned int)LIMIT_DMABUF_BROKEN);
}

static struct dmabuf *entry_find(struct dmabuf_cache *cache, uint32_t id)
{
	for (size_t i = 0; i < LIMIT_DMABUFS; i++)
		if (cache->entries[i].fd >= 0 && cache->entries[i].id == id)
			return &cache->entries[i];
	return NULL;
}

/* A free entry, or the one that was used longest ago. */
static struct dmabuf *entry_oldest(struct dmabuf_cache *cache)
{
	struct dmabuf *oldest = &cache->entries[0];

	for (size_t i = 0; i < LIMIT_DMABUFS; i++) {
		struct dmabuf *entry = &cache->entries[i];

		if (entry->fd < 0)
			return entry;
		if (entry->used < oldest->used)
			oldest = entry;
	}
	return oldest;
}

static int entry_open(struct dmabuf_cache *cache, const struct plane *plane, struct dmabuf **ret,
	const char **ret_reason)
{
	struct buffer buffer;
	struct dmabuf *entry;
	int r;

	r = cache->source->ops->buffer(cache->source, plane, &buffer, ret_reason);
	if (r < 0)
		return r;
	entry = entry_oldest(cache);
	entry_close(cache, entry);
	*entry = (struct dmabuf){.id = plane->token, .fd = buffer.fd, .size = buffer.length};
	*ret = entry;
	return 0;
}

int dmabuf_cache_get(struct dmabuf_cache *cache, const struct plane *plane, struct dmabuf **ret,
	const char **ret_reason)
{
	const char *reason = broken_find(cache, plane->token);
	struct dmabuf *entry = entry_find(cache, plane->token);
	int r = 0;

	if (reason) {
		*ret_reason = reason;
		return -ENODEV;
	}
	if (!entry)
		r = entry_open(cache, plane, &entry, ret_reason);
	if (r == -ENODEV)
		broken_add(cache, plane->token, *ret_reason);
	if (r < 0)
		return r;
	entry->used = ++cache->clock;
	*ret = entry;
	return 0;
}

void dmabuf_cache_give_up(struct dmabuf_cache *cache, struct dmabuf *dmabuf, const char *reason)
{
	broken_add(cache, dmabuf->id, reason);
	entry_close(cache, dmabuf);
}

/* An id can come back with a larger stride: what is mapped already may be too short. */
int dmabuf_map(struct dmabuf *dmabuf, const struct plane *plane, const char **ret_reason)
{
	uint64_t bytes = plane_bytes(plane);
	struct buffer buffer = {.fd = dmabuf->fd, .dmabuf = true, .length = dmabuf->size};
	struct mapping mapping;
	int r;

	if (dmabuf->unmappable) {
		*ret_reason = dmabuf->unmappable;
		return -ENODEV;
	}
	if (dmabuf->mapping.base && dmabuf->mapping.asked >= bytes)
		return 0;
	r = mapping_open(&mapping, &buffer, plane->offset, bytes, ret_reason);
	if (r == -ENODEV)
		dmabuf->unmappable = *ret_reason;
	if (r < 0)
		return r;
	mapping_close(&dmabuf->mapping);
	dmabuf->mapping = mapping;
	return 0;
}

static int dmabuf_sync(const struct dmabuf *dmabuf, uint64_t flags)
{
	struct dma_buf_sync sync = {.flags = flags | DMA_BUF_SYNC_READ};

	for (unsigned int i = 0; i < SYNC_TRIES; i++) {
		if (ioctl(dmabuf->fd, DMA_BUF_IOCTL_SYNC, &sync) >= 0)
			return 0;
		if (errno != EINTR && errno != EAGAIN)
			return -errno;
	}
	return -EAGAIN;
}

int dmabuf_begin(const struct dmabuf *dmabuf)
{
	return dmabuf_sync(dmabuf, DMA_BUF_SYNC_START);
}

int dmabuf_end(const struct dmabuf *dmabuf)
{
	return dmabuf_sync(dmabuf, DMA_BUF_SYNC_END);
}
