/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "ctl/complain.h"
#include "ctl/ctl.h"
#include "ctl/session.h"
#include "ctl/table.h"

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

static int list_row(struct table *table, const json_t *entry)
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

static int print_rows(struct table *table, const json_t *entries,
	int (*add)(struct table *table, const json_t *entry))
{
	const json_t *entry;
	int r = 0;
	size_t i;

	json_array_foreach (entries, i, entry)
		r |= add(table, entry);
	if (r < 0)
		complain(NULL, "out of memory");
	else
		table_print(table, stdout);
	table_finish(table);
	return r < 0 ? CTL_FAILED : CTL_OK;
}

int verb_list(const struct ctl *ctl, int argc, char **argv)
{
	static const struct option options[] = {{"machine", required_argument, NULL, 'm'}, {0}};
	struct table table = {
		.heads = {"ID", "STATE", "SIZE", "FORMAT", "VIEWERS", "MACHINE", "NAME", "REASON"}};
	json_t *parameters = json_object(), *entries = NULL;
	int status = CTL_OK;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (option != 'm' ||
			json_object_set_new(parameters, "machine", json_string(optarg)) < 0) {
			json_decref(parameters);
			return CTL_USAGE;
		}
	}
	if (optind < argc) {
		json_decref(parameters);
		return complain_usage(
			"list", "takes no id; 'describe %s' shows one display", argv[optind]);
	}
	if (session_list(ctl, NULL, "List", parameters, "org.vfiodisplay.Display.NoSuchDisplay",
		    &entries) < 0)
		return CTL_FAILED;
	if (ctl->json)
		json_print(entries);
	else
		status = print_rows(&table, entries, list_row);
	json_decref(entries);
	return status;
}

int verb_viewers(const struct ctl *ctl, int argc, char **argv)
{
	struct table table = {.heads = {"VIEWER", "DISPLAY", "MODE", "PEER", "ENCODING", "BYTES",
				      "BEHIND", "LABEL"}};
	const char *id = argc == 2 ? argv[1] : NULL;
	json_t *entries = NULL;
	int status = CTL_OK;

	if (argc > 2)
		return complain_usage("viewers", "takes one display's id or nothing");
	if (session_list(ctl, id, "ListViewers", json_pack("{s:s*}", "id", id),
		    "org.vfiodisplay.Display.NoSuchViewer", &entries) < 0)
		return CTL_FAILED;
	if (ctl->json)
		json_print(entries);
	else
		status = print_rows(&table, entries, viewer_row);
	json_decref(entries);
	return status;
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

int verb_describe(const struct ctl *ctl, int argc, char **argv)
{
	struct varlink_result result;

	if (argc != 2)
		return complain_usage("describe", "takes one display's id");
	if (session_call(ctl, argv[1], "List", json_pack("{s:s}", "id", argv[1]), &result) < 0)
		return CTL_FAILED;
	if (ctl->json) {
		json_print(result.parameters);
	} else {
		context_print(json_object_get(result.parameters, "context"));
		runtime_print(json_object_get(result.parameters, "runtime"));
	}
	varlink_result_finish(&result);
	return CTL_OK;
}
