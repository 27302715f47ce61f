/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dmabuf.h - the dma-bufs of one device: one fd and one mapping for each id.
 *
 * An id names a buffer only while its fd is open: i915 gives the number to another buffer afterwards. And one driver
 * (mbochs) loses references of its file when an id is asked for again, so an id of which
 * nothing can be made is remembered with its reason and not asked for again.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"
#include "capture/mapping.h"
#include "plane/plane.h"
#include "plane/source.h"

struct dmabuf {
	uint32_t id;
	int fd;	       /* owned; -EBADF: the entry is free */
	uint64_t size; /* bytes; 0: unknown */
	uint64_t used; /* when, in looks of its cache */
	struct mapping mapping;
	const char *unmappable; /* why the CPU cannot map it; NULL: it can, or nobody tried */
};

struct dmabuf_cache {
	struct source *source; /* borrowed */
	/* Told before an entry's fd is closed, by its index; may be NULL. */
	void (*closing)(void *arg, unsigned int index);
	void *closing_arg;
	struct dmabuf entries[LIMIT_DMABUFS];
	uint64_t clock;
	struct {
		uint32_t id;
		const char *reason;
	} broken[LIMIT_DMABUF_BROKEN];
	unsigned int broken_used, broken_next;
};

void dmabuf_cache_init(struct dmabuf_cache *cache, struct source *source);
/* Unmaps and closes everything. */
void dmabuf_cache_finish(struct dmabuf_cache *cache);
unsigned int dmabuf_cache_open(const struct dmabuf_cache *cache);

/* The buffer of @plane, not mapped yet; *ret is the cache's and valid until the next call. -ESTALE: query again; -ENODEV: not
 * to be had, ever; others: passing. @ret_reason: static text on error. */
int dmabuf_cache_get(struct dmabuf_cache *cache, const struct plane *plane, struct dmabuf **ret,
	const char **ret_reason);
/* Its index in the cache, below LIMIT_DMABUFS. */
unsigned int dmabuf_cache_index(const struct dmabuf_cache *cache, const struct dmabuf *dmabuf);
/* Nothing can be done with it: closes it, and never asks for its id again. @reason: static text. */
void dmabuf_cache_give_up(struct dmabuf_cache *cache, struct dmabuf *dmabuf, const char *reason);

/* Maps it as far as @plane needs. -ENODEV: the CPU cannot map it, ever (which is remembered); -ERANGE: smaller than the plane;
 * others: passing. @ret_reason: static text on error. */
int dmabuf_map(struct dmabuf *dmabuf, const struct plane *plane, const char **ret_reason);

/* DMA_BUF_IOCTL_SYNC for reading. Waits for the buffer's fences where it has any. */
int dmabuf_begin(const struct dmabuf *dmabuf);
int dmabuf_end(const struct dmabuf *dmabuf);
