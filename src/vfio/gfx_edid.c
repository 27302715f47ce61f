/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vfio/gfx_edid.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/mem.h"

#define BLOCK_BYTES    128u
#define REGISTER(name) offsetof(struct vfio_region_gfx_edid, name)

static bool is_edid(const struct vfio_region *region)
{
	return region->type == VFIO_REGION_TYPE_GFX &&
	       region->subtype == VFIO_REGION_SUBTYPE_GFX_EDID && region->can_access;
}

/* Reads the registers that never change. */
static int describe(const struct vfio_device *device, struct gfx_edid *edid)
{
	const struct {
		uint64_t at;
		uint32_t *value;
	} registers[] = {
		{REGISTER(edid_offset), &edid->at},
		{REGISTER(edid_max_size), &edid->max_size},
		{REGISTER(max_xres), &edid->max_width},
		{REGISTER(max_yres), &edid->max_height},
	};
	uint64_t size = edid->region.size;

	for (size_t i = 0; i < ARRAY_SIZE(registers); i++) {
		int r = vfio_device_read(
			device, &edid->region, registers[i].at, registers[i].value);

		if (r < 0)
			return r;
	}
	edid->max_size = MIN(edid->max_size, (uint32_t)LIMIT_EDID) / BLOCK_BYTES * BLOCK_BYTES;
	if (!edid->max_size || edid->at % 4 || edid->at < sizeof(struct vfio_region_gfx_edid) ||
		edid->at > size || size - edid->at < edid->max_size)
		return -EPROTO;
	return 0;
}

int gfx_edid_find(const struct vfio_device *device, struct gfx_edid *ret)
{
	uint32_t regions, interrupts;
	struct gfx_edid edid = {0};
	int r = vfio_device_counts(device, &regions, &interrupts);

	if (r < 0)
		return r;
	for (uint32_t i = VFIO_PCI_NUM_REGIONS; i < MIN(regions, (uint32_t)LIMIT_REGIONS); i++) {
		if (vfio_device_region(device, i, &edid.region) < 0 || !is_edid(&edid.region))
			continue;
		r = describe(device, &edid);
		if (r < 0)
			return r == -EPROTO || r == -ERANGE ? -ENOTTY : r;
		*ret = edid;
		return 0;
	}
	return -ENOTTY;
}

static int set(
	const struct vfio_device *device, const struct gfx_edid *edid, uint64_t at, uint32_t value)
{
	return vfio_device_write(device, &edid->region, at, value);
}

static int set_link(const struct vfio_device *device, const struct gfx_edid *edid, uint32_t state)
{
	return set(device, edid, REGISTER(link_state), state);
}

/* The size first: GVT-g refuses bytes beyond it. */
static int put(const struct vfio_device *device, const struct gfx_edid *edid, const void *blob,
	uint32_t size)
{
	int r = set(device, edid, REGISTER(edid_size), size);

	for (uint32_t i = 0; i < size && r >= 0; i += 4) {
		uint32_t word;

		memcpy(&word, (const uint8_t *)blob + i, sizeof(word));
		r = set(device, edid, edid->at + i, word);
	}
	return r;
}

static void keep(const struct vfio_device *device, struct gfx_edid *edid)
{
	uint32_t size;
	int r = vfio_device_read(device, &edid->region, REGISTER(edid_size), &size);

	edid->before_size = 0;
	if (r < 0 || size > edid->max_size || size % 4)
		return;
	for (uint32_t i = 0; i < size; i += 4)
		if (vfio_device_read(device, &edid->region, edid->at + i, &edid->before[i / 4]) < 0)
			return;
	edid->before_size = size;
}

static int raise_link(const struct vfio_device *device, struct gfx_edid *edid)
{
	int r = set_link(device, edid, VFIO_DEVICE_GFX_LINK_STATE_UP);

	if (r >= 0)
		edid->down = false;
	return r;
}

/* Best effort, in a driver that has just refused something. */
static void restore(const struct vfio_device *device, struct gfx_edid *edid)
{
	if (edid->before_size)
		put(device, edid, edid->before, edid->before_size);
	raise_link(device, edid);
}

int gfx_edid_offer(
	const struct vfio_device *device, struct gfx_edid *edid, const void *blob, uint32_t size)
{
	int r;

	if (size > edid->max_size || size % 4)
		return -ERANGE;
	/* Asked twice before the link is up again, what was there is what was there at first. */
	if (!edid->down)
		keep(device, edid);
	edid->down = true;
	r = set_link(device, edid, VFIO_DEVICE_GFX_LINK_STATE_DOWN);
	if (r >= 0)
		r = put(device, edid, blob, size);
	if (r < 0)
		restore(device, edid);
	return r;
}

int gfx_edid_link_up(const struct vfio_device *device, struct gfx_edid *edid)
{
	int r;

	if (!edid->down)
		return 0;
	r = raise_link(device, edid);
	if (r < 0)
		restore(device, edid);
	return r;
}
