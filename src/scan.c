/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * The primary plane's picture, on a display's capture thread: a part of display_look(). Where nothing says that something is new, some rows are looked
 * at (a probe), and more where these differ. Else all pixels are.
 *
 * That takes a millisecond, and most of the time what is new is a letter beside the last one. So where an event tells of something new, the
 * places where little has changed lately are looked at first, and what is there, if it ends there, is published at once (a guess). Viewers' threads
 * encode it while this one goes on with all pixels, as ever: a guess leaves nothing out of that look, and what it did not see is the next
 * publish's. It is right where the whole look finds nothing more. What a whole look finds says whether the next event is worth one: it is where a guess
 * would have found all of that, and the cursor has not moved, which is looked at last and would be late each time. So where a window opens, or the
 * pointer moves, viewers are not told of it in two parts again and again.
 */
#include <errno.h>
#include <sched.h>

#include "base/measure.h"
#include "base/mem.h"
#include "base/probe.h"
#include "capture/view.h"
#include "damage/tiles.h"
#include "display_internal.h"
#include "stage.h"

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
	if (doubt == TILES_SAME || doubt == TILES_UNKNOWN)
		return r;
	near = doubt == TILES_NEAR;
	*ret_all |= !near;
	more = scan_pixels(d, plane, view, near);
	return more < 0 ? more : r + more;
}

/* Only those who have seen all of the picture are shown a part of it. */
static bool guess_will_do(const struct display *d)
{
	return d->guesses && d->pace.pending && d->found.live && d->audience == d->audience_scanned;
}

/* True: what was found where little has changed lately is with the viewers. @ret_error: -EAGAIN, -EFAULT. */
static bool guess(struct display *d, const struct view *view, uint64_t began, int *ret_error)
{
	uint64_t begins = measure_now();
	int r = stage_picture_warm(d->stage, view);

	*ret_error = MIN(r, 0);
	if (r <= 0)
		return false;
	measure_took(MEASURE_SCAN, measure_now() - begins);
	d->found.patched++;
	d->found.damaged += r;
	stage_noticed(d->stage, began);
	display_report(d);
	display_publish(d);
	/* The kernel likes to wake others where they are woken from; they are not to wait for what is looked at from here on. */
	sched_yield();
	return true;
}

/* What is mapped. */
static int scan_view(
	struct display *d, const struct plane *plane, const struct view *view, struct scan *scan)
{
	bool some = probe_will_do(d, plane, scan->now), look = true;
	int r = 0;

	d->near &= some;
	scan->all = !some;
	if (some && d->settled) {
		look = probe_differs(d, view, scan->now, &r);
		/* One pass is to find and to copy. */
		if (look && !stage_ask(d->stage))
			r = -EAGAIN;
	} else if (guess_will_do(d)) {
		scan->early = guess(d, view, scan->began, &r);
	}
	if (!look || r < 0)
		return r;
	if (some)
		return scan_doubted(d, plane, view, &scan->all);
	r = scan_pixels(d, plane, view, false);
	if (r > 0)
		d->guesses = stage_found_warm(d->stage);
	else if (r == -EAGAIN && scan->early)
		d->guesses = false; /* there was more, and the next grant is for that */
	return r;
}

int scan_picture(struct display *d, struct plane *plane, struct scan *scan)
{
	struct view view;
	int r = display_map(d, plane, &view);

	scan->all = false;
	if (r < 0) {
		d->scanned.drawn = 0;
		return r;
	}
	r = scan_view(d, plane, &view, scan);
	driver_unmap(&d->driver);
	if (r < 0 && r != -EAGAIN) {
		driver_forget(&d->driver);
		d->near = false;
		display_reason(d, "the picture could not be read: %s", strerror(-r));
		return -EIO;
	}
	return r;
}
