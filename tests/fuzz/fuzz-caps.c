/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What drivers say of their regions and interrupts, with chains of capabilities. The first byte chooses: a region's struct, an
 * interrupt's, or a whole driver that answers every question with the next bytes, and then is asked for its display
 * interrupt and its EDID region. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "vfio/device.h"
#include "vfio/gfx_edid.h"
#include "vfio/gfx_irq.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

/* A copy that ends where the heap's red zone begins. */
static uint8_t *copy_of(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	require(copy);
	if (size)
		memcpy(copy, data, size);
	return copy;
}

static void parse_region(const uint8_t *data, uint32_t size)
{
	struct vfio_region region;
	uint8_t *copy = copy_of(data, size);

	if (vfio_region_parse(copy, size, &region) == 0) {
		require(region.mappable <= region.size);
		require(region.can_map || !region.mappable);
	}
	free(copy);
}

static void parse_irq(const uint8_t *data, uint32_t size)
{
	struct gfx_irq irq;
	uint8_t *copy = copy_of(data, size);

	if (gfx_irq_parse(copy, size, 7, &irq) == 0) {
		require(irq.index == 7);
		require(!gfx_irq_cursor_only(&irq, 0));
		require(!gfx_irq_cursor_only(&irq, UINT64_MAX));
		require(!irq.primary || !gfx_irq_cursor_only(&irq, irq.primary));
	}
	free(copy);
}

struct driver {
	struct vfio_ops ops;
	const uint8_t *data;
	size_t size;
	struct vfio_region edid; /* where it may be written; size 0: nowhere yet */
};

/* The next bytes; zeros behind the last. */
static void next(struct driver *driver, void *ret, size_t size)
{
	size_t n = MIN(size, driver->size);

	memset(ret, 0, size);
	if (n)
		memcpy(ret, driver->data, n);
	driver->data += n;
	driver->size -= n;
}

static int driver_ioctl(const struct vfio_ops *ops, int fd, unsigned long request, void *argument)
{
	struct driver *driver = container_of((struct vfio_ops *)ops, struct driver, ops);
	uint32_t index, argsz = *(uint32_t *)argument;

	switch (request) {
	case VFIO_DEVICE_GET_INFO:
		next(driver, argument, sizeof(struct vfio_device_info));
		return 0;
	case VFIO_DEVICE_GET_REGION_INFO:
		memcpy(&index, (uint8_t *)argument + 8, sizeof(index));
		require(argsz <= LIMIT_REGION_INFO && index >= VFIO_PCI_NUM_REGIONS);
		next(driver, argument, argsz);
		return 0;
	case VFIO_DEVICE_GET_IRQ_INFO:
		memcpy(&index, (uint8_t *)argument + 8, sizeof(index));
		require(argsz == 256 && index >= VFIO_PCI_NUM_IRQS && index < LIMIT_INTERRUPTS);
		next(driver, argument, argsz);
		return 0;
	default:
		abort();
	}
}

static ssize_t driver_pread(
	const struct vfio_ops *ops, int fd, void *data, size_t size, off_t offset)
{
	struct driver *driver = container_of((struct vfio_ops *)ops, struct driver, ops);

	require(size == 4 && offset >= 0);
	next(driver, data, size);
	return (ssize_t)size;
}

/* Only the EDID's region, after it was found: a byte beside it may be the device's configuration. */
static ssize_t driver_pwrite(
	const struct vfio_ops *ops, int fd, const void *data, size_t size, off_t offset)
{
	struct driver *driver = container_of((struct vfio_ops *)ops, struct driver, ops);
	uint64_t at = (uint64_t)offset - driver->edid.offset;
	uint8_t refuses;

	require(size == 4 && driver->edid.index >= VFIO_PCI_NUM_REGIONS);
	require((uint64_t)offset >= driver->edid.offset && at % 4 == 0 &&
		at <= driver->edid.size - 4);
	next(driver, &refuses, sizeof(refuses));
	return refuses & 1 ? -EIO : (ssize_t)size;
}

static void ask_driver(const uint8_t *data, size_t size)
{
	static uint8_t blob[128];
	struct driver driver = {
		.ops = {.ioctl = driver_ioctl, .pread = driver_pread, .pwrite = driver_pwrite},
		.data = data,
		.size = size,
	};
	struct vfio_device device = {.fd = -EBADF, .ops = &driver.ops};
	struct gfx_edid edid;
	struct gfx_irq irq;

	if (gfx_irq_find(&device, &irq) == 0)
		require(irq.index >= VFIO_PCI_NUM_IRQS && irq.index < LIMIT_INTERRUPTS);
	if (gfx_edid_find(&device, &edid) < 0)
		return;
	require(edid.max_size >= sizeof(blob) && edid.max_size <= LIMIT_EDID);
	require(edid.region.size >= 4);
	driver.edid = edid.region;
	if (gfx_edid_offer(&device, &edid, blob, sizeof(blob)) == 0)
		gfx_edid_offer(&device, &edid, blob, sizeof(blob));
	/* A driver may refuse; then it is remembered. */
	if (gfx_edid_link_up(&device, &edid) >= 0)
		require(!edid.down);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size || size > 65536)
		return 0;
	switch (data[0] % 3) {
	case 0:
		parse_region(data + 1, (uint32_t)size - 1);
		break;
	case 1:
		parse_irq(data + 1, (uint32_t)size - 1);
		break;
	case 2:
		ask_driver(data + 1, size - 1);
		break;
	}
	return 0;
}
