// SPDX-License-Identifier: GPL-2.0
/* One display: its life, and who is its controller. */
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "sim.h"

void vdsim_get(struct vdsim *sim)
{
	kref_get(&sim->ref);
}

static void vdsim_free(struct kref *ref)
{
	struct vdsim *sim = container_of(ref, struct vdsim, ref);

	vdsim_irq_stop_flips(sim);
	vdsim_memory_finish(sim);
	xa_destroy(&sim->objects);
	vfree(sim->record);
	kfree(sim);
	atomic_dec(&vdsim_alive[VDSIM_ALIVE_DISPLAYS]);
}

void vdsim_put(struct vdsim *sim)
{
	kref_put(&sim->ref, vdsim_free);
}

struct vdsim *vdsim_create(struct vfio_device *device)
{
	struct vdsim *sim = kzalloc(sizeof(*sim), GFP_KERNEL);
	int r;

	if (!sim)
		return ERR_PTR(-ENOMEM);
	kref_init(&sim->ref);
	mutex_init(&sim->lock);
	mutex_init(&sim->exclusive);
	mutex_init(&sim->memory_lock);
	init_waitqueue_head(&sim->released);
	spin_lock_init(&sim->record_lock);
	xa_init_flags(&sim->objects, XA_FLAGS_ALLOC1);
	vdsim_irq_init(sim);
	sim->device = device;
	sim->record = vzalloc(sizeof(*sim->record));
	r = sim->record ? vdsim_memory_init(sim, (u64)vdsim_memory_mb * SZ_1M) : -ENOMEM;
	if (r) {
		vfree(sim->record);
		kfree(sim);
		return ERR_PTR(r);
	}
	vdsim_control_init(sim, (u64)vdsim_memory_mb * SZ_1M);
	vdsim_config_init(sim);
	atomic_inc(&vdsim_alive[VDSIM_ALIVE_DISPLAYS]);
	return sim;
}

bool vdsim_is_controller(const struct vdsim *sim)
{
	return READ_ONCE(sim->control.controller) == task_tgid_nr(current);
}

struct vdsim_counters *vdsim_counters(struct vdsim *sim)
{
	return vdsim_is_controller(sim) ? &sim->control.own : &sim->control.clients;
}
