/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * The producer may be hostile and may write at any time. So its header is never looked at in place: it is copied by pread,
 * which unlike a mapping cannot raise SIGBUS, between two reads of the sequence counter, and only the copy is judged. Nothing
 * is kept from one query to the next. pread leaves the file position alone, which the producer shares.
 */
#include "plane/source.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/fd.h"
#include "base/mem.h"
#include "vfio-displayd/surface.h"

#define HEAD_BYTES 4096u /* no plane begins before */
#define READ_TRIES 16

struct source_surface {
	struct source source;
	int fd; /* owned */
};

static struct source_surface *source_surface(struct source *source)
{
	return container_of(source, struct source_surface, source);
}

static int read_exact(int fd, void *data, size_t size, off_t at)
{
	ssize_t n;

	do
		n = pread(fd, data, size, at);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == size ? 0 : -EPROTO;
}

static int read_sequence(int fd, uint32_t *ret)
{
	return read_exact(fd, ret, sizeof(*ret), offsetof(struct vfio_displayd_surface, sequence));
}

/* A header that did not change while it was copied. -EBUSY: it never rested. */
static int read_header(int fd, struct vfio_displayd_surface *ret)
{
	struct vfio_displayd_surface header;

	for (unsigned int i = 0; i < READ_TRIES; i++) {
		uint32_t before, after;
		int r = read_sequence(fd, &before);

		atomic_thread_fence(memory_order_acquire);
		if (r >= 0)
			r = read_exact(fd, &header, sizeof(header), 0);
		atomic_thread_fence(memory_order_acquire);
		if (r >= 0)
			r = read_sequence(fd, &after);
		if (r < 0)
			return r;
		if (before == after && !(before & 1)) {
			*ret = header;
			return 0;
		}
		/* The producer may wait for this very processor. */
		sched_yield();
	}
	return -EBUSY;
}

static const char *header_wrong(const struct vfio_displayd_surface *header)
{
	if (header->magic != VFIO_DISPLAYD_SURFACE_MAGIC)
		return "the memfd has no surface header";
	if (header->version != VFIO_DISPLAYD_SURFACE_VERSION)
		return "the surface has a version that this program does not know";
	return NULL;
}

static const char *memfd_wrong(int fd)
{
	struct statfs fs;
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS);

	if (seals < 0)
		return "the surface is not a memfd";
	if (!(seals & F_SEAL_SHRINK))
		return "the memfd is not sealed against shrinking";
	/* Huge pages that run out raise SIGBUS, and are mapped by rules of their own. */
	if (fstatfs(fd, &fs) < 0 || fs.f_type != TMPFS_MAGIC)
		return "the memfd has huge pages";
	if (fstat(fd, &st) < 0 || st.st_size < (off_t)HEAD_BYTES)
		return "the memfd is smaller than a surface header";
	return NULL;
}

static int surface_probe(struct source *source, const char **ret_reason)
{
	int fd = source_surface(source)->fd;
	struct vfio_displayd_surface header;
	const char *wrong = memfd_wrong(fd);
	int r;

	if (!wrong) {
		/* Magic and version do not change: the counter does not matter yet. */
		r = read_exact(fd, &header, sizeof(header), 0);
		wrong = r < 0 ? "the memfd cannot be read" : header_wrong(&header);
	}
	if (wrong) {
		*ret_reason = wrong;
		return -EINVAL;
	}
	return 0;
}

static void copy_cursor(const struct vfio_displayd_surface_plane *from, struct plane *plane)
{
	bool inside = from->hot_x < from->width && from->hot_y < from->height;

	plane->x = from->x;
	plane->y = from->y;
	plane->hot_x = inside ? from->hot_x : PLANE_HOT_UNKNOWN;
	plane->hot_y = inside ? from->hot_y : PLANE_HOT_UNKNOWN;
	plane->token = from->serial;
}

static int surface_query(struct source *source, enum plane_type type, struct plane *ret)
{
	struct plane plane = {.type = type, .kind = PLANE_SURFACE};
	const struct vfio_displayd_surface_plane *from;
	struct vfio_displayd_surface header;
	bool cursor = type == PLANE_CURSOR;
	int r = read_header(source_surface(source)->fd, &header);

	if (r < 0)
		return r;
	if (header_wrong(&header))
		return -EPROTO;
	from = &header.planes[cursor ? VFIO_DISPLAYD_SURFACE_CURSOR
				     : VFIO_DISPLAYD_SURFACE_PRIMARY];
	if (from->format && from->size && from->width && from->height) {
		plane.fourcc = from->format;
		plane.modifier = from->modifier;
		plane.width = from->width;
		plane.height = from->height;
		plane.stride = from->stride;
		plane.offset = from->start;
		plane.size = from->size;
		if (cursor)
			copy_cursor(from, &plane);
		else
			plane.drawn = header.drawn;
	}
	*ret = plane;
	return 0;
}

static int surface_buffer(struct source *source, const struct plane *plane, struct buffer *ret,
	const char **ret_reason)
{
	int fd = source_surface(source)->fd;
	struct stat st;

	if (plane->offset < HEAD_BYTES) {
		*ret_reason = "the plane overlaps the surface's header";
		return -ENODEV;
	}
	if (fstat(fd, &st) < 0) {
		*ret_reason = "the memfd's size is not known";
		return -errno;
	}
	*ret = (struct buffer){.fd = fd, .length = (uint64_t)st.st_size};
	return 0;
}

static void surface_destroy(struct source *source)
{
	struct source_surface *self = source_surface(source);

	fd_close(self->fd);
	free(self);
}

static const struct source_ops source_surface_ops = {
	.probe = surface_probe,
	.query = surface_query,
	.buffer = surface_buffer,
	.destroy = surface_destroy,
};

int source_surface_create(int fd, struct source **ret)
{
	struct source_surface *self = new0(struct source_surface);

	if (!self)
		return -ENOMEM;
	self->source.ops = &source_surface_ops;
	self->fd = fd;
	*ret = &self->source;
	return 0;
}
