/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The cursor plane, on a display's capture thread: a part of display_look(). */
#include <drm_fourcc.h>
#include <errno.h>

#include "base/limits.h"
#include "base/loop.h"
#include "display_internal.h"
#include "stage.h"

static bool cursor_is_fit(const struct plane *plane)
{
	/* A region driver that answers does so with the primary plane (source_vfio.c). */
	return plane_is_on(plane) && plane->kind != PLANE_REGION &&
	       plane->fourcc == DRM_FORMAT_ARGB8888 &&
	       (plane->modifier == DRM_FORMAT_MOD_LINEAR ||
		       plane->modifier == DRM_FORMAT_MOD_INVALID) &&
	       plane->width <= LIMIT_CURSOR && plane->height <= LIMIT_CURSOR &&
	       !plane_unsuitable(plane);
}

/* True: mapped until driver_unmap(). */
static bool map_cursor(struct display *d, struct plane *plane, struct view *ret, uint64_t now)
{
	int r;

	if (retry_wait(&d->cursor_retry, false, now))
		return false;
	r = driver_query(&d->driver, PLANE_CURSOR, plane);
	if (r == 0 && cursor_is_fit(plane))
		r = driver_map(&d->driver, plane, ret);
	else if (r == 0)
		r = -ENODATA;
	if (r < 0 && r != -ENODATA)
		retry_failed(&d->cursor_retry, loop_now_ms());
	else
		retry_succeeded(&d->cursor_retry);
	if (r == 0 && (!cursor_is_fit(plane) || ret->rows_readable < plane->height)) {
		driver_unmap(&d->driver);
		return false;
	}
	return r == 0;
}

int cursor_look(struct display *d, uint64_t now)
{
	struct plane plane;
	struct view view;
	int r;

	d->found.planes_used = 1;
	if (!map_cursor(d, &plane, &view, now))
		return stage_cursor(d->stage, NULL, NULL);
	r = stage_cursor(d->stage, &plane, &view);
	driver_unmap(&d->driver);
	if (r < 0 && r != -EAGAIN) {
		driver_forget(&d->driver);
		d->scanned.drawn = 0;
		return stage_cursor(d->stage, NULL, NULL);
	}
	d->found.planes[d->found.planes_used++] = plane;
	return r;
}
