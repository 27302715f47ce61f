/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SendKeys: waits for the display's layout, makes what is to be typed, and replies when it is. Which keys is said to the guest and nobody else. */
#include <errno.h>
#include <stdio.h>

#include "base/mem.h"
#include "control/layout_wait.h"
#include "control/methods.h"
#include "control/refuse.h"
#include "control/request.h"
#include "input/script.h"
#include "input/typist.h"
#include "manager.h"
#include "varlink/server.h"

struct typing {
	struct layout_wait wait;
	json_t *parameters; /* owned: what `request` borrows of */
	struct request_send_keys request;
	struct typist *typist;
};

static void typing_free(struct typing *typing)
{
	layout_wait_finish(&typing->wait);
	json_decref(typing->parameters);
	free(typing);
}

/* The caller has hung up. */
static void on_caller_gone(void *arg)
{
	struct typing *typing = arg;

	typist_stop(typing->typist);
	varlink_reply(typing->wait.call, NULL);
	typing_free(typing);
}

static void on_typed(void *arg, int error)
{
	struct typing *typing = arg;
	struct varlink_call *call = typing->wait.call;

	varlink_call_on_gone(call, NULL, NULL);
	switch (error) {
	case 0:
		varlink_reply(call, NULL);
		break;
	case -ENODEV:
		refuse_no_input(call, typing->wait.id, input_kind_name(INPUT_KEYBOARD));
		break;
	case -ESHUTDOWN:
		layout_wait_refuse_ended(&typing->wait);
		break;
	case -EUSERS:
		refuse_limit(call, "typing", LIMIT_TYPISTS);
		break;
	case -ENOBUFS:
		refuse_unavailable(call, "its VMM does not read what is typed");
		break;
	default:
		refuse_unavailable(call, "out of memory");
	}
	typing_free(typing);
}

/* 0 or -ENOMEM; -EINVAL: @path (32 bytes) says what cannot be typed. */
static int make_script(const struct request_send_keys *request, const struct layout *layout,
	struct script *script, char *path)
{
	size_t index = 0;
	int r;

	for (size_t i = 0; i < request->chords_used; i++) {
		r = script_add_chord(script, layout, request->chords[i]);
		if (r == -ENOMEM)
			return r;
		snprintf(path, 32, "keys[%zu]", i);
		if (r < 0)
			return -EINVAL;
	}
	r = request->text ? script_add_text(script, layout, request->text, &index) : 0;
	snprintf(path, 32, "text[%zu]", index);
	return r == -ENOENT ? -EINVAL : r;
}

static int start(struct typing *typing, struct script *script)
{
	struct typists *typists = display_typists(typing->wait.display);
	int r;

	if (!typists)
		return -ESHUTDOWN;
	r = typists_type(typists, script, on_typed, typing, &typing->typist);
	if (r == 0)
		varlink_call_on_gone(typing->wait.call, on_caller_gone, typing);
	return r;
}

static void on_layout(struct layout_wait *wait, const struct layout *layout, int error)
{
	struct typing *typing = (struct typing *)wait;
	struct script script = {.steps = NULL};
	char path[32] = "";
	int r;

	r = make_script(&typing->request, layout, &script, path);
	if (r == -EINVAL) {
		varlink_invalid_parameter(wait->call, path);
		typing_free(typing);
	} else {
		if (r == 0)
			r = start(typing, &script);
		if (r < 0)
			on_typed(typing, r);
	}
	script_finish(&script);
}

static void on_over(struct layout_wait *wait)
{
	typing_free((struct typing *)wait);
}

static const struct layout_wait_events wait_events = {.come = on_layout, .over = on_over};

static_assert(offsetof(struct typing, wait) == 0, "one address");

void method_send_keys(struct varlink_call *call, json_t *parameters, void *arg)
{
	struct request_send_keys request;
	struct fields_reader reader;
	struct display *display;
	struct typing *typing;
	int r;

	method_reader(&reader, call);
	r = request_send_keys(&reader, parameters, &request);
	if (r < 0)
		return refuse_request(call, &reader, r);
	display = manager_find(arg, request.id);
	if (!display)
		return refuse_no_such_display(call, request.id);
	if (display_context(display)->view_only)
		return refuse_permission(call, request.id, RIGHT_INPUT, "the display is viewOnly");
	if (refuse_ending(call, display))
		return;
	typing = new0(struct typing);
	if (!typing)
		return refuse_unavailable(call, "out of memory");
	typing->parameters = json_incref(parameters);
	typing->request = request;
	layout_wait_begin(&typing->wait, call, arg, display, NULL, &wait_events);
}
