// SPDX-License-Identifier: GPL-2.0
/*
 * Planes: what a query says, and the numbers of dma-bufs.
 *
 * Theory of operation
 *
 * An object is a number and what it stands for. A query looks for one that stands for the same as the frame on show, else
 * makes one. Its number means it while it is listed; the object itself lives on while dma-bufs of it are open. As in GVT-g
 * neither stride nor position are part of what is compared.
 */
#include <linux/dma-buf.h>
#include <linux/file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "sim.h"

#define OBJECTS_MAXIMUM 4096
#define QUERY_SIZE	offsetofend(struct vfio_device_gfx_plane_info, region_index)

static void object_free(struct vdsim *sim, struct vdsim_object *object)
{
	if (object->foreign) {
		dma_buf_put(object->foreign);
		atomic_dec(&vdsim_alive[VDSIM_ALIVE_FOREIGN]);
	}
	kfree(object);
	sim->object_count--;
	atomic_dec(&vdsim_alive[VDSIM_ALIVE_OBJECTS]);
}

/* Its number no longer means it. */
static void object_unlist(struct vdsim *sim, struct vdsim_object *object)
{
	xa_erase(&sim->objects, object->id);
	object->listed = false;
	if (!object->open)
		object_free(sim, object);
}

void vdsim_drop_ids(struct vdsim *sim, u32 id)
{
	struct vdsim_object *object;
	unsigned long index;

	xa_for_each(&sim->objects, index, object) if (id == VDSIM_NONE || id == object->id)
		object_unlist(sim, object);
}

void vdsim_drop_foreign(struct vdsim *sim, const struct dma_buf *foreign)
{
	struct vdsim_object *object;
	unsigned long index;

	xa_for_each(&sim->objects, index, object) if (object->foreign == foreign)
		object_unlist(sim, object);
}

void vdsim_object_closed(struct vdsim *sim, struct vdsim_object *object)
{
	mutex_lock(&sim->lock);
	object->open--;
	if (!object->open && !object->listed)
		object_free(sim, object);
	else if (!object->open && sim->control.id_policy == VDSIM_ID_REUSE)
		object_unlist(sim, object);
	mutex_unlock(&sim->lock);
}

static struct vdsim_object object_of(struct vdsim *sim, u32 number)
{
	const struct vdsim_frame *frame = &sim->control.frame[number];
	u32 size = frame->size ? frame->size : frame->stride * frame->height;

	return (struct vdsim_object){
		.id = frame->id,
		.fourcc = frame->fourcc,
		.width = frame->width,
		.height = frame->height,
		.size = size,
		.modifier = frame->modifier,
		.offset = frame->offset,
		.length = frame->length ? frame->length : size,
		.flags = frame->flags,
		.map_error = frame->map_error,
		.foreign = sim->foreign[number],
	};
}

static bool object_matches(const struct vdsim_object *a, const struct vdsim_object *b)
{
	return (!b->id || a->id == b->id) && a->fourcc == b->fourcc && a->width == b->width &&
	       a->height == b->height && a->size == b->size && a->modifier == b->modifier &&
	       a->offset == b->offset && a->length == b->length && a->flags == b->flags &&
	       a->map_error == b->map_error && a->foreign == b->foreign;
}

/* Gives a new object its number. */
static int object_list(struct vdsim *sim, struct vdsim_object *object)
{
	struct vdsim_object *other;

	if (!object->id && sim->control.id_policy == VDSIM_ID_REUSE)
		return xa_alloc(
			&sim->objects, &object->id, object, XA_LIMIT(1, S32_MAX), GFP_KERNEL);
	if (!object->id)
		object->id = ++sim->last_id;
	other = xa_load(&sim->objects, object->id);
	if (other)
		object_unlist(sim, other);
	return xa_err(xa_store(&sim->objects, object->id, object, GFP_KERNEL));
}

static int object_id(struct vdsim *sim, u32 number, u32 *id)
{
	struct vdsim_object wanted = object_of(sim, number), *object;
	unsigned long index;
	int r;

	xa_for_each(&sim->objects, index, object) if (object_matches(object, &wanted))
	{
		*id = object->id;
		return 0;
	}
	if (sim->object_count >= OBJECTS_MAXIMUM)
		return -ENOMEM;
	object = kmemdup(&wanted, sizeof(wanted), GFP_KERNEL);
	if (!object)
		return -ENOMEM;
	r = object_list(sim, object);
	if (r) {
		kfree(object);
		return r;
	}
	object->listed = true;
	if (object->foreign) {
		get_dma_buf(object->foreign);
		atomic_inc(&vdsim_alive[VDSIM_ALIVE_FOREIGN]);
	}
	sim->object_count++;
	atomic_inc(&vdsim_alive[VDSIM_ALIVE_OBJECTS]);
	*id = object->id;
	return 0;
}

/* Locked. Returns 0 or VDSIM_ANSWER_* or -errno: what the driver itself says. */
static int plane_describe(struct vdsim *sim, struct vfio_device_gfx_plane_info *info)
{
	const struct vdsim_plane *plane = &sim->control.plane[info->drm_plane_type];
	const struct vdsim_frame *frame;
	int r;

	vdsim_flip_settle(sim);
	if (plane->alias != VDSIM_NONE)
		plane = &sim->control.plane[plane->alias];
	if (info->flags != plane->kind)
		return -EINVAL;
	if (plane->frame == VDSIM_NONE)
		return plane->off < VDSIM_ANSWER_UNTOUCHED ? -(int)plane->off : plane->off;
	frame = &sim->control.frame[plane->frame];
	info->drm_format = frame->fourcc;
	info->drm_format_mod = frame->modifier;
	info->width = frame->width;
	info->height = frame->height;
	info->stride = frame->stride;
	info->size = frame->size ? frame->size : frame->stride * frame->height;
	info->x_pos = plane->x;
	info->y_pos = plane->y;
	info->x_hot = plane->hot_x;
	info->y_hot = plane->hot_y;
	info->region_index = frame->region_index;
	if (plane->kind == VFIO_GFX_PLANE_TYPE_DMABUF) {
		r = object_id(sim, plane->frame, &info->dmabuf_id);
		if (r)
			return r;
	}
	return 0;
}

/* A client zeroes the struct before each call, since a driver may not write it. */
static bool info_is_dirty(const struct vfio_device_gfx_plane_info *info)
{
	const u8 *bytes = (const u8 *)info;

	return memchr_inv(bytes + offsetof(struct vfio_device_gfx_plane_info, drm_format), 0,
		       QUERY_SIZE - offsetof(struct vfio_device_gfx_plane_info, drm_format)) !=
	       NULL;
}

static long probe(struct vdsim *sim, const struct vfio_device_gfx_plane_info *info)
{
	u32 kind = info->flags & ~VFIO_GFX_PLANE_TYPE_PROBE;
	int r;

	vdsim_count(sim, probe);
	r = vdsim_script(sim, VDSIM_SCRIPT_PROBE);
	if (r)
		return min(r, 0);
	if (kind != VFIO_GFX_PLANE_TYPE_DMABUF && kind != VFIO_GFX_PLANE_TYPE_REGION)
		return -EINVAL;
	return kind & READ_ONCE(sim->control.kinds) ? 0 : -(int)READ_ONCE(sim->control.probe_error);
}

/* Writes as many bytes of the answer as drivers of different ages do. */
static int info_copy(
	struct vdsim *sim, void __user *arg, const struct vfio_device_gfx_plane_info *info)
{
	size_t count = min_t(size_t, READ_ONCE(sim->control.copy_bytes), info->argsz);
	u32 tail = READ_ONCE(sim->control.tail);

	if (copy_to_user(arg, info, QUERY_SIZE))
		return -EFAULT;
	if (count > QUERY_SIZE &&
		copy_to_user(arg + QUERY_SIZE, &tail, min(count - QUERY_SIZE, sizeof(tail))))
		return -EFAULT;
	return 0;
}

static long query(
	struct vdsim *sim, void __user *arg, struct vfio_device_gfx_plane_info *info, bool *off)
{
	int r;

	if (info->drm_plane_type >= VDSIM_PLANES)
		return -EINVAL;
	r = vdsim_script(sim, VDSIM_SCRIPT_QUERY + info->drm_plane_type);
	if (!r) {
		mutex_lock(&sim->lock);
		r = plane_describe(sim, info);
		mutex_unlock(&sim->lock);
	}
	*off = r > 0;
	if (r < 0 || r == VDSIM_ANSWER_UNTOUCHED)
		return min(r, 0);
	if (r == VDSIM_ANSWER_ZEROS)
		*info = (struct vfio_device_gfx_plane_info){
			.argsz = info->argsz,
			.flags = info->flags,
			.drm_plane_type = info->drm_plane_type,
		};
	return info_copy(sim, arg, info);
}

long vdsim_query(struct vdsim *sim, void __user *arg)
{
	struct vfio_device_gfx_plane_info info = {};
	unsigned int type;
	bool off = false;
	long r;

	if (copy_from_user(&info, arg, QUERY_SIZE))
		return -EFAULT;
	if (info.argsz < QUERY_SIZE)
		return -EINVAL;
	if (info.argsz != sizeof(info))
		vdsim_count(sim, query_argsz);
	if (info.flags & VFIO_GFX_PLANE_TYPE_PROBE) {
		r = probe(sim, &info);
	} else {
		if (info_is_dirty(&info))
			vdsim_count(sim, query_dirty);
		type = min_t(u32, info.drm_plane_type, VDSIM_PLANES);
		r = query(sim, arg, &info, &off);
		if (r)
			vdsim_count(sim, query_error[type]);
		else
			vdsim_count(sim, query[type]);
		if (off)
			vdsim_count(sim, query_off[type]);
	}
	vdsim_log(sim, VFIO_DEVICE_QUERY_GFX_PLANE, info.drm_plane_type | info.flags << 8, r,
		info.dmabuf_id);
	return r;
}

/* Locked. A reference to what the id stands for. */
static struct dma_buf *object_export(struct vdsim *sim, u32 id)
{
	struct vdsim_object *object = xa_load(&sim->objects, id);
	struct dma_buf *buffer;

	if (!object) /* as mbochs, as GVT-g */
		return ERR_PTR(sim->control.id_policy == VDSIM_ID_KEEP ? -ENOENT : -EINVAL);
	if (object->open)
		vdsim_count(sim, get_open);
	else if (object->gets)
		vdsim_count(sim, get_again);
	if (object->foreign) {
		buffer = object->foreign;
		get_dma_buf(buffer);
	} else {
		buffer = vdsim_dmabuf_export(sim, object);
	}
	if (!IS_ERR(buffer))
		object->gets++;
	return buffer;
}

static int get_dmabuf(struct vdsim *sim, u32 id)
{
	int r = vdsim_script(sim, VDSIM_SCRIPT_GET_DMABUF), fd;
	struct vdsim_object *object;
	struct dma_buf *buffer;
	bool inherit = false;

	if (r)
		return r < 0 ? r : -EINVAL;
	mutex_lock(&sim->lock);
	object = xa_load(&sim->objects, id);
	if (object)
		inherit = object->flags & VDSIM_FRAME_INHERIT;
	buffer = object_export(sim, id);
	mutex_unlock(&sim->lock);
	if (IS_ERR(buffer))
		return PTR_ERR(buffer);
	fd = dma_buf_fd(buffer, inherit ? 0 : O_CLOEXEC);
	if (fd < 0)
		dma_buf_put(buffer);
	return fd;
}

long vdsim_get_dmabuf(struct vdsim *sim, void __user *arg)
{
	int fd;
	u32 id;

	if (get_user(id, (u32 __user *)arg))
		return -EFAULT;
	fd = get_dmabuf(sim, id);
	if (fd < 0)
		vdsim_count(sim, get_error);
	else
		vdsim_count(sim, get);
	vdsim_log(sim, VFIO_DEVICE_GET_GFX_DMABUF, id, fd, 0);
	return fd;
}
