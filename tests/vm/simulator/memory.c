// SPDX-License-Identifier: GPL-2.0
/*
 * Video memory: one shmem file.
 *
 * Theory of operation
 *
 * mmap() of the device or of a dma-buf replaces the mapping's file with the shmem file, so faults, rmap and truncation are
 * those of shmem. The mapping would then no longer hold what it was made from; a view does, as a driver's own mapping does:
 * a live mapping keeps the device open. The same reference keeps this module from going while its vm_operations are in use.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/shmem_fs.h>
#include <linux/slab.h>
#include <linux/version.h>

#include "sim.h"

struct view {
	refcount_t mappings; /* a fork or a split makes two of one */
	struct file *origin;
	struct vdsim *sim;
	enum vdsim_view_kind kind;
};

/* shmem's operations with two more; the same whichever mapping they are taken from. */
static struct vm_operations_struct view_operations;
static DEFINE_MUTEX(view_operations_lock);

int vdsim_memory_init(struct vdsim *sim, u64 size)
{
	struct file *file = shmem_file_setup(KBUILD_MODNAME, size, VM_NORESERVE);

	if (IS_ERR(file))
		return PTR_ERR(file);
	sim->memory = file;
	return 0;
}

void vdsim_memory_finish(struct vdsim *sim)
{
	fput(sim->memory);
}

int vdsim_memory_resize(struct vdsim *sim, u64 size)
{
	int r;

	mutex_lock(&sim->memory_lock);
	r = vfs_truncate(&sim->memory->f_path, size);
	mutex_unlock(&sim->memory_lock);
	return r;
}

ssize_t vdsim_memory_read(struct vdsim *sim, void *to, size_t count, u64 at)
{
	loff_t position = at;

	return kernel_read(sim->memory, to, count, &position);
}

ssize_t vdsim_memory_write(struct vdsim *sim, const void *from, size_t count, u64 at)
{
	loff_t position = at, size;
	ssize_t done = -ENOSPC;

	/* A write would make the file longer. */
	mutex_lock(&sim->memory_lock);
	size = i_size_read(file_inode(sim->memory));
	if (position < size)
		done = kernel_write(
			sim->memory, from, min_t(u64, count, size - position), &position);
	mutex_unlock(&sim->memory_lock);
	return done;
}

static void view_count(struct view *view, int by)
{
	atomic_add(by, &view->sim->maps[view->kind]);
	atomic_add(by, &vdsim_alive[VDSIM_ALIVE_MAPPINGS]);
}

static void view_open(struct vm_area_struct *vma)
{
	struct view *view = vma->vm_private_data;

	refcount_inc(&view->mappings);
	view_count(view, 1);
}

static void view_close(struct vm_area_struct *vma)
{
	struct view *view = vma->vm_private_data;
	struct file *origin = view->origin;

	view_count(view, -1);
	if (!refcount_dec_and_test(&view->mappings))
		return;
	vdsim_put(view->sim);
	kfree(view);
	/* Late: this may be what keeps the module. The file's end comes after the call that closed the mapping. */
	fput(origin);
}

static void vma_forbid_growth(struct vm_area_struct *vma)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
	vm_flags_set(vma, VM_DONTEXPAND);
#else
	vma->vm_flags |= VM_DONTEXPAND;
#endif
}

int vdsim_memory_map(
	struct vdsim *sim, struct vm_area_struct *vma, u64 at, enum vdsim_view_kind kind)
{
	struct view *view;
	int r;

	if (!(vma->vm_flags & VM_SHARED) || !PAGE_ALIGNED(at))
		return -EINVAL;
	view = kmalloc(sizeof(*view), GFP_KERNEL);
	if (!view)
		return -ENOMEM;
	vma->vm_pgoff = at >> PAGE_SHIFT;
	r = call_mmap(sim->memory, vma);
	if (r) {
		kfree(view);
		return r;
	}
	*view = (struct view){.origin = get_file(vma->vm_file), .sim = sim, .kind = kind};
	refcount_set(&view->mappings, 1);
	vdsim_get(sim);
	view_count(view, 1);
	mutex_lock(&view_operations_lock);
	if (!view_operations.close) {
		view_operations = *vma->vm_ops;
		view_operations.open = view_open;
		view_operations.close = view_close;
	}
	mutex_unlock(&view_operations_lock);
	vma_set_file(vma, sim->memory);
	vma->vm_private_data = view;
	vma->vm_ops = &view_operations;
	vma_forbid_growth(vma);
	return 0;
}

static bool region_allows(const struct vdsim_region *region, u64 at, u64 length)
{
	if (at > region->mappable || length > region->mappable - at)
		return false;
	if (!region->area_count)
		return true;
	for (u32 i = 0; i < region->area_count; i++)
		if (at >= region->area[i].offset &&
			at - region->area[i].offset <= region->area[i].size &&
			length <= region->area[i].size - (at - region->area[i].offset))
			return true;
	return false;
}

/* Where in the memory a region's mapping begins. */
static int region_place(struct vdsim *sim, u32 index, u64 at, u64 length, u64 *place)
{
	const struct vdsim_region *region;
	u64 limit = sim->control.memory_limit;
	int r = -EINVAL;

	if (index == VDSIM_REGION_MEMORY) {
		*place = at;
		return at <= limit && length <= limit - at ? 0 : -EINVAL;
	}
	mutex_lock(&sim->lock);
	region = vdsim_region_find(sim, index);
	if (region && region_allows(region, at, length)) {
		*place = region->offset + at;
		r = 0;
	}
	mutex_unlock(&sim->lock);
	return r;
}

int vdsim_region_map(struct vdsim *sim, struct vm_area_struct *vma)
{
	u32 shift = VDSIM_REGION_SHIFT - PAGE_SHIFT;
	u32 index = vma->vm_pgoff >> shift;
	u64 at = (u64)(vma->vm_pgoff & ((1UL << shift) - 1)) << PAGE_SHIFT, place = 0;
	u64 length = vma->vm_end - vma->vm_start;
	int r = 0;

	if (index == VDSIM_REGION_MEMORY && !vdsim_is_controller(sim))
		r = -EPERM;
	if (!r)
		r = vdsim_script(sim, VDSIM_SCRIPT_MMAP);
	if (!r)
		r = region_place(sim, index, at, length, &place);
	if (!r)
		r = vdsim_memory_map(sim, vma, place,
			index == VDSIM_REGION_MEMORY ? VDSIM_VIEW_MEMORY : VDSIM_VIEW_REGION);
	if (r > 0)
		r = -EINVAL;
	if (r)
		vdsim_count(sim, map_error);
	else
		vdsim_count(sim, map);
	vdsim_log(sim, VDSIM_DID_MMAP, index, r, length);
	return r;
}
