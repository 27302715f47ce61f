/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * The straight line is display_look(): query the planes, map, scan, publish. It runs on the display's capture thread (duty.c), which
 * leaves its status under `lock` for the main thread (custody.c) and posts events to the main loop.
 *
 * A driver may take its time, so it is asked on this thread only (driver.c). What is found is in the frame when viewers let go of it: where
 * the grant is not there nothing is written, and the next look finds it again (stage.c).
 */
#include "display.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/log.h"
#include "base/loop.h"
#include "base/measure.h"
#include "base/mem.h"
#include "base/probe.h"
#include "capture/capture.h"
#include "damage/tiles.h"
#include "display_internal.h"
#include "plane/format.h"
#include "stage.h"

enum { COMPLAIN_MIN_MS = 60000 }; /* a display that fails all the time is logged so often */

void display_reason(struct display *d, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(d->found.reason, sizeof(d->found.reason), format, args);
	va_end(args);
}

void display_set_live(struct display *d, bool live)
{
	d->found.live = live;
	if (live)
		d->found.reason[0] = '\0';
}

/* Something that is worth an event. What is on its way already will find it. */
static bool is_news(const struct status *a, const struct status *b)
{
	return a->probed != b->probed || a->live != b->live ||
	       a->planes[0].width != b->planes[0].width ||
	       a->planes[0].height != b->planes[0].height || strcmp(a->reason, b->reason) != 0;
}

void display_report(struct display *d)
{
	bool news;

	pthread_mutex_lock(&d->lock);
	news = !d->news_posted && is_news(&d->status, &d->found);
	d->news_posted |= news;
	d->status = d->found;
	pthread_mutex_unlock(&d->lock);
	if (!news || loop_post(d->loop, report_news, d) == 0)
		return;
	pthread_mutex_lock(&d->lock);
	d->news_posted = false;
	pthread_mutex_unlock(&d->lock);
}

void display_publish(struct display *d)
{
	int r;

	/* Whoever has come since the last scan is not shown what others saw then. */
	if (d->audience != d->audience_scanned && stage_shows_picture(d->stage))
		return;
	r = stage_publish(d->stage, d->audience);
	if (r < 0)
		return;
	PROBE2(publish, d->handover.context.id, r);
	d->found.published += r;
	d->audience_served = d->audience;
}

void display_missed(struct display *d, int error, uint64_t now)
{
	/* The buffer may be gone, and its id another's. */
	d->scanned.drawn = 0;
	d->settled = d->near = false;
	pace_missed(&d->pace, error != -ENODATA && error != -ENOTSUP, now);
}

void display_no_picture(struct display *d, int error, uint64_t now)
{
	bool never = error == -ENOTSUP || error == -ENODEV;

	display_missed(d, error, now);
	if (d->found.live && stage_shows_picture(d->stage) && pace_holds(&d->pace, now))
		return;
	if (d->found.live && d->pace.retry.rest_ms &&
		(!d->complained_at || now - d->complained_at >= COMPLAIN_MIN_MS)) {
		log_notice(d->handover.context.id, "no picture: %s", d->found.reason);
		d->complained_at = now;
	}
	display_set_live(d, false);
	if (d->watchers)
		stage_placard(d->stage, !never && now < d->returns_until,
			never ? "This display cannot be shown" : "No picture", d->found.reason);
}

int display_ask(struct display *d, struct plane *plane)
{
	const char *unfit;
	char name[16], modifier[64];
	int r;

	r = driver_query(&d->driver, PLANE_PRIMARY, plane);
	if (r < 0) {
		display_reason(d, "the driver does not say what it shows: %s", strerror(-r));
		return r == -ENODATA || r == -ENOTSUP ? -EIO : r;
	}
	d->found.planes_used = plane_is_on(plane);
	d->found.planes[0] = *plane;
	if (!plane_is_on(plane)) {
		driver_forget(&d->driver);
		display_reason(d, "the guest has not switched its display on");
		return -ENODATA;
	}
	unfit = plane_unsuitable(plane);
	if (unfit) {
		display_reason(d, "%s modifier %s %ux%u: %s", format_name(plane->fourcc, name),
			modifier_name(plane->modifier, modifier), plane->width, plane->height,
			unfit);
		return -ENOTSUP;
	}
	return 0;
}

int display_map(struct display *d, struct plane *plane, struct view *ret)
{
	int r = driver_map(&d->driver, plane, ret);
	char name[16], modifier[64];

	if (r == -ENOTSUP)
		display_reason(d, "%s %s: %s", format_name(plane->fourcc, name),
			modifier_name(plane->modifier, modifier),
			capture_reason(d->driver.capture));
	else if (r < 0)
		display_reason(d, "%s", capture_reason(d->driver.capture));
	return r == -ENODATA ? -EIO : r;
}

/* Some rows will do: nothing says that something is new. Another buffer does, or the same one drawn to. */
static bool probe_will_do(const struct display *d, const struct plane *plane, uint64_t now)
{
	return !pace_doubts(&d->pace) && !pace_owes(&d->pace, now) &&
	       plane->drawn == d->scanned.drawn && plane_same_buffer(plane, &d->scanned) &&
	       d->found.live && d->audience == d->audience_scanned;
}

/* All pixels, or all that are near what the last probe found. Number of changed blocks; -EAGAIN: wait for the grant; else as stage_picture(). */
static int scan_pixels(
	struct display *d, const struct plane *plane, const struct view *view, bool near)
{
	uint64_t began = measure_now();
	int r;

	d->settled = false;
	if (!near)
		d->scanned.drawn = 0;
	PROBE3(scan_begin, d->handover.context.id, view->width, view->height);
	r = near ? stage_picture_near(d->stage, view) : stage_picture(d->stage, view);
	measure_took(MEASURE_SCAN, measure_now() - began);
	PROBE2(scan_end, d->handover.context.id, r);
	d->near = near && r == -EAGAIN;
	if (r >= 0) {
		d->settled = true;
		d->scanned = *plane;
		d->found.captured += !near;
		d->found.patched += near;
		d->found.sampled_since = 0;
		d->found.damaged += r;
	}
	return r;
}

/* A look at some rows. True: something differs, and all that differs is to be looked at; d->near says how much that is. */
static bool probe_differs(struct display *d, const struct view *view, uint64_t now, int *ret_error)
{
	int doubt = stage_probe(d->stage, view, pace_skims(&d->pace, now));

	d->found.sampled++;
	d->found.sampled_since++;
	d->settled = doubt == TILES_SAME;
	d->near = doubt == TILES_NEAR;
	*ret_error = MIN(doubt, 0);
	return doubt > TILES_SAME;
}

/* What a probe has found. Its guest may be drawing: what is another picture by then is looked at once more, before somebody sees it half. */
static int scan_doubted(
	struct display *d, const struct plane *plane, const struct view *view, bool *ret_all)
{
	bool near = d->near;
	int r = scan_pixels(d, plane, view, near), doubt, more;

	*ret_all = !near;
	if (r < 0)
		return r;
	doubt = stage_probe(d->stage, view, true);
	if (doubt == TILES_SAME)
		return r;
	near = doubt == TILES_NEAR;
	*ret_all |= !near;
	more = scan_pixels(d, plane, view, near);
	return more < 0 ? more : r + more;
}

/* Brings the frame up to date. Number of changed blocks; -EAGAIN: wait for the grant; else as display_map(). @ret_all: all pixels were looked at. */
static int scan(struct display *d, struct plane *plane, uint64_t now, bool *ret_all)
{
	struct view view;
	int r = display_map(d, plane, &view);
	bool some = r == 0 && probe_will_do(d, plane, now), look = true;

	*ret_all = false;
	if (r < 0) {
		d->scanned.drawn = 0;
		return r;
	}
	d->near &= some;
	if (some && d->settled) {
		look = probe_differs(d, &view, now, &r);
		/* One pass is to find and to copy. */
		if (look && !stage_ask(d->stage))
			r = -EAGAIN;
	}
	*ret_all = !some;
	if (look && r >= 0)
		r = some ? scan_doubted(d, plane, &view, ret_all)
			 : scan_pixels(d, plane, &view, false);
	driver_unmap(&d->driver);
	if (r < 0 && r != -EAGAIN) {
		driver_forget(&d->driver);
		d->near = false;
		display_reason(d, "the picture could not be read: %s", strerror(-r));
		return -EIO;
	}
	return r;
}

/* The source says that all pixels are still those that the frame has. */
static bool nothing_drawn(const struct display *d, const struct plane *plane, uint64_t now)
{
	return plane->drawn && plane->drawn == d->scanned.drawn &&
	       plane_same_buffer(plane, &d->scanned) && d->found.live &&
	       stage_shows_picture(d->stage) && !pace_scan_due(&d->pace, now);
}

/* The straight line. */
void display_look(struct display *d)
{
	uint64_t now = loop_now_ms(), began = measure_now(), cost = purse_begin();
	struct plane plane;
	int changed, moved = 0;
	enum pace_found found;
	bool still, active, all = true;

	PROBE2(look_begin, d->handover.context.id, (unsigned int)d->watchers);
	change_hear(&d->change, d->driver.source);
	changed = display_ask(d, &plane);
	still = changed == 0 && nothing_drawn(d, &plane, now);
	if (changed == 0 && !still)
		changed = scan(d, &plane, now, &all);
	if (changed >= 0) {
		display_set_live(d, true);
		d->audience_scanned = d->audience;
		moved = cursor_look(d, now);
	}
	measure_took(MEASURE_CAPTURE, measure_now() - began);
	purse_pay(&d->purse, cost);
	PROBE3(look_end, d->handover.context.id, changed, moved);
	found = changed > 0 ? PACE_PIXELS : moved > 0 ? PACE_CURSOR : PACE_NOTHING;
	if (found || changed == -EAGAIN || moved == -EAGAIN)
		stage_noticed(d->stage, began);
	if (changed == -EAGAIN || moved == -EAGAIN) {
		/* Viewers are still reading. What was found is found again when they let go. */
		display_report(d);
		return;
	}
	d->found.changes[report_change(d, &d->found)] += found != PACE_NOTHING;
	if (changed < 0)
		now = loop_now_ms(); /* a driver that fails slowly has its rest, too */
	pace_looked(&d->pace, found, !still && all, now);
	d->hot = pace_expects(&d->pace);
	d->paid_for = false;
	active = pace_active(&d->pace, now);
	purse_join(&d->purse, d->watchers, active);
	if (!active)
		stage_rest(d->stage);
	if (changed < 0)
		display_no_picture(d, changed, now);
	else
		pace_found(&d->pace);
	/* First List, then the viewers: who has seen something finds it there. */
	display_report(d);
	display_publish(d);
	display_report(d);
}
