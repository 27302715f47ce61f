/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plane/plane.h"

#include <stddef.h>
#include <drm_fourcc.h>

#include "base/limits.h"
#include "plane/format.h"

bool plane_same_buffer(const struct plane *a, const struct plane *b)
{
	/* A surface's token is the serial of its cursor's image, not of its memory. */
	return a->kind == b->kind && a->fourcc == b->fourcc && a->modifier == b->modifier &&
	       a->width == b->width && a->height == b->height && a->stride == b->stride &&
	       a->offset == b->offset && a->size == b->size &&
	       (a->kind == PLANE_SURFACE || a->token == b->token);
}

uint64_t plane_bytes(const struct plane *plane)
{
	const struct format *format = format_find(plane->fourcc);

	if (!format || !plane->height)
		return 0;
	return (uint64_t)plane->stride * (plane->height - 1) +
	       (uint64_t)plane->width * format->bytes;
}

const char *plane_unsuitable(const struct plane *plane)
{
	const struct format *format = format_find(plane->fourcc);
	uint64_t end;

	if (!format)
		return "pixel format is not supported";
	if (plane->modifier != DRM_FORMAT_MOD_LINEAR && plane->modifier != DRM_FORMAT_MOD_INVALID)
		return "pixels are tiled or compressed";
	if (!plane->width || !plane->height)
		return "plane has no pixels";
	if (plane->type == PLANE_CURSOR &&
		(plane->width > LIMIT_CURSOR || plane->height > LIMIT_CURSOR))
		return "cursor is too large";
	if (plane->width > LIMIT_WIDTH || plane->height > LIMIT_HEIGHT)
		return "plane is too large";
	if (plane->stride < (uint64_t)plane->width * format->bytes)
		return "stride is smaller than a row";
	if (plane->stride > LIMIT_STRIDE)
		return "stride is too large";
	if (plane_bytes(plane) > plane->size)
		return "plane is larger than its size says";
	if (__builtin_add_overflow(plane->offset, plane_bytes(plane), &end) || end > INT64_MAX)
		return "plane begins beyond its buffer";
	return NULL;
}
