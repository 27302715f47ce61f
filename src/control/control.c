/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/control.h"

#include "base/mem.h"
#include "control/feed.h"
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

void control_finish(void)
{
	feeds_end();
}

static int take_from_call(void *arg, json_int_t index)
{
	return varlink_call_take_fd(arg, index);
}

void method_reader(struct fields_reader *reader, struct varlink_call *call)
{
	fields_init(reader, take_from_call, call);
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
