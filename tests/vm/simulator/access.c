// SPDX-License-Identifier: GPL-2.0
/* pread() and pwrite() of the device's file. */
#include <linux/log2.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "sim.h"

#define ACCESS_MAXIMUM (roundup_pow_of_two(sizeof(struct vdsim_record)))

static ssize_t access_control(struct vdsim *sim, void *data, size_t count, u64 at, bool write)
{
	int r = write ? vdsim_control_write(sim, data, count, at)
		      : vdsim_control_read(sim, data, count, at);

	return r ? r : count;
}

static ssize_t access_record(struct vdsim *sim, void *data, size_t count, u64 at, bool write)
{
	if (write)
		return -EPERM;
	if (at >= sizeof(struct vdsim_record))
		return 0;
	count = min_t(size_t, count, sizeof(struct vdsim_record) - at);
	vdsim_record_read(sim, data, count, at);
	return count;
}

static ssize_t access_config(struct vdsim *sim, void *data, size_t count, u64 at, bool write)
{
	if (at >= VDSIM_CONFIG_SIZE || count > VDSIM_CONFIG_SIZE - at)
		return -EINVAL;
	if (write)
		vdsim_config_write(sim, data, count, at);
	else
		vdsim_config_read(sim, data, count, at);
	return count;
}

static ssize_t access_memory(struct vdsim *sim, void *data, size_t count, u64 at, bool write)
{
	return write ? vdsim_memory_write(sim, data, count, at)
		     : vdsim_memory_read(sim, data, count, at);
}

/* What only the controller may touch. */
static ssize_t access_own(
	struct vdsim *sim, u32 index, void *data, size_t count, u64 at, bool write)
{
	if (write)
		vdsim_count(sim, write);
	else
		vdsim_count(sim, read);
	/* Anybody can claim the control, and so must be able to write that one register. */
	if (!vdsim_is_controller(sim) &&
		!(write && index == VDSIM_REGION_CONTROL && count == sizeof(u32) &&
			at == offsetof(struct vdsim_control, controller))) {
		vdsim_log(sim, write ? VDSIM_DID_WRITE : VDSIM_DID_READ, index, -EPERM, count);
		return -EPERM;
	}
	switch (index) {
	case VDSIM_REGION_CONTROL:
		return access_control(sim, data, count, at, write);
	case VDSIM_REGION_RECORD:
		return access_record(sim, data, count, at, write);
	case VDSIM_REGION_MEMORY:
		return access_memory(sim, data, count, at, write);
	default:
		return access_config(sim, data, count, at, write);
	}
}

static ssize_t access_plane(
	struct vdsim *sim, u32 index, void *data, size_t count, u64 at, bool write)
{
	const struct vdsim_region *region;
	u64 offset = 0, size = 0;

	if (write)
		vdsim_count(sim, plane_write);
	else
		vdsim_count(sim, plane_read);
	mutex_lock(&sim->lock);
	region = vdsim_region_find(sim, index);
	if (region && region->flags &
			      (write ? VFIO_REGION_INFO_FLAG_WRITE : VFIO_REGION_INFO_FLAG_READ)) {
		offset = region->offset;
		size = region->size;
	}
	mutex_unlock(&sim->lock);
	if (at >= size)
		return -EINVAL;
	return access_memory(sim, data, min_t(u64, count, size - at), offset + at, write);
}

static ssize_t access_region(
	struct vdsim *sim, u32 index, void *data, size_t count, u64 at, bool write)
{
	if (index <= VDSIM_REGION_MEMORY || index == VDSIM_REGION_CONFIG)
		return access_own(sim, index, data, count, at, write);
	if (index == READ_ONCE(sim->control.edid.index))
		return write ? vdsim_edid_write(sim, data, count, at)
			     : vdsim_edid_read(sim, data, count, at);
	return access_plane(sim, index, data, count, at, write);
}

ssize_t vdsim_access(
	struct vdsim *sim, char __user *buffer, size_t count, loff_t *position, bool write)
{
	u32 index = *position >> VDSIM_REGION_SHIFT;
	u64 at = *position & ((1ULL << VDSIM_REGION_SHIFT) - 1);
	ssize_t done;
	void *data;

	count = min_t(size_t, count, ACCESS_MAXIMUM);
	if (!count)
		return 0;
	data = kvzalloc(count, GFP_KERNEL);
	if (!data)
		return -ENOMEM;
	if (write && copy_from_user(data, buffer, count))
		done = -EFAULT;
	else
		done = access_region(sim, index, data, count, at, write);
	if (!write && done > 0 && copy_to_user(buffer, data, done))
		done = -EFAULT;
	if (done > 0)
		*position += done;
	kvfree(data);
	return done;
}
