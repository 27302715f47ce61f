/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "control/describe.h"
#include "control/layout_wait.h"
#include "control/methods.h"
#include "control/refuse.h"
#include "control/request.h"
#include "input/layouts.h"
#include "manager.h"
#include "varlink/server.h"

/* The field that says what cannot change any more; NULL: none does. What is there already may be said again. */
static const char *fixed_field(const struct context *old, const struct request_update *request)
{
	const struct context *changes = &request->changes;

	if (changes->id[0] && strcmp(changes->id, old->id) != 0)
		return "context.id";
	if (changes->machine[0] && strcmp(changes->machine, old->machine) != 0)
		return "context.machine";
	if (changes->has_head && (!old->has_head || changes->head != old->head))
		return "context.head";
	if (request->has_view_only && changes->view_only != old->view_only)
		return "context.viewOnly";
	return NULL;
}

static int copy_labels(const struct context *from, struct context *to)
{
	for (size_t i = 0; i < from->labels_used; i++) {
		struct label *label = &to->labels[to->labels_used++];

		label->key = strdup(from->labels[i].key);
		label->value = strdup(from->labels[i].value);
		if (!label->key || !label->value)
			return -ENOMEM;
	}
	return 0;
}

/* @ret: @old with what @request says instead. Pair with context_finish() in any case. */
static int merge(
	const struct context *old, const struct request_update *request, struct context *ret)
{
	const struct context *changes = &request->changes;

	*ret = *old;
	ret->labels_used = 0;
	if (changes->name[0])
		memcpy(ret->name, changes->name, sizeof(ret->name));
	ret->frames_maximum = changes->frames_maximum ?: old->frames_maximum;
	ret->bytes_maximum = changes->bytes_maximum ?: old->bytes_maximum;
	ret->viewers_maximum = changes->viewers_maximum ?: old->viewers_maximum;
	if (changes->has_sharing) {
		ret->has_sharing = true;
		ret->sharing = changes->sharing;
	}
	if (changes->layout[0])
		memcpy(ret->layout, changes->layout, sizeof(ret->layout));
	if (changes->has_input_exclusive) {
		ret->has_input_exclusive = true;
		ret->input_exclusive_seconds = changes->input_exclusive_seconds;
	}
	return copy_labels(request->has_labels ? changes : old, ret);
}

static void update(
	struct varlink_call *call, struct display *display, const struct request_update *request)
{
	struct context context;
	struct writer writer;
	int r;

	r = merge(display_context(display), request, &context);
	if (r == 0)
		display_update(display, &context);
	context_finish(&context);
	if (r < 0)
		return refuse_unavailable(call, "out of memory");
	method_audit(AUDIT_UPDATED, call, display, NULL, "updated");
	writer_init(&writer);
	writer_open(&writer, NULL, '{');
	describe_context(&writer, "context", display_context(display));
	writer_close(&writer, '}');
	reply_or_refuse(call, writer_json(&writer));
}

/* ---- Another layout: all is as it was where this host does not have it ---- */

struct updating {
	struct layout_wait wait;
	struct request_update request;
};

static_assert(offsetof(struct updating, wait) == 0, "one address");

static void on_over(struct layout_wait *wait)
{
	struct updating *updating = (struct updating *)wait;

	layout_wait_finish(wait);
	context_finish(&updating->request.changes);
	free(updating);
}

static void on_layout(struct layout_wait *wait, const struct layout *layout, int error)
{
	struct updating *updating = (struct updating *)wait;

	if (error == -ENOENT)
		varlink_invalid_parameter(wait->call, "context.keyboardLayout");
	else if (error < 0)
		refuse_unavailable(wait->call, layouts_why(error));
	else
		update(wait->call, wait->display, &updating->request);
	on_over(wait);
}

static const struct layout_wait_events wait_events = {.come = on_layout, .over = on_over};

/* Its labels are taken where this goes on later. */
static void begin(struct varlink_call *call, struct manager *manager, struct display *display,
	struct request_update *request)
{
	const struct context *old = display_context(display);
	const char *layout = request->changes.layout, *fixed = fixed_field(old, request);
	struct updating *updating;

	if (fixed)
		return varlink_invalid_parameter(call, fixed);
	/* What is said again is no wish for another one. */
	if (!layout[0] || strcmp(layout, old->layout) == 0)
		return update(call, display, request);
	updating = new0(struct updating);
	if (!updating)
		return refuse_unavailable(call, "out of memory");
	updating->request = *request;
	request->changes.labels_used = 0;
	layout_wait_begin(&updating->wait, call, manager, display, updating->request.changes.layout,
		&wait_events);
}

void method_update(struct varlink_call *call, json_t *parameters, void *arg)
{
	struct request_update request;
	struct fields_reader reader;
	struct display *display;
	int r;

	method_reader(&reader, call);
	r = request_update(&reader, parameters, &request);
	if (r < 0)
		return refuse_request(call, &reader, r);
	display = manager_find(arg, request.id);
	if (!display)
		refuse_no_such_display(call, request.id);
	else if (!refuse_ending(call, display))
		begin(call, arg, display, &request);
	context_finish(&request.changes);
}
