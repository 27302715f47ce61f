/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plane/plane.h"

#include <stddef.h>
#include <drm_fourcc.h>

#include "base/limits.h"
#include "base/mem.h"
#include "plane/format.h"
#include "plane/tiling.h"

bool plane_same_buffer(const struct plane *a, const struct plane *b)
{
	/* A surface's token is the serial of its cursor's image, not of its memory. */
	return a->kind == b->kind && a->fourcc == b->fourcc && a->modifier == b->modifier &&
	       a->width == b->width && a->height == b->height && a->stride == b->stride &&
	       a->offset == b->offset && a->size == b->size &&
	       (a->kind == PLANE_SURFACE || a->token == b->token);
}

static bool is_linear(const struct plane *plane)
{
	return plane->modifier == DRM_FORMAT_MOD_LINEAR ||
	       plane->modifier == DRM_FORMAT_MOD_INVALID;
}

uint64_t plane_bytes(const struct plane *plane)
{
	const struct format *format = format_find(plane->fourcc);
	const struct tiling *tiling;

	if (!format || !plane->height)
		return 0;
	tiling = tiling_find(plane->modifier, format->bytes);
	if (tiling)
		return (uint64_t)plane->stride * ALIGN_UP((uint64_t)plane->height, tiling->height);
	return (uint64_t)plane->stride * (plane->height - 1) +
	       format_row_bytes(format, plane->width);
}

bool plane_needs_gpu(const struct plane *plane)
{
	const struct format *format = format_find(plane->fourcc);

	return format && plane->kind == PLANE_DMABUF && plane->type == PLANE_PRIMARY &&
	       !is_linear(plane) && !tiling_find(plane->modifier, format->bytes);
}

static const char *tiling_unsuitable(const struct plane *plane, const struct format *format)
{
	const struct tiling *tiling = tiling_find(plane->modifier, format->bytes);

	if (is_linear(plane) || plane_needs_gpu(plane))
		return NULL;
	if (!tiling)
		return "pixels are tiled or compressed in a way that cannot be read";
	if (plane->type == PLANE_CURSOR)
		return "cursor is tiled";
	if (plane->stride % tiling->width)
		return "stride is not a whole number of tiles";
	return NULL;
}

const char *plane_unsuitable(const struct plane *plane)
{
	const struct format *format = format_find(plane->fourcc);
	const char *reason;
	uint64_t end;

	if (!format)
		return "pixel format is not supported";
	reason = tiling_unsuitable(plane, format);
	if (reason)
		return reason;
	if (!plane->width || !plane->height)
		return "plane has no pixels";
	if (plane->type == PLANE_CURSOR &&
		(plane->width > LIMIT_CURSOR || plane->height > LIMIT_CURSOR))
		return "cursor is too large";
	if (plane->width > LIMIT_WIDTH || plane->height > LIMIT_HEIGHT)
		return "plane is too large";
	if (plane->stride < format_row_bytes(format, plane->width))
		return "stride is smaller than a row";
	if (plane->stride > LIMIT_STRIDE)
		return "stride is too large";
	if (plane_bytes(plane) > plane->size)
		return "plane is larger than its size says";
	if (__builtin_add_overflow(plane->offset, plane_bytes(plane), &end) || end > INT64_MAX)
		return "plane begins beyond its buffer";
	return NULL;
}
