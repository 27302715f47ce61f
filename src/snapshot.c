/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "snapshot.h"

#include <errno.h>
#include <sys/mman.h>

#include "base/fd.h"
#include "capture/capture.h"
#include "capture/detile.h"

struct snapping {
	const struct view *view;
	uint8_t *to;
	size_t stride;
};

static int guarded_snapshot(void *arg)
{
	struct snapping *snapping = arg;

	detile_picture(snapping->view, (uint32_t *)snapping->to, snapping->stride);
	return 0;
}

int snapshot_copy(const struct view *view, struct snapshot *ret)
{
	struct snapping snapping = {.view = view, .stride = (size_t)view->width * 4};
	size_t bytes = snapping.stride * view->height;
	_cleanup_fd_ int fd = -EBADF;
	int r;

	fd = memfd_create("vfio-display-capture", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0 || ftruncate(fd, bytes) < 0)
		return -errno;
	snapping.to = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (snapping.to == MAP_FAILED)
		return -errno;
	r = capture_guard(guarded_snapshot, &snapping);
	munmap(snapping.to, bytes);
	if (r < 0)
		return r;
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return -errno;
	*ret = (struct snapshot){
		.fd = fd_move_high(take_fd(&fd)),
		.width = view->width,
		.height = view->height,
		.stride = snapping.stride,
	};
	return 0;
}

struct snapped {
	struct display *display;
	struct snapshot snapshot;
	int error;
};
