// SPDX-License-Identifier: GPL-2.0
/* The registers: what a write may say, and what it does at once. */
#include <linux/dma-buf.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "sim.h"

/* One pwrite() of the controller. */
struct change {
	size_t at;
	size_t count;
};

#define OFFSET(member) offsetof(struct vdsim_control, member)
#define SPAN(first, last) \
	{ \
		OFFSET(first), offsetofend(struct vdsim_control, last) - OFFSET(first) \
	}

static const struct change read_only[] = {
	SPAN(magic, version),
	SPAN(memory_limit, memory_limit),
	SPAN(reserved0, reserved0),
	SPAN(state, state),
	SPAN(reserved1, reserved1),
	SPAN(clients, reserved2),
};

static bool touches(const struct change *change, size_t at, size_t count)
{
	return change->at < at + count && at < change->at + change->count;
}

/* Whether the last word of a member is written: what acts at once acts then. */
#define COMPLETES(change, member) \
	touches(change, offsetofend(struct vdsim_control, member) - sizeof(u32), sizeof(u32))

void vdsim_control_init(struct vdsim *sim, u64 memory_limit)
{
	struct vdsim_control *control = &sim->control;

	control->magic = VDSIM_MAGIC;
	control->version = VDSIM_VERSION;
	control->memory_size = control->memory_limit = memory_limit;
	control->device_flags = VFIO_DEVICE_FLAGS_RESET | VFIO_DEVICE_FLAGS_PCI;
	control->num_regions = VFIO_PCI_NUM_REGIONS;
	control->num_irqs = VFIO_PCI_NUM_IRQS;
	control->kinds = VFIO_GFX_PLANE_TYPE_DMABUF;
	control->probe_error = EINVAL;
	control->copy_bytes = offsetofend(struct vfio_device_gfx_plane_info, region_index);
	control->edid.index = VDSIM_NONE;
	control->edid.rules = VDSIM_EDID_GVT;
	control->edid.max_size = 128;
	control->edid.offset = 2048;
	control->irq.index = VFIO_PCI_NUM_IRQS;
	control->irq.flags = VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_MASKABLE;
	control->irq.count = 1;
	control->irq.primary = 1ULL << 56;
	control->irq.cursor = 1ULL << 48;
	control->irq.caps = VDSIM_IRQ_TYPE | VDSIM_IRQ_DISPLAY;
	for (unsigned int i = 0; i < VDSIM_PLANES; i++)
		control->plane[i] = (struct vdsim_plane){
			.frame = VDSIM_NONE,
			.off = VDSIM_ANSWER_ZEROS,
			.kind = VFIO_GFX_PLANE_TYPE_DMABUF,
			.alias = VDSIM_NONE,
		};
	for (unsigned int i = 0; i < VDSIM_REGIONS; i++)
		control->region[i].index = VDSIM_NONE;
	for (unsigned int i = 0; i < VDSIM_FRAMES; i++)
		control->frame[i].foreign = VDSIM_NONE;
}

static void foreign_set(struct vdsim *sim, unsigned int frame, struct dma_buf *buffer)
{
	if (sim->foreign[frame]) {
		vdsim_drop_foreign(sim, sim->foreign[frame]);
		dma_buf_put(sim->foreign[frame]);
		atomic_dec(&vdsim_alive[VDSIM_ALIVE_FOREIGN]);
	}
	if (buffer)
		atomic_inc(&vdsim_alive[VDSIM_ALIVE_FOREIGN]);
	sim->foreign[frame] = buffer;
	sim->control.frame[frame].foreign = buffer ? 0 : VDSIM_NONE;
}

void vdsim_control_finish(struct vdsim *sim)
{
	for (unsigned int i = 0; i < VDSIM_FRAMES; i++)
		foreign_set(sim, i, NULL);
}

void vdsim_flip_settle(struct vdsim *sim)
{
	struct vdsim_flip *flip = &sim->control.flip;
	u64 done;

	if (!sim->flipping)
		return;
	done = div64_u64(ktime_to_ns(ktime_sub(ktime_get(), sim->flip_start)), flip->period_ns);
	done = min(done, flip->count);
	sim->control.state.flips = done;
	sim->control.plane[flip->plane].frame = flip->first + do_div(done, flip->frames);
	if (sim->control.state.flips == flip->count)
		sim->flipping = false;
}

static void flip_stop(struct vdsim *sim)
{
	vdsim_flip_settle(sim);
	sim->flipping = false;
	vdsim_irq_stop_flips(sim);
}

static void flip_start(struct vdsim *sim)
{
	struct vdsim_flip *flip = &sim->control.flip;

	sim->control.state.flips = 0;
	sim->flip_start = ktime_get();
	sim->flipping = flip->count > 0;
	if (sim->flipping && flip->flags & VDSIM_FLIP_FIRE)
		vdsim_irq_follow_flips(sim, flip->count, flip->period_ns);
}

void vdsim_stop(struct vdsim *sim)
{
	flip_stop(sim);
	for (unsigned int i = 0; i < VDSIM_PLANES; i++)
		sim->control.plane[i].frame = VDSIM_NONE;
	vdsim_drop_ids(sim, VDSIM_NONE);
}

static void state_fill(struct vdsim *sim)
{
	struct vdsim_state *state = &sim->control.state;

	vdsim_flip_settle(sim);
	/* Private to the core, but nobody tells a driver of a second file. */
	state->files = READ_ONCE(sim->device->open_count);
	state->objects = sim->object_count;
	state->dmabufs = atomic_read(&sim->dmabufs);
	state->attachments = atomic_read(&sim->attachments);
	state->map_memory = atomic_read(&sim->maps[VDSIM_VIEW_MEMORY]);
	state->map_dmabuf = atomic_read(&sim->maps[VDSIM_VIEW_DMABUF]);
	state->map_region = atomic_read(&sim->maps[VDSIM_VIEW_REGION]);
	state->blocked = atomic_read(&sim->blocked);
	spin_lock_irq(&sim->irq_lock);
	state->irq_armed = sim->trigger != NULL;
	state->irq_masked = sim->masked;
	state->fired = sim->fired;
	spin_unlock_irq(&sim->irq_lock);
	spin_lock(&sim->record_lock);
	state->log_count = sim->log_count;
	state->edid_count = sim->edid_count;
	spin_unlock(&sim->record_lock);
	state->clock_ns = ktime_get_ns();
}

static bool change_in_bounds(const struct change *change)
{
	return IS_ALIGNED(change->at | change->count, sizeof(u32)) &&
	       change->at < sizeof(struct vdsim_control) &&
	       change->count <= sizeof(struct vdsim_control) - change->at;
}

int vdsim_control_read(struct vdsim *sim, void *to, size_t count, u64 at)
{
	const struct change change = {at, count};

	if (!change_in_bounds(&change))
		return -EINVAL;
	mutex_lock(&sim->lock);
	state_fill(sim);
	memcpy(to, (u8 *)&sim->control + at, count);
	mutex_unlock(&sim->lock);
	return 0;
}

/* ---- what registers may hold ---- */

static bool region_index_is_free(u32 index)
{
	return index == VDSIM_NONE ||
	       (index > VDSIM_REGION_MEMORY && index < 4096 && index != VDSIM_REGION_CONFIG);
}

static bool planes_are_valid(const struct vdsim_control *control)
{
	for (unsigned int i = 0; i < VDSIM_PLANES; i++) {
		const struct vdsim_plane *plane = &control->plane[i];

		if ((plane->frame >= VDSIM_FRAMES && plane->frame != VDSIM_NONE) ||
			(plane->alias >= VDSIM_PLANES && plane->alias != VDSIM_NONE) ||
			(plane->kind != VFIO_GFX_PLANE_TYPE_DMABUF &&
				plane->kind != VFIO_GFX_PLANE_TYPE_REGION))
			return false;
	}
	return true;
}

static bool regions_are_valid(const struct vdsim_control *control)
{
	for (unsigned int i = 0; i < VDSIM_REGIONS; i++) {
		const struct vdsim_region *region = &control->region[i];

		if (!region_index_is_free(region->index) || region->area_count > VDSIM_AREAS ||
			region->chain > VDSIM_CHAIN_MISALIGNED ||
			region->offset >> VDSIM_REGION_SHIFT ||
			region->mappable >> VDSIM_REGION_SHIFT)
			return false;
	}
	return region_index_is_free(control->edid.index) &&
	       (control->edid.rules == VDSIM_EDID_GVT ||
		       control->edid.rules == VDSIM_EDID_MBOCHS) &&
	       control->edid.max_size <= VDSIM_BLOB_MAXIMUM && control->edid.offset <= 2048 &&
	       control->edid.offset >= sizeof(struct vfio_region_gfx_edid) &&
	       control->edid.chain <= VDSIM_CHAIN_MISALIGNED;
}

static bool flip_is_valid(const struct vdsim_flip *flip)
{
	return !flip->count ||
	       (flip->plane < VDSIM_PLANES && flip->frames && flip->first < VDSIM_FRAMES &&
		       flip->frames <= VDSIM_FRAMES - flip->first && flip->period_ns &&
		       (!(flip->flags & VDSIM_FLIP_FIRE) || flip->period_ns >= NSEC_PER_MSEC));
}

static bool control_is_valid(const struct vdsim_control *control)
{
	const struct vdsim_irq *irq = &control->irq;

	for (unsigned int i = 0; i < VDSIM_SCRIPTS; i++)
		if (control->script[i].answer > MAX_ERRNO &&
			control->script[i].answer != VDSIM_ANSWER_UNTOUCHED &&
			control->script[i].answer != VDSIM_ANSWER_ZEROS)
			return false;
	return planes_are_valid(control) && regions_are_valid(control) &&
	       (!irq->form || irq->form == 5 || irq->form == 6) &&
	       irq->index >= VFIO_PCI_NUM_IRQS && irq->chain <= VDSIM_CHAIN_MISALIGNED &&
	       control->memory_size <= control->memory_limit &&
	       control->id_policy <= VDSIM_ID_REUSE &&
	       (control->copy_bytes == 60 || control->copy_bytes == 64);
}

static int change_check(struct vdsim *sim, const struct change *change, const void *from)
{
	struct vdsim_control *next;
	int r = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(read_only); i++)
		if (touches(change, read_only[i].at, read_only[i].count))
			return -EPERM;
	next = kmemdup(&sim->control, sizeof(*next), GFP_KERNEL);
	if (!next)
		return -ENOMEM;
	memcpy((u8 *)next + change->at, from, change->count);
	if (!control_is_valid(next))
		r = -EINVAL;
	if (COMPLETES(change, controller) && next->controller != VDSIM_CLAIM)
		r = -EINVAL;
	if (COMPLETES(change, flip.count) && !flip_is_valid(&next->flip))
		r = -EINVAL;
	kfree(next);
	return r;
}

/* ---- what a write does at once ---- */

static int foreign_apply(struct vdsim *sim, const struct change *change)
{
	for (unsigned int i = 0; i < VDSIM_FRAMES; i++) {
		struct vdsim_frame *frame = &sim->control.frame[i];
		struct dma_buf *buffer = NULL;

		if (!touches(change, OFFSET(frame[0].foreign) + i * sizeof(*frame), sizeof(u32)))
			continue;
		if (frame->foreign != VDSIM_NONE) {
			buffer = dma_buf_get(frame->foreign);
			if (IS_ERR(buffer)) {
				frame->foreign = sim->foreign[i] ? 0 : VDSIM_NONE;
				return PTR_ERR(buffer);
			}
		}
		foreign_set(sim, i, buffer);
	}
	return 0;
}

static int change_apply(struct vdsim *sim, const struct change *change)
{
	struct vdsim_control *control = &sim->control;

	if (COMPLETES(change, controller))
		control->controller = task_tgid_nr(current);
	if (COMPLETES(change, release))
		vdsim_release_blocked(sim);
	if (COMPLETES(change, drop_id))
		vdsim_drop_ids(sim, control->drop_id);
	if (COMPLETES(change, flip.count))
		flip_start(sim);
	if (COMPLETES(change, irq.form) && !control->irq.form)
		vdsim_irq_disarm(sim);
	if (COMPLETES(change, irq.fire))
		return vdsim_irq_fire(sim, control->irq.fire);
	return foreign_apply(sim, change);
}

int vdsim_control_write(struct vdsim *sim, const void *from, size_t count, u64 at)
{
	const struct change change = {at, count};
	u64 memory_size;
	int r;

	if (!change_in_bounds(&change))
		return -EINVAL;
	mutex_lock(&sim->lock);
	r = change_check(sim, &change, from);
	if (!r) {
		if (touches(&change, OFFSET(flip), sizeof(struct vdsim_flip)))
			flip_stop(sim);
		memcpy((u8 *)&sim->control + at, from, count);
		r = change_apply(sim, &change);
	}
	memory_size = sim->control.memory_size;
	mutex_unlock(&sim->lock);
	if (!r && touches(&change, OFFSET(memory_size), sizeof(u64)))
		r = vdsim_memory_resize(sim, memory_size);
	return r;
}
