/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/describe.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/mem.h"
#include "frame/wall.h"
#include "input/inputs.h"
#include "input/sink.h"
#include "plane/format.h"

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
static const char *const sharing_names[] = {
	[SHARING_IGNORE] = "ignore",
	[SHARING_ALLOW_EXCLUSIVE] = "allowExclusive",
	[SHARING_FORCE_SHARED] = "forceShared",
};

const char *describe_modifier(uint64_t modifier, char text[24])
{
	snprintf(text, 24, "0x%" PRIx64, modifier);
	return text;
}

void describe_context(struct writer *w, const char *name, const struct context *context)
{
	writer_open(w, name, '{');
	writer_text_if(w, "id", context->id);
	writer_text_if(w, "name", context->name);
	writer_text_if(w, "machine", context->machine);
	if (context->has_head)
		writer_number(w, "head", context->head);
	if (context->labels_used) {
		writer_open(w, "labels", '{');
		for (size_t i = 0; i < context->labels_used; i++)
			writer_pair(w, context->labels[i].key, context->labels[i].value);
		writer_close(w, '}');
	}
	if (context->frames_maximum)
		writer_number(w, "framesPerSecondMaximum", context->frames_maximum);
	if (context->bytes_maximum)
		writer_number(w, "bytesPerSecondMaximum", context->bytes_maximum);
	if (context->has_sharing)
		writer_text(w, "sharing", sharing_names[context->sharing]);
	if (context->viewers_maximum)
		writer_number(w, "viewersMaximum", context->viewers_maximum);
	writer_bool(w, "viewOnly", context->view_only);
	writer_text_if(w, "keyboardLayout", context->layout);
	if (context->has_input_exclusive)
		writer_number(w, "inputExclusiveSeconds", context->input_exclusive_seconds);
	writer_close(w, '}');
}

static void write_plane(struct writer *w, const struct plane *plane)
{
	char format[16], modifier[24], name[64];

	writer_open(w, NULL, '{');
	writer_text(w, "type", plane_names[plane->type]);
	writer_text(w, "source", kind_names[plane->kind]);
	writer_number(w, "width", plane->width);
	writer_number(w, "height", plane->height);
	writer_number(w, "stride", plane->stride);
	writer_text(w, "format", format_name(plane->fourcc, format));
	writer_text(w, "modifier", describe_modifier(plane->modifier, modifier));
	writer_text(w, "modifierName", modifier_name(plane->modifier, name));
	writer_number(w, "x", plane->x);
	writer_number(w, "y", plane->y);
	/* Drivers also say what cannot be: outside the image is unknown too. */
	if (plane->type == PLANE_CURSOR && plane->hot_x < plane->width &&
		plane->hot_y < plane->height) {
		writer_open(w, "hotSpot", '{');
		writer_number(w, "x", plane->hot_x);
		writer_number(w, "y", plane->hot_y);
		writer_close(w, '}');
	}
	writer_close(w, '}');
}

static void write_planes(struct writer *w, const struct display_runtime *runtime)
{
	writer_open(w, "planes", '[');
	for (size_t i = 0; i < runtime->planes_used; i++) {
		const struct plane *plane = &runtime->planes[i];

		if (plane->fourcc && kind_names[plane->kind])
			write_plane(w, plane);
	}
	writer_close(w, ']');
}

static int64_t bounded(uint64_t number)
{
	return (int64_t)MIN(number, (uint64_t)INT64_MAX);
}

/* Without its end. */
static void write_runtime(struct writer *w, const char *name, const struct display_runtime *runtime,
	const struct handover *registrant, const char *const *endpoints, size_t endpoints_used)
{
	writer_open(w, name, '{');
	writer_text(w, "state", display_state_word(runtime->state));
	writer_text_if(w, "stateReason", runtime->reason);
	write_planes(w, runtime);
	writer_number(w, "viewers", runtime->viewers);
	writer_text(w, "change", display_change_name(runtime->change));
	if (runtime->width_maximum && runtime->height_maximum) {
		writer_open(w, "sizeMaximum", '{');
		writer_number(w, "width", runtime->width_maximum);
		writer_number(w, "height", runtime->height_maximum);
		writer_close(w, '}');
	}
	writer_text(w, "lease", runtime->lease_is_descriptor ? "descriptor" : "connection");
	writer_open(w, "registrant", '{');
	writer_number(w, "uid", registrant->uid);
	writer_number(w, "gid", registrant->gid);
	writer_number(w, "pid", registrant->pid);
	writer_close(w, '}');
	writer_open(w, "endpoints", '[');
	for (size_t i = 0; i < endpoints_used; i++)
		writer_text(w, NULL, endpoints[i]);
	writer_close(w, ']');
	writer_number(w, "framesCaptured", bounded(runtime->frames_captured));
	writer_number(w, "framesPublished", bounded(runtime->frames_published));
}

void describe_runtime(struct writer *w, const struct display_runtime *runtime,
	const struct handover *registrant, const char *const *endpoints, size_t endpoints_used)
{
	write_runtime(w, NULL, runtime, registrant, endpoints, endpoints_used);
	writer_close(w, '}');
}

void describe_viewer(
	struct writer *w, const char *name, const struct wall_viewer *viewer, const char *id)
{
	const char *mode = link_mode_word(viewer->mode);

	writer_open(w, name, '{');
	writer_text_if(w, "viewer", viewer->name);
	writer_text_if(w, "id", id);
	writer_text(w, "mode", mode ? mode : "view");
	writer_text_if(w, "label", viewer->label);
	writer_text_if(w, "peer", viewer->peer);
	writer_text_if(w, "encoding", viewer->encoding);
	writer_number(w, "bytesSent", bounded(viewer->bytes_sent));
	writer_number(w, "framesBehind", viewer->frames_behind);
	writer_close(w, '}');
}

/* In the order of linux/input-event-codes.h, from LED_NUML on. */
static void write_leds(struct writer *w, uint32_t leds)
{
	static const char *const names[] = {"numLock", "capsLock", "scrollLock", "compose", "kana"};

	writer_open(w, "leds", '[');
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (leds >> i & 1)
			writer_text(w, NULL, names[i]);
	writer_close(w, ']');
}

static void write_input(struct writer *w, const struct inputs_slot *slot)
{
	bool places = slot->kind.kind == INPUT_ABSOLUTE_POINTER || slot->kind.kind == INPUT_TOUCH;

	writer_open(w, NULL, '{');
	writer_text(w, "kind", input_kind_name(slot->kind.kind));
	writer_bool(w, "connected", sink_connected(slot->sink));
	if (places) {
		writer_number(w, "xMaximum", slot->kind.x_maximum);
		writer_number(w, "yMaximum", slot->kind.y_maximum);
	}
	if (slot->kind.kind == INPUT_KEYBOARD)
		write_leds(w, sink_leds(slot->sink));
	writer_number(w, "eventsSent", bounded(sink_sent(slot->sink)));
	writer_number(w, "eventsDropped", bounded(sink_dropped(slot->sink)));
	writer_close(w, '}');
}

void describe_display_runtime(struct writer *w, const char *name, struct display *display)
{
	const char *endpoints[LIMIT_LISTENERS + 1]; /* and the display's own Unix socket */
	const struct inputs *inputs = display_inputs(display);
	struct wall *wall = display_wall(display);
	struct display_runtime runtime;
	const char *why;
	size_t n = 0;

	display_runtime(display, &runtime);
	if (wall)
		n = wall_endpoints(wall, endpoints, ARRAY_SIZE(endpoints));
	write_runtime(w, name, &runtime, display_registrant(display), endpoints,
		MIN(n, ARRAY_SIZE(endpoints)));
	writer_open(w, "input", '[');
	for (size_t i = 0; i < inputs->used; i++)
		write_input(w, inputs->slots[i]);
	writer_close(w, ']');
	writer_text(w, "keyboardLayout", display_layout_in_use(display, &why));
	if (why)
		writer_text(w, "keyboardLayoutReason", why);
	writer_close(w, '}');
}

void describe_display(struct writer *w, struct display *display)
{
	writer_open(w, NULL, '{');
	describe_context(w, "context", display_context(display));
	describe_display_runtime(w, "runtime", display);
	writer_close(w, '}');
}
