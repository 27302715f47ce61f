// SPDX-License-Identifier: GPL-2.0
/* GET_INFO and GET_REGION_INFO, and chains of capabilities, right and wrong ones. */
#include <linux/log2.h>
#include <linux/uaccess.h>

#include "sim.h"

#define OUTSIDE 64 /* bytes beyond argsz */

long vdsim_get_info(struct vdsim *sim, void __user *arg)
{
	struct vfio_device_info info;
	const size_t size = offsetofend(struct vfio_device_info, num_irqs);
	int r = vdsim_script(sim, VDSIM_SCRIPT_GET_INFO);

	if (r)
		return r < 0 ? r : -EINVAL;
	if (copy_from_user(&info, arg, size))
		return -EFAULT;
	if (info.argsz < size)
		return -EINVAL;
	info.flags = READ_ONCE(sim->control.device_flags);
	info.num_regions = READ_ONCE(sim->control.num_regions);
	info.num_irqs = READ_ONCE(sim->control.num_irqs);
	return copy_to_user(arg, &info, size) ? -EFAULT : 0;
}

void vdsim_chain_init(struct vdsim_chain *chain, u32 fixed)
{
	*chain = (struct vdsim_chain){.fixed = fixed};
}

static struct vfio_info_cap_header *header_at(struct vdsim_chain *chain, u32 at)
{
	return (struct vfio_info_cap_header *)(chain->data + at);
}

/* @payload: what follows the header. */
void vdsim_chain_add(struct vdsim_chain *chain, u16 id, const void *payload, size_t size)
{
	struct vfio_info_cap_header header = {.id = id, .version = 1};

	if (WARN_ON(chain->used + sizeof(header) + size > sizeof(chain->data)))
		return;
	if (chain->any)
		header_at(chain, chain->last)->next = chain->fixed + chain->used;
	chain->any = true;
	chain->last = chain->used;
	memcpy(chain->data + chain->used, &header, sizeof(header));
	memcpy(chain->data + chain->used + sizeof(header), payload, size);
	chain->used += sizeof(header) + size;
}

/* Moves the chain by one byte. */
static void chain_misalign(struct vdsim_chain *chain)
{
	u32 at = chain->first;

	for (;;) {
		struct vfio_info_cap_header *header = header_at(chain, at);

		if (!header->next)
			break;
		at = header->next - chain->fixed;
		header->next++;
	}
	chain->fixed++;
}

static void chain_spoil(struct vdsim_chain *chain, u32 fault, u32 argsz)
{
	struct vfio_info_cap_header *last = header_at(chain, chain->last);

	switch (fault) {
	case VDSIM_CHAIN_LOOP:
		last->next = chain->fixed + chain->first;
		break;
	case VDSIM_CHAIN_SELF:
		header_at(chain, chain->first)->next = chain->fixed + chain->first;
		break;
	case VDSIM_CHAIN_BACKWARDS:
		last->next = sizeof(u32);
		break;
	case VDSIM_CHAIN_OUTSIDE:
		last->next = argsz + OUTSIDE;
		break;
	case VDSIM_CHAIN_TRUNCATED:
		last->next = chain->fixed + chain->used - sizeof(u32);
		break;
	case VDSIM_CHAIN_MISALIGNED:
		chain_misalign(chain);
		break;
	}
}

int vdsim_chain_copy(
	struct vdsim_chain *chain, u32 fault, void __user *arg, u32 *argsz, u32 *cap_offset)
{
	u32 room = *argsz, fixed = chain->fixed;

	*cap_offset = 0;
	if (!chain->any)
		return 0;
	chain_spoil(chain, fault, room);
	if (room < chain->fixed + chain->used) {
		*argsz = chain->fixed + chain->used;
		if (fault == VDSIM_CHAIN_NO_ROOM)
			*cap_offset = chain->fixed;
		return 0;
	}
	if (copy_to_user(arg + chain->fixed, chain->data, chain->used))
		return -EFAULT;
	*cap_offset = chain->fixed;
	if (fault == VDSIM_CHAIN_START_OUTSIDE)
		*cap_offset = room + OUTSIDE;
	else if (fault == VDSIM_CHAIN_START_INSIDE)
		*cap_offset = fixed - 2 * sizeof(u32);
	return 0;
}

const struct vdsim_region *vdsim_region_find(struct vdsim *sim, u32 index)
{
	for (unsigned int i = 0; i < VDSIM_REGIONS; i++)
		if (index != VDSIM_NONE && sim->control.region[i].index == index)
			return &sim->control.region[i];
	return NULL;
}

static void add_type(struct vdsim_chain *chain, u32 type, u32 subtype)
{
	const u32 payload[] = {type, subtype};

	vdsim_chain_add(chain, VFIO_REGION_INFO_CAP_TYPE, payload, sizeof(payload));
}

static void add_areas(struct vdsim_chain *chain, const struct vdsim_region *region)
{
	struct {
		u32 count;
		u32 reserved;
		struct vdsim_area area[VDSIM_AREAS];
	} payload = {.count = region->area_count};

	memcpy(payload.area, region->area, region->area_count * sizeof(*region->area));
	vdsim_chain_add(chain, VFIO_REGION_INFO_CAP_SPARSE_MMAP, &payload,
		2 * sizeof(u32) + region->area_count * sizeof(*region->area));
}

static int describe_plane_region(const struct vdsim_region *region, struct vfio_region_info *info,
	struct vdsim_chain *chain, u32 *fault)
{
	if (region->argsz_limit && info->argsz > region->argsz_limit)
		return -EINVAL;
	info->flags = region->flags;
	info->size = region->size;
	if (region->quirks & VDSIM_REGION_LATE_MMAP && info->argsz <= sizeof(*info))
		info->flags &= ~VFIO_REGION_INFO_FLAG_MMAP;
	if (region->area_count)
		add_areas(chain, region);
	if (region->type)
		add_type(chain, region->type, region->subtype);
	*fault = region->chain;
	return 0;
}

static void describe_own_region(struct vdsim *sim, struct vfio_region_info *info)
{
	info->flags = info->size = 0;
	switch (info->index) {
	case VDSIM_REGION_CONTROL:
		info->size = sizeof(struct vdsim_control);
		info->flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
		break;
	case VDSIM_REGION_RECORD:
		info->size = roundup_pow_of_two(sizeof(struct vdsim_record));
		info->flags = VFIO_REGION_INFO_FLAG_READ;
		break;
	case VDSIM_REGION_MEMORY:
		info->size = sim->control.memory_limit;
		info->flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE |
			      VFIO_REGION_INFO_FLAG_MMAP;
		break;
	case VDSIM_REGION_CONFIG:
		info->size = VDSIM_CONFIG_SIZE;
		info->flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
		break;
	}
}

/* Locked. */
static int describe_region(
	struct vdsim *sim, struct vfio_region_info *info, struct vdsim_chain *chain, u32 *fault)
{
	const struct vdsim_region *region = vdsim_region_find(sim, info->index);

	info->offset = (u64)info->index << VDSIM_REGION_SHIFT;
	if (region)
		return describe_plane_region(region, info, chain, fault);
	if (info->index == sim->control.edid.index && info->index != VDSIM_NONE) {
		info->size = sim->control.edid.offset + sim->control.edid.max_size;
		info->flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
		add_type(chain, VFIO_REGION_TYPE_GFX, VFIO_REGION_SUBTYPE_GFX_EDID);
		*fault = sim->control.edid.chain;
		return 0;
	}
	if (info->index >= sim->control.num_regions && info->index >= VFIO_PCI_NUM_REGIONS)
		return -EINVAL;
	describe_own_region(sim, info);
	return 0;
}

static long get_region_info(struct vdsim *sim, void __user *arg, struct vfio_region_info *info)
{
	struct vdsim_chain chain;
	u32 fault = VDSIM_CHAIN_GOOD;
	int r = vdsim_script(sim, VDSIM_SCRIPT_REGION_INFO);

	if (r)
		return r < 0 ? r : -EINVAL;
	vdsim_chain_init(&chain, sizeof(*info));
	mutex_lock(&sim->lock);
	r = describe_region(sim, info, &chain, &fault);
	mutex_unlock(&sim->lock);
	if (r)
		return r;
	if (chain.any)
		info->flags |= VFIO_REGION_INFO_FLAG_CAPS;
	r = vdsim_chain_copy(&chain, fault, arg, &info->argsz, &info->cap_offset);
	if (r)
		return r;
	return copy_to_user(arg, info, sizeof(*info)) ? -EFAULT : 0;
}

long vdsim_get_region_info(struct vdsim *sim, void __user *arg)
{
	struct vfio_region_info info = {};
	long r;

	vdsim_count(sim, region_info);
	if (copy_from_user(&info, arg, sizeof(info)))
		return -EFAULT;
	if (info.argsz < sizeof(info))
		r = -EINVAL;
	else
		r = get_region_info(sim, arg, &info);
	vdsim_log(sim, VFIO_DEVICE_GET_REGION_INFO, info.index, r, 0);
	return r;
}
