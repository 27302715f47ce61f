// SPDX-License-Identifier: GPL-2.0
/* The device's file. */
#include <linux/sched.h>
#include <linux/version.h>

#include "sim.h"

static struct vdsim *sim_of(struct vfio_device *vfio)
{
	return container_of(vfio, struct vdsim_device, vfio)->sim;
}

static int device_init(struct vfio_device *vfio)
{
	struct vdsim_device *device = container_of(vfio, struct vdsim_device, vfio);
	struct vdsim *sim = vdsim_create(vfio);

	if (IS_ERR(sim))
		return PTR_ERR(sim);
	device->sim = sim;
	atomic_inc(&vdsim_alive[VDSIM_ALIVE_DEVICES]);
	return 0;
}

static void device_release(struct vfio_device *vfio)
{
	struct vdsim *sim = sim_of(vfio);

	mutex_lock(&sim->lock);
	sim->device = NULL;
	vdsim_stop(sim);
	vdsim_irq_disarm(sim);
	vdsim_control_finish(sim);
	mutex_unlock(&sim->lock);
	vdsim_put(sim);
	atomic_dec(&vdsim_alive[VDSIM_ALIVE_DEVICES]);
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
	vfio_free_device(vfio);
#endif
}

/* The first file of the device. */
static int device_open(struct vfio_device *vfio)
{
	struct vdsim *sim = sim_of(vfio);

	mutex_lock(&sim->lock);
	sim->control.controller = task_tgid_nr(current);
	sim->control.state.open = 1;
	mutex_unlock(&sim->lock);
	vdsim_log(sim, VDSIM_DID_OPEN, 0, 0, 0);
	return 0;
}

/* The last file of the device. */
static void device_close(struct vfio_device *vfio)
{
	struct vdsim *sim = sim_of(vfio);

	vdsim_log(sim, VDSIM_DID_CLOSE, 0, 0, 0);
	mutex_lock(&sim->lock);
	sim->control.state.open = 0;
	vdsim_stop(sim);
	vdsim_irq_disarm(sim);
	mutex_unlock(&sim->lock);
}

static long device_reset(struct vdsim *sim)
{
	int r = vdsim_script(sim, VDSIM_SCRIPT_RESET);

	if (r)
		return r < 0 ? r : -EINVAL;
	mutex_lock(&sim->lock);
	vdsim_stop(sim);
	mutex_unlock(&sim->lock);
	return 0;
}

static long device_ioctl(struct vfio_device *vfio, unsigned int cmd, unsigned long arg)
{
	struct vdsim *sim = sim_of(vfio);
	void __user *user = (void __user *)arg;
	long r;

	r = vdsim_exclusive_wait(sim);
	if (r)
		return r;
	switch (cmd) {
	case VFIO_DEVICE_QUERY_GFX_PLANE: /* these five log more than their number */
		return vdsim_query(sim, user);
	case VFIO_DEVICE_GET_GFX_DMABUF:
		return vdsim_get_dmabuf(sim, user);
	case VFIO_DEVICE_GET_REGION_INFO:
		return vdsim_get_region_info(sim, user);
	case VFIO_DEVICE_GET_IRQ_INFO:
		return vdsim_get_irq_info(sim, user);
	case VFIO_DEVICE_SET_IRQS:
		return vdsim_set_irqs(sim, user);
	case VFIO_DEVICE_GET_INFO:
		vdsim_count(sim, get_info);
		r = vdsim_get_info(sim, user);
		break;
	case VFIO_DEVICE_RESET:
		vdsim_count(sim, reset);
		r = device_reset(sim);
		break;
	default:
		vdsim_count(sim, unknown);
		r = -ENOTTY;
	}
	vdsim_log(sim, cmd, 0, r, 0);
	return r;
}

/* A feature that the core of VFIO does not know itself. */
static int device_feature(struct vfio_device *vfio, u32 flags, void __user *arg, size_t argsz)
{
	struct vdsim *sim = sim_of(vfio);

	vdsim_count(sim, feature);
	vdsim_log(sim, VFIO_DEVICE_FEATURE, flags, -ENOTTY, 0);
	return -ENOTTY;
}

static ssize_t device_read(
	struct vfio_device *vfio, char __user *buffer, size_t count, loff_t *position)
{
	return vdsim_access(sim_of(vfio), buffer, count, position, false);
}

static ssize_t device_write(
	struct vfio_device *vfio, const char __user *buffer, size_t count, loff_t *position)
{
	return vdsim_access(sim_of(vfio), (char __user *)buffer, count, position, true);
}

static int device_mmap(struct vfio_device *vfio, struct vm_area_struct *vma)
{
	return vdsim_region_map(sim_of(vfio), vma);
}

const struct vfio_device_ops vdsim_device_ops = {
	.name = KBUILD_MODNAME,
	.init = device_init,
	.release = device_release,
	.open_device = device_open,
	.close_device = device_close,
	.read = device_read,
	.write = device_write,
	.ioctl = device_ioctl,
	.mmap = device_mmap,
	.device_feature = device_feature,
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 6, 0)
	.bind_iommufd = vfio_iommufd_emulated_bind,
	.unbind_iommufd = vfio_iommufd_emulated_unbind,
	.attach_ioas = vfio_iommufd_emulated_attach_ioas,
	.detach_ioas = vfio_iommufd_emulated_detach_ioas,
#endif
};
