/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/describe.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/mem.h"
#include "frame/wall.h"
#include "input/inputs.h"
#include "input/sink.h"
#include "plane/format.h"

static const char *const state_names[] = {
	[DISPLAY_OFFERED] = "offered",
	[DISPLAY_LIVE] = "live",
	[DISPLAY_BLANK] = "blank",
	[DISPLAY_LOST] = "lost",
	[DISPLAY_DRAINING] = "draining",
};
static const char *const change_names[] = {
	[DISPLAY_CHANGE_EVENTFD] = "eventfd",
	[DISPLAY_CHANGE_INTERRUPT] = "interrupt",
	[DISPLAY_CHANGE_TIMER] = "timer",
	[DISPLAY_CHANGE_IDLE] = "idle",
};
static const char *const plane_names[] = {
	[PLANE_PRIMARY] = "primary",
	[PLANE_CURSOR] = "cursor",
};
static const char *const kind_names[] = {
	[PLANE_NONE] = NULL,
	[PLANE_REGION] = "region",
	[PLANE_DMABUF] = "dmabuf",
	[PLANE_SURFACE] = "surface",
};
static const char *const mode_names[] = {
	[LINK_MODE_VIEW] = "view",
	[LINK_MODE_CONTROL] = "control",
	[LINK_MODE_EXCLUSIVE] = "exclusive",
};
static const char *const sharing_names[] = {
	[SHARING_IGNORE] = "ignore",
	[SHARING_ALLOW_EXCLUSIVE] = "allowExclusive",
	[SHARING_FORCE_SHARED] = "forceShared",
};

/* jansson makes no string of what is not UTF-8; one odd byte must not hide a display from List. */
json_t *describe_text(const char *text)
{
	json_t *json = json_string(text);
	char masked[256];
	size_t n = 0;

	if (json)
		return json;
	for (; text[n] && n < sizeof(masked) - 1; n++)
		masked[n] = text[n] >= ' ' && text[n] <= '~' ? text[n] : '?';
	masked[n] = '\0';
	return json_string(masked);
}

static int set_text(json_t *object, const char *name, const char *text)
{
	return text[0] ? json_object_set_new(object, name, describe_text(text)) : 0;
}

static int set_number(json_t *object, const char *name, uint64_t number)
{
	return json_object_set_new(
		object, name, json_integer((json_int_t)MIN(number, (uint64_t)INT64_MAX)));
}

static json_t *finish(json_t *object, int error)
{
	if (!error)
		return object;
	json_decref(object);
	return NULL;
}

const char *describe_state(enum display_state state)
{
	return (size_t)state < ARRAY_SIZE(state_names) ? state_names[state] : "blank";
}

const char *describe_modifier(uint64_t modifier, char text[24])
{
	snprintf(text, 24, "0x%" PRIx64, modifier);
	return text;
}

static json_t *labels_json(const struct context *context)
{
	json_t *labels = json_object();
	int error = 0;

	for (size_t i = 0; i < context->labels_used; i++)
		error |= json_object_set_new(
			labels, context->labels[i].key, describe_text(context->labels[i].value));
	return finish(labels, error);
}

json_t *describe_context(const struct context *context)
{
	json_t *json = json_object();
	int error = set_text(json, "id", context->id);

	error |= set_text(json, "name", context->name);
	error |= set_text(json, "machine", context->machine);
	if (context->has_head)
		error |= json_object_set_new(json, "head", json_integer(context->head));
	if (context->labels_used)
		error |= json_object_set_new(json, "labels", labels_json(context));
	if (context->frames_maximum)
		error |= set_number(json, "framesPerSecondMaximum", context->frames_maximum);
	if (context->bytes_maximum)
		error |= set_number(json, "bytesPerSecondMaximum", context->bytes_maximum);
	if (context->has_sharing)
		error |= set_text(json, "sharing", sharing_names[context->sharing]);
	if (context->viewers_maximum)
		error |= set_number(json, "viewersMaximum", context->viewers_maximum);
	error |= json_object_set_new(json, "viewOnly", json_boolean(context->view_only));
	return finish(json, error);
}

/* Drivers also say what cannot be: outside the image is unknown too. */
static json_t *hot_spot_json(const struct plane *plane)
{
	if (plane->type != PLANE_CURSOR || plane->hot_x >= plane->width ||
		plane->hot_y >= plane->height)
		return NULL;
	return json_pack(
		"{s:I, s:I}", "x", (json_int_t)plane->hot_x, "y", (json_int_t)plane->hot_y);
}

static json_t *plane_json(const struct plane *plane)
{
	char format[16], modifier[24], name[64];

	return json_pack("{s:s, s:s, s:I, s:I, s:I, s:o, s:s, s:o, s:I, s:I, s:o*}", "type",
		plane_names[plane->type], "source", kind_names[plane->kind], "width",
		(json_int_t)plane->width, "height", (json_int_t)plane->height, "stride",
		(json_int_t)plane->stride, "format",
		describe_text(format_name(plane->fourcc, format)), "modifier",
		describe_modifier(plane->modifier, modifier), "modifierName",
		describe_text(modifier_name(plane->modifier, name)), "x", (json_int_t)plane->x, "y",
		(json_int_t)plane->y, "hotSpot", hot_spot_json(plane));
}

static json_t *planes_json(const struct display_runtime *runtime)
{
	json_t *planes = json_array();
	int error = 0;

	for (size_t i = 0; i < runtime->planes_used; i++) {
		const struct plane *plane = &runtime->planes[i];

		if (plane->fourcc && kind_names[plane->kind])
			error |= json_array_append_new(planes, plane_json(plane));
	}
	return finish(planes, error);
}

static json_t *endpoints_json(const char *const *endpoints, size_t endpoints_used)
{
	json_t *json = json_array();
	int error = 0;

	for (size_t i = 0; i < endpoints_used; i++)
		error |= json_array_append_new(json, describe_text(endpoints[i]));
	return finish(json, error);
}

json_t *describe_runtime(const struct display_runtime *runtime, const struct handover *registrant,
	const char *const *endpoints, size_t endpoints_used)
{
	json_t *json = json_object();
	int error = set_text(json, "state", describe_state(runtime->state));

	error |= set_text(json, "stateReason", runtime->reason);
	error |= json_object_set_new(json, "planes", planes_json(runtime));
	error |= set_number(json, "viewers", runtime->viewers);
	error |= set_text(json, "change", change_names[runtime->change]);
	if (runtime->width_maximum && runtime->height_maximum)
		error |= json_object_set_new(json, "sizeMaximum",
			json_pack("{s:I, s:I}", "width", (json_int_t)runtime->width_maximum,
				"height", (json_int_t)runtime->height_maximum));
	error |=
		set_text(json, "lease", runtime->lease_is_descriptor ? "descriptor" : "connection");
	error |= json_object_set_new(json, "registrant",
		json_pack("{s:I, s:I, s:I}", "uid", (json_int_t)registrant->uid, "gid",
			(json_int_t)registrant->gid, "pid", (json_int_t)registrant->pid));
	error |= json_object_set_new(json, "endpoints", endpoints_json(endpoints, endpoints_used));
	error |= set_number(json, "framesCaptured", runtime->frames_captured);
	error |= set_number(json, "framesPublished", runtime->frames_published);
	return finish(json, error);
}

json_t *describe_viewer(const struct wall_viewer *viewer, const char *id)
{
	uint32_t mode = viewer->mode > LINK_MODE_VIEW && viewer->mode < ARRAY_SIZE(mode_names)
				? viewer->mode
				: LINK_MODE_VIEW;
	json_t *json = json_object();
	int error = set_text(json, "viewer", viewer->name);

	error |= set_text(json, "id", id);
	error |= set_text(json, "mode", mode_names[mode]);
	error |= set_text(json, "label", viewer->label);
	error |= set_text(json, "peer", viewer->peer);
	error |= set_text(json, "encoding", viewer->encoding);
	error |= set_number(json, "bytesSent", viewer->bytes_sent);
	error |= set_number(json, "framesBehind", viewer->frames_behind);
	return finish(json, error);
}

/* In the order of linux/input-event-codes.h, from LED_NUML on. */
static json_t *leds_json(uint32_t leds)
{
	static const char *const names[] = {"numLock", "capsLock", "scrollLock", "compose", "kana"};
	json_t *json = json_array();
	int error = 0;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (leds >> i & 1)
			error |= json_array_append_new(json, json_string(names[i]));
	return finish(json, error);
}

static json_t *input_json(const struct inputs_slot *slot)
{
	json_t *json = json_object();
	bool keyboard = slot->kind.kind == INPUT_KEYBOARD;
	bool places = slot->kind.kind == INPUT_ABSOLUTE_POINTER || slot->kind.kind == INPUT_TOUCH;
	int error = set_text(json, "kind", input_kind_name(slot->kind.kind));

	error |= json_object_set_new(json, "connected", json_boolean(sink_connected(slot->sink)));
	if (places)
		error |= set_number(json, "xMaximum", slot->kind.x_maximum);
	if (places)
		error |= set_number(json, "yMaximum", slot->kind.y_maximum);
	if (keyboard)
		error |= json_object_set_new(json, "leds", leds_json(sink_leds(slot->sink)));
	error |= set_number(json, "eventsSent", sink_sent(slot->sink));
	error |= set_number(json, "eventsDropped", sink_dropped(slot->sink));
	return finish(json, error);
}

static json_t *inputs_json(const struct inputs *inputs)
{
	json_t *json = json_array();
	int error = 0;

	for (size_t i = 0; i < inputs->used; i++)
		error |= json_array_append_new(json, input_json(inputs->slots[i]));
	return finish(json, error);
}

json_t *describe_display_runtime(struct display *display)
{
	const char *endpoints[LIMIT_LISTENERS + 1]; /* and the display's own Unix socket */
	struct wall *wall = display_wall(display);
	struct display_runtime runtime;
	json_t *json;
	size_t n = 0;

	display_runtime(display, &runtime);
	if (wall)
		n = wall_endpoints(wall, endpoints, ARRAY_SIZE(endpoints));
	json = describe_runtime(
		&runtime, display_registrant(display), endpoints, MIN(n, ARRAY_SIZE(endpoints)));
	return finish(
		json, json_object_set_new(json, "input", inputs_json(display_inputs(display))));
}

json_t *describe_display(struct display *display)
{
	json_t *json = json_object();
	int error;

	error = json_object_set_new(json, "context", describe_context(display_context(display)));
	error |= json_object_set_new(json, "runtime", describe_display_runtime(display));
	return finish(json, error);
}
