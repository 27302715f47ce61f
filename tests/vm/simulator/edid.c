// SPDX-License-Identifier: GPL-2.0
/* The EDID region, by the rules of GVT-g (i915's kvmgt) or of the sample driver mbochs. */
#include "sim.h"

#define EDID_BLOCK 128
#define REGISTERS  sizeof(struct vfio_region_gfx_edid)
#define AT(member) offsetof(struct vfio_region_gfx_edid, member)

/* What drm_edid_block_valid() asks of a first block. */
static bool block_is_valid(const u8 *block)
{
	static const u8 header[] = {0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0};
	u8 sum = 0;

	for (unsigned int i = 0; i < EDID_BLOCK; i++)
		sum += block[i];
	return !sum && !memcmp(block, header, sizeof(header)) && block[18] == 1;
}

static bool strict(const struct vdsim *sim)
{
	return sim->control.edid.rules == VDSIM_EDID_GVT;
}

static struct vfio_region_gfx_edid registers_of(const struct vdsim *sim)
{
	const struct vdsim_control *control = &sim->control;

	return (struct vfio_region_gfx_edid){
		.edid_offset = control->edid.offset,
		.edid_max_size = control->edid.max_size,
		.edid_size = control->state.edid_size,
		.max_xres = control->edid.max_xres,
		.max_yres = control->edid.max_yres,
		.link_state = control->state.edid_link,
	};
}

static int link_write(struct vdsim *sim, u32 value)
{
	if (strict(sim) && value != VFIO_DEVICE_GFX_LINK_STATE_UP &&
		value != VFIO_DEVICE_GFX_LINK_STATE_DOWN)
		return -EINVAL;
	if (strict(sim) && value == VFIO_DEVICE_GFX_LINK_STATE_UP &&
		!block_is_valid(sim->record->blob))
		return -EINVAL;
	sim->control.state.edid_link = value;
	return 0;
}

static int register_write(struct vdsim *sim, u32 at, u32 value)
{
	switch (at) {
	case AT(link_state):
		return link_write(sim, value);
	case AT(edid_size):
		if (value > sim->control.edid.max_size)
			return strict(sim) ? -EINVAL : 0;
		sim->control.state.edid_size = value;
		return 0;
	default:
		return strict(sim) ? -EPERM : 0;
	}
}

/* How far the blob may be reached. */
static u32 blob_limit(const struct vdsim *sim)
{
	return strict(sim) ? sim->control.state.edid_size : sim->control.edid.max_size;
}

/* Locked. */
static int edid_write(struct vdsim *sim, const u8 *from, size_t count, u64 at)
{
	u32 offset = sim->control.edid.offset, value;

	if (at < offset) {
		if (count != sizeof(value) || !IS_ALIGNED(at, sizeof(value)) ||
			at + count > REGISTERS)
			return -EINVAL;
		memcpy(&value, from, sizeof(value));
		return register_write(sim, at, value);
	}
	if (count > blob_limit(sim) || at - offset > blob_limit(sim) - count)
		return strict(sim) ? -EINVAL : 0;
	spin_lock(&sim->record_lock);
	memcpy(sim->record->blob + (at - offset), from, count);
	spin_unlock(&sim->record_lock);
	return 0;
}

/* Locked. */
static int edid_read(struct vdsim *sim, u8 *to, size_t count, u64 at)
{
	const struct vfio_region_gfx_edid registers = registers_of(sim);

	if (at < registers.edid_offset) {
		if (count > REGISTERS || at > REGISTERS - count ||
			!IS_ALIGNED(at | count, sizeof(u32)))
			return -EINVAL;
		memcpy(to, (const u8 *)&registers + at, count);
		return 0;
	}
	if (count > blob_limit(sim) || at - registers.edid_offset > blob_limit(sim) - count)
		return -EINVAL;
	memcpy(to, sim->record->blob + (at - registers.edid_offset), count);
	return 0;
}

static ssize_t result(struct vdsim *sim, int r, size_t count)
{
	if (!r)
		return count;
	vdsim_count(sim, edid_error);
	return sim->control.edid.error ? -(int)sim->control.edid.error : r;
}

ssize_t vdsim_edid_write(struct vdsim *sim, const void *from, size_t count, u64 at)
{
	u64 value = count;
	int r = vdsim_script(sim, VDSIM_SCRIPT_EDID_WRITE);

	vdsim_count(sim, edid_write);
	mutex_lock(&sim->lock);
	if (!r)
		r = edid_write(sim, from, count, at);
	mutex_unlock(&sim->lock);
	if (at < REGISTERS && count == sizeof(u32))
		value = *(const u32 *)from;
	vdsim_log_edid(sim, VDSIM_DID_EDID_WRITE, at, min(r, 0), value);
	return result(sim, min(r, 0), count);
}

ssize_t vdsim_edid_read(struct vdsim *sim, void *to, size_t count, u64 at)
{
	int r;

	vdsim_count(sim, edid_read);
	mutex_lock(&sim->lock);
	r = edid_read(sim, to, count, at);
	mutex_unlock(&sim->lock);
	vdsim_log_edid(sim, VDSIM_DID_EDID_READ, at, r, count);
	return result(sim, r, count);
}
