/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SetInput and SendInput. What was typed goes to the VMM and nowhere else: no key is logged here, nor named in an error. */
#include <stdio.h>

#include "base/log.h"
#include "control/methods.h"
#include "control/refuse.h"
#include "control/request.h"
#include "handover/descriptor.h"
#include "input/inputs.h"
#include "manager.h"
#include "varlink/server.h"

static void set_input(
	struct varlink_call *call, struct display *display, struct request_set_input *request)
{
	struct request_sinks *sinks = &request->sinks;
	char what[48];
	int r;

	for (size_t i = 0; i < sinks->used; i++) {
		const char *unfit = descriptor_stream(sinks->at[i].fd);

		if (unfit)
			return refuse_descriptor(call, sinks->indexes[i], unfit);
	}
	if (refuse_ending(call, display))
		return;
	r = display_set_inputs(display, sinks->at, sinks->used);
	if (r < 0)
		return refuse_unavailable(call, "no memory or descriptors are left");
	snprintf(what, sizeof(what), "%zu input sinks set", sinks->used);
	method_audit(AUDIT_UPDATED, call, display, NULL, what);
	varlink_reply(call, NULL);
}

void method_set_input(struct varlink_call *call, json_t *parameters, void *arg)
{
	struct request_set_input request;
	struct fields_reader reader;
	struct display *display;
	int r;

	method_reader(&reader, call);
	r = request_set_input(&reader, parameters, &request);
	if (r < 0)
		return refuse_request(call, &reader, r);
	display = manager_find(arg, request.id);
	if (!display)
		refuse_no_such_display(call, request.id);
	else
		set_input(call, display, &request);
	request_sinks_finish(&request.sinks);
}

static void send_input(struct varlink_call *call, struct display *display,
	const struct request_send_input *request)
{
	static const char *const fields[] = {
		[INPUTS_TYPE] = "type",
		[INPUTS_CODE] = "code",
		[INPUTS_VALUE] = "value",
	};
	struct inputs_result result;
	char path[48];

	result = inputs_send(display_inputs(display), request->has_kind ? &request->kind : NULL,
		request->events, request->events_used);
	switch (result.refusal) {
	case INPUTS_SENT:
		return reply_or_refuse(
			call, json_pack("{s:I}", "dropped", (json_int_t)result.dropped));
	case INPUTS_NONE:
		return refuse_no_input(call, request->id, input_kind_name(result.kind));
	default:
		snprintf(
			path, sizeof(path), "events[%zu].%s", result.event, fields[result.refusal]);
		varlink_invalid_parameter(call, path);
	}
}

void method_send_input(struct varlink_call *call, json_t *parameters, void *arg)
{
	struct request_send_input request;
	struct fields_reader reader;
	struct display *display;
	int r;

	method_reader(&reader, call);
	r = request_send_input(&reader, parameters, &request);
	if (r < 0)
		return refuse_request(call, &reader, r);
	display = manager_find(arg, request.id);
	if (!display)
		refuse_no_such_display(call, request.id);
	else if (display_context(display)->view_only)
		refuse_permission(call, request.id, RIGHT_INPUT, "the display is viewOnly");
	else if (!refuse_ending(call, display))
		send_input(call, display, &request);
}
