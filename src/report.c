/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is known of a display: its Runtime for who asks, its state and size in the bulletin when they are others than were told last. The
 * main thread's, but for report_change(). What the capture thread found is copied under `lock`; nothing here waits for a driver.
 */
#include <stdio.h>
#include <string.h>

#include "base/loop.h"
#include "bulletin.h"
#include "display_internal.h"
#include "frame/wall.h"

const char *display_change_name(enum display_change change)
{
	static const char *const names[] = {
		[DISPLAY_CHANGE_EVENTFD] = "eventfd",
		[DISPLAY_CHANGE_INTERRUPT] = "interrupt",
		[DISPLAY_CHANGE_TIMER] = "timer",
		[DISPLAY_CHANGE_IDLE] = "idle",
	};

	return names[change];
}

enum display_change report_change(const struct display *d, const struct status *status)
{
	if (d->change.event >= 0)
		return DISPLAY_CHANGE_EVENTFD;
	return status->interrupt ? DISPLAY_CHANGE_INTERRUPT : DISPLAY_CHANGE_TIMER;
}

void display_runtime(struct display *d, struct display_runtime *ret)
{
	const char *call;
	uint64_t busy = driver_busy(&d->driver, &call);
	struct status status;

	pthread_mutex_lock(&d->lock);
	status = d->status;
	pthread_mutex_unlock(&d->lock);
	*ret = (struct display_runtime){
		.state = d->ending	  ? d->why
			 : !status.probed ? DISPLAY_OFFERED
			 : status.live	  ? DISPLAY_LIVE
					  : DISPLAY_BLANK,
		.planes_used = status.planes_used,
		.viewers = d->wall ? wall_viewers_ready(d->wall) : 0,
		/* While it ends, its eventfd is the capture thread's to close. */
		.change =
			d->watchers && !d->ending ? report_change(d, &status) : DISPLAY_CHANGE_IDLE,
		.width_maximum = status.width_maximum,
		.height_maximum = status.height_maximum,
		.lease_is_descriptor = d->lease_is_descriptor,
		.frames_captured = status.captured + status.patched,
		.frames_patched = status.patched,
		.frames_probed = status.sampled,
		.probed_since = status.sampled_since,
		.frames_published = status.published,
		.blocks_damaged = status.damaged,
	};
	memcpy(ret->planes, status.planes, sizeof(ret->planes));
	memcpy(ret->changes_found, status.changes, sizeof(ret->changes_found));
	if (busy >= LIMIT_QUERY_SLOW_MS)
		snprintf(ret->reason, sizeof(ret->reason),
			"the driver has not answered %s for %llu s", call,
			(unsigned long long)busy / 1000);
	else if (!status.live)
		memcpy(ret->reason, status.reason, sizeof(ret->reason));
	if (d->haunts)
		ghost_describe(d, ret);
}

void report_tell(struct display *d)
{
	const char *call;
	bool slow = driver_busy(&d->driver, &call) >= LIMIT_QUERY_SLOW_MS;
	struct display_runtime runtime;
	const struct plane *plane = runtime.planes;

	display_runtime(d, &runtime);
	/* How long a driver is silent, or a ghost stays, is no news. */
	if (runtime.state != d->told.state || slow != d->told.slow ||
		(!slow && !d->haunts && strcmp(runtime.reason, d->told.reason) != 0)) {
		d->told.state = runtime.state;
		d->told.slow = slow;
		memcpy(d->told.reason, runtime.reason, sizeof(d->told.reason));
		bulletin_display(BULLETIN_DISPLAY_STATE, d);
	}
	/* A plane that has just gone off has no size, and the picture stays for a moment. */
	if (runtime.state != DISPLAY_LIVE || !runtime.planes_used ||
		(plane->width == d->told.width && plane->height == d->told.height))
		return;
	if (d->told.width)
		bulletin_display(BULLETIN_DISPLAY_RESIZED, d);
	d->told.width = plane->width;
	d->told.height = plane->height;
	if (d->hands)
		hands_screen(d->hands, plane->width, plane->height);
}

void report_news(void *arg)
{
	struct display *d = arg;

	pthread_mutex_lock(&d->lock);
	d->news_posted = false;
	pthread_mutex_unlock(&d->lock);
	if (!d->ending)
		report_tell(d);
}

void display_doings(struct display *d, struct display_doings *ret)
{
	const char *call = NULL, *thread = d->doing;
	uint64_t busy = driver_busy(&d->driver, &call);

	*ret = (struct display_doings){
		.thread = d->haunts ? "gone"
			  : thread  ? thread
				    : "starting",
		.call = busy ? call : NULL,
		.call_ms = busy,
		.registered_ms = loop_now_ms() - d->since,
		.watchers = d->watchers,
	};
}
