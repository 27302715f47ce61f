/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * The straight line is look(): query the planes, map, scan, publish. It runs on the display's capture thread, which sleeps on
 * change.c while nobody watches: no query, no scan, no wake-up. The main thread (custody.c) leaves orders in the inbox; the capture
 * thread leaves its status under `lock` and posts events to the main loop.
 *
 * A driver may take its time, so it is asked on this thread only (driver.c). The stage is this thread's alone, but for such a call:
 * meanwhile the main thread may act there for it (display_stand_in), so that a viewer that comes to a display whose driver does not
 * answer reads that instead of waiting, and a grant that was asked for or held goes back to those who watch.
 *
 * The end is the line backwards, on the same thread: mappings and dma-bufs, then the device fd. A dma-buf that outlives its device
 * touches freed memory in one driver, and a device fd that outlives its VMM keeps the device busy.
 */
#include "display.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/measure.h"
#include "base/mem.h"
#include "base/probe.h"
#include "capture/capture.h"
#include "display_internal.h"
#include "plane/format.h"
#include "plane/source.h"
#include "stage.h"

enum {
	GLANCE_MIN_MS = 500, /* List makes an unwatched display look again, not more often */
	PROBE_AGAIN_MS =
		500, /* at first; doubled for a driver that fails, which may log each failure */
	COMPLAIN_MIN_MS = 60000, /* a display that fails all the time is logged so often */
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

/* Something that is worth an event. What is on its way already will find it. */
static bool is_news(const struct status *a, const struct status *b)
{
	return a->probed != b->probed || a->live != b->live ||
	       a->planes[0].width != b->planes[0].width ||
	       a->planes[0].height != b->planes[0].height || strcmp(a->reason, b->reason) != 0;
}

static void report(struct display *d)
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

static void publish(struct display *d)
{
	int r;

	/* Whoever has come since the last scan is not shown what others saw then. */
	if (d->audience != d->audience_scanned && stage_shows_picture(d->stage))
		return;
	r = stage_publish(d->stage);
	if (r < 0)
		return;
	PROBE2(publish, d->handover.context.id, r);
	d->found.published += r;
	d->audience_served = d->audience;
}

/* Off and unfit are answers, anything else is a driver that fails. */
static void missed(struct display *d, int error, uint64_t now)
{
	/* The buffer may be gone, and its id another's. */
	d->scanned.drawn = 0;
	d->settled = false;
	pace_missed(&d->pace, error != -ENODATA && error != -ENOTSUP, now);
}

/* What stands where a picture should be, in words for viewers and for List. Never over a picture that may be back at once. */
static void no_picture(struct display *d, int error, uint64_t now)
{
	bool never = error == -ENOTSUP || error == -ENODEV;

	missed(d, error, now);
	if (d->found.live && stage_shows_picture(d->stage) && pace_holds(&d->pace, now))
		return;
	if (d->found.live && d->pace.retry.rest_ms &&
		(!d->complained_at || now - d->complained_at >= COMPLAIN_MIN_MS)) {
		log_notice(d->handover.context.id, "no picture: %s", d->found.reason);
		d->complained_at = now;
	}
	set_live(d, false);
	if (d->watchers)
		stage_placard(d->stage, never ? "This display cannot be shown" : "No picture",
			d->found.reason);
}

/* 0: @plane is on and can be shown. Else no picture, and d->found.reason says why: -ENODATA: off; -ENOTSUP: cannot be shown,
 * ever, like this; others: the driver has failed. */
static int ask_for_primary(struct display *d, struct plane *plane)
{
	const char *unfit;
	char name[16], modifier[64];
	int r;

	r = driver_query(&d->driver, PLANE_PRIMARY, plane);
	if (r < 0) {
		set_reason(d, "the driver does not say what it shows: %s", strerror(-r));
		return r == -ENODATA || r == -ENOTSUP ? -EIO : r;
	}
	d->found.planes_used = plane_is_on(plane);
	d->found.planes[0] = *plane;
	if (!plane_is_on(plane)) {
		driver_forget(&d->driver);
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
	return 0;
}

/* 0: mapped until driver_unmap(). As above; -ENODEV: this buffer cannot be read. */
static int map_primary(struct display *d, struct plane *plane, struct view *ret)
{
	int r = driver_map(&d->driver, plane, ret);
	char name[16], modifier[64];

	if (r == -ENOTSUP)
		set_reason(d, "%s %s: %s", format_name(plane->fourcc, name),
			modifier_name(plane->modifier, modifier),
			capture_reason(d->driver.capture));
	else if (r < 0)
		set_reason(d, "%s", capture_reason(d->driver.capture));
	return r == -ENODATA ? -EIO : r;
}

/* One row of eight will do: nothing says that something is new. Another buffer does, or the same one drawn to. */
static bool probe_will_do(const struct display *d, const struct plane *plane)
{
	return d->settled && !pace_doubts(&d->pace) && plane->drawn == d->scanned.drawn &&
	       plane_same_buffer(plane, &d->scanned) && d->found.live &&
	       d->audience == d->audience_scanned;
}

/* All pixels. Number of changed blocks; -EAGAIN: wait for the grant; else as stage_picture(). */
static int scan_all(struct display *d, const struct plane *plane, const struct view *view)
{
	uint64_t began = measure_now();
	int r;

	d->settled = false;
	d->scanned.drawn = 0;
	PROBE3(scan_begin, d->handover.context.id, view->width, view->height);
	r = stage_picture(d->stage, view);
	measure_took(MEASURE_SCAN, measure_now() - began);
	PROBE2(scan_end, d->handover.context.id, r);
	if (r >= 0) {
		d->settled = true;
		d->scanned = *plane;
		d->found.captured++;
		d->found.sampled_since = 0;
		d->found.damaged += r;
	}
	return r;
}

/* Brings the frame up to date. Number of changed blocks; -EAGAIN: wait for the grant; else as above. @ret_all: not by a probe alone. */
static int scan(struct display *d, struct plane *plane, bool *ret_all)
{
	struct view view;
	int r = map_primary(d, plane, &view), differs = 1;

	if (r < 0) {
		d->scanned.drawn = 0;
		return r;
	}
	if (probe_will_do(d, plane)) {
		d->found.sampled++;
		d->found.sampled_since++;
		differs = r = stage_probe(d->stage, &view);
		d->settled = differs == 0;
		/* One pass is to find and to copy. */
		if (differs > 0 && !stage_ask(d->stage))
			r = -EAGAIN;
	}
	if (differs > 0 && r >= 0)
		r = scan_all(d, plane, &view);
	driver_unmap(&d->driver);
	*ret_all = differs != 0;
	if (r < 0 && r != -EAGAIN) {
		driver_forget(&d->driver);
		set_reason(d, "the picture could not be read: %s", strerror(-r));
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
static void look(struct display *d)
{
	uint64_t now = loop_now_ms(), began = measure_now(), cost = purse_begin();
	struct plane plane;
	int changed, moved = 0;
	enum pace_found found;
	bool still, all = true;

	PROBE2(look_begin, d->handover.context.id, (unsigned int)d->watchers);
	change_hear(&d->change, d->driver.source);
	changed = ask_for_primary(d, &plane);
	still = changed == 0 && nothing_drawn(d, &plane, now);
	if (changed == 0 && !still)
		changed = scan(d, &plane, &all);
	if (changed >= 0) {
		set_live(d, true);
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
		report(d);
		return;
	}
	d->found.changes[report_change(d, &d->found)] += found != PACE_NOTHING;
	if (changed < 0)
		now = loop_now_ms(); /* a driver that fails slowly has its rest, too */
	pace_looked(&d->pace, found, !still && all, now);
	d->hot = pace_expects(&d->pace);
	d->paid_for = false;
	purse_join(&d->purse, d->watchers, pace_active(&d->pace, now));
	if (changed < 0)
		no_picture(d, changed, now);
	else
		pace_found(&d->pace);
	/* First List, then the viewers: who has seen something finds it there. */
	report(d);
	publish(d);
	report(d);
}

/* What is there, without a frame. As map_primary(); a driver that fails is not asked too often, whoever wants to know. */
static int peek(struct display *d, struct view *ret)
{
	struct plane plane;
	int r;

	if (retry_wait(&d->pace.retry, false, loop_now_ms()))
		return -EIO;
	r = ask_for_primary(d, &plane);
	if (r == 0)
		r = map_primary(d, &plane, ret);
	if (r == 0)
		pace_found(&d->pace);
	else
		missed(d, r, loop_now_ms());
	return r;
}

/* What the driver gave is not held for somebody who asked once: it could give it to others. */
static void end_peek(struct display *d, bool mapped)
{
	if (mapped)
		driver_unmap(&d->driver);
	if (!d->watchers)
		driver_forget(&d->driver);
}

/* For List. */
static void glance(struct display *d)
{
	struct view view;
	int r;

	d->last_glance = loop_now_ms();
	r = peek(d, &view);
	end_peek(d, r == 0);
	set_live(d, r == 0);
	report(d);
}

/* For Capture. */
static void snap(struct display *d)
{
	struct snapped *snapped = new0(struct snapped);
	struct view view;
	bool mapped;
	int r;

	if (!snapped)
		return; /* the caller's timer answers */
	snapped->display = d;
	snapped->snapshot.fd = -EBADF;
	r = d->probed ? peek(d, &view) : -ENODATA;
	mapped = r == 0;
	if (mapped)
		r = snapshot_copy(&view, &snapped->snapshot);
	end_peek(d, mapped);
	if (!d->watchers)
		set_live(d, r == 0);
	report(d);
	snapped->error = r == 0 || r == -ENOTSUP ? r : r == -ENODEV ? -ENOTSUP : -ENODATA;
	if (loop_post(d->loop, custody_snapped, snapped) < 0) {
		fd_close(snapped->snapshot.fd);
		free(snapped);
	}
}

static uint64_t probe_wait(const struct display *d)
{
	uint64_t since = loop_now_ms() - d->last_probe;

	return since < d->probe_rest_ms ? d->probe_rest_ms - since : 0;
}

/* False: not fit, or there is no answer yet. */
static bool probe(struct display *d)
{
	const char *reason = "";
	struct probed *probed;
	bool unfit;
	int r;

	driver_call_begin(&d->driver, "the first question");
	r = d->driver.source->ops->probe(d->driver.source, &reason);
	driver_call_end(&d->driver);
	/* Another error than these two does not say that there is no display, only that the driver cannot answer now. */
	unfit = r == -ENOTTY || r == -EINVAL;
	d->last_probe = loop_now_ms();
	d->probe_rest_ms = r == -EAGAIN || !d->probe_rest_ms
				   ? PROBE_AGAIN_MS
				   : MIN(2 * d->probe_rest_ms, RETRY_REST_MAX_MS);
	d->probed = r == 0;
	if (r == -EAGAIN || unfit)
		set_reason(d, "%s", reason);
	else if (r < 0)
		set_reason(d, "%s: %s", reason, strerror(-r));
	else
		monitor_begin(d);
	d->found.probed = d->probed;
	report(d);
	probed = new0(struct probed);
	if (!probed)
		return d->probed;
	probed->display = d;
	probed->error = unfit ? r : 0;
	snprintf(probed->reason, sizeof(probed->reason), "%s", reason);
	if (loop_post(d->loop, custody_probed, probed) < 0)
		free(probed);
	return d->probed;
}

/* What is about the frame alone. True: a new frame has waited for this. */
static bool obey_frame(struct display *d, const struct orders *orders)
{
	d->audience = orders->audience;
	if (orders->program_ended)
		stage_strike(d->stage);
	if (orders->granted)
		stage_granted(d->stage, orders->generation);
	if (orders->busy)
		stage_busy(d->stage, orders->generation);
	return orders->taken && stage_taken(d->stage, orders->taken_generation);
}

void display_obey_frame(struct display *d)
{
	struct orders orders = inbox_take_frame(&d->inbox);

	obey_frame(d, &orders);
}

void display_stand_in(struct display *d)
{
	display_obey_frame(d);
	if (d->audience != d->audience_served && d->audience != d->audience_scanned)
		stage_excuse(d->stage, "No picture yet",
			"the driver has not answered for more than a second");
	publish(d);
}

/* The display interrupt, where nobody signals changes and the registrant lets us have it. Once. */
static void arm_interrupt(struct display *d)
{
	int r;

	if (d->arm_tried)
		return;
	d->arm_tried = true;
	if (!d->handover.display_interrupt || d->change.event >= 0)
		return;
	driver_call_begin(&d->driver, "a request for its display interrupt");
	r = change_arm(&d->change, d->driver.source);
	driver_call_end(&d->driver);
	d->found.interrupt = d->pace.evented = r == 0;
	if (r < 0 && r != -ENOTTY)
		log_notice(d->handover.context.id,
			"its display interrupt cannot be had (%s), a timer does", strerror(-r));
}

/* False: stop. */
static bool obey(struct display *d, const struct orders *orders)
{
	uint64_t now = loop_now_ms();
	bool waited = obey_frame(d, orders);

	if (orders->stop)
		return false;
	if (waited)
		pace_nudge(&d->pace, now);
	if (orders->touched)
		pace_touch(&d->pace, now);
	if (orders->watch_changed)
		d->probe_rest_ms = PROBE_AGAIN_MS;
	if (!d->probed && (orders->watch_changed || orders->glance || orders->snapshot) &&
		!probe_wait(d))
		probe(d);
	if (orders->watch_changed) {
		change_listen(&d->change, orders->watchers);
		purse_join(&d->purse, orders->watchers, true);
		if (orders->watchers) {
			/* The first viewer waits for a publish, changed or not: a look that has the grant ends in one. */
			d->hot = true;
			pace_nudge(&d->pace, now);
			retry_again(&d->cursor_retry);
			stage_patience_anew(d->stage, now);
		} else {
			/* From now on the picture grows old: the next viewer waits for the look that its coming causes. */
			stage_ask(d->stage);
			/* Nor are buffers held of which the driver could give the number, or the memory, to others. */
			driver_forget(&d->driver);
			d->scanned.drawn = 0;
			resize_forget(&d->resize);
		}
	}
	if (orders->resize && orders->watchers)
		resize_wish(&d->resize, orders->width, orders->height, now);
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
		return MAX((int)probe_wait(d), 1);
	patience = stage_patience(d->stage, now);
	if (patience >= 0)
		return patience ? patience : 1;
	wait = MIN(pace_wait(&d->pace, now), (uint32_t)INT32_MAX);
	/* Whoever has waited for a grant is not made to wait with it in hand. */
	if (wait == 0 && !d->paid_for)
		wait = (int)purse_wait(&d->purse);
	d->paid_for = wait == 0;
	/* After a change another is likely: have the grant at hand, then one pass finds and copies. A picture after words needs none. */
	if (wait == 0 && d->hot && stage_shows_picture(d->stage) && !stage_ask(d->stage))
		return LIMIT_GRANT_MS;
	return wait;
}

static const char *what_it_waits_for(const struct display *d)
{
	if (!d->watchers)
		return "asleep, nobody watches";
	if (!d->probed)
		return "waiting to ask the driver again";
	return stage_patience(d->stage, 0) >= 0 ? "waiting for viewers to let go of the frame"
						: "waiting for something new";
}

static void sleep_for(struct display *d, int ms, int monitor_ms)
{
	if (ms < 0 || (monitor_ms >= 0 && monitor_ms < ms))
		ms = monitor_ms;
	if (change_wait(&d->change, d->driver.source, ms, d->pace.pending))
		pace_event(&d->pace);
}

/* False: stop. */
static bool live_on(struct display *d)
{
	struct orders orders = inbox_take(&d->inbox);
	int wait, monitor_wait;

	if (!obey(d, &orders))
		return false;
	monitor_wait = monitor_step(d);
	wait = how_long(d);
	if (wait == 0) {
		arm_interrupt(d);
		d->doing = "looking";
		look(d);
	} else {
		d->doing = what_it_waits_for(d);
		sleep_for(d, wait, monitor_wait);
	}
	if (d->watchers && !d->probed && (probe_wait(d) || !probe(d))) {
		no_picture(d, -ENODATA, loop_now_ms());
		publish(d);
	}
	return true;
}

void *display_capture_thread(void *arg)
{
	struct display *d = arg;

	driver_take_turn(&d->driver);
	if (probe(d))
		glance(d);
	while (live_on(d))
		;
	d->doing = "letting go";
	purse_join(&d->purse, false, false);
	/* Backwards. */
	monitor_end(d);
	if (!d->lingers)
		stage_destroy(take_ptr(d->stage));
	driver_call_begin(&d->driver, "the return of its display interrupt");
	change_disarm(&d->change, d->driver.source);
	driver_call_end(&d->driver);
	change_finish(&d->change);
	driver_release(&d->driver);
	driver_leave_turn(&d->driver);
	/* Out of memory: this message must arrive. */
	while (loop_post(d->loop, custody_released, d) < 0)
		poll(NULL, 0, 100);
	return NULL;
}
