/* SPDX-License-Identifier: GPL-2.0-or-later */
/* device.h - the VFIO ioctls that this program issues: GET_INFO, GET_REGION_INFO, GET_IRQ_INFO, QUERY_GFX_PLANE, GET_GFX_DMABUF, which
 * only ask; and from gfx_irq.c SET_IRQS, for the display interrupt alone. No others.
 *
 * The fd is shared with the VMM (same open file description): nothing here seeks or changes its flags, and the only region that
 * is read or written is the EDID's (gfx_edid.c). Every call may block, QUERY on one driver for 25 s. Errors are -errno.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <linux/vfio.h>

/* enum drm_plane_type of the kernel (include/drm/drm_plane.h), which is in no uapi header. */
#define VFIO_PLANE_PRIMARY 1u
#define VFIO_PLANE_CURSOR  2u

/* How a driver is reached: the kernel, or a script of a test. */
struct vfio_ops {
	/* ioctl(2), but an error comes back as -errno. */
	int (*ioctl)(const struct vfio_ops *ops, int fd, unsigned long request, void *argument);
	/* pread(2) and pwrite(2), likewise. */
	ssize_t (*pread)(const struct vfio_ops *ops, int fd, void *data, size_t size, off_t offset);
	ssize_t (*pwrite)(
		const struct vfio_ops *ops, int fd, const void *data, size_t size, off_t offset);
};

extern const struct vfio_ops vfio_kernel;

struct vfio_device {
	int fd; /* borrowed */
	const struct vfio_ops *ops;
};

struct vfio_region {
	uint32_t index;
	bool can_map;	 /* the driver lets user space map (parts of) it */
	bool sparse;	 /* only some areas */
	bool can_access; /* pread and pwrite */
	uint32_t type,
		subtype; /* VFIO_REGION_TYPE_*, VFIO_REGION_SUBTYPE_*; 0: the driver gives it none */
	uint64_t size;	 /* bytes; NVIDIA's console says 16 MiB whatever is there */
	uint64_t offset;   /* for mmap on the device fd; private to the driver */
	uint64_t mappable; /* bytes from the region's beginning that one mmap can reach */
};

/* Asks GET_INFO. 0: a device that answers. -EAGAIN: a cdev not bound to an iommufd yet (its every ioctl is EINVAL until then).
 * -ENOTTY: no VFIO device; issue nothing else on such an fd, the same numbers mean other things on a container. */
int vfio_device_present(const struct vfio_device *device);
/* How many regions and interrupts the device says that it has: hints, drivers have more and fewer. Errors as above. */
int vfio_device_counts(
	const struct vfio_device *device, uint32_t *ret_regions, uint32_t *ret_interrupts);
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
/* What GET_REGION_INFO left in @size bytes. */
int vfio_region_parse(const void *info, uint32_t size, struct vfio_region *ret);

/* One register: 4 bytes at @at, a multiple of 4, of a region, in host byte order. Drivers take no other size. Only regions
 * behind those of PCI are ever written. -ERANGE: outside. */
int vfio_device_read(const struct vfio_device *device, const struct vfio_region *region,
	uint64_t at, uint32_t *ret);
int vfio_device_write(const struct vfio_device *device, const struct vfio_region *region,
	uint64_t at, uint32_t value);

/* GET_IRQ_INFO with @size bytes of @info, zeroed: two drivers give back what they find there. */
int vfio_device_irq(const struct vfio_device *device, uint32_t index, void *info, uint32_t size);
