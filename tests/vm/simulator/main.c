// SPDX-License-Identifier: GPL-2.0
/* The module: a parent for mediated devices, the devices, and their file. */
#include <linux/device.h>
#include <linux/mdev.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/version.h>
#include <linux/vmalloc.h>

#include "sim.h"

#define ACCESS_MAXIMUM (roundup_pow_of_two(sizeof(struct vdsim_record)))

struct vdsim_device {
	struct vfio_device vfio;
	struct vdsim *sim;
};

static unsigned int memory_mb = 64;
module_param(memory_mb, uint, 0444);
MODULE_PARM_DESC(memory_mb, "MiB of video memory of each device, a power of two");

atomic_t vdsim_alive[VDSIM_ALIVE_KINDS];

static const char *const alive_names[VDSIM_ALIVE_KINDS] = {
	[VDSIM_ALIVE_DEVICES] = "devices",
	[VDSIM_ALIVE_DISPLAYS] = "displays",
	[VDSIM_ALIVE_OBJECTS] = "objects",
	[VDSIM_ALIVE_DMABUFS] = "dmabufs",
	[VDSIM_ALIVE_ATTACHMENTS] = "attachments",
	[VDSIM_ALIVE_PAGES] = "pages",
	[VDSIM_ALIVE_MAPPINGS] = "mappings",
	[VDSIM_ALIVE_FOREIGN] = "foreign",
	[VDSIM_ALIVE_EVENTFDS] = "eventfds",
};

static struct mdev_parent parent;
static struct device *parent_device;

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

static struct vdsim *vdsim_create(struct vfio_device *device)
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
	r = sim->record ? vdsim_memory_init(sim, (u64)memory_mb * SZ_1M) : -ENOMEM;
	if (r) {
		vfree(sim->record);
		kfree(sim);
		return ERR_PTR(r);
	}
	vdsim_control_init(sim, (u64)memory_mb * SZ_1M);
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

/* ---- the device's file ---- */

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

/* ---- reads and writes ---- */

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

static ssize_t device_access(
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

static ssize_t device_read(
	struct vfio_device *vfio, char __user *buffer, size_t count, loff_t *position)
{
	return device_access(sim_of(vfio), buffer, count, position, false);
}

static ssize_t device_write(
	struct vfio_device *vfio, const char __user *buffer, size_t count, loff_t *position)
{
	return device_access(sim_of(vfio), (char __user *)buffer, count, position, true);
}

static int device_mmap(struct vfio_device *vfio, struct vm_area_struct *vma)
{
	return vdsim_region_map(sim_of(vfio), vma);
}

static const struct vfio_device_ops device_ops = {
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

/* ---- mediated devices ---- */

static int driver_probe(struct mdev_device *mdev)
{
	struct vdsim_device *device =
		vfio_alloc_device(vdsim_device, vfio, &mdev->dev, &device_ops);
	int r;

	if (IS_ERR(device))
		return PTR_ERR(device);
	/* Before it can be found: the sysfs file asks for it. */
	dev_set_drvdata(&mdev->dev, device);
	r = vfio_register_emulated_iommu_dev(&device->vfio);
	if (r) {
		dev_set_drvdata(&mdev->dev, NULL);
		vfio_put_device(&device->vfio);
	}
	return r;
}

static void driver_remove(struct mdev_device *mdev)
{
	struct vdsim_device *device = dev_get_drvdata(&mdev->dev);

	vfio_unregister_group_dev(&device->vfio);
	vfio_put_device(&device->vfio);
}

static ssize_t driver_show_description(struct mdev_type *type, char *text)
{
	return sysfs_emit(text, "display simulator with %u MiB of video memory\n", memory_mb);
}

/* The way out when the controller is gone and calls still wait. */
static ssize_t release_store(
	struct device *dev, struct device_attribute *attribute, const char *text, size_t count)
{
	struct vdsim_device *device = dev_get_drvdata(dev);

	if (!device)
		return -ENODEV;
	vdsim_release_blocked(device->sim);
	return count;
}
static DEVICE_ATTR_WO(release);

static struct attribute *device_attrs[] = {&dev_attr_release.attr, NULL};
ATTRIBUTE_GROUPS(device);

static struct mdev_driver driver = {
	.device_api = VFIO_DEVICE_API_PCI_STRING,
	.max_instances = 64,
	.driver =
		{
			.name = KBUILD_MODNAME,
			.owner = THIS_MODULE,
			.mod_name = KBUILD_MODNAME,
			.dev_groups = device_groups,
		},
	.probe = driver_probe,
	.remove = driver_remove,
	.show_description = driver_show_description,
};

static struct mdev_type type = {
	.sysfs_name = "display",
	.pretty_name = "display simulator",
};
static struct mdev_type *types[] = {&type};

/* What exists, one kind a line: what a test looks at before it takes the module out. */
static ssize_t alive_show(struct device *dev, struct device_attribute *attribute, char *text)
{
	int at = 0;

	for (unsigned int i = 0; i < VDSIM_ALIVE_KINDS; i++)
		at += sysfs_emit_at(
			text, at, "%s %d\n", alive_names[i], atomic_read(&vdsim_alive[i]));
	return at;
}
static DEVICE_ATTR_RO(alive);

static struct attribute *parent_attrs[] = {&dev_attr_alive.attr, NULL};
ATTRIBUTE_GROUPS(parent);

static struct class vdsim_class = {
	.name = KBUILD_MODNAME,
};

static int __init module_start(void)
{
	int r;

	BUILD_BUG_ON(sizeof(struct vdsim_control) != 0x2000);
	BUILD_BUG_ON(sizeof(struct vdsim_record) != 0x24000);
	if (!is_power_of_2(memory_mb) || memory_mb > 1024)
		return -EINVAL;
	r = class_register(&vdsim_class);
	if (r)
		return r;
	r = mdev_register_driver(&driver);
	if (r)
		goto fail_class;
	parent_device = device_create_with_groups(
		&vdsim_class, NULL, MKDEV(0, 0), NULL, parent_groups, KBUILD_MODNAME);
	if (IS_ERR(parent_device)) {
		r = PTR_ERR(parent_device);
		goto fail_driver;
	}
	r = mdev_register_parent(&parent, parent_device, &driver, types, ARRAY_SIZE(types));
	if (!r)
		return 0;
	device_unregister(parent_device);
fail_driver:
	mdev_unregister_driver(&driver);
fail_class:
	class_unregister(&vdsim_class);
	return r;
}

/* Says in one line whether all that was made is gone. What is not is memory that somebody still points to. */
static void __exit module_end(void)
{
	bool clean = true;

	mdev_unregister_parent(&parent);
	device_unregister(parent_device);
	mdev_unregister_driver(&driver);
	class_unregister(&vdsim_class);
	for (unsigned int i = 0; i < VDSIM_ALIVE_KINDS; i++) {
		int count = atomic_read(&vdsim_alive[i]);

		if (count) {
			pr_err("%s: %d %s left\n", KBUILD_MODNAME, count, alive_names[i]);
			clean = false;
		}
	}
	if (clean)
		pr_info("%s: clean\n", KBUILD_MODNAME);
}

module_init(module_start);
module_exit(module_end);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("A VFIO display whose planes follow a script");
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
MODULE_IMPORT_NS("DMA_BUF");
#else
MODULE_IMPORT_NS(DMA_BUF);
#endif
