/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * A driver has planes in dma-bufs or in a region, never both; which one is found out once by probe(). Three rules come from
 * drivers that exist. Region drivers (mdpy, NVIDIA) ignore the plane type and answer a question for the cursor with the
 * primary plane: they are never asked. A driver without dma-bufs says EINVAL, one without any display ENOTTY: both mean no. No
 * plane ioctl is issued before GET_INFO answered: on a VFIO container the number of QUERY_GFX_PLANE is UNMAP_DMA.
 *
 * `drawn` of the primary plane is a number of our own. It moves on with everything that may mean new pixels, so with each event
 * but those that were for the cursor alone; without an armed interrupt nobody would move it, and it is 0.
 *
 * The display interrupt and the EDID are looked for when they are first wanted: the registrant may not give leave.
 */
#include "plane/source.h"

#include <errno.h>
#include <string.h>

#include "base/fd.h"
#include "base/mem.h"
#include "plane/edid.h"
#include "vfio/device.h"
#include "vfio/gfx_edid.h"
#include "vfio/gfx_irq.h"

struct source_vfio {
	struct source source;
	struct vfio_device device; /* owns the fd */
	enum plane_kind kind;	   /* PLANE_NONE until probed */
	struct gfx_irq irq;
	bool armed;
	uint32_t drawn; /* 0: not counted */
	struct gfx_edid edid;
	int edid_found; /* of gfx_edid_find(): 0 or -ENOTTY; 1: not asked yet */
};

static struct source_vfio *source_vfio(struct source *source)
{
	return container_of(source, struct source_vfio, source);
}

static int vfio_probe(struct source *source, const char **ret_reason)
{
	struct source_vfio *self = source_vfio(source);
	int r = vfio_device_present(&self->device);

	if (r < 0) {
		*ret_reason = r == -EAGAIN   ? "the device is not bound to an iommufd yet"
			      : r == -ENOTTY ? "this is not a VFIO device"
					     : "the device does not answer";
		return r;
	}
	r = vfio_device_probe(&self->device, VFIO_GFX_PLANE_TYPE_DMABUF);
	if (r == 0) {
		self->kind = PLANE_DMABUF;
		return 0;
	}
	if (r == -ENOTTY)
		r = vfio_device_probe(&self->device, VFIO_GFX_PLANE_TYPE_REGION);
	if (r < 0) {
		*ret_reason = r == -ENOTTY ? "the device has no display"
					   : "the driver cannot say whether it has a display";
		return r;
	}
	self->kind = PLANE_REGION;
	return 0;
}

/* Drivers without hot spots write 0,0, ~0, or nothing: a hot spot outside the image is none. */
static void copy_cursor(const struct vfio_device_gfx_plane_info *info, struct plane *plane)
{
	bool inside = info->x_hot < info->width && info->y_hot < info->height;

	plane->x = (int32_t)info->x_pos;
	plane->y = (int32_t)info->y_pos;
	plane->hot_x = inside ? info->x_hot : PLANE_HOT_UNKNOWN;
	plane->hot_y = inside ? info->y_hot : PLANE_HOT_UNKNOWN;
}

static int vfio_query(struct source *source, enum plane_type type, struct plane *ret)
{
	struct source_vfio *self = source_vfio(source);
	struct plane plane = {.type = type, .kind = self->kind};
	struct vfio_device_gfx_plane_info info;
	bool cursor = type == PLANE_CURSOR;
	int r;

	if (self->kind == PLANE_NONE)
		return -ENXIO;
	if (cursor && self->kind == PLANE_REGION) {
		*ret = plane;
		return 0;
	}
	r = vfio_device_query(&self->device,
		self->kind == PLANE_DMABUF ? VFIO_GFX_PLANE_TYPE_DMABUF
					   : VFIO_GFX_PLANE_TYPE_REGION,
		cursor ? VFIO_PLANE_CURSOR : VFIO_PLANE_PRIMARY, &info);
	if (r < 0)
		return r == -EAGAIN ? -EBUSY : r;
	if (info.drm_format && info.size && info.width && info.height) {
		plane.fourcc = info.drm_format;
		plane.modifier = info.drm_format_mod;
		plane.width = info.width;
		plane.height = info.height;
		plane.stride = info.stride;
		plane.size = info.size;
		plane.token = self->kind == PLANE_DMABUF ? info.dmabuf_id : info.region_index;
		if (cursor)
			copy_cursor(&info, &plane);
		else
			plane.drawn = self->drawn;
	}
	*ret = plane;
	return 0;
}

static int dmabuf_buffer(
	struct source_vfio *self, uint32_t id, struct buffer *ret, const char **ret_reason)
{
	int fd = -EBADF;
	int r = vfio_device_dmabuf(&self->device, id, &fd);
	off_t end;

	if (r < 0) {
		*ret_reason = r == -ESTALE   ? "the driver does not hand out the plane's dma-buf"
			      : r == -ENODEV ? "the driver has no dma-bufs"
					     : "the driver fails to hand out the plane's dma-buf";
		return r;
	}
	end = lseek(fd, 0, SEEK_END);
	*ret = (struct buffer){
		.fd = fd,
		.owned = true,
		.dmabuf = true,
		.length = end > 0 ? (uint64_t)end : 0,
	};
	return 0;
}

static int region_buffer(
	struct source_vfio *self, uint32_t index, struct buffer *ret, const char **ret_reason)
{
	struct vfio_region region;
	int r = vfio_device_region(&self->device, index, &region);

	if (r == -EPROTO || r == -E2BIG) {
		*ret_reason = "the region's capabilities make no sense";
		return -ENODEV;
	}
	if (r < 0) {
		*ret_reason = "the driver does not describe the plane's region";
		return r;
	}
	if (!region.can_map) {
		*ret_reason = "the driver does not let the plane's region be mapped";
		return -ENODEV;
	}
	if (!region.mappable || region.offset > INT64_MAX) {
		*ret_reason = region.size ? "the beginning of the plane's region cannot be mapped"
					  : "the plane's region is empty";
		return -ENODEV;
	}
	*ret = (struct buffer){
		.fd = self->device.fd,
		.offset = (off_t)region.offset,
		.length = region.mappable,
	};
	return 0;
}

static int vfio_buffer(struct source *source, const struct plane *plane, struct buffer *ret,
	const char **ret_reason)
{
	struct source_vfio *self = source_vfio(source);

	return self->kind == PLANE_DMABUF ? dmabuf_buffer(self, plane->token, ret, ret_reason)
					  : region_buffer(self, plane->token, ret, ret_reason);
}

static void vfio_disarm(struct source *source)
{
	struct source_vfio *self = source_vfio(source);

	if (self->armed)
		gfx_irq_disarm(&self->device, &self->irq);
	self->armed = false;
	self->drawn = 0;
}

static int vfio_arm(struct source *source, int event)
{
	struct source_vfio *self = source_vfio(source);
	int r;

	if (self->kind == PLANE_NONE)
		return -ENXIO;
	/* A driver that is given a second eventfd forgets to let go of the first. */
	vfio_disarm(source);
	r = gfx_irq_find(&self->device, &self->irq);
	if (r >= 0)
		r = gfx_irq_arm(&self->device, &self->irq, event);
	self->armed = r >= 0;
	return r;
}

static void vfio_heard(struct source *source, uint64_t count)
{
	struct source_vfio *self = source_vfio(source);

	if (!self->armed || (self->drawn && gfx_irq_cursor_only(&self->irq, count)))
		return;
	self->drawn++;
	if (!self->drawn)
		self->drawn = 1;
}

static int find_edid(struct source_vfio *self)
{
	int r = self->edid_found;

	if (self->kind == PLANE_NONE)
		return -ENXIO;
	if (r > 0) {
		r = gfx_edid_find(&self->device, &self->edid);
		if (r == 0 || r == -ENOTTY)
			self->edid_found = r;
	}
	return r;
}

static uint32_t edid_limit(uint32_t device_limit)
{
	return device_limit ? MIN(device_limit, (uint32_t)EDID_MAX) : EDID_MAX;
}

static int vfio_size_limits(struct source *source, uint32_t *ret_width, uint32_t *ret_height)
{
	struct source_vfio *self = source_vfio(source);
	int r = find_edid(self);

	if (r < 0)
		return r;
	*ret_width = edid_limit(self->edid.max_width);
	*ret_height = edid_limit(self->edid.max_height);
	return 0;
}

static int vfio_offer_size(struct source *source, uint32_t width, uint32_t height)
{
	struct source_vfio *self = source_vfio(source);
	struct edid_monitor monitor = {.width = width, .height = height};
	uint8_t blob[EDID_BYTES];
	int r = vfio_size_limits(source, &monitor.max_width, &monitor.max_height);

	if (r < 0)
		return r;
	if (width > monitor.max_width || height > monitor.max_height)
		return -ERANGE;
	r = edid_make(&monitor, blob);
	if (r < 0)
		return r;
	return gfx_edid_offer(&self->device, &self->edid, blob, sizeof(blob));
}

static int vfio_link_up(struct source *source)
{
	struct source_vfio *self = source_vfio(source);

	return gfx_edid_link_up(&self->device, &self->edid);
}

static void vfio_destroy(struct source *source)
{
	struct source_vfio *self = source_vfio(source);

	/* A guest is not left without a monitor, nor a driver with an eventfd that nobody reads. */
	vfio_link_up(source);
	vfio_disarm(source);
	fd_close(self->device.fd);
	free(self);
}

static const struct source_ops source_vfio_ops = {
	.probe = vfio_probe,
	.query = vfio_query,
	.buffer = vfio_buffer,
	.destroy = vfio_destroy,
	.arm = vfio_arm,
	.disarm = vfio_disarm,
	.heard = vfio_heard,
	.size_limits = vfio_size_limits,
	.offer_size = vfio_offer_size,
	.link_up = vfio_link_up,
};

int source_vfio_create_over(const struct vfio_ops *ops, int fd, struct source **ret)
{
	struct source_vfio *self = new0(struct source_vfio);

	if (!self)
		return -ENOMEM;
	self->source.ops = &source_vfio_ops;
	self->device = (struct vfio_device){.fd = fd, .ops = ops};
	self->edid_found = 1;
	*ret = &self->source;
	return 0;
}

int source_vfio_create(int fd, struct source **ret)
{
	return source_vfio_create_over(&vfio_kernel, fd, ret);
}
