// SPDX-License-Identifier: GPL-2.0
/* The module: a parent for mediated devices, and its account of what exists. */
#include <linux/device.h>
#include <linux/log2.h>
#include <linux/mdev.h>
#include <linux/module.h>
#include <linux/version.h>

#include "sim.h"

unsigned int vdsim_memory_mb = 64;
module_param_named(memory_mb, vdsim_memory_mb, uint, 0444);
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

static int driver_probe(struct mdev_device *mdev)
{
	struct vdsim_device *device =
		vfio_alloc_device(vdsim_device, vfio, &mdev->dev, &vdsim_device_ops);
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
	return sysfs_emit(text, "display simulator with %u MiB of video memory\n", vdsim_memory_mb);
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
	if (!is_power_of_2(vdsim_memory_mb) || vdsim_memory_mb > 1024)
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
