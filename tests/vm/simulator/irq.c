// SPDX-License-Identifier: GPL-2.0
/* The display interrupt, as versions 5 and 6 of its proposal (2019) have it. No kernel header knows it. */
#include <linux/uaccess.h>
#include <linux/version.h>

#include "sim.h"

#define INFO_FLAG_CAPS	    BIT(4)
#define TYPE_GFX	    1
#define SUBTYPE_GFX_DISPLAY 1
#define SIGNALS_MAXIMUM	    65536 /* one by one, where a signal has no value */

/* struct vfio_irq_info with the member that the proposal adds. */
struct irq_info {
	u32 argsz;
	u32 flags;
	u32 index;
	u32 count;
	u32 cap_offset;
};

static bool irq_is_display(const struct vdsim_irq *irq, u32 index)
{
	return irq->form && irq->index == index;
}

/* Begins at byte 20, so the 64-bit values are not aligned. */
static void add_capabilities(const struct vdsim_irq *irq, struct vdsim_chain *chain)
{
	const u32 type[] = {TYPE_GFX, SUBTYPE_GFX_DISPLAY};
	const u64 values[] = {irq->cursor, irq->primary};

	if (irq->caps & VDSIM_IRQ_TYPE)
		vdsim_chain_add(chain, irq->form == 5 ? 3 : 1, type, sizeof(type));
	if (irq->caps & VDSIM_IRQ_DISPLAY)
		vdsim_chain_add(chain, irq->form == 5 ? 4 : 2, values, sizeof(values));
}

static long get_irq_info(struct vdsim *sim, void __user *arg, struct irq_info *info)
{
	const size_t minimum = offsetofend(struct irq_info, count);
	struct vdsim_chain chain;
	struct vdsim_irq irq;
	int r = vdsim_script(sim, VDSIM_SCRIPT_IRQ_INFO);

	if (r)
		return r < 0 ? r : -EINVAL;
	mutex_lock(&sim->lock);
	irq = sim->control.irq;
	mutex_unlock(&sim->lock);
	info->flags = info->count = 0;
	if (!irq_is_display(&irq, info->index)) {
		if (info->index >= READ_ONCE(sim->control.num_irqs))
			return -EINVAL;
		return copy_to_user(arg, info, minimum) ? -EFAULT : 0;
	}
	info->flags = irq.flags;
	info->count = irq.count;
	vdsim_chain_init(&chain, sizeof(*info));
	add_capabilities(&irq, &chain);
	if (chain.any)
		info->flags |= INFO_FLAG_CAPS;
	if (info->argsz < sizeof(*info)) { /* a client that never heard of capabilities */
		info->argsz = chain.any ? sizeof(*info) + chain.used : info->argsz;
		return copy_to_user(arg, info, minimum) ? -EFAULT : 0;
	}
	r = vdsim_chain_copy(&chain, irq.chain, arg, &info->argsz, &info->cap_offset);
	if (r)
		return r;
	return copy_to_user(arg, info, sizeof(*info)) ? -EFAULT : 0;
}

long vdsim_get_irq_info(struct vdsim *sim, void __user *arg)
{
	const size_t minimum = offsetofend(struct irq_info, count);
	struct irq_info info = {};
	long r;

	vdsim_count(sim, irq_info);
	if (copy_from_user(&info, arg, minimum))
		return -EFAULT;
	r = info.argsz < minimum ? -EINVAL : get_irq_info(sim, arg, &info);
	vdsim_log(sim, VFIO_DEVICE_GET_IRQ_INFO, info.index, r, 0);
	return r;
}

/* ---- the trigger ---- */

void vdsim_irq_disarm(struct vdsim *sim)
{
	struct eventfd_ctx *trigger;

	spin_lock_irq(&sim->irq_lock);
	trigger = sim->trigger;
	sim->trigger = NULL;
	sim->masked = false;
	spin_unlock_irq(&sim->irq_lock);
	if (!trigger)
		return;
	eventfd_ctx_put(trigger);
	atomic_dec(&vdsim_alive[VDSIM_ALIVE_EVENTFDS]);
}

static int arm(struct vdsim *sim, int fd)
{
	struct eventfd_ctx *trigger = eventfd_ctx_fdget(fd);

	if (IS_ERR(trigger))
		return PTR_ERR(trigger);
	atomic_inc(&vdsim_alive[VDSIM_ALIVE_EVENTFDS]);
	vdsim_irq_disarm(sim); /* one consumer only: the last one wins */
	spin_lock_irq(&sim->irq_lock);
	sim->trigger = trigger;
	spin_unlock_irq(&sim->irq_lock);
	return 0;
}

/* Under irq_lock. */
static int signal_add(struct vdsim *sim, u64 value)
{
	if (!sim->trigger)
		return -ENXIO;
	if (sim->masked)
		return -EAGAIN;
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 8, 0)
	if (value > SIGNALS_MAXIMUM)
		return -EOPNOTSUPP;
	while (value--)
		eventfd_signal(sim->trigger);
#else
	eventfd_signal(sim->trigger, value);
#endif
	sim->fired++;
	return 0;
}

int vdsim_irq_fire(struct vdsim *sim, u64 value)
{
	unsigned long flags;
	int r;

	spin_lock_irqsave(&sim->irq_lock, flags);
	r = signal_add(sim, value);
	spin_unlock_irqrestore(&sim->irq_lock, flags);
	return r;
}

static enum hrtimer_restart flip_fires(struct hrtimer *timer)
{
	struct vdsim *sim = container_of(timer, struct vdsim, flip_timer);
	u64 value =
		sim->control.flip.plane == 2 ? sim->control.irq.cursor : sim->control.irq.primary;
	u64 passed = hrtimer_forward_now(timer, ns_to_ktime(sim->control.flip.period_ns));

	vdsim_irq_fire(sim, value);
	if (passed >= sim->flips_to_fire)
		return HRTIMER_NORESTART;
	sim->flips_to_fire -= passed;
	return HRTIMER_RESTART;
}

void vdsim_irq_init(struct vdsim *sim)
{
	spin_lock_init(&sim->irq_lock);
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
	hrtimer_setup(&sim->flip_timer, flip_fires, CLOCK_MONOTONIC, HRTIMER_MODE_REL_SOFT);
#else
	hrtimer_init(&sim->flip_timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_SOFT);
	sim->flip_timer.function = flip_fires;
#endif
}

void vdsim_irq_follow_flips(struct vdsim *sim, u64 count, u64 period_ns)
{
	sim->flips_to_fire = count;
	hrtimer_start(&sim->flip_timer, ns_to_ktime(period_ns), HRTIMER_MODE_REL_SOFT);
}

void vdsim_irq_stop_flips(struct vdsim *sim)
{
	hrtimer_cancel(&sim->flip_timer);
}

/* ---- SET_IRQS ---- */

static int set_mask(struct vdsim *sim, const struct vfio_irq_set *set, bool masked)
{
	if ((set->flags & VFIO_IRQ_SET_DATA_TYPE_MASK) != VFIO_IRQ_SET_DATA_NONE || set->count != 1)
		return -EINVAL;
	spin_lock_irq(&sim->irq_lock);
	sim->masked = masked;
	spin_unlock_irq(&sim->irq_lock);
	return 0;
}

static int set_trigger(
	struct vdsim *sim, const struct vdsim_irq *irq, const struct vfio_irq_set *set, s32 data)
{
	switch (set->flags & VFIO_IRQ_SET_DATA_TYPE_MASK) {
	case VFIO_IRQ_SET_DATA_NONE:
		if (set->count)
			return vdsim_irq_fire(sim, irq->primary);
		vdsim_irq_disarm(sim);
		return 0;
	case VFIO_IRQ_SET_DATA_BOOL:
		return data & 0xff ? vdsim_irq_fire(sim, irq->primary) : 0;
	case VFIO_IRQ_SET_DATA_EVENTFD:
		if (data != -1)
			return arm(sim, data);
		if (irq->minus_one_error)
			return -(int)irq->minus_one_error;
		vdsim_irq_disarm(sim);
		return 0;
	default:
		return -EINVAL;
	}
}

/* The bytes after the fixed part. */
static int data_read(const struct vfio_irq_set *set, void __user *arg, s32 *data)
{
	size_t size = 0, fixed = offsetofend(struct vfio_irq_set, count);

	if (set->flags & VFIO_IRQ_SET_DATA_EVENTFD)
		size = sizeof(s32);
	else if (set->flags & VFIO_IRQ_SET_DATA_BOOL)
		size = sizeof(u8);
	if (set->start || set->count > 1 || (size && (!set->count || set->argsz < fixed + size)))
		return -EINVAL;
	return copy_from_user(data, arg + fixed, size) ? -EFAULT : 0;
}

static long set_irqs(struct vdsim *sim, void __user *arg, const struct vfio_irq_set *set)
{
	struct vdsim_irq irq;
	s32 data = 0;
	int r = vdsim_script(sim, VDSIM_SCRIPT_SET_IRQS);

	if (r)
		return r < 0 ? r : -EINVAL;
	r = data_read(set, arg, &data);
	if (r)
		return r;
	mutex_lock(&sim->lock);
	irq = sim->control.irq;
	switch (set->flags & VFIO_IRQ_SET_ACTION_TYPE_MASK) {
	case VFIO_IRQ_SET_ACTION_MASK:
	case VFIO_IRQ_SET_ACTION_UNMASK:
		r = set_mask(sim, set, set->flags & VFIO_IRQ_SET_ACTION_MASK);
		break;
	case VFIO_IRQ_SET_ACTION_TRIGGER:
		r = set_trigger(sim, &irq, set, data);
		break;
	default:
		r = -EINVAL;
	}
	mutex_unlock(&sim->lock);
	return r;
}

long vdsim_set_irqs(struct vdsim *sim, void __user *arg)
{
	struct vfio_irq_set set;
	const size_t fixed = offsetofend(struct vfio_irq_set, count);
	bool display;
	long r;

	if (copy_from_user(&set, arg, fixed))
		return -EFAULT;
	mutex_lock(&sim->lock);
	display = irq_is_display(&sim->control.irq, set.index);
	mutex_unlock(&sim->lock);
	if (!display || set.argsz < fixed)
		r = -EINVAL;
	else
		r = set_irqs(sim, arg, &set);
	if (!display)
		vdsim_count(sim, set_irqs_forbidden);
	else if (r)
		vdsim_count(sim, set_irqs_error);
	else
		vdsim_count(sim, set_irqs);
	vdsim_log(sim, VFIO_DEVICE_SET_IRQS, set.index, r, set.flags);
	return r;
}
