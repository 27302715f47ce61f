// SPDX-License-Identifier: GPL-2.0
/* What happened, in region 1. */
#include <linux/ktime.h>
#include <linux/sched.h>

#include "sim.h"

static struct vdsim_entry entry_make(u32 what, u32 arg, s32 result, u64 value)
{
	return (struct vdsim_entry){
		.time_ns = ktime_get_ns(),
		.pid = task_tgid_nr(current),
		.what = what,
		.arg = arg,
		.result = result,
		.value = value,
	};
}

void vdsim_log(struct vdsim *sim, u32 what, u32 arg, s32 result, u64 value)
{
	struct vdsim_entry entry = entry_make(what, arg, result, value);

	spin_lock(&sim->record_lock);
	sim->record->log[sim->log_count++ % VDSIM_LOG_ENTRIES] = entry;
	spin_unlock(&sim->record_lock);
}

void vdsim_log_edid(struct vdsim *sim, u32 what, u32 arg, s32 result, u64 value)
{
	struct vdsim_entry entry = entry_make(what, arg, result, value);

	spin_lock(&sim->record_lock);
	sim->record->edid[sim->edid_count++ % VDSIM_EDID_ENTRIES] = entry;
	spin_unlock(&sim->record_lock);
	vdsim_log(sim, what, arg, result, value);
}

void vdsim_record_read(struct vdsim *sim, void *to, size_t count, u64 at)
{
	spin_lock(&sim->record_lock);
	memcpy(to, (u8 *)sim->record + at, count);
	spin_unlock(&sim->record_lock);
}
