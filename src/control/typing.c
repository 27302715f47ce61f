/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SendKeys: waits for the display's layout, makes what is to be typed, and replies when it is. Which keys is said to the guest and nobody else. */
#include <errno.h>
#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "control/methods.h"
#include "control/refuse.h"
#include "control/request.h"
#include "input/layouts.h"
#include "input/script.h"
#include "input/typist.h"
#include "manager.h"
#include "varlink/server.h"

struct typing {
	struct varlink_call *call;
	struct manager *manager;
	char id[LIMIT_ID_CHARS + 1];
	json_t *parameters; /* owned: what `request` borrows of */
	struct request_send_keys request;
	struct layout_wish *wish; /* owned */
	struct typist *typist;	  /* NULL: it does not type yet */
};

static void typing_free(struct typing *typing)
{
	layout_wish_end(typing->wish);
	json_decref(typing->parameters);
	free(typing);
}

/* The caller has hung up. */
static void on_caller_gone(void *arg)
{
	struct typing *typing = arg;

	if (typing->typist)
		typist_stop(typing->typist);
	varlink_reply(typing->call, NULL);
	typing_free(typing);
}

static void refuse_ended(const struct typing *typing)
{
	struct display *display = manager_find(typing->manager, typing->id);
	struct display_runtime runtime;

	if (!display)
		return refuse_no_such_display(typing->call, typing->id);
	display_runtime(display, &runtime);
	refuse_not_live(typing->call, typing->id, runtime.state);
}

static void on_typed(void *arg, int error)
{
	struct typing *typing = arg;

	varlink_call_on_gone(typing->call, NULL, NULL);
	switch (error) {
	case 0:
		varlink_reply(typing->call, NULL);
		break;
	case -ENODEV:
		refuse_no_input(typing->call, typing->id, input_kind_name(INPUT_KEYBOARD));
		break;
	case -ESHUTDOWN:
		refuse_ended(typing);
		break;
	case -EUSERS:
		refuse_limit(typing->call, "typing", LIMIT_TYPISTS);
		break;
	case -ENOBUFS:
		refuse_unavailable(typing->call, "its VMM does not read what is typed");
		break;
	default:
		refuse_unavailable(typing->call, "out of memory");
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
	struct display *display = manager_find(typing->manager, typing->id);
	struct typists *typists = display ? display_typists(display) : NULL;

	if (!typists)
		return -ESHUTDOWN;
	return typists_type(typists, script, on_typed, typing, &typing->typist);
}

static void on_layout(void *arg, const struct layout *layout, int error)
{
	struct typing *typing = arg;
	struct script script = {.steps = NULL};
	char path[32] = "";
	int r;

	r = make_script(&typing->request, layout, &script, path);
	if (r == -EINVAL) {
		script_finish(&script);
		varlink_call_on_gone(typing->call, NULL, NULL);
		varlink_invalid_parameter(typing->call, path);
		return typing_free(typing);
	}
	if (r == 0)
		r = start(typing, &script);
	script_finish(&script);
	if (r < 0)
		on_typed(typing, r);
}

static void send_keys(struct varlink_call *call, struct manager *manager, struct display *display,
	json_t *parameters, const struct request_send_keys *request)
{
	struct typing *typing = new0(struct typing);

	if (!typing)
		return refuse_unavailable(call, "out of memory");
	*typing = (struct typing){.call = call,
		.manager = manager,
		.parameters = json_incref(parameters),
		.request = *request};
	memcpy(typing->id, request->id, sizeof(typing->id));
	varlink_call_on_gone(call, on_caller_gone, typing);
	/* It may be over when this returns. */
	if (display_want_layout(display, on_layout, typing, &typing->wish) < 0)
		on_typed(typing, -ENOMEM);
}

void method_send_keys(struct varlink_call *call, json_t *parameters, void *arg)
{
	struct display_runtime runtime;
	struct request_send_keys request;
	struct fields_reader reader;
	struct display *display;
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
	display_runtime(display, &runtime);
	if (runtime.state == DISPLAY_LOST || runtime.state == DISPLAY_DRAINING)
		return refuse_not_live(call, request.id, runtime.state);
	send_keys(call, arg, display, parameters, &request);
}
