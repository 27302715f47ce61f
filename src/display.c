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
	struct scan scan = {.now = now, .began = began, .all = true};
	int changed, moved = 0;
	enum pace_found found;
	bool still, active;

	PROBE2(look_begin, d->handover.context.id, (unsigned int)d->watchers);
	change_hear(&d->change, d->driver.source);
	changed = display_ask(d, &plane);
	still = changed == 0 && nothing_drawn(d, &plane, now);
	if (changed == 0 && !still)
		changed = scan_picture(d, &plane, &scan);
	if (changed >= 0) {
		display_set_live(d, true);
		d->audience_scanned = d->audience;
		moved = cursor_look(d, now);
		d->guesses &= !moved;
	}
	measure_took(MEASURE_CAPTURE, measure_now() - began);
	purse_pay(&d->purse, cost);
	PROBE3(look_end, d->handover.context.id, changed, moved);
	found = changed > 0 || scan.early ? PACE_PIXELS : moved > 0 ? PACE_CURSOR : PACE_NOTHING;
	if (changed > 0 || moved > 0 || changed == -EAGAIN || moved == -EAGAIN)
		stage_noticed(d->stage, began);
	d->found.changes[report_change(d, &d->found)] += found != PACE_NOTHING;
	if (changed == -EAGAIN || moved == -EAGAIN) {
		/* Viewers are still reading. What was found is found again when they let go. */
		display_report(d);
		return;
	}
	if (changed < 0)
		now = loop_now_ms(); /* a driver that fails slowly has its rest, too */
	pace_looked(&d->pace, found, !still && scan.all, now);
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
