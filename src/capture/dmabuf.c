/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * An id belongs to a buffer as long as somebody has that buffer's fd open; i915 then gives the number to the next one. So what is
 * remembered of an id (its mapping, or that it has none) is remembered in the entry that holds its fd, and goes
 * with it: no verdict and no mapping outlives the buffer. And every id that a query named is asked for, mappable or not, since
 * i915 keeps an object for it until that was done and the fd is closed again.
 *
 * A kept buffer can go stale: i915 looks its pages up once, and a guest that was reset may put others behind the same id. So all
 * are dropped when the display goes off, and those of the picture when its mode changes; only the one that the driver has
 * just named stays.
 *
 * mbochs is the exception. Each further GET of an id takes a reference too few, and the kernel dies of it later. Its fds are
 * kept as long as the device: what would be dropped is parked, unmapped. When as many are open as may be, other buffers are refused.
 */
#include "capture/dmabuf.h"

#include <errno.h>
#include <linux/dma-buf.h>
#include <sys/ioctl.h>

#include "base/fd.h"
#include "base/mem.h"
#include "capture/exporter.h"

/* Interrupted that often in a row, a SYNC is given up for this look. */
#define SYNC_TRIES 64

void dmabuf_cache_init(struct dmabuf_cache *cache, struct source *source)
{
	*cache = (struct dmabuf_cache){.source = source};
	for (size_t i = 0; i < LIMIT_DMABUFS; i++)
		cache->entries[i].fd = -EBADF;
}

/* Frees @entry. Its fd is closed or, where it must not be, parked. */
static void entry_drop(struct dmabuf_cache *cache, struct dmabuf *entry)
{
	if (entry->fd < 0)
		return;
	if (cache->closing)
		cache->closing(cache->closing_arg, dmabuf_cache_index(cache, entry));
	mapping_close(&entry->mapping);
	if (cache->keeps)
		cache->parked[cache->parked_used++] = (struct dmabuf_parked){
			.id = entry->id,
			.fd = entry->fd,
			.size = entry->size,
			.unmappable = entry->unmappable,
		};
	else
		fd_close(entry->fd);
	entry->fd = -EBADF;
}

void dmabuf_cache_forget(struct dmabuf_cache *cache)
{
	for (size_t i = 0; i < LIMIT_DMABUFS; i++)
		entry_drop(cache, &cache->entries[i]);
	cache->mode = (struct plane){0};
}

void dmabuf_cache_finish(struct dmabuf_cache *cache)
{
	dmabuf_cache_forget(cache);
	while (cache->parked_used > 0)
		fd_close(cache->parked[--cache->parked_used].fd);
}

unsigned int dmabuf_cache_index(const struct dmabuf_cache *cache, const struct dmabuf *dmabuf)
{
	return dmabuf - cache->entries;
}

unsigned int dmabuf_cache_open(const struct dmabuf_cache *cache)
{
	unsigned int n = cache->parked_used;

	for (size_t i = 0; i < LIMIT_DMABUFS; i++)
		n += cache->entries[i].fd >= 0;
	return n;
}

static struct dmabuf *entry_find(struct dmabuf_cache *cache, uint32_t id)
{
	for (size_t i = 0; i < LIMIT_DMABUFS; i++)
		if (cache->entries[i].fd >= 0 && cache->entries[i].id == id)
			return &cache->entries[i];
	return NULL;
}

/* An entry to be filled: a free one, or the one that was used longest ago. */
static struct dmabuf *entry_free(struct dmabuf_cache *cache)
{
	struct dmabuf *oldest = &cache->entries[0];

	for (size_t i = 0; i < LIMIT_DMABUFS; i++) {
		struct dmabuf *entry = &cache->entries[i];

		if (entry->fd < 0)
			return entry;
		if (entry->used < oldest->used)
			oldest = entry;
	}
	entry_drop(cache, oldest);
	return oldest;
}

static struct dmabuf *entry_unpark(struct dmabuf_cache *cache, uint32_t id)
{
	for (unsigned int i = 0; i < cache->parked_used; i++) {
		struct dmabuf_parked parked = cache->parked[i];
		struct dmabuf *entry;

		if (parked.id != id)
			continue;
		cache->parked[i] = cache->parked[--cache->parked_used];
		entry = entry_free(cache);
		*entry = (struct dmabuf){
			.id = id,
			.fd = parked.fd,
			.size = parked.size,
			.unmappable = parked.unmappable,
		};
		return entry;
	}
	return NULL;
}

static bool miscounts(int fd)
{
	char name[EXPORTER_NAME_BYTES];

	return exporter_name(fd, name) >= 0 && exporter_miscounts(name);
}

static int entry_open(struct dmabuf_cache *cache, const struct plane *plane, struct dmabuf **ret,
	const char **ret_reason)
{
	struct buffer buffer;
	struct dmabuf *entry;
	int r;

	if (cache->none) {
		*ret_reason = cache->none;
		return -ENODEV;
	}
	if (cache->keeps && dmabuf_cache_open(cache) >= LIMIT_DMABUFS_KEPT) {
		*ret_reason = "the guest has shown more buffers than can be kept, and this driver "
			      "hands out each only once";
		return -ENODEV;
	}
	r = cache->source->ops->buffer(cache->source, plane, &buffer, ret_reason);
	if (r == -ENODEV)
		cache->none = *ret_reason;
	if (r < 0)
		return r;
	cache->keeps = cache->keeps || miscounts(buffer.fd);
	entry = entry_free(cache);
	*entry = (struct dmabuf){.id = plane->token, .fd = buffer.fd, .size = buffer.length};
	*ret = entry;
	return 0;
}

static bool same_mode(const struct plane *a, const struct plane *b)
{
	return a->fourcc == b->fourcc && a->modifier == b->modifier && a->width == b->width &&
	       a->height == b->height && a->stride == b->stride && a->size == b->size;
}

/* The guest has switched its mode, or was reset. */
static void drop_other_pictures(struct dmabuf_cache *cache, uint32_t id)
{
	for (size_t i = 0; i < LIMIT_DMABUFS; i++)
		if (cache->entries[i].type == PLANE_PRIMARY && cache->entries[i].id != id)
			entry_drop(cache, &cache->entries[i]);
}

int dmabuf_cache_get(struct dmabuf_cache *cache, const struct plane *plane, struct dmabuf **ret,
	const char **ret_reason)
{
	struct dmabuf *entry;
	int r = 0;

	if (plane->type == PLANE_PRIMARY) {
		if (!same_mode(&cache->mode, plane))
			drop_other_pictures(cache, plane->token);
		cache->mode = *plane;
	}
	entry = entry_find(cache, plane->token);
	if (!entry)
		entry = entry_unpark(cache, plane->token);
	if (!entry)
		r = entry_open(cache, plane, &entry, ret_reason);
	if (r < 0)
		return r;
	entry->used = ++cache->clock;
	entry->type = plane->type;
	*ret = entry;
	return 0;
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
