/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vfio/device.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/mem.h"
#include "vfio/capability.h"

/* A signal may end a wait inside a driver; one that does so for ever is not waited for. */
#define INTERRUPTS_MAX 8
/* GET_REGION_INFO with the size that the last answer named; that may have grown in between. */
#define REGION_INFO_TRIES 4
#define REGION_ACCESS	  (VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE)

static int kernel_ioctl(const struct vfio_ops *ops, int fd, unsigned long request, void *argument)
{
	int r = ioctl(fd, request, argument);

	return r < 0 ? -errno : r;
}

static ssize_t kernel_pread(
	const struct vfio_ops *ops, int fd, void *data, size_t size, off_t offset)
{
	ssize_t n = pread(fd, data, size, offset);

	return n < 0 ? -errno : n;
}

static ssize_t kernel_pwrite(
	const struct vfio_ops *ops, int fd, const void *data, size_t size, off_t offset)
{
	ssize_t n = pwrite(fd, data, size, offset);

	return n < 0 ? -errno : n;
}

const struct vfio_ops vfio_kernel = {
	.ioctl = kernel_ioctl,
	.pread = kernel_pread,
	.pwrite = kernel_pwrite,
};

static int device_ioctl(const struct vfio_device *device, unsigned long request, void *argument)
{
	int r = -EINTR;

	for (unsigned int i = 0; r == -EINTR && i < INTERRUPTS_MAX; i++)
		r = device->ops->ioctl(device->ops, device->fd, request, argument);
	return r;
}

int vfio_device_counts(
	const struct vfio_device *device, uint32_t *ret_regions, uint32_t *ret_interrupts)
{
	struct vfio_device_info info = {.argsz = sizeof(info)};
	int r = device_ioctl(device, VFIO_DEVICE_GET_INFO, &info);

	if (r == -EINVAL)
		return -EAGAIN;
	if (r < 0)
		return r;
	*ret_regions = info.num_regions;
	*ret_interrupts = info.num_irqs;
	return 0;
}

int vfio_device_present(const struct vfio_device *device)
{
	uint32_t regions, interrupts;

	return vfio_device_counts(device, &regions, &interrupts);
}

static int plane_ioctl(const struct vfio_device *device, uint32_t flags, uint32_t type,
	struct vfio_device_gfx_plane_info *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->argsz = sizeof(*ret);
	ret->flags = flags;
	ret->drm_plane_type = type;
	return device_ioctl(device, VFIO_DEVICE_QUERY_GFX_PLANE, ret);
}

int vfio_device_probe(const struct vfio_device *device, uint32_t kind)
{
	struct vfio_device_gfx_plane_info info;
	int r = plane_ioctl(device, VFIO_GFX_PLANE_TYPE_PROBE | kind, VFIO_PLANE_PRIMARY, &info);

	if (r == -EINVAL)
		return -ENOTTY;
	return r < 0 ? r : 0;
}

int vfio_device_query(const struct vfio_device *device, uint32_t kind, uint32_t type,
	struct vfio_device_gfx_plane_info *ret)
{
	struct vfio_device_gfx_plane_info info;
	int r = plane_ioctl(device, kind, type, &info);

	/* mbochs drops the result of the allocation that it makes at the first query of a mode. */
	if (r == -ENOMEM)
		r = plane_ioctl(device, kind, type, &info);
	if (r == -ENODEV) {
		/* Off, by an early reading of the interface. */
		memset(&info, 0, sizeof(info));
		r = 0;
	}
	if (r < 0)
		return r;
	*ret = info;
	return 0;
}

int vfio_device_dmabuf(const struct vfio_device *device, uint32_t id, int *ret_fd)
{
	_cleanup_fd_ int fd = -EBADF;
	int r = device_ioctl(device, VFIO_DEVICE_GET_GFX_DMABUF, &id);

	if (r == -ENOENT || r == -EINVAL)
		return -ESTALE;
	if (r == -ENOTTY)
		return -ENODEV;
	if (r < 0)
		return r;
	fd = r;
	/* mbochs gives an fd that an exec would keep. */
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return -errno;
	r = fd_move_high(take_fd(&fd));
	if (r < 0)
		return r;
	*ret_fd = r;
	return 0;
}

/* Of the areas that may be mapped: how far the one that holds the region's first byte reaches. */
static int sparse_reach(const struct capability_chain *chain, uint64_t *ret)
{
	struct vfio_region_info_cap_sparse_mmap sparse;
	struct vfio_region_sparse_mmap_area area;
	uint32_t at = chain->at + sizeof(sparse);
	uint64_t reach = 0;

	if (capability_read(chain, &sparse, sizeof(sparse)) < 0)
		return -EPROTO;
	if (sparse.nr_areas > (chain->size - at) / sizeof(area))
		return -EPROTO;
	for (uint32_t i = 0; i < sparse.nr_areas; i++) {
		memcpy(&area, chain->info + at + i * sizeof(area), sizeof(area));
		if (area.offset == 0)
			reach = MAX(reach, (uint64_t)area.size);
	}
	*ret = reach;
	return 0;
}

static int region_capability(const struct capability_chain *chain, struct vfio_region *region)
{
	struct vfio_region_info_cap_type type;
	int r = 0;

	if (chain->header.id == VFIO_REGION_INFO_CAP_SPARSE_MMAP) {
		r = sparse_reach(chain, &region->mappable);
		region->sparse = true;
		region->mappable = MIN(region->mappable, region->size);
	} else if (chain->header.id == VFIO_REGION_INFO_CAP_TYPE) {
		r = capability_read(chain, &type, sizeof(type));
		if (r == 0) {
			region->type = type.type;
			region->subtype = type.subtype;
		}
	}
	return r;
}

int vfio_region_parse(const void *info, uint32_t size, struct vfio_region *ret)
{
	struct capability_chain chain = {.info = info, .size = size};
	struct vfio_region_info base;
	struct vfio_region region;
	int r;

	if (size < sizeof(base))
		return -EPROTO;
	memcpy(&base, info, sizeof(base));
	region = (struct vfio_region){
		.index = base.index,
		.can_map = base.flags & VFIO_REGION_INFO_FLAG_MMAP,
		.can_access = (base.flags & REGION_ACCESS) == REGION_ACCESS,
		.size = base.size,
		.offset = base.offset,
		.mappable = base.size,
	};
	chain.base = sizeof(base);
	chain.next = base.flags & VFIO_REGION_INFO_FLAG_CAPS ? base.cap_offset : 0;
	for (r = capability_next(&chain); r > 0; r = capability_next(&chain)) {
		r = region_capability(&chain, &region);
		if (r < 0)
			return r;
	}
	if (r < 0)
		return r;
	if (!region.can_map)
		region.mappable = 0;
	*ret = region;
	return 0;
}

/* Fills @info, room for LIMIT_REGION_INFO bytes, and *ret_size, how many of them the driver was told of. mbochs refuses more
 * than 48, others want room for their capabilities: so begin with the least and give what the answer asks for. */
static int region_info(
	const struct vfio_device *device, uint32_t index, uint8_t *info, uint32_t *ret_size)
{
	struct vfio_region_info base = {.argsz = sizeof(base)};

	for (unsigned int i = 0; i < REGION_INFO_TRIES; i++) {
		uint32_t size = base.argsz;
		int r;

		memset(info, 0, LIMIT_REGION_INFO);
		base = (struct vfio_region_info){.argsz = size, .index = index};
		memcpy(info, &base, sizeof(base));
		r = device_ioctl(device, VFIO_DEVICE_GET_REGION_INFO, info);
		if (r < 0)
			return r;
		memcpy(&base, info, sizeof(base));
		if (base.argsz <= size) {
			*ret_size = size;
			return 0;
		}
		if (base.argsz > LIMIT_REGION_INFO)
			return -E2BIG;
	}
	return -EPROTO;
}

int vfio_device_region(const struct vfio_device *device, uint32_t index, struct vfio_region *ret)
{
	uint8_t info[LIMIT_REGION_INFO] __attribute__((aligned(8)));
	struct vfio_region region;
	uint32_t size;
	int r;

	r = region_info(device, index, info, &size);
	if (r >= 0)
		r = vfio_region_parse(info, size, &region);
	if (r < 0)
		return r;
	region.index = index;
	*ret = region;
	return 0;
}

int vfio_device_irq(const struct vfio_device *device, uint32_t index, void *info, uint32_t size)
{
	struct vfio_irq_info base = {.argsz = size, .index = index};

	memset(info, 0, size);
	memcpy(info, &base, sizeof(base));
	return device_ioctl(device, VFIO_DEVICE_GET_IRQ_INFO, info);
}

static bool inside(const struct vfio_region *region, uint64_t at)
{
	uint64_t end;

	return !(at % 4) && region->size >= 4 && at <= region->size - 4 &&
	       !__builtin_add_overflow(region->offset, region->size, &end) && end <= INT64_MAX;
}

int vfio_device_read(const struct vfio_device *device, const struct vfio_region *region,
	uint64_t at, uint32_t *ret)
{
	uint32_t value;
	ssize_t n;

	if (!inside(region, at))
		return -ERANGE;
	n = device->ops->pread(
		device->ops, device->fd, &value, sizeof(value), (off_t)(region->offset + at));
	if (n < 0)
		return (int)n;
	if (n != sizeof(value))
		return -EIO;
	*ret = value;
	return 0;
}

int vfio_device_write(const struct vfio_device *device, const struct vfio_region *region,
	uint64_t at, uint32_t value)
{
	ssize_t n;

	if (!inside(region, at) || region->index < VFIO_PCI_NUM_REGIONS)
		return -ERANGE;
	n = device->ops->pwrite(
		device->ops, device->fd, &value, sizeof(value), (off_t)(region->offset + at));
	if (n < 0)
		return (int)n;
	return n == sizeof(value) ? 0 : -EIO;
}
