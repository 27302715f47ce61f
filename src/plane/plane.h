/* SPDX-License-Identifier: GPL-2.0-or-later */
/* plane.h - what is being scanned out now, as the driver or the surface says. Values only, nothing owned. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum plane_type { PLANE_PRIMARY, PLANE_CURSOR };
enum plane_kind { PLANE_NONE, PLANE_REGION, PLANE_DMABUF, PLANE_SURFACE };

#define PLANE_HOT_UNKNOWN UINT32_MAX

struct plane {
	enum plane_type type;
	enum plane_kind kind;
	uint32_t fourcc;	/* 0: the plane is off, nothing else counts */
	uint64_t modifier;	/* DRM_FORMAT_MOD_* */
	uint32_t width, height; /* pixels */
	uint32_t stride;	/* bytes */
	uint64_t offset;	/* bytes from the buffer's beginning to pixel (0,0) */
	uint64_t size;		/* bytes that the driver says the plane has */
	int32_t x, y;		/* top left corner of a cursor's image */
	uint32_t hot_x, hot_y;	/* PLANE_HOT_UNKNOWN: not told */
	uint32_t drawn; /* primary: changes whenever its pixels have; 0: the source cannot tell */
	uint32_t
		token; /* dma-buf id or region index: names the buffer, not its content. Surface: cursor serial */
};

static inline bool plane_is_on(const struct plane *plane)
{
	return plane->fourcc && plane->size && plane->width && plane->height;
}

/* The same picture memory, seen the same way: nothing needs to be mapped anew. Position and hot spot do not count. */
bool plane_same_buffer(const struct plane *a, const struct plane *b);

/* A dma-buf whose pixels lie in a way that only its GPU's driver knows: its modifier is not linear, nor a tiling of tiling.h. */
bool plane_needs_gpu(const struct plane *plane);

/* Why a plane that is on cannot be shown: NULL (it can, or plane_needs_gpu() and there may be one), or a static text such as
 * "stride is smaller than a row". Checks geometry against base/limits.h and its own size in 64 bits, the fourcc, the modifier
 * (linear; INVALID counts as linear; tilings of tiling.h, not for cursors). */
const char *plane_unsuitable(const struct plane *plane);

/* Bytes from the plane's first to behind its last pixel, of a tiled plane to behind its last tile; 0: unknown fourcc. */
uint64_t plane_bytes(const struct plane *plane);
