/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * What the capture thread does, one thing after the other: what the main thread (custody.c) has ordered by the inbox, what is due, and
 * then it sleeps on change.c: while nobody watches without a query, a scan or a wake-up.
 *
 * The stage is this thread's alone, but for a call of the driver: meanwhile the main thread may act there for it (display_stand_in), so that
 * a viewer that comes to a display whose driver does not answer reads that instead of waiting, and a grant that was asked for or held
 * goes back to those who watch.
 *
 * The end is the line backwards, on the same thread: mappings and dma-bufs, then the device fd. A dma-buf that outlives its device
 * touches freed memory in one driver, and a device fd that outlives its VMM keeps the device busy.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>

#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "display_internal.h"
#include "plane/source.h"
#include "stage.h"

enum {
	GLANCE_MIN_MS = 500, /* List makes an unwatched display look again, not more often */
	PROBE_AGAIN_MS =
		500, /* at first; doubled for a driver that fails, which may log each failure */
};

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
		display_reason(d, "%s", reason);
	else if (r < 0)
		display_reason(d, "%s: %s", reason, strerror(-r));
	else
		monitor_begin(d);
	d->found.probed = d->probed;
	display_report(d);
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

/* Also where they stand, from the audience before. */
static void publish_words(struct display *d)
{
	display_publish(d);
	if (d->audience != d->audience_served)
		stage_ask(d->stage);
}

void display_stand_in(struct display *d)
{
	display_obey_frame(d);
	if (d->audience != d->audience_served && d->audience != d->audience_scanned)
		stage_excuse(d->stage, "No picture yet",
			"the driver has not answered for more than a second");
	publish_words(d);
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
	if (orders->touched) {
		pace_touch(&d->pace, now);
		/* It may have a rest to wait for that is an idle one's. */
		purse_join(&d->purse, orders->watchers, true);
	}
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
			/* There may be no look for long. */
			stage_rest(d->stage);
			d->scanned.drawn = 0;
			resize_forget(&d->resize);
		}
	}
	if (orders->resize && orders->watchers)
		resize_wish(&d->resize, orders->width, orders->height, now);
	if (orders->snapshot)
		peek_snap(d);
	if (d->probed && orders->glance && !d->watchers && now - d->last_glance >= GLANCE_MIN_MS)
		peek_glance(d);
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
	/* After a change another is likely: have the grant at hand, then one pass finds and copies. A picture after words needs none, but the
	 * same words for who has not seen them do. */
	if (wait == 0 && d->hot &&
		(stage_shows_picture(d->stage) || d->audience != d->audience_served) &&
		!stage_ask(d->stage))
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

/* Words, for as long as the driver does not say whether there is a display. */
static void say_so(struct display *d)
{
	display_no_picture(d, -ENODATA, loop_now_ms());
	publish_words(d);
}

/* False: stop. */
static bool live_on(struct display *d)
{
	struct orders orders = inbox_take(&d->inbox);
	int wait, monitor_wait;

	if (!obey(d, &orders))
		return false;
	if (orders.watchers && !d->probed && (probe_wait(d) || !probe(d)))
		say_so(d);
	monitor_wait = monitor_step(d);
	wait = how_long(d);
	if (wait == 0) {
		arm_interrupt(d);
		d->doing = "looking";
		display_look(d);
	} else {
		d->doing = what_it_waits_for(d);
		sleep_for(d, wait, monitor_wait);
	}
	return true;
}

void *display_capture_thread(void *arg)
{
	struct display *d = arg;

	driver_take_turn(&d->driver);
	if (probe(d))
		peek_glance(d);
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
