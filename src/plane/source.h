/* SPDX-License-Identifier: GPL-2.0-or-later */
/* source.h - where planes come from: one table of operations, two kinds (vfio, surface).
 *
 * A source belongs to its display's capture thread: every call may block (a VFIO query for 25 s), none is made on the
 * main loop. A source owns its fds.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "plane/plane.h"

struct source;
struct vfio_ops;

/* Memory that holds a plane's pixels, ready for mmap. */
struct buffer {
	int fd;		 /* owned by whoever called source_buffer() if @owned, else borrowed from the source */
	bool owned;
	bool dmabuf;	 /* bracket reads with DMA_BUF_IOCTL_SYNC */
	off_t offset;	 /* for mmap; the buffer's first byte */
	uint64_t length; /* bytes of the buffer; of a dma-buf only whole pages below it can be mapped. 0: unknown */
};

struct source_ops {
	/* Finds out once what the device can do. 0; -EAGAIN: not bound to an iommufd yet, ask again; -ENOTTY: it is a
	 * VFIO device without a display, or no VFIO device; -EINVAL: not a surface; others: passing trouble, ask again.
	 * @ret_reason: static text on error. */
	int (*probe)(struct source *source, const char **ret_reason);
	/* 0 with *ret filled in (all zero but type and kind: off); -errno: passing trouble of the driver, ask again. Never
	 * -EAGAIN, with which a look says that viewers are reading. */
	int (*query)(struct source *source, enum plane_type type, struct plane *ret);
	/* The buffer of a plane that query() returned. -ESTALE: the id is gone, query again; -ENODEV: cannot be mapped by
	 * the CPU, ever, for this plane; others: passing trouble. @ret_reason: static text on error. */
	int (*buffer)(struct source *source, const struct plane *plane, struct buffer *ret,
		const char **ret_reason);
	void (*destroy)(struct source *source); /* closes everything, the device fd last */
};

struct source {
	const struct source_ops *ops;
};

/* @fd is consumed on success only. -ENOMEM. */
int source_vfio_create(int fd, struct source **ret);
int source_surface_create(int fd, struct source **ret);
/* The same over another driver, for tests. */
int source_vfio_create_over(const struct vfio_ops *ops, int fd, struct source **ret);

static inline void source_destroy(struct source *source)
{
	if (source)
		source->ops->destroy(source);
}
