/* SPDX-License-Identifier: GPL-2.0-or-later */
/* device.h - the VFIO ioctls that this program issues, and no others: GET_INFO, GET_REGION_INFO, QUERY_GFX_PLANE, GET_GFX_DMABUF.
 *
 * The fd is shared with the VMM (same open file description): nothing here reads, seeks, or changes its flags. Every call may
 * block, QUERY on one driver for 25 s. Errors are -errno.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <linux/vfio.h>

/* enum drm_plane_type of the kernel (include/drm/drm_plane.h), which is in no uapi header. */
#define VFIO_PLANE_PRIMARY 1u
#define VFIO_PLANE_CURSOR  2u

/* How a driver is reached: the kernel, or a script of a test. */
struct vfio_ops {
	/* ioctl(2), but an error comes back as -errno. */
	int (*ioctl)(const struct vfio_ops *ops, int fd, unsigned long request, void *argument);
};

extern const struct vfio_ops vfio_kernel;

struct vfio_device {
	int fd; /* borrowed */
	const struct vfio_ops *ops;
};

struct vfio_region {
	uint32_t index;
	bool can_map;	   /* the driver lets user space map (parts of) it */
	bool sparse;	   /* only some areas */
	uint64_t size;	   /* bytes; NVIDIA's console says 16 MiB whatever is there */
	uint64_t offset;   /* for mmap on the device fd; private to the driver */
	uint64_t mappable; /* bytes from the region's beginning that one mmap can reach */
};

/* Asks GET_INFO. 0: a device that answers. -EAGAIN: a cdev not bound to an iommufd yet (its every ioctl is EINVAL until then).
 * -ENOTTY: no VFIO device; issue nothing else on such an fd, the same numbers mean other things on a container. */
int vfio_device_present(const struct vfio_device *device);
/* @kind: VFIO_GFX_PLANE_TYPE_DMABUF or _REGION. 0: yes. -ENOTTY: no. Others: unknown, ask again. */
int vfio_device_probe(const struct vfio_device *device, uint32_t kind);
/* *ret is all zero but for what the driver wrote: a driver that answers 0 and writes nothing has its plane off. */
int vfio_device_query(const struct vfio_device *device, uint32_t kind, uint32_t type,
	struct vfio_device_gfx_plane_info *ret);
/* *ret_fd is the caller's, CLOEXEC, high. -ESTALE: the id is gone. -ENODEV: this driver has no dma-bufs. */
int vfio_device_dmabuf(const struct vfio_device *device, uint32_t id, int *ret_fd);
/* Any index: drivers have display regions at and above num_regions. -EPROTO: its capabilities make no sense; -E2BIG: they
 * are larger than LIMIT_REGION_INFO; -EINVAL: no such region. */
int vfio_device_region(const struct vfio_device *device, uint32_t index, struct vfio_region *ret);
