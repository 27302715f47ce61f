/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * When the lease of a display ends and viewers are there, the device goes as it always does, but its wall and its stage stay: the display
 * lingers. What is left when the capture thread has ended is the ghost: no device, no thread, no listener; an RFB program, its viewers, and
 * words for them to read. It ends when the guest does not come back in time, when everybody has left, by Unregister, or with the
 * daemon. Or it is taken over: the next display of its id, of the same user or of root, takes wall and stage, and its viewers see the new
 * guest through the same connections. To others the id is taken until the ghost is gone: else who waits for the old guest would be shown
 * somebody else's.
 *
 * A ghost may also be all that there ever was (ghost_raise): the lease ended while no daemon ran, and the program of the display went on. Its
 * viewers read the words when the program has said that they are there.
 *
 * Main thread. While the driver keeps the capture thread, the stage is still that thread's, and is used by standing in for it.
 */
#include <errno.h>
#include <stdio.h>

#include "base/config.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "display_internal.h"
#include "frame/wall.h"
#include "stage.h"

/* Nobody may end a ghost inside an event of its wall. */
static void end_soon(struct display *d)
{
	loop_timer_once(d->linger_timer, 0);
}

/* Words that were published for nobody, or for an audience that has gone, are so once more. */
static void publish(struct display *d)
{
	uint64_t audience = wall_audience(d->wall);

	if (stage_publish(d->stage, audience) >= 0)
		d->audience_served = audience;
	else if (d->audience_served != audience)
		stage_ask(d->stage);
}

static void show(struct display *d)
{
	char reason[160];

	snprintf(reason, sizeof(reason),
		"its display was given back. This connection goes on when it returns, and is "
		"closed when that takes longer than %u seconds",
		d->config->linger_seconds);
	/* Where too many frames are on their way it is shown when one has been taken. */
	if (stage_placard(d->stage, true, "The guest has gone", reason) >= 0)
		publish(d);
}

void ghost_words(struct display *d)
{
	display_obey_frame(d);
	show(d);
}

static void on_watch(void *arg, unsigned int watchers)
{
	if (watchers)
		show(arg);
	else
		end_soon(arg);
}

static void on_may_write(void *arg, uint32_t generation)
{
	struct display *d = arg;

	stage_granted(d->stage, generation);
	publish(d); /* else it is not needed */
}

static void on_busy(void *arg, uint32_t generation)
{
}

static void on_taken(void *arg, uint32_t generation)
{
	struct display *d = arg;

	stage_taken(d->stage, generation);
	show(d);
}

static void on_ended(void *arg)
{
	struct display *d = arg;

	stage_strike(d->stage);
	end_soon(d);
}

static void haunt(struct display *d)
{
	static const struct wall_events events = {
		.watch = on_watch,
		.may_write = on_may_write,
		.busy = on_busy,
		.taken = on_taken,
		.viewer = audience_news,
		.ended = on_ended,
	};

	d->haunts = true;
	wall_give(d->wall, &events, d);
}

bool ghost_prepare(struct display *d)
{
	if (d->why != DISPLAY_LOST || !d->config->linger_seconds || !wall_viewers_ready(d->wall))
		return false;
	log_info(d->handover.context.id, "%u viewers are kept, for %u s",
		wall_viewers_ready(d->wall), d->config->linger_seconds);
	d->lingers = true;
	d->lingers_until = loop_now_ms() + (uint64_t)d->config->linger_seconds * 1000;
	wall_unlisten(d->wall);
	/* A driver may keep the capture thread. */
	d->ordered = true;
	loop_timer_once(d->stuck_timer, LIMIT_QUERY_SLOW_MS);
	return true;
}

bool ghost_begin(struct display *d)
{
	struct link_policy policy = amend_policy(d);
	uint64_t now = loop_now_ms();

	loop_timer_stop(d->stuck_timer);
	if (!d->lingers || !wall_viewers_ready(d->wall) || now >= d->lingers_until) {
		wall_close(d->wall);
		return false;
	}
	haunt(d);
	d->watchers = 0;
	wall_policy(d->wall, &policy); /* nobody hears wishes for power now */
	wall_sizes(d->wall, 0, 0);
	ghost_words(d);
	loop_timer_once(d->linger_timer, d->lingers_until - now);
	return true;
}

void ghost_raise(struct display *d, uint64_t until)
{
	uint64_t now = loop_now_ms(), longest = now + (uint64_t)d->config->linger_seconds * 1000;

	d->ending = true;
	d->lingers = true;
	d->why = DISPLAY_LOST;
	d->lingers_until = until ? MIN(until, longest) : longest;
	haunt(d);
	loop_timer_once(d->linger_timer, d->lingers_until > now ? d->lingers_until - now : 0);
}

void ghost_dismiss(struct display *d)
{
	d->why = DISPLAY_DRAINING;
	if (d->haunts)
		end_soon(d);
	else if (d->lingers)
		wall_close(d->wall);
	d->lingers = false;
}

void ghost_on_timer(void *arg)
{
	struct display *d = arg;

	if (!d->haunts)
		return;
	if (d->why == DISPLAY_LOST && wall_viewers_ready(d->wall))
		log_info(d->handover.context.id,
			"the guest has not come back, its viewers are closed");
	wall_close(d->wall);
	loop_timer_stop(d->linger_timer);
	custody_ghost_ended(d);
}

void ghost_again(struct display *ghost, struct display *heir)
{
	if (!heir->wall)
		return;
	ghost->wall = take_ptr(heir->wall);
	ghost->stage = take_ptr(heir->stage);
	haunt(ghost);
}

void ghost_describe(const struct display *d, struct display_runtime *ret)
{
	uint64_t now = loop_now_ms();

	ret->planes_used = 0;
	snprintf(ret->reason, sizeof(ret->reason),
		"its lease has ended and the device is released; its viewers wait for it to come "
		"back, for %llu s more",
		(unsigned long long)(d->lingers_until > now ? d->lingers_until - now : 0) / 1000);
}

uint64_t display_lingers_until(const struct display *d)
{
	return display_is_ghost(d) ? d->lingers_until : 0;
}

bool display_is_ghost(const struct display *d)
{
	return d->haunts && d->why == DISPLAY_LOST;
}
