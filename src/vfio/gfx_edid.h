/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gfx_edid.h - the region through which a guest's monitor is described and plugged in (struct vfio_region_gfx_edid,
 * linux/vfio.h).
 *
 * Only by the registrant's leave: a VMM that writes there too would fight us. Drivers differ: GVT-g takes 128 bytes, refuses
 * bytes beyond the size that was written before them, and checks the EDID when the link goes up; mbochs takes 1024 and checks
 * nothing, and its guest has no EDID before the link went up for the first time.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"
#include "vfio/device.h"

struct gfx_edid {
	struct vfio_region region;
	uint32_t at;			/* bytes from the region's beginning to the EDID */
	uint32_t max_size;		/* bytes, at most LIMIT_EDID */
	uint32_t max_width, max_height; /* 0: no limit */
	bool down;			/* the link is, or may be, down since gfx_edid_offer() */
	uint32_t before_size;		/* what was there then; 0: nothing or not known */
	uint32_t before[LIMIT_EDID / 4];
};

/* -ENOTTY: the device has none, or none that makes sense. */
int gfx_edid_find(const struct vfio_device *device, struct gfx_edid *ret);
/* Link down, then @size bytes of @edid, a multiple of 4. -ERANGE: more than the device takes. Others: refused, and the
 * link is up again with what was there, if the driver has not refused that, too: gfx_edid_link_up() tries it again. */
int gfx_edid_offer(
	const struct vfio_device *device, struct gfx_edid *edid, const void *blob, uint32_t size);
/* Link up; what gfx_edid_offer() wrote is what the guest sees. Refused: the same. 0: the link is up, or was never down. */
int gfx_edid_link_up(const struct vfio_device *device, struct gfx_edid *edid);
