/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * A struct registration lives as long as its Register call is pending, not as long as its display. Three things can happen to it, in
 * any order: the display becomes ready (or not), the caller's connection goes away, the display ends. Each event ends the
 * call or leaves it to one that is still sure to come:
 *
 *   ready, failed        error reply, freed.
 *   ready, no "more"     reply, freed. The display goes on under its lease descriptor.
 *   ready, "more"        "registered"; from then on either gone or ended will come, and takes the other back.
 *   gone before ready    the display is released if the connection was its lease; ready comes all the same and frees.
 *   gone after ready     the call is ended, freed; the display is released if the connection was its lease.
 *   ended                "unregistered", freed.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "control/control.h"
#include "control/describe.h"
#include "control/methods.h"
#include "control/refuse.h"
#include "control/request.h"
#include "manager.h"
#include "varlink/server.h"

struct registration {
	struct varlink_call *call;
	struct manager *manager;
	struct display *display; /* NULL: not ready yet */
	char id[LIMIT_ID_CHARS + 1];
	bool is_lease; /* the display ends with the connection */
	bool gone;     /* the connection has ended, before ready */
	bool answered; /* by an earlier daemon */
	bool kept;     /* the call that the display's keeper knows of */
};

static json_t *registration_event(const struct registration *registration, const char *event)
{
	struct writer writer;

	writer_init(&writer);
	writer_open(&writer, NULL, '{');
	writer_text(&writer, "id", display_context(registration->display)->id);
	writer_text_if(&writer, "event", event);
	describe_display_runtime(&writer, "runtime", registration->display);
	writer_close(&writer, '}');
	return writer_json(&writer);
}

static const char *const action_names[] = {
	[DISPLAY_POWER_SHUTDOWN] = "shutdown",
	[DISPLAY_POWER_REBOOT] = "reboot",
	[DISPLAY_POWER_RESET] = "reset",
};

/* A peer that does not read hears no more of them: dropped for a viewer's wishes it would lose its display. */
static void registration_power(void *arg, enum display_power action, const char *viewer)
{
	struct registration *registration = arg;
	json_t *parameters;

	if (!varlink_call_ready(registration->call))
		return;
	parameters = json_pack("{s:s, s:s, s:s, s:s}", "id", registration->id, "event",
		"powerRequested", "action", action_names[action], "viewer", viewer);
	if (parameters)
		varlink_reply_continues(registration->call, parameters);
}

/* Frees it and returns its call, which is to be ended now. */
static struct varlink_call *registration_finish(struct registration *registration)
{
	struct varlink_call *call = registration->call;

	if (registration->display)
		display_off_power(registration->display, registration_power, registration);
	varlink_call_on_gone(call, NULL, NULL);
	free(registration);
	return call;
}

static void registration_reply(struct registration *registration, const char *event)
{
	json_t *parameters = registration_event(registration, event);

	reply_or_refuse(registration_finish(registration), parameters);
}

static void registration_ended(void *arg)
{
	struct registration *registration = arg;

	/* The next daemon goes on with the call. */
	if (display_is_left(registration->display))
		varlink_call_abandon(registration_finish(registration));
	else
		registration_reply(registration, "unregistered");
}

/* Frees first: display_release() may call back. */
static void registration_abandon(struct registration *registration)
{
	struct display *display = registration->display;
	bool is_lease = registration->is_lease, kept = registration->kept;

	display_off_end(display, registration_ended, registration);
	display_off_power(display, registration_power, registration);
	varlink_reply(registration->call, NULL);
	free(registration);
	if (is_lease)
		display_release(display, DISPLAY_LOST, NULL, NULL);
	else if (kept)
		display_call_gone(display);
}

static void registration_gone(void *arg)
{
	struct registration *registration = arg;
	struct display *display;

	if (registration->display)
		return registration_abandon(registration);
	registration->gone = true;
	display = manager_find(registration->manager, registration->id);
	if (registration->is_lease && display)
		display_release(display, DISPLAY_LOST, NULL, NULL);
}

static void registration_follow(struct registration *registration)
{
	json_t *event = registration_event(registration, "registered");

	if (!event || display_on_end(registration->display, registration_ended, registration) < 0 ||
		display_on_power(registration->display, registration_power, registration) < 0) {
		struct display *display = registration->display;
		bool is_lease = registration->is_lease;

		json_decref(event);
		display_off_end(display, registration_ended, registration);
		refuse_unavailable(registration_finish(registration), "out of memory");
		if (is_lease)
			display_release(display, DISPLAY_LOST, NULL, NULL);
		return;
	}
	if (registration->answered) {
		json_decref(event);
		return;
	}
	/* A peer that does not take it is dropped, and gone follows. */
	varlink_reply_continues(registration->call, event);
	if (registration->kept)
		display_answered(registration->display);
}

static void registration_establish(struct registration *registration, struct display *display)
{
	registration->display = display;
	if (registration->gone) {
		registration_abandon(registration);
	} else if (varlink_call_more(registration->call)) {
		registration_follow(registration);
	} else {
		registration_reply(registration, NULL);
	}
}

static void registration_ready(void *arg, struct display *display, int error, const char *reason)
{
	struct varlink_call *call;

	if (!error)
		return registration_establish(arg, display);
	call = registration_finish(arg);
	if (error == -ESHUTDOWN && varlink_call_more(call))
		varlink_call_abandon(call); /* the next daemon answers */
	else if (error == -ESHUTDOWN)
		refuse_shutting_down(call);
	else if (error == -ENOMEM || error == -EAGAIN)
		refuse_unavailable(call, reason ? reason : "out of memory");
	else
		refuse_device(call, reason ? reason
				    : error == -ECANCELED
					    ? "the registration ended before the device was probed"
					    : strerror(-error));
}

/* Where a listener failed, its own address says more than an index. */
static void refuse_listener(struct varlink_call *call, int error, const struct handover *handover,
	size_t listener, const char *reason)
{
	char path[32];

	if (error == -EINVAL) {
		snprintf(path, sizeof(path), "listen[%zu].address", listener);
		varlink_invalid_parameter(call, path);
	} else {
		refuse_address(call, handover->listeners[listener].address,
			reason ? reason : strerror(-error));
	}
}

static void refuse_registration(struct varlink_call *call, int error,
	const struct handover *handover, const struct request_indexes *indexes, const char *reason,
	int index)
{
	bool listening = index >= HANDOVER_LISTENERS && index < HANDOVER_INPUTS;

	/* A file system can be full, too. */
	if (listening && error != -EBADF)
		return refuse_listener(
			call, error, handover, (size_t)index - HANDOVER_LISTENERS, reason);
	switch (error) {
	case -EEXIST:
		return refuse_display_exists(call, handover->context.id);
	case -EBUSY:
		return refuse_device(call, reason ? reason : "is registered under another id");
	case -EBADF:
		index = index >= 0 && index < (int)ARRAY_SIZE(indexes->at) ? index : 0;
		return refuse_descriptor(
			call, indexes->at[index], reason ? reason : "is not what it should be");
	case -ENOTTY:
		return refuse_device(call, reason ? reason : "has no display");
	case -ENOSPC:
		return refuse_limit(call, "displays", LIMIT_DISPLAYS);
	case -ESHUTDOWN:
		return refuse_shutting_down(call);
	}
	refuse_unavailable(call, reason ? reason : strerror(-error));
}

/* A display that is being released holds its id and its device for a moment longer. */
static bool refuse_released(struct varlink_call *call, struct display *display)
{
	struct display_runtime runtime;

	/* A ghost is somebody's, and may stay for a while. */
	if (!display || display_is_ghost(display))
		return false;
	display_runtime(display, &runtime);
	if (!display_state_ends(runtime.state))
		return false;
	refuse_unavailable(call, "the display that had this id is being released");
	return true;
}

static void registration_start(struct registration *registration, struct handover *handover,
	const struct request_indexes *indexes)
{
	struct varlink_call *call = registration->call;
	const char *reason = NULL;
	struct display *display;
	int index = -1;
	int r;

	r = manager_register(
		registration->manager, handover, registration_ready, registration, &reason, &index);
	memcpy(registration->id, handover->context.id, sizeof(registration->id));
	if (r == 0)
		return varlink_call_on_gone(call, registration_gone, registration);
	display = manager_find(registration->manager, registration->id);
	if ((r == 1 || r == -EEXIST) && refuse_released(call, display)) {
		free(registration);
	} else if (r < 0) {
		free(registration);
		refuse_registration(
			call, r, handover, indexes, reason && reason[0] ? reason : NULL, index);
	} else {
		registration->is_lease = registration->kept = false;
		varlink_call_on_gone(call, registration_gone, registration);
		registration_establish(registration, display);
	}
}

void method_register(struct varlink_call *call, json_t *parameters, void *arg)
{
	const struct varlink_peer *peer = varlink_call_peer(call);
	struct registration *registration;
	struct request_indexes indexes;
	struct fields_reader reader;
	struct handover handover;
	int r;

	method_reader(&reader, call);
	r = request_register(&reader, parameters, &handover, &indexes);
	if (r < 0)
		return refuse_request(call, &reader, r);
	handover.uid = peer->uid;
	handover.gid = peer->gid;
	handover.pid = peer->pid;
	registration = new0(struct registration);
	if (handover.lease < 0 && !varlink_call_more(call)) {
		free(registration);
		refuse_lease_required(call);
	} else if (!registration) {
		refuse_unavailable(call, "out of memory");
	} else {
		registration->call = call;
		registration->manager = arg;
		registration->is_lease = handover.lease < 0;
		registration->kept = varlink_call_more(call);
		if (registration->kept)
			handover.call = varlink_call_socket(call);
		registration_start(registration, &handover, &indexes);
	}
	handover_finish(&handover);
}

int control_resume(struct varlink_server *server, struct manager *manager, int fd, const char *id,
	bool is_lease, bool answered, display_ready_fn *ret_ready, void **ret_arg)
{
	struct registration *registration = new0(struct registration);
	int r;

	if (!registration) {
		fd_close(fd);
		return -ENOMEM;
	}
	r = varlink_server_resume(server, fd, &registration->call);
	if (r < 0) {
		free(registration);
		return r;
	}
	registration->manager = manager;
	registration->is_lease = is_lease;
	registration->answered = answered;
	registration->kept = true;
	snprintf(registration->id, sizeof(registration->id), "%s", id);
	varlink_call_on_gone(registration->call, registration_gone, registration);
	*ret_ready = registration_ready;
	*ret_arg = registration;
	return 0;
}

struct unregistration {
	struct varlink_call *call;
	struct display *display;
	struct loop_source *timer;
};

static void unregistration_free(struct unregistration *unregistration)
{
	loop_source_free(unregistration->timer);
	free(unregistration);
}

static void unregistration_done(void *arg)
{
	struct unregistration *unregistration = arg;

	varlink_reply(unregistration->call, NULL);
	unregistration_free(unregistration);
}

static void unregistration_late(void *arg)
{
	struct unregistration *unregistration = arg;

	display_off_end(unregistration->display, unregistration_done, unregistration);
	refuse_unavailable(unregistration->call, "the driver does not let go of the device");
	unregistration_free(unregistration);
}

static void unregistration_start(
	struct varlink_call *call, struct manager *manager, struct display *display)
{
	struct unregistration *unregistration = new0(struct unregistration);

	if (!unregistration)
		return refuse_unavailable(call, "out of memory");
	unregistration->call = call;
	unregistration->display = display;
	if (loop_timer_add(manager_loop(manager), unregistration_late, unregistration,
		    &unregistration->timer) < 0 ||
		loop_timer_once(unregistration->timer, LIMIT_UNREGISTER_MS) < 0 ||
		display_on_end(display, unregistration_done, unregistration) < 0) {
		refuse_unavailable(call, "out of memory");
		return unregistration_free(unregistration);
	}
	display_release(display, DISPLAY_DRAINING, NULL, NULL);
}

void method_unregister(struct varlink_call *call, json_t *parameters, void *arg)
{
	struct fields_reader reader;
	struct request_id request;
	struct display *display;
	int r;

	method_reader(&reader, call);
	r = request_id(&reader, parameters, &request);
	if (r < 0)
		return refuse_request(call, &reader, r);
	display = manager_find(arg, request.id);
	/* "It is gone" would be no truth: the next daemon has it. */
	if (manager_leaves(arg) && (!display || display_is_left(display)))
		return refuse_shutting_down(call);
	if (!display)
		return refuse_no_such_display(call, request.id);
	method_audit(AUDIT_ENDED, call, display, NULL, "unregistered");
	unregistration_start(call, arg, display);
}
