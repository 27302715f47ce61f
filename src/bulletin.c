/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bulletin.h"

#include "base/mem.h"

static LIST_HEAD(, bulletin_listener) listeners = LIST_HEAD_INITIALIZER(listeners);
static uint64_t last;

static void tell(struct bulletin_event event)
{
	struct bulletin_listener *listener;

	event.sequence = ++last;
	LIST_FOREACH (listener, &listeners, link)
		listener->fn(listener->arg, &event);
}

static struct bulletin_event about(enum bulletin_kind kind, struct display *display)
{
	return (struct bulletin_event){
		.kind = kind,
		.id = display_context(display)->id,
		.owner = display_registrant(display),
		.display = display,
	};
}

void bulletin_display(enum bulletin_kind kind, struct display *display)
{
	tell(about(kind, display));
}

void bulletin_viewer(enum bulletin_kind kind, struct display *display,
	const struct wall_viewer *viewer, const char *reason)
{
	struct bulletin_event event = about(kind, display);

	event.viewer = viewer;
	event.reason = reason;
	tell(event);
}

void bulletin_ticket_used(const char *id, const char *label, const char *peer)
{
	tell((struct bulletin_event){
		.kind = BULLETIN_TICKET_USED,
		.id = id,
		.label = label,
		.peer = peer,
	});
}

void bulletin_input_lost(struct display *display, const char *input, const char *reason)
{
	struct bulletin_event event = about(BULLETIN_INPUT_LOST, display);

	event.input = input;
	event.reason = reason;
	tell(event);
}

void bulletin_power(
	struct display *display, enum display_power action, const struct wall_viewer *viewer)
{
	struct bulletin_event event = about(BULLETIN_POWER_REQUESTED, display);

	event.action = action;
	event.viewer = viewer;
	tell(event);
}

void bulletin_daemon(enum bulletin_kind kind)
{
	tell((struct bulletin_event){.kind = kind});
}

void bulletin_listen(struct bulletin_listener *listener)
{
	LIST_INSERT_HEAD(&listeners, listener, link);
}

void bulletin_unlisten(struct bulletin_listener *listener)
{
	LIST_REMOVE(listener, link);
}

uint64_t bulletin_sequence(void)
{
	return last;
}
