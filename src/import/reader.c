/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * gbm_bo_map() gives linear rows of any buffer that the driver could import, tiled or compressed, in memory that the CPU reads
 * well: drivers copy with the GPU where it has to be. What the modifier means stays their business. The map lasts for one copy,
 * since only a new one is sure to show what has been drawn since.
 *
 * Drivers load code late: the context behind gbm_bo_map() comes with the first map, and some load further libraries then. So
 * a small buffer of our own is made, mapped and thrown away before the sandbox closes. A node that cannot make one (a software
 * driver on a render node) may still import.
 */
#include "import/reader.h"

#include <drm_fourcc.h>
#include <errno.h>
#include <gbm.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/mem.h"

#define TRIAL_SIZE 64 /* pixels, of the buffer of our own */

struct slot {
	struct import_buffer buffer;
	int fd;		   /* owned, -EBADF: empty */
	struct gbm_bo *bo; /* NULL: not imported yet, or refused */
};

struct surface {
	uint8_t *base; /* NULL: none */
	size_t size;
};

struct reader {
	int node; /* owned; gbm borrows it */
	struct gbm_device *device;
	struct slot slots[LIMIT_DMABUFS];
	struct surface surfaces[IMPORT_SURFACES];
};

static void try_out(struct gbm_device *device, uint32_t usage)
{
	struct gbm_bo *bo;
	uint32_t stride;
	void *data = NULL;

	bo = gbm_bo_create(device, TRIAL_SIZE, TRIAL_SIZE, GBM_FORMAT_XRGB8888, usage);
	if (!bo)
		return;
	if (gbm_bo_map(bo, 0, 0, TRIAL_SIZE, TRIAL_SIZE, GBM_BO_TRANSFER_READ, &stride, &data))
		gbm_bo_unmap(bo, data);
	gbm_bo_destroy(bo);
}

int reader_create(int node, struct reader **ret)
{
	struct reader *reader = new0(struct reader);

	if (!reader)
		return -ENOMEM;
	reader->device = gbm_create_device(node);
	if (!reader->device) {
		free(reader);
		return -ENODEV;
	}
	reader->node = node;
	for (size_t i = 0; i < LIMIT_DMABUFS; i++)
		reader->slots[i].fd = -EBADF;
	try_out(reader->device, GBM_BO_USE_LINEAR);
	try_out(reader->device, GBM_BO_USE_RENDERING);
	*ret = reader;
	return 0;
}

void reader_destroy(struct reader *reader)
{
	if (!reader)
		return;
	for (size_t i = 0; i < LIMIT_DMABUFS; i++)
		reader_drop(reader, i);
	for (size_t i = 0; i < IMPORT_SURFACES; i++)
		if (reader->surfaces[i].base)
			munmap(reader->surfaces[i].base, reader->surfaces[i].size);
	gbm_device_destroy(reader->device);
	fd_close(reader->node);
	free(reader);
}

void reader_drop(struct reader *reader, unsigned int index)
{
	struct slot *slot = &reader->slots[index];

	if (slot->bo)
		gbm_bo_destroy(slot->bo);
	fd_close(slot->fd);
	*slot = (struct slot){.fd = -EBADF};
}

void reader_give(struct reader *reader, const struct import_buffer *buffer, int fd)
{
	reader_drop(reader, buffer->index);
	reader->slots[buffer->index] = (struct slot){.buffer = *buffer, .fd = fd};
}

int reader_surface(struct reader *reader, unsigned int number, uint64_t size, int fd)
{
	struct surface *surface = &reader->surfaces[number];
	_cleanup_fd_ int memory = fd;
	struct stat st;
	void *base;

	if (surface->base)
		munmap(surface->base, surface->size);
	*surface = (struct surface){0};
	if (fstat(memory, &st) < 0)
		return -errno;
	if ((uint64_t)st.st_size < size)
		return -EPROTO;
	base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
	if (base == MAP_FAILED)
		return -errno;
	*surface = (struct surface){.base = base, .size = size};
	return 0;
}

static struct gbm_bo *import_with_modifier(
	struct gbm_device *device, const struct slot *slot, uint32_t usage)
{
	const struct import_buffer *buffer = &slot->buffer;
	struct gbm_import_fd_modifier_data data = {
		.width = buffer->width,
		.height = buffer->height,
		.format = buffer->fourcc,
		.num_fds = 1,
		.fds = {slot->fd, -1, -1, -1},
		.strides = {(int)buffer->stride},
		.offsets = {(int)buffer->offset},
		.modifier = buffer->modifier,
	};

	return gbm_bo_import(device, GBM_BO_IMPORT_FD_MODIFIER, &data, usage);
}

/* How a buffer is laid out was left to the driver before there were modifiers. It knows no offset. */
static struct gbm_bo *import_plain(
	struct gbm_device *device, const struct slot *slot, uint32_t usage)
{
	const struct import_buffer *buffer = &slot->buffer;
	struct gbm_import_fd_data data = {
		.fd = slot->fd,
		.width = buffer->width,
		.height = buffer->height,
		.stride = buffer->stride,
		.format = buffer->fourcc,
	};

	return gbm_bo_import(device, GBM_BO_IMPORT_FD, &data, usage);
}

static struct gbm_bo *import_slot(struct gbm_device *device, const struct slot *slot)
{
	static const uint32_t usages[] = {0, GBM_BO_USE_RENDERING, GBM_BO_USE_LINEAR};
	uint64_t modifier = slot->buffer.modifier;
	bool plain = slot->buffer.offset == 0 &&
		     (modifier == DRM_FORMAT_MOD_LINEAR || modifier == DRM_FORMAT_MOD_INVALID);
	struct gbm_bo *bo = NULL;

	for (size_t i = 0; !bo && i < ARRAY_SIZE(usages); i++) {
		if (modifier != DRM_FORMAT_MOD_INVALID)
			bo = import_with_modifier(device, slot, usages[i]);
		if (!bo && plain)
			bo = import_plain(device, slot, usages[i]);
	}
	return bo;
}

static enum import_step copy_rows(
	const struct slot *slot, const struct import_copy *copy, uint8_t *to, uint32_t *ret_error)
{
	const struct import_buffer *buffer = &slot->buffer;
	uint32_t stride = 0;
	void *data = NULL;
	const uint8_t *from;

	errno = 0;
	from = gbm_bo_map(slot->bo, 0, 0, buffer->width, buffer->height, GBM_BO_TRANSFER_READ,
		&stride, &data);
	if (!from) {
		*ret_error = errno;
		return IMPORT_NO_MAP;
	}
	if (copy->row_bytes > stride || copy->rows > buffer->height) {
		gbm_bo_unmap(slot->bo, data);
		return IMPORT_NO_ROOM;
	}
	for (uint32_t y = 0; y < copy->rows; y++)
		memcpy(to + (size_t)y * copy->stride, from + (size_t)y * stride, copy->row_bytes);
	gbm_bo_unmap(slot->bo, data);
	return IMPORT_DONE_WELL;
}

enum import_step reader_copy(
	struct reader *reader, const struct import_copy *copy, uint32_t *ret_error)
{
	const struct surface *surface = &reader->surfaces[copy->surface];
	struct slot *slot = &reader->slots[copy->index];

	*ret_error = 0;
	if (!surface->base || copy->start + (uint64_t)copy->stride * copy->rows > surface->size)
		return IMPORT_NO_ROOM;
	if (slot->fd < 0)
		return IMPORT_NO_IMPORT;
	if (!slot->bo) {
		errno = 0;
		slot->bo = import_slot(reader->device, slot);
	}
	if (!slot->bo) {
		*ret_error = errno;
		return IMPORT_NO_IMPORT;
	}
	return copy_rows(slot, copy, surface->base + copy->start, ret_error);
}
