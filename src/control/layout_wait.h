/* SPDX-License-Identifier: GPL-2.0-or-later */
/* layout_wait.h - a call about a display that goes on when a keyboard layout has been read. Main thread.
 *
 * Meanwhile the caller may hang up, and the display may end and another one get its id, which is none of this call's.
 */
#pragma once

#include <stddef.h>

#include "base/limits.h"

struct display;
struct layout;
struct layout_wish;
struct manager;
struct varlink_call;

/* Embedded in what waits. */
struct layout_wait {
	struct varlink_call *call;
	struct manager *manager;
	char id[LIMIT_ID_CHARS + 1];
	struct display *display;  /* NULL: it has ended */
	struct layout_wish *wish; /* owned */
	const struct layout_wait_events *events;
};

struct layout_wait_events {
	/* Once, with what layouts.h says; @layout is borrowed until layout_wait_finish(). The display is the one that it was, and goes on. Here
	 * the call is ended, or somebody else waits for its caller's end. */
	void (*come)(struct layout_wait *wait, const struct layout *layout, int error);
	/* Instead: the caller is gone, or the display, or there is no memory, and the call has ended. */
	void (*over)(struct layout_wait *wait);
};

/* @layout: its name; NULL: the display's own. It may be over when this returns. */
void layout_wait_begin(struct layout_wait *wait, struct varlink_call *call, struct manager *manager,
	struct display *display, const char *layout, const struct layout_wait_events *events);
/* After come(), or in over(). */
void layout_wait_finish(struct layout_wait *wait);
/* Ends the call: its display has ended. */
void layout_wait_refuse_ended(const struct layout_wait *wait);
