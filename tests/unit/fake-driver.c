/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fake-driver.h"

#include <dirent.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <drm_fourcc.h>

#include "base/mem.h"

static bool all_zero(const void *data, size_t size)
{
	const uint8_t *bytes = data;

	for (size_t i = 0; i < size; i++)
		if (bytes[i])
			return false;
	return true;
}

static int next_error(int *errors)
{
	int error = errors[0];

	memmove(errors, errors + 1, (FAKE_ERRORS - 1) * sizeof(*errors));
	errors[FAKE_ERRORS - 1] = 0;
	return error;
}

static int fake_probe(struct fake_driver *driver, uint32_t flags)
{
	driver->probes++;
	if (flags == (VFIO_GFX_PLANE_TYPE_PROBE | VFIO_GFX_PLANE_TYPE_DMABUF))
		return driver->probe_dmabuf;
	if (flags == (VFIO_GFX_PLANE_TYPE_PROBE | VFIO_GFX_PLANE_TYPE_REGION))
		return driver->probe_region;
	return -EINVAL;
}

static int fake_query(struct fake_driver *driver, struct vfio_device_gfx_plane_info *info)
{
	size_t written = offsetof(struct vfio_device_gfx_plane_info, region_index) + 4;
	uint32_t type = driver->ignores_type ? VFIO_PLANE_PRIMARY : info->drm_plane_type;
	struct vfio_device_gfx_plane_info answer;
	int r;

	if (info->argsz != 64 ||
		!all_zero((uint8_t *)info + offsetof(struct vfio_device_gfx_plane_info, drm_format),
			sizeof(*info) - offsetof(struct vfio_device_gfx_plane_info, drm_format)))
		driver->dirty = true;
	if (info->flags & VFIO_GFX_PLANE_TYPE_PROBE)
		return fake_probe(driver, info->flags);
	driver->queries++;
	driver->cursor_queries += info->drm_plane_type == VFIO_PLANE_CURSOR;
	r = next_error(driver->query_errors);
	if (r < 0 || driver->query_silent)
		return r;
	answer = driver->planes[type % ARRAY_SIZE(driver->planes)];
	answer.argsz = info->argsz;
	answer.flags = info->flags;
	answer.drm_plane_type = info->drm_plane_type;
	memcpy(info, &answer, written);
	if (driver->short_struct)
		memset((uint8_t *)info + written, 0xa5, sizeof(*info) - written);
	return 0;
}

static int fake_ioctl(const struct vfio_ops *ops, int fd, unsigned long request, void *argument)
{
	struct fake_driver *driver = container_of((struct vfio_ops *)ops, struct fake_driver, ops);

	switch (request) {
	case VFIO_DEVICE_GET_INFO:
		driver->infos++;
		return driver->info;
	case VFIO_DEVICE_QUERY_GFX_PLANE:
		return fake_query(driver, argument);
	case VFIO_DEVICE_GET_GFX_DMABUF:
		driver->gets++;
		return driver->get ? driver->get(driver, *(uint32_t *)argument) : -ENOTTY;
	case VFIO_DEVICE_GET_REGION_INFO:
		driver->regions++;
		return driver->region ? driver->region(driver, argument) : -EINVAL;
	default:
		driver->others++;
		return -ENOTTY;
	}
}

void fake_driver_init(struct fake_driver *driver)
{
	*driver = (struct fake_driver){.probe_region = -EINVAL, .memory = -1};
	driver->ops.ioctl = fake_ioctl;
}

void fake_driver_show(
	struct fake_driver *driver, uint32_t type, uint32_t width, uint32_t height, uint32_t token)
{
	driver->planes[type] = (struct vfio_device_gfx_plane_info){
		.drm_format = DRM_FORMAT_XRGB8888,
		.width = width,
		.height = height,
		.stride = width * 4,
		.size = width * height * 4,
		.dmabuf_id = token,
	};
}

int fake_get_memory(struct fake_driver *driver, uint32_t id)
{
	int fd;

	if (driver->get_error)
		return driver->get_error;
	fd = dup(driver->memory);
	return fd < 0 ? -errno : fd;
}

int fake_region_plain(struct fake_driver *driver, struct vfio_region_info *info)
{
	struct vfio_region_info answer = driver->region_info;

	if (info->argsz < sizeof(answer))
		return -EINVAL;
	answer.argsz = sizeof(answer);
	answer.index = info->index;
	*info = answer;
	return 0;
}

int fake_memory(uint64_t size)
{
	uint8_t block[4096];
	int fd = memfd_create("fake", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
		return -1;
	for (uint64_t at = 0; at < size; at += sizeof(block)) {
		size_t n = MIN(sizeof(block), size - at);

		for (size_t i = 0; i < n; i++)
			block[i] = (uint8_t)((at + i) / 4 % 251);
		if (pwrite(fd, block, n, (off_t)at) != (ssize_t)n)
			return -1;
	}
	return fd;
}

unsigned int fake_count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int n = 0;

	if (!dir)
		return 0;
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}
