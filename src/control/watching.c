/* SPDX-License-Identifier: GPL-2.0-or-later */
/* watching.c - texts for those who watch over the daemon, handed out as memfds: they can be longer than a message. */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base/sealed.h"
#include "control/methods.h"
#include "control/refuse.h"
#include "control/request.h"
#include "dump.h"
#include "exposition.h"
#include "manager.h"
#include "varlink/server.h"

struct reader {
	const struct varlink_call *call;
	struct manager *manager;
};

static bool may_observe(void *arg, const char *id)
{
	const struct reader *reader = arg;

	return method_may(
		reader->call, reader->manager, RIGHT_OBSERVE, manager_find(reader->manager, id));
}

/* @error: of what made the text, which is freed here. */
static void hand_out(struct varlink_call *call, int error, char *text, size_t size)
{
	int fd, r = error;

	if (r == 0)
		r = sealed_text("vfio-display-text", text, size, &fd);
	if (error == 0)
		free(text);
	if (r == 0)
		r = varlink_call_push_fd(call, fd);
	if (r < 0)
		refuse_unavailable(call, strerror(-r));
	else
		reply_or_refuse(call, json_pack("{s:i, s:I}", "fileDescriptorIndex", r, "bytes",
					      (json_int_t)size));
}

void method_get_metrics(struct varlink_call *call, json_t *parameters, void *arg)
{
	struct request_metrics request;
	struct fields_reader reader;
	size_t size = 0;
	char *text = NULL;
	int r;

	method_reader(&reader, call);
	r = request_metrics(&reader, parameters, &request);
	if (r < 0)
		return refuse_request(call, &reader, r);
	r = exposition_text(arg, request.format == METRICS_TEXT_CLASSIC, &text, &size);
	hand_out(call, r, text, size);
}

void method_dump(struct varlink_call *call, json_t *parameters, void *arg)
{
	struct reader who = {.call = call, .manager = arg};
	struct request_id request;
	struct fields_reader reader;
	size_t size = 0;
	char *text = NULL;
	int r;

	method_reader(&reader, call);
	r = request_list_viewers(&reader, parameters, &request);
	if (r < 0)
		return refuse_request(call, &reader, r);
	if (request.id[0] && !manager_find(arg, request.id))
		return refuse_no_such_display(call, request.id);
	r = dump_text(arg, request.id[0] ? request.id : NULL, may_observe, &who, &text, &size);
	hand_out(call, r, text, size);
}
