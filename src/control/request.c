/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/discard.h"
#include "bulletin.h"
#include "control/request_internal.h"

const char *const request_mode_names[VIEW_MODE_EXCLUSIVE + 1] = {
	[VIEW_MODE_VIEW] = "view",
	[VIEW_MODE_CONTROL] = "control",
	[VIEW_MODE_EXCLUSIVE] = "exclusive",
};

_Static_assert(sizeof(enum view_mode) == sizeof(int), "field_enum() writes an int");

static const struct field id_fields[] = {
	FIELD("id", field_id, struct request_id, id, .required = true),
};

const struct field_set request_id_fields = FIELD_SET(id_fields);

int request_id(struct fields_reader *reader, json_t *parameters, struct request_id *ret)
{
	struct request_id request = {0};
	int r;

	r = fields_read(reader, parameters, &request_id_fields, &request);
	if (r >= 0)
		*ret = request;
	return r;
}

int request_set(
	struct fields_reader *reader, json_t *value, const char *(*word)(size_t n), uint32_t *ret)
{
	uint32_t set = 0;

	if (!json_is_array(value) || json_array_size(value) == 0)
		return -EINVAL;
	for (size_t i = 0; i < json_array_size(value); i++) {
		const char *text = json_string_value(json_array_get(value, i));
		size_t mark = field_enter_index(reader, i);
		size_t n = 0;

		while (text && word(n) && strcmp(word(n), text) != 0)
			n++;
		if (!text || !word(n))
			return -EINVAL;
		field_leave(reader, mark);
		set |= 1u << n;
	}
	*ret = set;
	return 0;
}

static const char *const event_names[] = {
	[BULLETIN_DISPLAY_REGISTERED] = "displayRegistered",
	[BULLETIN_DISPLAY_STATE] = "displayState",
	[BULLETIN_DISPLAY_RESIZED] = "displayResized",
	[BULLETIN_DISPLAY_UPDATED] = "displayUpdated",
	[BULLETIN_DISPLAY_UNREGISTERED] = "displayUnregistered",
	[BULLETIN_VIEWER_ATTACHED] = "viewerAttached",
	[BULLETIN_VIEWER_AUTHENTICATED] = "viewerAuthenticated",
	[BULLETIN_VIEWER_DETACHED] = "viewerDetached",
	[BULLETIN_TICKET_USED] = "ticketUsed",
	[BULLETIN_INPUT_LOST] = "inputLost",
	[BULLETIN_POWER_REQUESTED] = "powerRequested",
	[BULLETIN_RELOADING] = "reloading",
	[BULLETIN_STOPPING] = "stopping",
};

_Static_assert(ARRAY_SIZE(event_names) == BULLETIN_KINDS, "each has a name");

const char *request_event_name(size_t kind)
{
	return kind < BULLETIN_KINDS ? event_names[kind] : NULL;
}

static int read_filter(
	struct fields_reader *reader, json_t *value, const struct field *field, void *at)
{
	return request_set(reader, value, request_event_name, at);
}

static const struct field subscribe_fields[] = {
	FIELD("filter", read_filter, struct request_subscribe, filter, .type = "[]enum",
		.word = request_event_name),
	FIELD("id", field_id, struct request_subscribe, id),
	FIELD("current", field_bool, struct request_subscribe, current),
};

const struct field_set request_subscribe_fields = FIELD_SET(subscribe_fields);

int request_subscribe(
	struct fields_reader *reader, json_t *parameters, struct request_subscribe *ret)
{
	struct request_subscribe request = {0};
	int r;

	r = fields_read(reader, parameters, &request_subscribe_fields, &request);
	if (r >= 0)
		*ret = request;
	return r;
}

static const struct field list_fields[] = {
	FIELD("id", field_id, struct request_list, id),
	FIELD("machine", field_text, struct request_list, machine, .min = 1,
		.max = LIMIT_NAME_CHARS),
};

const struct field_set request_list_fields = FIELD_SET(list_fields);

int request_list(struct fields_reader *reader, json_t *parameters, struct request_list *ret)
{
	struct request_list request = {0};
	int r;

	r = fields_read(reader, parameters, &request_list_fields, &request);
	if (r >= 0)
		*ret = request;
	return r;
}

static const struct field viewers_fields[] = {
	FIELD("id", field_id, struct request_id, id),
};

const struct field_set request_viewers_fields = FIELD_SET(viewers_fields);

int request_list_viewers(struct fields_reader *reader, json_t *parameters, struct request_id *ret)
{
	struct request_id request = {0};
	int r;

	r = fields_read(reader, parameters, &request_viewers_fields, &request);
	if (r >= 0)
		*ret = request;
	return r;
}

static const struct field attach_fields[] = {
	FIELD("id", field_id, struct request_attach, id, .required = true),
	FIELD("mode", field_enum, struct request_attach, mode, .required = true,
		.names = request_mode_names, .names_used = ARRAY_SIZE(request_mode_names)),
	FIELD("label", field_text, struct request_attach, label, .min = 1,
		.max = LIMIT_LABEL_CHARS),
	FIELD("fileDescriptorIndex", field_fd, struct request_attach, viewer),
};

const struct field_set request_attach_fields = FIELD_SET(attach_fields);

int request_attach(struct fields_reader *reader, json_t *parameters, struct request_attach *ret)
{
	struct request_attach request = {.viewer = NO_FIELD_FD};
	int r;

	r = fields_read(reader, parameters, &request_attach_fields, &request);
	if (r >= 0)
		*ret = request;
	else
		fd_discardp(&request.viewer.fd);
	return r;
}

static const struct field ticket_fields[] = {
	FIELD("id", field_id, struct request_ticket, id, .required = true),
	FIELD("mode", field_enum, struct request_ticket, mode, .required = true,
		.names = request_mode_names, .names_used = ARRAY_SIZE(request_mode_names)),
	FIELD("seconds", field_u32, struct request_ticket, seconds, .min = 1,
		.max = LIMIT_TICKET_SECONDS),
	FIELD("label", field_text, struct request_ticket, label, .min = 1,
		.max = LIMIT_LABEL_CHARS),
};

const struct field_set request_ticket_fields = FIELD_SET(ticket_fields);

int request_issue_ticket(
	struct fields_reader *reader, json_t *parameters, struct request_ticket *ret)
{
	struct request_ticket request = {.seconds = TICKET_SECONDS};
	int r;

	r = fields_read(reader, parameters, &request_ticket_fields, &request);
	if (r >= 0)
		*ret = request;
	return r;
}

static bool is_given(json_t *object, const char *name)
{
	json_t *value = json_object_get(object, name);

	return value && !json_is_null(value);
}

static int read_changes(
	struct fields_reader *reader, json_t *value, const struct field *field, void *at)
{
	struct request_update *request = at;

	request->has_labels = is_given(value, "labels");
	request->has_view_only = is_given(value, "viewOnly");
	return request_context(reader, value, field, &request->changes);
}

static const struct field update_fields[] = {
	FIELD("id", field_id, struct request_update, id, .required = true),
	WHOLE("context", read_changes, .required = true, .type = "object",
		.inside = &request_context_fields),
};

const struct field_set request_update_fields = FIELD_SET(update_fields);

int request_update(struct fields_reader *reader, json_t *parameters, struct request_update *ret)
{
	struct request_update request = {0};
	int r;

	r = fields_read(reader, parameters, &request_update_fields, &request);
	if (r >= 0)
		*ret = request;
	else
		context_finish(&request.changes);
	return r;
}

static const struct field detach_fields[] = {
	FIELD("viewer", field_text, struct request_detach, viewer, .required = true, .min = 1,
		.max = sizeof(((struct request_detach *)0)->viewer) - 1),
};

const struct field_set request_detach_fields = FIELD_SET(detach_fields);

int request_detach(struct fields_reader *reader, json_t *parameters, struct request_detach *ret)
{
	struct request_detach request = {0};
	int r;

	r = fields_read(reader, parameters, &request_detach_fields, &request);
	if (r >= 0)
		*ret = request;
	return r;
}

static const char *const metrics_names[] = {
	[METRICS_TEXT_OPENMETRICS] = "openMetrics",
	[METRICS_TEXT_CLASSIC] = "text",
};

static const struct field metrics_fields[] = {
	FIELD("format", field_enum, struct request_metrics, format, .names = metrics_names,
		.names_used = ARRAY_SIZE(metrics_names)),
};

const struct field_set request_metrics_fields = FIELD_SET(metrics_fields);

int request_metrics(struct fields_reader *reader, json_t *parameters, struct request_metrics *ret)
{
	struct request_metrics request = {0};
	int r;

	r = fields_read(reader, parameters, &request_metrics_fields, &request);
	if (r >= 0)
		*ret = request;
	return r;
}

static const struct field log_level_fields[] = {
	FIELD("level", field_u32, struct request_log_level, level, .required = true, .max = 7),
};

const struct field_set request_log_level_fields = FIELD_SET(log_level_fields);

int request_log_level(
	struct fields_reader *reader, json_t *parameters, struct request_log_level *ret)
{
	struct request_log_level request = {0};
	int r;

	r = fields_read(reader, parameters, &request_log_level_fields, &request);
	if (r >= 0)
		*ret = request;
	return r;
}

const struct field_set request_no_fields = {0};

int request_nothing(struct fields_reader *reader, json_t *parameters)
{
	return fields_read(reader, parameters, &request_no_fields, NULL);
}
