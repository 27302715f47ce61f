/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/import_link.h"

#include <errno.h>
#include <string.h>

#include "base/fd.h"
#include "base/packet.h"

/* Room for a header and the largest plane of 4 bytes a pixel. */
#define SURFACE_MAX ((uint64_t)LIMIT_FRAME_BYTES + 4096)

int import_send(int link, const struct import_message *message, int fd)
{
	return packet_send(link, message, sizeof(*message), fd);
}

static bool buffer_valid(const struct import_buffer *buffer)
{
	return buffer->index < LIMIT_DMABUFS && buffer->fourcc && buffer->width &&
	       buffer->width <= LIMIT_WIDTH && buffer->height && buffer->height <= LIMIT_HEIGHT &&
	       buffer->stride && buffer->stride <= LIMIT_STRIDE && buffer->offset <= INT32_MAX;
}

static bool copy_valid(const struct import_copy *copy)
{
	return copy->index < LIMIT_DMABUFS && copy->surface < IMPORT_SURFACES && copy->row_bytes &&
	       copy->row_bytes <= copy->stride && copy->stride <= LIMIT_STRIDE && copy->rows &&
	       copy->rows <= LIMIT_HEIGHT &&
	       copy->start + (uint64_t)copy->stride * copy->rows <= SURFACE_MAX;
}

static bool daemon_message_valid(const struct import_message *m, bool has_fd)
{
	switch (m->type) {
	case IMPORT_HELLO:
		return has_fd && m->version == IMPORT_VERSION &&
		       memchr(m->hello.id, '\0', sizeof(m->hello.id));
	case IMPORT_SURFACE:
		return has_fd && m->surface.surface < IMPORT_SURFACES && m->surface.size &&
		       m->surface.size <= SURFACE_MAX;
	case IMPORT_GIVE:
		return has_fd && buffer_valid(&m->give);
	case IMPORT_DROP:
		return !has_fd && m->drop.index < LIMIT_DMABUFS;
	case IMPORT_COPY:
		return !has_fd && copy_valid(&m->copy);
	default:
		return false;
	}
}

static bool program_message_valid(const struct import_message *m, bool has_fd)
{
	if (has_fd)
		return false;
	switch (m->type) {
	case IMPORT_READY:
		return m->version == IMPORT_VERSION;
	case IMPORT_DONE:
		/* strerror() knows no more. */
		return m->done.step <= IMPORT_NO_ROOM && m->done.error < 4096;
	default:
		return false;
	}
}

int import_check(const struct import_message *message, bool from_daemon, bool has_fd)
{
	return (from_daemon ? daemon_message_valid : program_message_valid)(message, has_fd)
		       ? 0
		       : -EPROTO;
}

int import_receive(int link, bool from_daemon, struct import_message *ret, int *ret_fd)
{
	_cleanup_fd_ int fd = -EBADF;
	int r = packet_receive(link, ret, sizeof(*ret), &fd);

	if (r < 0)
		return r;
	if (import_check(ret, from_daemon, fd >= 0) < 0)
		return -EPROTO;
	*ret_fd = take_fd(&fd);
	return 0;
}
