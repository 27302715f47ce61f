/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * The straight line is look(): query the planes, map, scan, publish. It runs on the display's capture thread, which sleeps on its
 * inbox while nobody watches: no query, no scan, no wake-up. A query may block for 25 s in one real driver, so everything that can
 * block (probe, query, map, unmap, close) happens on that thread and nothing else waits for it: the main thread (custody.c) leaves
 * orders in the inbox; the capture thread leaves its status under `lock` and posts events to the main loop.
 *
 * The end is the line backwards, on the same thread: mappings and dma-bufs, then the device fd. A dma-buf that outlives its device
 * touches freed memory in one driver, and a device fd that outlives its VMM keeps the device busy.
 *
 * The eventfd of the registrant is never read: it is waited for edge-triggered, where each write() is an edge of its own
 * (fs/eventfd.c wakes on each). So a blocking, semaphore or saturated eventfd cannot hold the thread.
 */
#include "display.h"

#include <drm_fourcc.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/epoll.h>

#include "base/fd.h"
#include "base/loop.h"
#include "base/mem.h"
#include "capture/capture.h"
#include "display_internal.h"
#include "plane/format.h"
#include "plane/source.h"
#include "stage.h"

enum {
	HOLD_MS = 400,	     /* the last picture stays through the gaps of a mode switch */
	HOLD_LOOK_MS = 50,   /* how often to look in such a gap */
	GLANCE_MIN_MS = 500, /* List makes an unwatched display look again, not more often */
	PROBE_AGAIN_MS = 500,
};

static void set_reason(struct display *d, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void set_reason(struct display *d, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(d->found.reason, sizeof(d->found.reason), format, args);
	va_end(args);
}

static void set_live(struct display *d, bool live)
{
	d->found.live = live;
	if (live)
		d->found.reason[0] = '\0';
}

static void report(struct display *d)
{
	pthread_mutex_lock(&d->lock);
	d->status = d->found;
	pthread_mutex_unlock(&d->lock);
}

static int query(struct display *d, enum plane_type type, struct plane *ret)
{
	int r;

	d->query_since = loop_now_ms();
	r = d->source->ops->query(d->source, type, ret);
	d->query_since = 0;
	return r;
}

/* What stands where a picture should be, in words for viewers and for List. Never over a picture that may be back at once. */
static void no_picture(struct display *d, const char *title, uint64_t now)
{
	if (!d->trouble_since)
		d->trouble_since = now;
	if (d->found.live && stage_shows_picture(d->stage) && now - d->trouble_since < HOLD_MS)
		return;
	set_live(d, false);
	if (d->watchers)
		stage_placard(d->stage, title, d->found.reason);
}

/* 0: @ret is mapped until capture_end(). Else no picture, and d->found.reason says why. -ENODATA: off; -ENOTSUP: cannot be
 * shown, ever, like this; others: trouble that may pass. */
static int map_primary(struct display *d, struct plane *plane, struct view *ret)
{
	const char *unfit;
	char name[16], modifier[64];
	int r;

	r = query(d, PLANE_PRIMARY, plane);
	if (r < 0) {
		set_reason(d, "the driver does not say what it shows: %s", strerror(-r));
		return r == -ENODATA || r == -ENOTSUP ? -EIO : r;
	}
	d->found.planes_used = plane_is_on(plane);
	d->found.planes[0] = *plane;
	if (!plane_is_on(plane)) {
		capture_forget(d->capture);
		set_reason(d, "the guest has not switched its display on");
		return -ENODATA;
	}
	unfit = plane_unsuitable(plane);
	if (unfit) {
		set_reason(d, "%s modifier %s %ux%u: %s", format_name(plane->fourcc, name),
			modifier_name(plane->modifier, modifier), plane->width, plane->height,
			unfit);
		return -ENOTSUP;
	}
	r = capture_begin(d->capture, plane, ret);
	if (r == -ESTALE) {
		/* The driver replaced the buffer between QUERY and GET: once more, now. */
		r = query(d, PLANE_PRIMARY, plane);
		if (r == 0 && plane_is_on(plane) && !plane_unsuitable(plane))
			r = capture_begin(d->capture, plane, ret);
		else
			r = -ESTALE;
	}
	if (r == -ENODEV || r == -ENOTSUP) {
		set_reason(d, "%s", capture_reason(d->capture));
		return -ENOTSUP;
	}
	if (r < 0)
		set_reason(d, "%s", capture_reason(d->capture));
	return r;
}

/* -EAGAIN: wait for the grant. */
static int look_at_cursor(struct display *d)
{
	struct plane plane;
	struct view view;
	int r;

	if (query(d, PLANE_CURSOR, &plane) < 0 || !plane_is_on(&plane) ||
		plane.width > LIMIT_CURSOR || plane.height > LIMIT_CURSOR ||
		plane.fourcc != DRM_FORMAT_ARGB8888 || plane_unsuitable(&plane) ||
		capture_begin(d->capture, &plane, &view) < 0)
		return stage_cursor(d->stage, NULL, NULL);
	d->found.planes[d->found.planes_used++] = plane;
	r = view.rows_readable == plane.height ? stage_cursor(d->stage, &plane, &view)
					       : stage_cursor(d->stage, NULL, NULL);
	capture_end(d->capture);
	return r;
}

/* The straight line. */
static void look(struct display *d)
{
	uint64_t now = loop_now_ms();
	struct plane plane;
	struct view view;
	int changed, moved = 0;

	changed = map_primary(d, &plane, &view);
	if (changed < 0) {
		no_picture(d, changed == -ENOTSUP ? "This display cannot be shown" : "No picture",
			now);
	} else {
		changed = stage_picture(d->stage, &view);
		capture_end(d->capture);
		d->found.captured++;
		if (changed >= 0) {
			d->trouble_since = 0;
			set_live(d, true);
			moved = look_at_cursor(d);
		} else if (changed != -EAGAIN) {
			capture_forget(d->capture);
			set_reason(d, "the picture could not be read: %s", strerror(-changed));
			no_picture(d, "No picture", now);
		}
	}
	if (changed == -EAGAIN || moved == -EAGAIN) {
		/* Viewers are still reading. What was found is found again when they let go. */
		report(d);
		return;
	}
	if (stage_publish(d->stage))
		d->found.published++;
	d->hot = changed > 0 || moved > 0;
	pace_looked(&d->pace, d->hot, now);
	report(d);
}

/* For List: what is there, without a frame. */
static void glance(struct display *d)
{
	struct plane plane;
	struct view view;
	int r;

	d->last_glance = loop_now_ms();
	r = map_primary(d, &plane, &view);
	if (r == 0)
		capture_end(d->capture);
	set_live(d, r == 0);
	report(d);
}

static void snap(struct display *d)
{
	struct snapped *snapped = new0(struct snapped);
	struct plane plane;
	struct view view;
	int r;

	if (!snapped)
		return; /* the caller's timer answers */
	snapped->display = d;
	snapped->snapshot.fd = -EBADF;
	r = d->probed ? map_primary(d, &plane, &view) : -ENODATA;
	if (r == 0) {
		r = snapshot_copy(&view, &snapped->snapshot);
		capture_end(d->capture);
	}
	set_live(d, r == 0);
	report(d);
	snapped->error = r == 0 || r == -ENOTSUP ? r : -ENODATA;
	if (loop_post(d->loop, custody_snapped, snapped) < 0) {
		fd_close(snapped->snapshot.fd);
		free(snapped);
	}
}

/* False: not fit, or not ready to be asked. */
static bool probe(struct display *d)
{
	const char *reason = "";
	struct probed *probed;
	int r;

	d->last_probe = loop_now_ms();
	d->query_since = d->last_probe;
	r = d->source->ops->probe(d->source, &reason);
	d->query_since = 0;
	d->probed = r == 0;
	if (r == -EAGAIN)
		set_reason(d, "%s", "the device is not bound to an iommufd yet");
	else if (r < 0)
		set_reason(d, "%s", reason);
	d->found.probed = d->probed;
	report(d);
	probed = new0(struct probed);
	if (!probed)
		return d->probed;
	probed->display = d;
	probed->error = r == -EAGAIN ? 0 : r;
	snprintf(probed->reason, sizeof(probed->reason), "%s", reason);
	if (loop_post(d->loop, custody_probed, probed) < 0)
		free(probed);
	return d->probed;
}

static void arm_change(struct display *d, bool arm)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.fd = d->change};

	if (d->change < 0 || arm == d->change_armed)
		return;
	epoll_ctl(d->epoll, arm ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, d->change, &event);
	d->change_armed = arm;
}

/* False: stop. */
static bool obey(struct display *d, const struct orders *orders)
{
	uint64_t now = loop_now_ms();

	if (orders->stop)
		return false;
	if (orders->program_ended)
		stage_strike(d->stage);
	if (orders->granted)
		stage_granted(d->stage, orders->generation);
	if (orders->busy)
		stage_busy(d->stage, orders->generation);
	if (orders->taken && stage_taken(d->stage, orders->taken_generation))
		pace_nudge(&d->pace, now);
	if (!d->probed && (orders->watch_changed || orders->glance || orders->snapshot) &&
		now - d->last_probe >= PROBE_AGAIN_MS)
		probe(d);
	if (orders->watch_changed) {
		arm_change(d, orders->watchers);
		if (orders->watchers) {
			/* The first viewer waits for a publish, changed or not: a look that has the grant ends in one. */
			d->hot = true;
			pace_nudge(&d->pace, now);
			stage_patience_anew(d->stage, now);
		} else {
			/* From now on the picture grows old: the next viewer waits for the look that its coming causes. */
			stage_ask(d->stage);
		}
	}
	if (orders->snapshot)
		snap(d);
	if (d->probed && orders->glance && !d->watchers && now - d->last_glance >= GLANCE_MIN_MS)
		glance(d);
	return true;
}

/* Milliseconds to sleep; -1: until woken. 0: look now. */
static int how_long(struct display *d)
{
	uint64_t now = loop_now_ms();
	int patience, wait;

	if (!d->watchers)
		return -1;
	if (!d->probed)
		return PROBE_AGAIN_MS;
	patience = stage_patience(d->stage, now);
	if (patience >= 0)
		return patience ? patience : 1;
	wait = MIN(pace_wait(&d->pace, now), (uint32_t)INT32_MAX);
	if (d->found.live && d->trouble_since) {
		uint64_t since = now - d->pace.last_look;

		wait = MIN(wait, since < HOLD_LOOK_MS ? (int)(HOLD_LOOK_MS - since) : 0);
	}
	/* After a change another is likely: have the grant at hand, then one pass finds and copies. */
	if (wait == 0 && d->hot && !stage_ask(d->stage))
		return LIMIT_GRANT_MS;
	return wait;
}

static void sleep_for(struct display *d, int ms)
{
	struct pollfd wake = {.fd = d->inbox.wake, .events = POLLIN};
	struct epoll_event events[2];
	uint64_t count;
	int n;

	/* A look is due already, so the eventfd has no news: a registrant that signals without end does not wake us. */
	if (d->pace.pending && d->change_armed) {
		poll(&wake, 1, ms);
		ms = 0;
	}
	n = epoll_wait(d->epoll, events, 2, ms);
	for (int i = 0; i < n; i++) {
		if (events[i].data.fd == d->change)
			pace_event(&d->pace, loop_now_ms());
		else if (read(d->inbox.wake, &count, sizeof(count)) < 0)
			continue;
	}
}

void *display_capture_thread(void *arg)
{
	struct display *d = arg;
	struct orders orders;
	int wait;

	if (probe(d))
		glance(d);
	for (;;) {
		orders = inbox_take(&d->inbox);
		if (!obey(d, &orders))
			break;
		wait = how_long(d);
		if (wait == 0)
			look(d);
		else
			sleep_for(d, wait);
		if (d->watchers && !d->probed && !probe(d)) {
			no_picture(d, "No picture", loop_now_ms());
			stage_publish(d->stage);
		}
	}
	/* Backwards: mappings and dma-bufs, then the device. */
	stage_destroy(take_ptr(d->stage));
	capture_destroy(take_ptr(d->capture));
	source_destroy(take_ptr(d->source));
	fd_closep(&d->change);
	while (loop_post(d->loop, custody_released, d) < 0)
		sleep_for(d, 100); /* out of memory: this message must arrive */
	return NULL;
}
