/* SPDX-License-Identifier: GPL-2.0-or-later WITH Linux-syscall-note OR MIT */
/* surface.h - a display as a memfd: plane information at its head, pixels behind it.
 *
 * For VMMs without a VFIO display, for boot output such as ramfb, for test pictures. The producer makes a memfd, writes a
 * struct vfio_displayd_surface at offset 0 and pixels behind it, seals it with F_SEAL_SHRINK (required: without it the
 * daemon refuses the memfd), and registers it with source "surface". F_SEAL_GROW is welcome. The daemon only reads.
 *
 * The field set follows the 2017 proposal of plane information at the head of a region (start, modifier, format, width,
 * height, stride, size, position). Since an unsynchronised mapping of such a struct can be read torn, there is a sequence
 * counter: the producer makes `sequence` odd, changes planes[], then makes it even and larger, with release ordering. A
 * reader that meets an odd or changed value tries again. Pixels are not covered by the counter: they may change at any
 * time, and the daemon finds what changed. Signal the eventfd given as `change` after drawing.
 *
 * A producer may count in `drawn` what it does to the primary plane's pixels: where only the cursor moved, no pixel is
 * read then. Once it counts it must not forget to, or viewers see the change a second later.
 *
 * A plane is off when its format or size is 0. `start` is the byte offset of the plane's first pixel in the memfd.
 * All integers are in host byte order. Formats are DRM fourccs. A cursor plane is ARGB8888 with premultiplied alpha.
 */
#ifndef VFIO_DISPLAYD_SURFACE_H
#define VFIO_DISPLAYD_SURFACE_H

#include <stdint.h>

#define VFIO_DISPLAYD_SURFACE_MAGIC	  0x31465344u /* "DSF1" */
#define VFIO_DISPLAYD_SURFACE_VERSION	  1u
#define VFIO_DISPLAYD_SURFACE_HOT_UNKNOWN 0xffffffffu

enum vfio_displayd_surface_plane_index {
	VFIO_DISPLAYD_SURFACE_PRIMARY = 0,
	VFIO_DISPLAYD_SURFACE_CURSOR = 1,
};

struct vfio_displayd_surface_plane {
	uint64_t start;	     /* bytes from the memfd's beginning, at least 4096 */
	uint64_t modifier;   /* DRM_FORMAT_MOD_*; 0 is linear */
	uint32_t format;     /* DRM_FORMAT_*; 0: the plane is off */
	uint32_t width;	     /* pixels */
	uint32_t height;     /* rows */
	uint32_t stride;     /* bytes from one row to the next */
	uint64_t size;	     /* bytes of the plane from start; 0: the plane is off */
	int32_t x;	     /* cursor: top left corner of its image on the primary plane; else 0 */
	int32_t y;
	uint32_t hot_x;	     /* cursor: hot spot in its image, or HOT_UNKNOWN */
	uint32_t hot_y;
	uint32_t serial;     /* cursor: change it whenever the image changes */
	uint32_t reserved;   /* 0 */
};

struct vfio_displayd_surface {
	uint32_t magic;
	uint32_t version;
	uint32_t sequence;   /* odd while planes[] is being changed */
	uint32_t drawn;	     /* 0: not counted. Else, under `sequence`, made another number other than 0 whenever primary pixels changed */
	struct vfio_displayd_surface_plane planes[2];
};

_Static_assert(sizeof(struct vfio_displayd_surface_plane) == 64, "surface ABI");
_Static_assert(sizeof(struct vfio_displayd_surface) == 144, "surface ABI");

#endif
