/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "control/methods.h"
#include "control/refuse.h"
#include "control/request.h"
#include "credentials.h"
#include "manager.h"
#include "rights.h"
#include "ticket.h"
#include "varlink/server.h"

_Static_assert((int)VIEW_MODE_EXCLUSIVE == (int)LINK_MODE_EXCLUSIVE, "one set of numbers");

static void ticket_failed(struct varlink_call *call, int error)
{
	if (error == -EDQUOT)
		refuse_limit(call, "ticketsPerDisplay", LIMIT_TICKETS_DISPLAY);
	else if (error == -ENOSPC)
		refuse_limit(call, "tickets", LIMIT_TICKETS);
	else
		refuse_unavailable(call, strerror(-error));
}

static void issue(struct varlink_call *call, struct manager *manager, const struct display *display,
	const struct request_ticket *request)
{
	struct ticket_grant grant = {.mode = request->mode};
	char text[TICKET_CHARS + 1], what[48];
	int r;

	memcpy(grant.id, request->id, sizeof(grant.id));
	memcpy(grant.label, request->label, sizeof(grant.label));
	r = credentials_issue(
		manager_credentials(manager), &grant, request->seconds, text, sizeof(text));
	if (r < 0)
		return ticket_failed(call, r);
	snprintf(
		what, sizeof(what), "a ticket for %u s was issued", (unsigned int)request->seconds);
	method_audit(AUDIT_TICKET_ISSUED, call, display,
		&(struct audit){.mode = request_mode_names[request->mode],
			.label = request->label[0] ? request->label : NULL},
		what);
	reply_or_refuse(call, json_pack("{s:s, s:I}", "ticket", text, "expires",
				      (json_int_t)time(NULL) + (json_int_t)request->seconds));
	explicit_bzero(text, sizeof(text));
}

/* Who has registered the display gives what it likes; others no more than they have. */
static bool may_give(const struct varlink_call *call, struct manager *manager,
	const struct display *display, enum view_mode mode)
{
	return rights_owns(manager_rights(manager), varlink_call_peer(call),
		       display_registrant(display)->uid) ||
	       method_may(call, manager, method_mode_right(mode), display);
}

void method_issue_ticket(struct varlink_call *call, json_t *parameters, void *arg)
{
	struct request_ticket request;
	struct fields_reader reader;
	struct display *display;
	int r;

	method_reader(&reader, call);
	r = request_issue_ticket(&reader, parameters, &request);
	if (r < 0)
		return refuse_request(call, &reader, r);
	display = manager_find(arg, request.id);
	if (!display)
		return refuse_no_such_display(call, request.id);
	if (!may_give(call, arg, display, request.mode))
		return refuse_permission(call, request.id, method_mode_right(request.mode), NULL);
	if (request.mode != VIEW_MODE_VIEW && display_context(display)->view_only)
		return refuse_permission(call, request.id, RIGHT_CONTROL,
			"the display is viewOnly: ask for mode view");
	if (!refuse_ending(call, display))
		issue(call, arg, display, &request);
}
