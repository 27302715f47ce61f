/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "audit.h"
#include "base/mem.h"
#include "bulletin.h"
#include "frame/roster.h"
#include "varlink/server.h"

static const char *said(const char *text)
{
	return text && text[0] ? text : NULL;
}

static void tell_registered(const struct bulletin_event *event, struct audit *fields)
{
	const struct handover *owner = event->owner;
	const struct varlink_peer peer = {.uid = owner->uid, .gid = owner->gid, .pid = owner->pid};

	fields->peer = &peer;
	audit(AUDIT_REGISTERED, fields, "registered by uid %u, pid %d", (unsigned int)peer.uid,
		(int)peer.pid);
}

static void tell_viewer(const struct bulletin_event *event, struct audit *fields)
{
	const struct wall_viewer *viewer = event->viewer;

	fields->viewer = viewer->name;
	fields->address = said(viewer->peer);
	fields->label = said(viewer->label);
	fields->mode = link_mode_word(viewer->mode);
	if (event->kind == BULLETIN_VIEWER_AUTHENTICATED) {
		audit(AUDIT_VIEWER_IN, fields, "viewer %s from %s%s%s may %s", viewer->name,
			viewer->peer, fields->label ? ", " : "", fields->label ? fields->label : "",
			fields->mode ? fields->mode : "look");
	} else {
		fields->reason = event->reason;
		audit(AUDIT_VIEWER_OUT, fields, "viewer %s left: %s", viewer->name,
			event->reason ? event->reason : "closed");
	}
}

static void on_event(void *arg, const struct bulletin_event *event)
{
	struct audit fields = {.display = event->id};

	if (event->display)
		fields.machine = said(display_context(event->display)->machine);
	switch (event->kind) {
	case BULLETIN_DISPLAY_REGISTERED:
		if (event->owner)
			tell_registered(event, &fields);
		return;
	case BULLETIN_DISPLAY_UNREGISTERED:
		/* For who registers again and again, each time with another id. */
		fields.owner = event->owner ? &event->owner->uid : NULL;
		return audit(AUDIT_UNREGISTERED, &fields, "released");
	case BULLETIN_VIEWER_AUTHENTICATED:
	case BULLETIN_VIEWER_DETACHED:
		return tell_viewer(event, &fields);
	case BULLETIN_TICKET_USED:
		fields.label = said(event->label);
		fields.address = said(event->peer);
		return audit(AUDIT_TICKET_USED, &fields,
			"a ticket was used by a viewer from %s: %s",
			fields.address ? fields.address : "somewhere",
			fields.label ? fields.label : "no label");
	default:
		return;
	}
}

static struct bulletin_listener listener = {.fn = on_event};
static bool listens;

void audit_begin(void)
{
	bulletin_listen(&listener);
	listens = true;
}

void audit_end(void)
{
	if (listens)
		bulletin_unlisten(&listener);
	listens = false;
}
