/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <limits.h>

#include "control/request_internal.h"
#include "input/layout.h"

static const char *const sharing_names[] = {
	[SHARING_IGNORE] = "ignore",
	[SHARING_ALLOW_EXCLUSIVE] = "allowExclusive",
	[SHARING_FORCE_SHARED] = "forceShared",
};

_Static_assert(sizeof(enum sharing) == sizeof(int), "field_enum() writes an int");

static int read_head(
	struct fields_reader *reader, json_t *value, const struct field *field, void *at)
{
	struct context *context = at;

	if (!json_is_integer(value) || json_integer_value(value) < field->min ||
		json_integer_value(value) > field->max)
		return -EINVAL;
	context->has_head = true;
	context->head = json_integer_value(value);
	return 0;
}

static int read_label(struct context *context, const char *key, json_t *value, size_t *bytes)
{
	json_t *name = json_string(key);
	bool valid = field_text_valid(name, 1, LIMIT_LABEL_CHARS) &&
		     field_text_valid(value, 0, LIMIT_LABEL_CHARS);
	struct label *label = &context->labels[context->labels_used];

	json_decref(name);
	if (!valid || context->labels_used == LIMIT_LABELS)
		return -EINVAL;
	*bytes += strlen(key) + json_string_length(value);
	if (*bytes > LIMIT_LABEL_BYTES)
		return -EINVAL;
	label->key = strdup(key);
	label->value = strdup(json_string_value(value));
	context->labels_used++;
	return label->key && label->value ? 0 : -ENOMEM;
}

static int read_labels(
	struct fields_reader *reader, json_t *value, const struct field *field, void *at)
{
	struct context *context = at;
	size_t bytes = 0;
	const char *key;
	json_t *text;
	int r;

	if (!json_is_object(value))
		return -EINVAL;
	json_object_foreach (value, key, text) {
		size_t mark = field_enter(reader, key);

		r = read_label(context, key, text, &bytes);
		if (r < 0)
			return r;
		field_leave(reader, mark);
	}
	return 0;
}

static int read_sharing(
	struct fields_reader *reader, json_t *value, const struct field *field, void *at)
{
	struct context *context = at;

	context->has_sharing = true;
	return field_enum(reader, value, field, &context->sharing);
}

static int read_layout(
	struct fields_reader *reader, json_t *value, const struct field *field, void *at)
{
	struct context *context = at;

	if (!field_text_valid(value, 1, LIMIT_LAYOUT_CHARS) ||
		!layout_name_valid(json_string_value(value)))
		return -EINVAL;
	memcpy(context->layout, json_string_value(value), json_string_length(value) + 1);
	return 0;
}

static int read_exclusive(
	struct fields_reader *reader, json_t *value, const struct field *field, void *at)
{
	struct context *context = at;

	context->has_input_exclusive = true;
	return field_u32(reader, value, field, &context->input_exclusive_seconds);
}

static const struct field context_fields[] = {
	FIELD("id", field_id, struct context, id),
	FIELD("name", field_text, struct context, name, .min = 1, .max = LIMIT_NAME_CHARS),
	FIELD("machine", field_text, struct context, machine, .min = 1, .max = LIMIT_NAME_CHARS),
	WHOLE("head", read_head, .max = INT_MAX, .type = "int"),
	WHOLE("labels", read_labels, .type = "[string]string"),
	FIELD("framesPerSecondMaximum", field_u32, struct context, frames_maximum, .min = 1,
		.max = LIMIT_FRAMES_MAX),
	FIELD("bytesPerSecondMaximum", field_u32, struct context, bytes_maximum, .min = 1,
		.max = UINT32_MAX),
	WHOLE("sharing", read_sharing, .names = sharing_names,
		.names_used = ARRAY_SIZE(sharing_names), .type = "enum"),
	FIELD("viewersMaximum", field_u32, struct context, viewers_maximum, .min = 1,
		.max = LIMIT_VIEWERS_MAX),
	FIELD("viewOnly", field_bool, struct context, view_only),
	WHOLE("keyboardLayout", read_layout, .type = "string"),
	WHOLE("inputExclusiveSeconds", read_exclusive, .max = LIMIT_INPUT_IDLE, .type = "int"),
};

const struct field_set request_context_fields = FIELD_SET(context_fields);

int request_context(
	struct fields_reader *reader, json_t *value, const struct field *field, void *at)
{
	return fields_read(reader, value, &request_context_fields, at);
}
