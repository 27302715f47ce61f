/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/layout_wait.h"

#include <errno.h>
#include <string.h>

#include "control/refuse.h"
#include "manager.h"
#include "varlink/server.h"

static void on_display_ended(void *arg);

/* Nobody calls back any more. */
static void stop(struct layout_wait *wait)
{
	varlink_call_on_gone(wait->call, NULL, NULL);
	if (wait->display)
		display_off_end(wait->display, on_display_ended, wait);
}

static void on_caller_gone(void *arg)
{
	struct layout_wait *wait = arg;

	display_off_end(wait->display, on_display_ended, wait);
	varlink_reply(wait->call, NULL);
	wait->events->over(wait);
}

static void on_display_ended(void *arg)
{
	struct layout_wait *wait = arg;

	wait->display = NULL;
	stop(wait);
	layout_wait_refuse_ended(wait);
	wait->events->over(wait);
}

static void on_layout(void *arg, const struct layout *layout, int error)
{
	struct layout_wait *wait = arg;
	struct display_runtime runtime;

	stop(wait);
	display_runtime(wait->display, &runtime);
	if (!display_state_ends(runtime.state))
		return wait->events->come(wait, layout, error);
	layout_wait_refuse_ended(wait);
	wait->events->over(wait);
}

void layout_wait_begin(struct layout_wait *wait, struct varlink_call *call, struct manager *manager,
	struct display *display, const char *layout, const struct layout_wait_events *events)
{
	*wait = (struct layout_wait){
		.call = call, .manager = manager, .display = display, .events = events};
	memcpy(wait->id, display_context(display)->id, sizeof(wait->id));
	varlink_call_on_gone(call, on_caller_gone, wait);
	if (display_on_end(display, on_display_ended, wait) < 0 ||
		display_want_layout(display, layout, on_layout, wait, &wait->wish) < 0) {
		stop(wait);
		refuse_unavailable(call, "out of memory");
		wait->events->over(wait);
	}
}

void layout_wait_finish(struct layout_wait *wait)
{
	layout_wish_end(wait->wish);
}

void layout_wait_refuse_ended(const struct layout_wait *wait)
{
	struct display *display = manager_find(wait->manager, wait->id);
	struct display_runtime runtime;

	if (display)
		display_runtime(display, &runtime);
	/* One that lives is another one that has got its id. */
	if (display && display_state_ends(runtime.state))
		refuse_not_live(wait->call, wait->id, runtime.state);
	else
		refuse_no_such_display(wait->call, wait->id);
}
