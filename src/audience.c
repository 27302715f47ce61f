/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who looks at a display: what its RFB program says goes to the capture thread's inbox, and while that thread waits for its driver it is
 * stood in for. Main thread.
 */
#include <stdio.h>

#include "base/config.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "bulletin.h"
#include "display_internal.h"
#include "frame/wall.h"
#include "stage.h"

enum { COMPLAIN_MIN_MS = 60000 }; /* a driver that is silent again and again is logged so often */

/* Logs a call that has no answer, once. */
void audience_complain(struct display *d)
{
	const char *call;
	uint64_t now = loop_now_ms(), busy = driver_busy(&d->driver, &call);

	if (busy < LIMIT_QUERY_SLOW_MS)
		return;
	if (d->slow_told && (now - busy < d->slow_told || now - d->slow_told < COMPLAIN_MIN_MS))
		return;
	d->slow_told = now;
	log_warn(d->handover.context.id, "the driver has not answered %s for %llu s", call,
		(unsigned long long)busy / 1000);
}

/* While somebody watches. Who waits for the capture thread may wait for its driver: then that thread is stood in for. */
void audience_look_after(void *arg)
{
	struct display *d = arg;
	const char *call;
	uint64_t busy = driver_busy(&d->driver, &call);

	if ((d->ending && !d->lingers) || !d->watchers)
		return;
	audience_complain(d);
	report_tell(d);
	d->ordered &= busy || d->audience_served != d->audience_came;
	if (d->ordered && busy >= LIMIT_QUERY_SLOW_MS && driver_stand_in(&d->driver)) {
		if (d->lingers)
			ghost_words(d);
		else
			display_stand_in(d);
		driver_step_back(&d->driver);
		d->ordered = d->audience_served != d->audience_came;
	}
	/* Behind a silent eventfd the capture thread sleeps, and we with it. */
	if (!d->ordered && !d->haunts && driver_rests(&d->driver, &d->calls_seen))
		return;
	loop_timer_once(d->stuck_timer, busy && busy < LIMIT_QUERY_SLOW_MS
						? LIMIT_QUERY_SLOW_MS - busy
						: LIMIT_QUERY_SLOW_MS);
}

static void heed(void *arg)
{
	struct display *d = arg;

	d->calls_seen = d->driver.calls;
	if (d->watchers && (!d->ending || d->lingers))
		loop_timer_once(d->stuck_timer, LIMIT_QUERY_SLOW_MS);
}

/* The capture thread calls its driver again. Without memory for that, nobody looks after this call but those who List. */
void audience_called(void *arg)
{
	struct display *d = arg;

	loop_post(d->loop, heed, d);
}

/* It is looked at after a while whether the capture thread could do what is ordered now. */
static void watch_over(struct display *d)
{
	d->ordered = true;
	if (d->watchers)
		loop_timer_once(d->stuck_timer, LIMIT_QUERY_SLOW_MS);
	else
		loop_timer_stop(d->stuck_timer);
}

void audience_watch(void *arg, unsigned int watchers)
{
	struct display *d = arg;

	d->audience_came = wall_audience(d->wall);
	d->watchers = watchers;
	inbox_watch(&d->inbox, watchers, d->audience_came);
	watch_over(d);
}

static void on_may_write(void *arg, uint32_t generation)
{
	struct display *d = arg;

	inbox_granted(&d->inbox, generation);
	watch_over(d);
}

static void on_busy(void *arg, uint32_t generation)
{
	inbox_busy(&((struct display *)arg)->inbox, generation);
}

static void on_taken(void *arg, uint32_t generation)
{
	inbox_taken(&((struct display *)arg)->inbox, generation);
}

static void on_resize(void *arg, uint32_t width, uint32_t height)
{
	inbox_resize(&((struct display *)arg)->inbox, width, height);
}

static void on_check(void *arg, uint64_t check, const struct link_message *message)
{
	struct display *d = arg;

	if (d->check)
		d->check(d->check_arg, d, check, message);
	else
		wall_verdict(d->wall, check, 0, NULL, -EBADF);
}

static void on_power(void *arg, enum link_power action, const struct wall_viewer *viewer)
{
	struct display *d = arg;

	log_info(d->handover.context.id, "viewer %s asks for %s", viewer->name,
		action == LINK_POWER_SHUTDOWN ? "a shutdown"
		: action == LINK_POWER_REBOOT ? "a reboot"
					      : "a reset");
	bulletin_power(d, (enum display_power)action, viewer);
	power_tell(&d->power, (enum display_power)action, viewer->name);
}

void audience_news(
	void *arg, enum roster_news news, const struct wall_viewer *viewer, const char *reason)
{
	static const enum bulletin_kind kinds[] = {
		[ROSTER_ATTACHED] = BULLETIN_VIEWER_ATTACHED,
		[ROSTER_AUTHENTICATED] = BULLETIN_VIEWER_AUTHENTICATED,
		[ROSTER_DETACHED] = BULLETIN_VIEWER_DETACHED,
	};

	if (news == ROSTER_DETACHED)
		typing_left(arg, viewer);
	bulletin_viewer(kinds[news], arg, viewer, reason);
}

static void on_program_ended(void *arg)
{
	struct display *d = arg;

	d->watchers = 0;
	inbox_program_ended(&d->inbox);
	watch_over(d);
}

/* The one that came with the ghost, or a new one. */
static int raise_wall(struct display *d, struct display *ghost, const struct wall_events *events)
{
	const struct context *context = &d->handover.context;
	const struct config *config = d->config;
	struct wall_options options = {
		.program = config->rfb_program,
		.policy = amend_policy(d),
		.grace_ms = config->grace_seconds * 1000,
		.stall_ms = config->stall_seconds * 1000,
	};
	int r;

	if (ghost) {
		d->wall = take_ptr(ghost->wall);
		d->stage = take_ptr(ghost->stage);
		d->audience_served = ghost->audience_served;
		d->returns_until = loop_now_ms() + LIMIT_PASSING_WORDS_MS;
		wall_give(d->wall, events, d);
		return 0;
	}
	memcpy(options.id, context->id, sizeof(options.id));
	snprintf(options.name, sizeof(options.name), "%s", amend_name(d));
	r = wall_create(d->loop, &options, events, d, &d->wall);
	if (r < 0)
		return r;
	return stage_create(d->wall, &d->stage);
}

int audience_begin(struct display *d, struct display *ghost)
{
	static const struct wall_events events = {
		.watch = audience_watch,
		.may_write = on_may_write,
		.busy = on_busy,
		.taken = on_taken,
		.resize = on_resize,
		.check = on_check,
		.power = on_power,
		.input = typing_input,
		.leaves = typing_leaves,
		.viewer = audience_news,
		.ended = on_program_ended,
	};

	int r = raise_wall(d, ghost, &events);

	if (r == 0)
		typing_pointer(d);
	return r;
}

void audience_inherited(struct display *d)
{
	amend_tell(d);
	if (wall_watchers(d->wall))
		audience_watch(d, wall_watchers(d->wall));
}
