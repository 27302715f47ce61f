/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guest_device.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "pattern.h"

/* The Bochs display interface. */
#define REGISTERS_AT	   0x500
#define ENABLED		   0x41 /* on, linear framebuffer */
#define PLANE_TYPE_PRIMARY 1

enum {
	XRES = 1,
	YRES = 2,
	BPP = 3,
	ENABLE = 4,
	VIRT_WIDTH = 6,
	VIRT_HEIGHT = 7,
	X_OFFSET = 8,
	Y_OFFSET = 9
};

static int group_open(const char *uuid)
{
	char path[PATH_MAX], target[PATH_MAX];
	ssize_t length;
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/mdev/devices/%s/iommu_group", uuid);
	length = readlink(path, target, sizeof(target) - 1);
	if (length < 0)
		return -errno;
	target[length] = 0;
	snprintf(path, sizeof(path), "/dev/vfio/%s", basename(target));
	fd = open(path, O_RDWR | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int region_info(int device, uint32_t index, struct vfio_region_info *ret)
{
	*ret = (struct vfio_region_info){.argsz = sizeof(*ret), .index = index};
	return ioctl(device, VFIO_DEVICE_GET_REGION_INFO, ret) < 0 ? -errno : 0;
}

static int memory_map(struct guest_device *device)
{
	struct vfio_region_info info;
	void *memory;
	int r;

	r = region_info(device->device, VFIO_PCI_BAR2_REGION_INDEX, &info);
	if (r < 0)
		return r;
	device->is_bochs = info.size > 0;
	device->registers = info.offset;
	r = region_info(device->device, VFIO_PCI_BAR0_REGION_INDEX, &info);
	if (r < 0)
		return r;
	memory = mmap(NULL, info.size, PROT_READ | PROT_WRITE, MAP_SHARED, device->device,
		(off_t)info.offset);
	if (memory == MAP_FAILED)
		return -errno;
	device->memory = memory;
	device->memory_size = info.size;
	return 0;
}

static int query(int device, struct vfio_device_gfx_plane_info *ret)
{
	static const uint32_t kinds[] = {VFIO_GFX_PLANE_TYPE_DMABUF, VFIO_GFX_PLANE_TYPE_REGION};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		*ret = (struct vfio_device_gfx_plane_info){
			.argsz = sizeof(*ret), .flags = VFIO_GFX_PLANE_TYPE_PROBE | kinds[i]};
		if (ioctl(device, VFIO_DEVICE_QUERY_GFX_PLANE, ret) < 0)
			continue;
		/* mbochs answers the first query of each mode ENOMEM. */
		for (int attempt = 0; attempt < 2; attempt++) {
			*ret = (struct vfio_device_gfx_plane_info){.argsz = sizeof(*ret),
				.flags = kinds[i],
				.drm_plane_type = PLANE_TYPE_PRIMARY};
			if (ioctl(device, VFIO_DEVICE_QUERY_GFX_PLANE, ret) == 0)
				return (int)kinds[i];
		}
		return -errno;
	}
	return -ENOTTY;
}

int guest_device_open(struct guest_device *device, const char *uuid)
{
	struct vfio_device_gfx_plane_info plane;
	int r;

	*device = (struct guest_device){.container = -EBADF, .group = -EBADF, .device = -EBADF};
	device->group = group_open(uuid);
	if (device->group < 0)
		return device->group;
	device->container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	if (device->container < 0 ||
		ioctl(device->group, VFIO_GROUP_SET_CONTAINER, &device->container) < 0 ||
		ioctl(device->container, VFIO_SET_IOMMU, VFIO_TYPE1_IOMMU) < 0 ||
		(device->device = ioctl(device->group, VFIO_GROUP_GET_DEVICE_FD, uuid)) < 0) {
		r = -errno;
		guest_device_close(device);
		return r;
	}
	r = memory_map(device);
	if (r < 0) {
		guest_device_close(device);
		return r;
	}
	/* mdpy's mode is the device's; an mbochs is off. */
	if (!device->is_bochs && query(device->device, &plane) >= 0) {
		device->width = plane.width;
		device->height = plane.height;
		device->stride = plane.stride;
	}
	return 0;
}

void guest_device_close(struct guest_device *device)
{
	if (device->memory)
		munmap(device->memory, device->memory_size);
	device->memory = NULL;
	device->device = fd_close(device->device);
	device->group = fd_close(device->group);
	device->container = fd_close(device->container);
}

static int register_write(struct guest_device *device, unsigned int index, uint32_t value)
{
	uint16_t word = (uint16_t)value;
	off_t at = (off_t)(device->registers + REGISTERS_AT + 2 * index);

	if (!device->is_bochs)
		return -ENOTTY;
	return pwrite(device->device, &word, sizeof(word), at) == sizeof(word) ? 0 : -EIO;
}

int guest_device_set_mode(
	struct guest_device *device, uint32_t width, uint32_t height, uint32_t stride_pixels)
{
	const struct {
		unsigned int index;
		uint32_t value;
	} writes[] = {{ENABLE, 0}, {XRES, width}, {YRES, height}, {BPP, 32},
		{VIRT_WIDTH, stride_pixels}, {VIRT_HEIGHT, height}, {X_OFFSET, 0}, {Y_OFFSET, 0},
		{ENABLE, ENABLED}};

	if ((uint64_t)stride_pixels * height * 4 > device->memory_size || stride_pixels < width)
		return -ERANGE;
	for (size_t i = 0; i < ARRAY_SIZE(writes); i++) {
		int r = register_write(device, writes[i].index, writes[i].value);

		if (r < 0)
			return r;
	}
	device->width = width;
	device->height = height;
	device->stride = stride_pixels * 4;
	return 0;
}

int guest_device_enable(struct guest_device *device, bool on)
{
	return register_write(device, ENABLE, on ? ENABLED : 0);
}

int guest_device_reset(struct guest_device *device)
{
	return ioctl(device->device, VFIO_DEVICE_RESET) < 0 ? -errno : 0;
}

int guest_device_paint(struct guest_device *device, const struct pattern *pattern, uint32_t seed,
	uint32_t x, uint32_t y, uint32_t width, uint32_t height)
{
	if ((uint64_t)x + width > device->width || (uint64_t)y + height > device->height)
		return -ERANGE;
	for (uint32_t line = y; line < y + height; line++)
		pattern_line(pattern, seed, x, line, width,
			(uint32_t *)(device->memory + (size_t)line * device->stride) + x);
	return 0;
}

/* Bytes of @pixels that are not those of video memory. */
static size_t count_different(const struct guest_device *device, const uint8_t *pixels, size_t size)
{
	size_t different = 0;

	for (size_t i = 0; i < size; i++)
		different += pixels[i] != device->memory[i];
	return different;
}

static int plane_map(struct guest_device *device, int kind,
	const struct vfio_device_gfx_plane_info *plane, size_t size, const uint8_t **ret)
{
	struct vfio_region_info info = {.offset = 0};
	_cleanup_fd_ int buffer = -EBADF;
	int fd = device->device, r;
	void *pixels;

	if (kind == VFIO_GFX_PLANE_TYPE_DMABUF) {
		uint32_t id = plane->dmabuf_id;

		fd = buffer = ioctl(device->device, VFIO_DEVICE_GET_GFX_DMABUF, &id);
		if (buffer < 0)
			return -errno;
	} else {
		r = region_info(device->device, plane->region_index, &info);
		if (r < 0)
			return r;
	}
	pixels = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, (off_t)info.offset);
	if (pixels == MAP_FAILED)
		return -ENODEV;
	*ret = pixels;
	return 0;
}

int guest_device_read_back(
	struct guest_device *device, char *ret_text, size_t text_size, size_t *ret_different)
{
	struct vfio_device_gfx_plane_info plane;
	const uint8_t *pixels = NULL;
	size_t size;
	int kind, r;

	kind = query(device->device, &plane);
	if (kind < 0)
		return kind;
	snprintf(ret_text, text_size, "%s %ux%u stride %u size %u",
		kind == VFIO_GFX_PLANE_TYPE_DMABUF ? "dma-buf" : "region", plane.width,
		plane.height, plane.stride, plane.size);
	/* The dma-buf core maps no page that is not whole. */
	size = (size_t)plane.stride * plane.height / 4096 * 4096;
	if (!size)
		return -ENODATA;
	r = plane_map(device, kind, &plane, size, &pixels);
	if (r < 0)
		return r;
	*ret_different = count_different(device, pixels, size);
	munmap((void *)(uintptr_t)pixels, size);
	return 0;
}
