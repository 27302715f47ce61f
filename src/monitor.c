/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guest's monitor, which the registrant has left to us: viewers ask for a size (resize.h), and the guest is given a monitor that
 * prefers it. Part of a display's capture thread, since each step is a call into the driver.
 */
#include <stdio.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "display_internal.h"
#include "frame/wall.h"
#include "plane/source.h"

void monitor_begin(struct display *d)
{
	const struct source_ops *ops = d->driver.source->ops;
	uint32_t width, height;
	int r;

	if (!d->handover.owns_edid || !ops->size_limits)
		return;
	driver_call_begin(&d->driver, "a question about its monitor");
	r = ops->size_limits(d->driver.source, &width, &height);
	driver_call_end(&d->driver);
	if (r < 0)
		return;
	d->found.width_maximum = MIN(width, (uint32_t)LIMIT_WIDTH);
	d->found.height_maximum = MIN(height, (uint32_t)LIMIT_HEIGHT);
	wall_sizes(d->wall, d->found.width_maximum, d->found.height_maximum);
}

static void offer_size(struct display *d)
{
	uint32_t width = d->resize.width, height = d->resize.height;
	const struct plane *primary = &d->found.planes[0];
	int r;

	if (d->found.live && primary->width == width && primary->height == height) {
		resize_forget(&d->resize);
		return;
	}
	driver_call_begin(&d->driver, "a change of its monitor");
	r = d->driver.source->ops->offer_size(d->driver.source, width, height);
	driver_call_end(&d->driver);
	if (r < 0)
		log_warn(d->handover.context.id, "the guest cannot be offered %ux%u: %s", width,
			height, strerror(-r));
	resize_offered(&d->resize, loop_now_ms());
}

static void link_up(struct display *d)
{
	bool first = !d->resize.up.rest_ms;
	uint64_t now;
	int r;

	driver_call_begin(&d->driver, "the end of a change of its monitor");
	r = d->driver.source->ops->link_up(d->driver.source);
	driver_call_end(&d->driver);
	if (r < 0 && first)
		log_warn(d->handover.context.id, "the guest's monitor stays unplugged for now: %s",
			strerror(-r));
	now = loop_now_ms();
	resize_link_up(&d->resize, r == 0, now);
	/* Soon the guest may have another mode. */
	pace_nudge(&d->pace, now);
}

int monitor_step(struct display *d)
{
	int wait;

	switch (resize_next(&d->resize, loop_now_ms(), &wait)) {
	case RESIZE_NOTHING:
		return -1;
	case RESIZE_OFFER:
		if (wait == 0)
			offer_size(d);
		return wait;
	case RESIZE_LINK_UP:
		if (wait == 0)
			link_up(d);
		return wait;
	}
	return -1;
}

void monitor_end(struct display *d)
{
	if (d->resize.down)
		link_up(d);
}
