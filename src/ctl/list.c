/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "ctl/complain.h"
#include "ctl/ctl.h"
#include "ctl/session.h"
#include "ctl/list.h"
#include "ctl/table.h"
#include "ctl/verbs.h"

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

static json_int_t number_of(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

static const json_t *primary_of(const json_t *runtime)
{
	const json_t *plane;
	size_t i;

	json_array_foreach (json_object_get(runtime, "planes"), i, plane)
		if (strcmp(text_of(plane, "type"), "primary") == 0)
			return plane;
	return NULL;
}

/* The daemon may be older and have no name for it. */
static const char *modifier_of(const json_t *plane)
{
	return text_of(plane, json_object_get(plane, "modifierName") ? "modifierName" : "modifier");
}

/* "XRGB8888" where it is linear as nearly everything is, "XRGB8888/INTEL_X_TILED". */
static void format_print(const json_t *plane, char *text, size_t size)
{
	bool linear = strcmp(text_of(plane, "modifier"), "0x0") == 0;

	snprintf(text, size, "%s%s%s", text_of(plane, "format"), linear ? "" : "/",
		linear ? "" : modifier_of(plane));
}

int list_row(struct table *table, const json_t *entry)
{
	const json_t *context = json_object_get(entry, "context");
	const json_t *runtime = json_object_get(entry, "runtime");
	const json_t *plane = primary_of(runtime);
	char size[48] = "", format[96] = "", viewers[24];

	if (plane)
		snprintf(size, sizeof(size), "%" JSON_INTEGER_FORMAT "x%" JSON_INTEGER_FORMAT,
			number_of(plane, "width"), number_of(plane, "height"));
	if (plane)
		format_print(plane, format, sizeof(format));
	snprintf(viewers, sizeof(viewers), "%" JSON_INTEGER_FORMAT, number_of(runtime, "viewers"));
	return table_add(table, (const char *const[TABLE_COLUMNS]){text_of(context, "id"),
					text_of(runtime, "state"), size, format, viewers,
					text_of(context, "machine"), text_of(context, "name"),
					text_of(runtime, "stateReason")});
}

static int viewer_row(struct table *table, const json_t *entry)
{
	const json_t *viewer = json_object_get(entry, "viewer");
	char bytes[24], behind[24];

	snprintf(bytes, sizeof(bytes), "%" JSON_INTEGER_FORMAT, number_of(viewer, "bytesSent"));
	snprintf(
		behind, sizeof(behind), "%" JSON_INTEGER_FORMAT, number_of(viewer, "framesBehind"));
	return table_add(table,
		(const char *const[TABLE_COLUMNS]){text_of(viewer, "viewer"), text_of(viewer, "id"),
			text_of(viewer, "mode"), text_of(viewer, "peer"),
			text_of(viewer, "encoding"), bytes, behind, text_of(viewer, "label")});
}

/* Replies as they come: a line each, or a row of the table. */
struct listing {
	const struct ctl *ctl;
	struct table table;
	int (*add)(struct table *table, const json_t *entry);
};

static int listing_take(void *arg, json_t *entry)
{
	struct listing *listing = arg;

	if (listing->ctl->json) {
		json_line(entry);
		return CTL_OK;
	}
	if (listing->add(&listing->table, entry) == 0)
		return CTL_OK;
	complain(NULL, "out of memory");
	return CTL_FAILED;
}

static int listing_print(struct listing *listing, const char *about, const char *method,
	json_t *parameters, const char *nothing)
{
	int status = session_each(
		listing->ctl, about, method, parameters, nothing, listing_take, listing);

	if (status == CTL_OK && !listing->ctl->json)
		table_print(&listing->table, stdout);
	table_finish(&listing->table);
	return status;
}

const struct option_row list_options[] = {
	{"machine", 1, 0, "MACHINE", NULL, "only those of this machine"},
	{0},
};

int verb_list(struct ctl *ctl, int argc, char **argv)
{
	struct listing listing = {.ctl = ctl, .table.heads = LIST_HEADS, .add = list_row};
	const char *machine = NULL;
	int status;

	while (option_next(ctl, list_options, argc, argv, &status))
		machine = optarg;
	if (status != CTL_OK)
		return status;
	if (optind < argc)
		return complain_usage(
			"list", "takes no id; 'describe %s' shows one display", argv[optind]);
	return listing_print(&listing, NULL, "List", json_pack("{s:s*}", "machine", machine),
		"org.vfiodisplay.Display.NoSuchDisplay");
}

int verb_viewers(struct ctl *ctl, int argc, char **argv)
{
	struct listing listing = {.ctl = ctl,
		.table.heads = {"VIEWER", "DISPLAY", "MODE", "PEER", "ENCODING", "BYTES", "BEHIND",
			"LABEL"},
		.add = viewer_row};
	const char *id;
	int status;

	option_next(ctl, option_none, argc, argv, &status);
	if (status != CTL_OK)
		return status;
	if (argc - optind > 1)
		return complain_usage("viewers", "takes one display's id or nothing");
	id = argv[optind];
	return listing_print(&listing, id, "ListViewers", json_pack("{s:s*}", "id", id),
		"org.vfiodisplay.Display.NoSuchViewer");
}

static void line_print(const char *name, const char *text)
{
	printf("%10s: ", name);
	text_print(stdout, text[0] ? text : "-");
	putchar('\n');
}

static void planes_print(const json_t *planes)
{
	const json_t *plane;
	size_t i;

	json_array_foreach (planes, i, plane) {
		const json_t *spot = json_object_get(plane, "hotSpot");
		char line[320], hot[64] = "";

		if (json_is_object(spot))
			snprintf(hot, sizeof(hot),
				", points with %" JSON_INTEGER_FORMAT ",%" JSON_INTEGER_FORMAT,
				number_of(spot, "x"), number_of(spot, "y"));
		snprintf(line, sizeof(line),
			"%" JSON_INTEGER_FORMAT "x%" JSON_INTEGER_FORMAT "%+" JSON_INTEGER_FORMAT
			"%+" JSON_INTEGER_FORMAT ", %s, modifier %s, stride %" JSON_INTEGER_FORMAT
			", from a %s%s",
			number_of(plane, "width"), number_of(plane, "height"),
			number_of(plane, "x"), number_of(plane, "y"), text_of(plane, "format"),
			modifier_of(plane), number_of(plane, "stride"), text_of(plane, "source"),
			hot);
		line_print(text_of(plane, "type"), line);
	}
}

static void inputs_print(const json_t *inputs)
{
	const json_t *input, *led;
	size_t i, j;

	json_array_foreach (inputs, i, input) {
		char line[256];
		size_t n;

		n = (size_t)snprintf(line, sizeof(line),
			"%.32s, %s, %" JSON_INTEGER_FORMAT " events", text_of(input, "kind"),
			json_is_true(json_object_get(input, "connected")) ? "connected" : "lost",
			number_of(input, "eventsSent"));
		if (number_of(input, "eventsDropped"))
			n += (size_t)snprintf(line + n, sizeof(line) - n,
				", %" JSON_INTEGER_FORMAT " dropped",
				number_of(input, "eventsDropped"));
		json_array_foreach (json_object_get(input, "leds"), j, led)
			if (n < sizeof(line) && json_string_value(led))
				n += (size_t)snprintf(line + n, sizeof(line) - n, "%s%s",
					j ? " " : ", lit: ", json_string_value(led));
		line_print("input", line);
	}
}

static void layout_print(const json_t *runtime)
{
	const json_t *why = json_object_get(runtime, "keyboardLayoutReason");
	char line[160];

	if (!json_is_string(json_object_get(runtime, "keyboardLayout")))
		return; /* a daemon that is older */
	snprintf(line, sizeof(line), "%.40s", text_of(runtime, "keyboardLayout"));
	if (json_is_string(why))
		snprintf(line, sizeof(line), "%.40s, not the one that is wanted: %.80s",
			text_of(runtime, "keyboardLayout"), json_string_value(why));
	line_print("layout", line);
}

static void runtime_print(const json_t *runtime)
{
	const json_t *registrant = json_object_get(runtime, "registrant");
	const json_t *sizes = json_object_get(runtime, "sizeMaximum");
	const json_t *endpoint;
	char line[160];
	size_t i;

	line_print("state", text_of(runtime, "state"));
	if (json_object_get(runtime, "stateReason"))
		line_print("reason", text_of(runtime, "stateReason"));
	planes_print(json_object_get(runtime, "planes"));
	snprintf(line, sizeof(line), "%" JSON_INTEGER_FORMAT, number_of(runtime, "viewers"));
	line_print("viewers", line);
	json_array_foreach (json_object_get(runtime, "endpoints"), i, endpoint)
		line_print(
			"endpoint", json_string_value(endpoint) ? json_string_value(endpoint) : "");
	line_print("change", text_of(runtime, "change"));
	if (json_is_object(sizes)) {
		snprintf(line, sizeof(line),
			"viewers may ask for up to %" JSON_INTEGER_FORMAT "x%" JSON_INTEGER_FORMAT,
			number_of(sizes, "width"), number_of(sizes, "height"));
		line_print("sizes", line);
	}
	inputs_print(json_object_get(runtime, "input"));
	layout_print(runtime);
	line_print("lease", text_of(runtime, "lease"));
	snprintf(line, sizeof(line),
		"uid %" JSON_INTEGER_FORMAT ", gid %" JSON_INTEGER_FORMAT
		", pid %" JSON_INTEGER_FORMAT,
		number_of(registrant, "uid"), number_of(registrant, "gid"),
		number_of(registrant, "pid"));
	line_print("registrant", line);
	snprintf(line, sizeof(line),
		"%" JSON_INTEGER_FORMAT " captured, %" JSON_INTEGER_FORMAT " published",
		number_of(runtime, "framesCaptured"), number_of(runtime, "framesPublished"));
	line_print("frames", line);
}

static void context_print(const json_t *context)
{
	const char *key;
	json_t *value;

	line_print("id", text_of(context, "id"));
	line_print("name", text_of(context, "name"));
	line_print("machine", text_of(context, "machine"));
	line_print("view-only", json_is_true(json_object_get(context, "viewOnly")) ? "yes" : "no");
	json_object_foreach (json_object_get(context, "labels"), key, value) {
		char line[512];

		snprintf(line, sizeof(line), "%s=%s", key,
			json_string_value(value) ? json_string_value(value) : "");
		line_print("label", line);
	}
}

int verb_describe(struct ctl *ctl, int argc, char **argv)
{
	struct varlink_result result;
	const char *id;
	int status;

	option_next(ctl, option_none, argc, argv, &status);
	if (status != CTL_OK)
		return status;
	if (argc - optind != 1)
		return complain_usage(argv[0], "takes one display's id");
	id = argv[optind];
	status = session_call(ctl, id, "List", json_pack("{s:s}", "id", id), &result);
	if (status != CTL_OK)
		return status;
	if (ctl->json) {
		json_line(result.parameters);
	} else {
		context_print(json_object_get(result.parameters, "context"));
		runtime_print(json_object_get(result.parameters, "runtime"));
	}
	varlink_result_finish(&result);
	return CTL_OK;
}
