/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/config.h"
#include "base/discard.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "control/describe.h"
#include "control/methods.h"
#include "control/refuse.h"
#include "control/request.h"
#include "frame/wall.h"
#include "handover/descriptor.h"
#include "manager.h"
#include "varlink/server.h"

_Static_assert((int)VIEW_MODE_VIEW == (int)LINK_MODE_VIEW, "one set of numbers");
_Static_assert((int)VIEW_MODE_CONTROL == (int)LINK_MODE_CONTROL, "one set of numbers");

static void attach_failed(struct varlink_call *call, struct manager *manager,
	const struct display *display, int error)
{
	uint32_t maximum = display_context(display)->viewers_maximum;

	if (error == -ENOSPC)
		refuse_limit(call, "viewersMaximum",
			maximum ? maximum : manager_config(manager)->viewers_maximum);
	else if (error == -EAGAIN)
		refuse_unavailable(call, "no program for its viewers could be started");
	else
		refuse_unavailable(call, strerror(-error));
}

/* @socket is consumed; @returned, the other end of a new pair (or -EBADF), too. */
static void attach_viewer(struct varlink_call *call, struct manager *manager,
	struct display *display, const struct request_attach *request, int socket, int returned)
{
	_cleanup_fd_ int other = returned;
	char name[24], what[48];
	json_t *reply;
	int r;

	r = wall_attach(display_wall(display), socket, (enum link_mode)request->mode,
		request->label, NULL, name);
	if (r < 0)
		return attach_failed(call, manager, display, r);
	snprintf(what, sizeof(what), "viewer %s attached", name);
	method_audit(AUDIT_ATTACHED, call, display,
		&(struct audit){.viewer = name,
			.mode = request_mode_names[request->mode],
			.label = request->label[0] ? request->label : NULL},
		what);
	reply = json_pack("{s:s}", "viewer", name);
	if (other >= 0) {
		/* Where this fails the pair's end is closed, and the viewer goes by itself. */
		r = varlink_call_push_fd(call, take_fd(&other));
		if (r < 0 ||
			json_object_set_new(reply, "fileDescriptorIndex", json_integer(r)) < 0) {
			json_decref(reply);
			reply = NULL;
		}
	}
	reply_or_refuse(call, reply);
}

static void attach_to(struct varlink_call *call, struct manager *manager, struct display *display,
	struct request_attach *request)
{
	struct display_runtime runtime;
	int pair[2] = {-EBADF, -EBADF};
	const char *unfit;

	display_runtime(display, &runtime);
	if (display_state_ends(runtime.state) || !display_wall(display))
		return refuse_not_live(call, request->id, runtime.state);
	if (request->mode != VIEW_MODE_VIEW && display_context(display)->view_only)
		return refuse_permission(call, request->id, RIGHT_CONTROL,
			"the display is viewOnly: ask for mode view");
	if (request->viewer.fd >= 0) {
		unfit = descriptor_stream(request->viewer.fd);
		if (unfit)
			return refuse_descriptor(call, request->viewer.index, unfit);
		return attach_viewer(
			call, manager, display, request, take_fd(&request->viewer.fd), -EBADF);
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return refuse_unavailable(call, strerror(errno));
	attach_viewer(call, manager, display, request, pair[0], pair[1]);
}

void method_attach(struct varlink_call *call, json_t *parameters, void *arg)
{
	struct request_attach request;
	struct fields_reader reader;
	struct display *display;
	int r;

	method_reader(&reader, call);
	r = request_attach(&reader, parameters, &request);
	if (r < 0)
		return refuse_request(call, &reader, r);
	display = manager_find(arg, request.id);
	if (display)
		attach_to(call, arg, display, &request);
	else
		refuse_no_such_display(call, request.id);
	fd_discardp(&request.viewer.fd);
}

void method_detach(struct varlink_call *call, json_t *parameters, void *arg)
{
	struct request_detach request;
	struct fields_reader reader;
	struct display *display;
	char what[48];
	int r;

	method_reader(&reader, call);
	r = request_detach(&reader, parameters, &request);
	if (r < 0)
		return refuse_request(call, &reader, r);
	display = manager_find_viewer(arg, request.viewer);
	if (!display ||
		wall_detach(display_wall(display), request.viewer, "detached by request") < 0)
		return refuse_no_such_viewer(call, request.viewer);
	snprintf(what, sizeof(what), "viewer %s detached", request.viewer);
	method_audit(
		AUDIT_DETACHED, call, display, &(struct audit){.viewer = request.viewer}, what);
	varlink_reply(call, NULL);
}

struct capture {
	struct varlink_call *call;
	struct manager *manager;
	char id[LIMIT_ID_CHARS + 1];
};

static void capture_refuse(const struct capture *capture, int error)
{
	struct display *display = manager_find(capture->manager, capture->id);
	struct display_runtime runtime;

	if (!display)
		return refuse_no_such_display(capture->call, capture->id);
	display_runtime(display, &runtime);
	if (error == -ENODATA || error == -ETIMEDOUT)
		return refuse_not_live(capture->call, capture->id, runtime.state);
	if (error == -EBUSY)
		return refuse_unavailable(
			capture->call, "another capture of this display is under way");
	for (size_t i = 0; error == -ENOTSUP && i < runtime.planes_used; i++)
		if (runtime.planes[i].type == PLANE_PRIMARY)
			return refuse_format(capture->call, runtime.planes[i].fourcc,
				runtime.planes[i].modifier);
	if (error == -ENOTSUP)
		return refuse_not_live(capture->call, capture->id, runtime.state);
	refuse_unavailable(capture->call, strerror(-error));
}

static void capture_reply(const struct capture *capture, const struct snapshot *snapshot)
{
	int index = varlink_call_push_fd(capture->call, snapshot->fd);

	if (index < 0)
		return refuse_unavailable(capture->call, strerror(-index));
	reply_or_refuse(capture->call,
		json_pack("{s:i, s:I, s:I, s:I, s:s}", "fileDescriptorIndex", index, "width",
			(json_int_t)snapshot->width, "height", (json_int_t)snapshot->height,
			"stride", (json_int_t)snapshot->stride, "format", "XRGB8888"));
}

static void capture_done(void *arg, const struct snapshot *snapshot, int error)
{
	_cleanup_free_ struct capture *capture = arg;

	if (error)
		capture_refuse(capture, error);
	else
		capture_reply(capture, snapshot);
}

void method_capture(struct varlink_call *call, json_t *parameters, void *arg)
{
	_cleanup_free_ struct capture *capture = NULL;
	struct fields_reader reader;
	struct request_id request;
	struct display *display;
	int r;

	method_reader(&reader, call);
	r = request_id(&reader, parameters, &request);
	if (r < 0)
		return refuse_request(call, &reader, r);
	display = manager_find(arg, request.id);
	if (!display)
		return refuse_no_such_display(call, request.id);
	if (refuse_ending(call, display))
		return;
	capture = new0(struct capture);
	if (!capture)
		return refuse_unavailable(call, "out of memory");
	capture->call = call;
	capture->manager = arg;
	memcpy(capture->id, request.id, sizeof(capture->id));
	r = display_snapshot(display, capture_done, capture);
	if (r < 0)
		capture_refuse(capture, r);
	else
		take_ptr(capture);
}
