/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/control.h"

#include <errno.h>

#include "base/mem.h"
#include "control/describe.h"
#include "control/methods.h"
#include "control/refuse.h"
#include "control/request.h"
#include "control/table.h"
#include "manager.h"
#include "varlink/server.h"

int control_create(struct varlink_server *server, struct manager *manager)
{
	int r = varlink_server_add(server, &control_interface, manager);

	return r < 0 ? r : varlink_server_add(server, &upkeep_interface, manager);
}

static int take_from_call(void *arg, json_int_t index)
{
	return varlink_call_take_fd(arg, index);
}

void method_reader(struct fields_reader *reader, struct varlink_call *call)
{
	fields_init(reader, take_from_call, call);
}

bool reply_series_add(struct reply_series *series, json_t *parameters)
{
	if (!parameters)
		series->error = -ENOMEM;
	if (!series->error && series->waiting)
		series->error = varlink_reply_continues(series->call, take_ptr(series->waiting));
	if (series->error)
		json_decref(parameters);
	else
		series->waiting = parameters;
	return !series->error;
}

bool reply_series_end(struct reply_series *series)
{
	if (!series->error && !series->waiting)
		return false;
	if (series->error) {
		json_decref(series->waiting);
		refuse_unavailable(series->call, "out of memory");
	} else {
		varlink_reply(series->call, series->waiting);
	}
	return true;
}

static void list_one(
	struct varlink_call *call, struct manager *manager, const struct request_list *request)
{
	struct display *display = manager_find(manager, request->id);

	if (!display || (request->machine[0] &&
				strcmp(request->machine, display_context(display)->machine) != 0))
		return refuse_no_such_display(call, request->id);
	reply_or_refuse(call, describe_display(display));
	display_glance(display);
}

void method_list(struct varlink_call *call, json_t *parameters, void *arg)
{
	struct reply_series series = {.call = call};
	struct display *display = NULL;
	struct request_list request;
	struct fields_reader reader;
	int r;

	method_reader(&reader, call);
	r = request_list(&reader, parameters, &request);
	if (r < 0)
		return refuse_request(call, &reader, r);
	if (request.id[0])
		return list_one(call, arg, &request);
	if (!varlink_call_more(call))
		return refuse_needs_more(call);
	while ((display = manager_next(arg, display))) {
		if (!method_may(call, arg, RIGHT_OBSERVE, display))
			continue;
		if (request.machine[0] &&
			strcmp(request.machine, display_context(display)->machine) != 0)
			continue;
		if (!reply_series_add(&series, describe_display(display)))
			break;
		display_glance(display);
	}
	if (!reply_series_end(&series))
		refuse_no_such_display(call, NULL);
}

void method_get_capabilities(struct varlink_call *call, json_t *parameters, void *arg)
{
	struct fields_reader reader;
	int r;

	method_reader(&reader, call);
	r = request_nothing(&reader, parameters);
	if (r < 0)
		refuse_request(call, &reader, r);
	else
		reply_or_refuse(call, control_capabilities());
}
