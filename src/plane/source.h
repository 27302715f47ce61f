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

#define EDID_DOWN_MS 100 /* what QEMU gives the guest to notice */

struct source;
struct vfio_ops;

/* Memory that holds a plane's pixels, ready for mmap. */
struct buffer {
	int fd; /* owned by whoever called source_buffer() if @owned, else borrowed from the source */
	bool owned;
	bool dmabuf;  /* bracket reads with DMA_BUF_IOCTL_SYNC */
	off_t offset; /* for mmap; the buffer's first byte */
	uint64_t
		length; /* bytes of the buffer; of a dma-buf only whole pages below it can be mapped. 0: unknown */
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

	/* The rest may be NULL: this kind of source has no such thing. After probe().
	 *
	 * The driver's display interrupt shall signal @event, a non-semaphore eventfd, borrowed until disarm(). Takes it away from
	 * whoever had it, so only with the registrant's leave. -ENOTTY: the device has none. */
	int (*arm)(struct source *source, int event);
	void (*disarm)(struct source *source);
	/* That eventfd's counter was @count; 0: somebody else says that something may have changed. From the first call on
	 * the primary plane's `drawn` tells which events were for the cursor alone. */
	void (*heard)(struct source *source, uint64_t count);

	/* The largest size that offer_size() takes. -ENOTTY: the device has no EDID region. */
	int (*size_limits)(struct source *source, uint32_t *ret_width, uint32_t *ret_height);
	/* Unplugs the guest's monitor and plugs in one that prefers this size: link down and its EDID now, and link up
	 * by link_up(), EDID_DOWN_MS later, so that the guest notices. -ENOTTY; -ERANGE: beyond the limits; others: the
	 * driver refused, and may have refused that the link goes up again. */
	int (*offer_size)(struct source *source, uint32_t width, uint32_t height);
	/* After every offer_size(), until it says 0: the link is up. */
	int (*link_up)(struct source *source);
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
