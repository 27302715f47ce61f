/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dmabuf.h - the dma-bufs of one device: one fd and one mapping for each id that the driver names.
 *
 * An id names a buffer only while its fd is open. At most LIMIT_DMABUFS are, the one used longest ago is closed first; and none
 * for longer than the display is on in one mode. With one driver, recognised by its name, an id must not be asked for twice: its fds
 * are kept to the end, LIMIT_DMABUFS_KEPT of them.
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
	int fd;		      /* owned; -EBADF: the entry is free */
	uint64_t size;	      /* bytes; 0: unknown */
	uint64_t used;	      /* when, in looks of its cache */
	enum plane_type type; /* of the plane that showed it last */
	struct mapping mapping;
	const char *unmappable; /* why the CPU cannot map it; NULL: it can, or nobody tried */
};

/* One that must stay open and is not in use. */
struct dmabuf_parked {
	uint32_t id;
	int fd;
	uint64_t size;
	const char *unmappable;
};

struct dmabuf_cache {
	struct source *source; /* borrowed */
	/* Told before an entry's fd is closed or put aside, by its index; may be NULL. */
	void (*closing)(void *arg, unsigned int index);
	void *closing_arg;
	struct dmabuf entries[LIMIT_DMABUFS];
	uint64_t clock;
	struct plane mode; /* of the last picture */
	const char *none;  /* why the driver has no dma-bufs at all */
	bool keeps;	   /* no id may be asked for twice */
	struct dmabuf_parked parked[LIMIT_DMABUFS_KEPT];
	unsigned int parked_used;
};

void dmabuf_cache_init(struct dmabuf_cache *cache, struct source *source);
/* Unmaps and closes everything. */
void dmabuf_cache_finish(struct dmabuf_cache *cache);
/* The display is off or was reset: unmaps everything, and closes what may be closed. */
void dmabuf_cache_forget(struct dmabuf_cache *cache);
/* How many fds are open. */
unsigned int dmabuf_cache_open(const struct dmabuf_cache *cache);

/* The buffer of @plane, not mapped yet; *ret is the cache's and valid until the next call. -ESTALE: query again; -ENODEV: not
 * to be had, ever; others: passing. @ret_reason: static text on error. */
int dmabuf_cache_get(struct dmabuf_cache *cache, const struct plane *plane, struct dmabuf **ret,
	const char **ret_reason);
/* Its index in the cache, below LIMIT_DMABUFS. */
unsigned int dmabuf_cache_index(const struct dmabuf_cache *cache, const struct dmabuf *dmabuf);
/* Maps it as far as @plane needs. -ENODEV: the CPU cannot map it, which is remembered as long as its fd is open; -ERANGE: smaller than the plane;
 * others: passing. @ret_reason: static text on error. */
int dmabuf_map(struct dmabuf *dmabuf, const struct plane *plane, const char **ret_reason);

/* DMA_BUF_IOCTL_SYNC for reading. Waits for the buffer's fences where it has any. */
int dmabuf_begin(const struct dmabuf *dmabuf);
int dmabuf_end(const struct dmabuf *dmabuf);
