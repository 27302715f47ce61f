/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/discard.h"
#include "base/fd.h"
#include "control/request_internal.h"
#include "input/script.h"

enum { AXIS_DEFAULT = 0x7fff }; /* as QEMU's and most tablets' */

static int read_kind(
	struct fields_reader *reader, json_t *value, const struct field *field, void *at)
{
	const char *text = json_string_value(value);
	enum input_kind *kind = at;

	for (size_t i = 0; text && input_kind_name(i); i++) {
		if (strcmp(input_kind_name(i), text) != 0)
			continue;
		*kind = (enum input_kind)i;
		return 0;
	}
	return -EINVAL;
}

/* ---- Sinks ---- */

void request_sinks_init(struct request_sinks *sinks)
{
	*sinks = (struct request_sinks){0};
	for (size_t i = 0; i < LIMIT_INPUTS; i++) {
		sinks->at[i].fd = -EBADF;
		sinks->indexes[i] = -1;
	}
}

void request_sinks_finish(struct request_sinks *sinks)
{
	for (size_t i = 0; i < LIMIT_INPUTS; i++)
		fd_discardp(&sinks->at[i].fd);
}

struct request_sink {
	enum input_kind kind;
	struct field_fd socket;
	uint32_t x_maximum, y_maximum;
};

static bool has_places(enum input_kind kind)
{
	return kind == INPUT_ABSOLUTE_POINTER || kind == INPUT_TOUCH;
}

/* Which field contradicts the others; NULL: none. */
static const char *wrong_field(
	const struct request_sinks *sinks, json_t *value, const struct request_sink *sink)
{
	for (size_t i = 0; i < sinks->used; i++)
		if (sinks->at[i].kind == sink->kind)
			return "kind";
	if (has_places(sink->kind))
		return NULL;
	if (json_is_integer(json_object_get(value, "xMaximum")))
		return "xMaximum";
	return json_is_integer(json_object_get(value, "yMaximum")) ? "yMaximum" : NULL;
}

static const struct field sink_fields[] = {
	FIELD("kind", read_kind, struct request_sink, kind, .required = true, .type = "enum",
		.word = input_kind_name),
	FIELD("fileDescriptorIndex", field_fd, struct request_sink, socket, .required = true),
	FIELD("xMaximum", field_u32, struct request_sink, x_maximum, .min = 1,
		.max = LIMIT_INPUT_AXIS),
	FIELD("yMaximum", field_u32, struct request_sink, y_maximum, .min = 1,
		.max = LIMIT_INPUT_AXIS),
};

const struct field_set request_sink_fields = FIELD_SET(sink_fields);

static int read_sink(struct fields_reader *reader, json_t *value, struct request_sinks *sinks)
{
	struct request_sink sink = {
		.socket = NO_FIELD_FD,
		.x_maximum = AXIS_DEFAULT,
		.y_maximum = AXIS_DEFAULT,
	};
	const char *wrong;
	int r;

	r = fields_read(reader, value, &request_sink_fields, &sink);
	wrong = r < 0 ? NULL : wrong_field(sinks, value, &sink);
	if (wrong) {
		field_enter(reader, wrong);
		r = -EINVAL;
	}
	if (r < 0) {
		fd_discardp(&sink.socket.fd);
		return r;
	}
	sinks->indexes[sinks->used] = sink.socket.index;
	sinks->at[sinks->used++] = (struct handover_input){
		.fd = sink.socket.fd,
		.kind = sink.kind,
		.x_maximum = sink.x_maximum,
		.y_maximum = sink.y_maximum,
	};
	return 0;
}

int request_sinks(struct fields_reader *reader, json_t *value, const struct field *field, void *at)
{
	struct request_sinks *sinks = at;
	int r;

	if (!json_is_array(value) || json_array_size(value) > LIMIT_INPUTS)
		return -EINVAL;
	for (size_t i = 0; i < json_array_size(value); i++) {
		size_t mark = field_enter_index(reader, i);

		r = read_sink(reader, json_array_get(value, i), sinks);
		if (r < 0)
			return r;
		field_leave(reader, mark);
	}
	return 0;
}

static const struct field set_input_fields[] = {
	FIELD("id", field_id, struct request_set_input, id, .required = true),
	FIELD("input", request_sinks, struct request_set_input, sinks, .required = true,
		.type = "[]object", .inside = &request_sink_fields),
};

const struct field_set request_set_input_fields = FIELD_SET(set_input_fields);

int request_set_input(
	struct fields_reader *reader, json_t *parameters, struct request_set_input *ret)
{
	struct request_set_input request = {0};
	int r;

	request_sinks_init(&request.sinks);
	r = fields_read(reader, parameters, &request_set_input_fields, &request);
	if (r >= 0)
		*ret = request;
	else
		request_sinks_finish(&request.sinks);
	return r;
}

/* ---- Events ---- */

struct request_event {
	uint32_t type, code;
	int32_t value;
};

static int read_value(
	struct fields_reader *reader, json_t *value, const struct field *field, void *at)
{
	json_int_t number = json_integer_value(value);

	if (!json_is_integer(value) || number < INT32_MIN || number > INT32_MAX)
		return -EINVAL;
	*(int32_t *)at = (int32_t)number;
	return 0;
}

static const struct field event_fields[] = {
	FIELD("type", field_u32, struct request_event, type, .required = true, .max = UINT16_MAX),
	FIELD("code", field_u32, struct request_event, code, .required = true, .max = UINT16_MAX),
	FIELD("value", read_value, struct request_event, value, .required = true, .type = "int"),
};

static const struct field_set event_set = FIELD_SET(event_fields);

static int read_event(struct fields_reader *reader, json_t *value, struct input_event *ret)
{
	struct request_event event;
	int r;

	r = fields_read(reader, value, &event_set, &event);
	if (r >= 0)
		*ret = (struct input_event){
			(uint16_t)event.type, (uint16_t)event.code, event.value};
	return r;
}

static int read_events(
	struct fields_reader *reader, json_t *value, const struct field *field, void *at)
{
	struct request_send_input *request = at;
	int r;

	if (!json_is_array(value) || json_array_size(value) < 1 ||
		json_array_size(value) > LIMIT_INPUT_EVENTS)
		return -EINVAL;
	for (size_t i = 0; i < json_array_size(value); i++) {
		size_t mark = field_enter_index(reader, i);

		r = read_event(reader, json_array_get(value, i), &request->events[i]);
		if (r < 0)
			return r;
		field_leave(reader, mark);
		request->events_used++;
	}
	return 0;
}

static int read_asked(
	struct fields_reader *reader, json_t *value, const struct field *field, void *at)
{
	struct request_send_input *request = at;

	request->has_kind = true;
	return read_kind(reader, value, field, &request->kind);
}

static const struct field send_input_fields[] = {
	FIELD("id", field_id, struct request_send_input, id, .required = true),
	WHOLE("kind", read_asked, .type = "enum", .word = input_kind_name),
	WHOLE("events", read_events, .required = true, .type = "[]object", .inside = &event_set),
};

const struct field_set request_send_input_fields = FIELD_SET(send_input_fields);

int request_send_input(
	struct fields_reader *reader, json_t *parameters, struct request_send_input *ret)
{
	struct request_send_input request = {0};
	int r;

	r = fields_read(reader, parameters, &request_send_input_fields, &request);
	if (r >= 0)
		*ret = request;
	return r;
}

/* ---- Keys ---- */

static int read_chords(
	struct fields_reader *reader, json_t *value, const struct field *field, void *at)
{
	struct request_send_keys *request = at;

	if (!json_is_array(value) || json_array_size(value) < 1 ||
		json_array_size(value) > LIMIT_CHORDS)
		return -EINVAL;
	for (size_t i = 0; i < json_array_size(value); i++) {
		size_t mark = field_enter_index(reader, i);
		json_t *chord = json_array_get(value, i);

		if (!field_text_valid(chord, 1, LIMIT_CHORD_CHARS))
			return -EINVAL;
		request->chords[request->chords_used++] = json_string_value(chord);
		field_leave(reader, mark);
	}
	return 0;
}

/* Any characters: which of them can be typed the layout says. */
static int read_text(
	struct fields_reader *reader, json_t *value, const struct field *field, void *at)
{
	struct request_send_keys *request = at;
	const char *text = json_string_value(value);

	if (!text || strlen(text) != json_string_length(value) || !*text ||
		script_length(text) > LIMIT_TYPE_CHARS)
		return -EINVAL;
	request->text = text;
	return 0;
}

static const struct field send_keys_fields[] = {
	FIELD("id", field_id, struct request_send_keys, id, .required = true),
	WHOLE("keys", read_chords, .type = "[]string"),
	WHOLE("text", read_text, .type = "string"),
};

const struct field_set request_send_keys_fields = FIELD_SET(send_keys_fields);

int request_send_keys(
	struct fields_reader *reader, json_t *parameters, struct request_send_keys *ret)
{
	struct request_send_keys request = {0};
	int r;

	r = fields_read(reader, parameters, &request_send_keys_fields, &request);
	if (r >= 0 && !request.chords_used && !request.text) {
		field_enter(reader, "keys");
		return -EINVAL;
	}
	if (r >= 0)
		*ret = request;
	return r;
}
