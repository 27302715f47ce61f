/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "frame/frame.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/mem.h"
#include "damage/tiles.h"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010 /* linux/fcntl.h, since 5.1 */
#endif

#define FRAME_PAGE  4096u
#define FRAME_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE)

static_assert(FRAME_CURSOR_SIDE == LIMIT_CURSOR, "the largest cursor fits");

/* The one place that knows the layout: both ends compute it from width and height. */
static int frame_layout(uint32_t width, uint32_t height, struct frame_header *ret)
{
	uint64_t at = FRAME_PAGE;

	if (!width || !height || width > LIMIT_WIDTH || height > LIMIT_HEIGHT)
		return -EINVAL;
	*ret = (struct frame_header){
		.magic = FRAME_MAGIC,
		.width = width,
		.height = height,
		.stride = ALIGN_UP(width * 4, 64),
	};
	ret->damage_offset = at;
	at += ALIGN_UP(tiles_bitmap_words(width, height) * sizeof(uint64_t), FRAME_PAGE);
	ret->left_offset = at;
	at += ALIGN_UP(tiles_bitmap_words(width, height) * sizeof(uint64_t), FRAME_PAGE);
	ret->cursor_offset = at;
	at += FRAME_CURSOR_SIDE * FRAME_CURSOR_SIDE * sizeof(uint32_t);
	ret->pixels_offset = at;
	ret->size = at + ALIGN_UP((uint64_t)ret->stride * height, FRAME_PAGE);
	return 0;
}

int frame_create(uint32_t width, uint32_t height, uint32_t generation, struct frame **ret)
{
	struct frame_header header;
	struct frame *frame;
	int r;

	r = frame_layout(width, height, &header);
	if (r < 0)
		return r;
	header.generation = generation;
	frame = new0(struct frame);
	if (!frame)
		return -ENOMEM;
	frame->map = MAP_FAILED;
	frame->header = header;
	frame->fd =
		fd_move_high(memfd_create("vfio-display-frame", MFD_CLOEXEC | MFD_ALLOW_SEALING));
	if (frame->fd < 0 || ftruncate(frame->fd, header.size) < 0)
		goto fail;
	frame->map = mmap(NULL, header.size, PROT_READ | PROT_WRITE, MAP_SHARED, frame->fd, 0);
	if (frame->map == MAP_FAILED)
		goto fail;
	memcpy(frame->map, &header, sizeof(header));
	if (fcntl(frame->fd, F_ADD_SEALS, FRAME_SEALS | F_SEAL_SEAL) < 0)
		goto fail;
	*ret = frame;
	return 0;
fail:
	r = -errno;
	frame_destroy(frame);
	return r;
}

int frame_open(int fd, bool writable_private, struct frame **ret)
{
	struct frame_header expected, *live;
	struct frame *frame;
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS);
	int r;

	if (seals < 0 || (seals & FRAME_SEALS) != FRAME_SEALS || fstat(fd, &st) < 0)
		return -EINVAL;
	if (st.st_size < FRAME_PAGE || (uint64_t)st.st_size > 2ull * LIMIT_FRAME_BYTES)
		return -EINVAL;
	frame = new0(struct frame);
	if (!frame)
		return -ENOMEM;
	frame->fd = -EBADF;
	frame->header.size = st.st_size;
	frame->map = mmap(NULL, st.st_size, PROT_READ | (writable_private ? PROT_WRITE : 0),
		writable_private ? MAP_PRIVATE : MAP_SHARED, fd, 0);
	if (frame->map == MAP_FAILED) {
		r = -errno;
		goto fail;
	}
	live = frame_live(frame);
	r = frame_layout(live->width, live->height, &expected);
	if (r < 0)
		goto fail;
	r = -EINVAL;
	if (live->magic != FRAME_MAGIC || live->stride != expected.stride ||
		live->damage_offset != expected.damage_offset ||
		live->left_offset != expected.left_offset ||
		live->cursor_offset != expected.cursor_offset ||
		live->pixels_offset != expected.pixels_offset || live->size != expected.size ||
		expected.size != (uint64_t)st.st_size)
		goto fail;
	expected.generation = live->generation;
	expected.placard = live->placard;
	frame->header = expected;
	frame->fd = fd;
	*ret = frame;
	return 0;
fail:
	frame_destroy(frame);
	return r;
}

int frame_map_privately(const struct frame *shared, struct frame **ret)
{
	int fd = fcntl(shared->fd, F_DUPFD_CLOEXEC, 3);
	struct frame *frame;
	int r;

	if (fd < 0)
		return -errno;
	fd = fd_move_high(fd);
	if (fd < 0)
		return fd;
	r = frame_open(fd, true, &frame);
	if (r < 0) {
		fd_close(fd);
		return r;
	}
	frame->fd = fd_close(frame->fd);
	if (frame->header.width != shared->header.width ||
		frame->header.height != shared->header.height) {
		frame_destroy(frame);
		return -EINVAL;
	}
	*ret = frame;
	return 0;
}

void frame_destroy(struct frame *frame)
{
	if (!frame)
		return;
	if (frame->map && frame->map != MAP_FAILED)
		munmap(frame->map, frame->header.size);
	fd_close(frame->fd);
	free(frame);
}
