/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/discard.h"
#include "control/request_internal.h"

const char *const request_mode_names[VIEW_MODE_EXCLUSIVE + 1] = {
	[VIEW_MODE_VIEW] = "view",
	[VIEW_MODE_CONTROL] = "control",
	[VIEW_MODE_EXCLUSIVE] = "exclusive",
};

_Static_assert(sizeof(enum view_mode) == sizeof(int), "field_enum() writes an int");

int request_id(struct fields_reader *reader, json_t *parameters, struct request_id *ret)
{
	static const struct field fields[] = {
		FIELD("id", field_id, struct request_id, id, .required = true),
	};
	struct request_id request = {0};
	int r;

	r = fields_read(reader, parameters, fields, ARRAY_SIZE(fields), &request);
	if (r >= 0)
		*ret = request;
	return r;
}

int request_list(struct fields_reader *reader, json_t *parameters, struct request_list *ret)
{
	static const struct field fields[] = {
		FIELD("id", field_id, struct request_list, id),
		FIELD("machine", field_text, struct request_list, machine, .min = 1,
			.max = LIMIT_NAME_CHARS),
	};
	struct request_list request = {0};
	int r;

	r = fields_read(reader, parameters, fields, ARRAY_SIZE(fields), &request);
	if (r >= 0)
		*ret = request;
	return r;
}

int request_list_viewers(struct fields_reader *reader, json_t *parameters, struct request_id *ret)
{
	static const struct field fields[] = {
		FIELD("id", field_id, struct request_id, id),
	};
	struct request_id request = {0};
	int r;

	r = fields_read(reader, parameters, fields, ARRAY_SIZE(fields), &request);
	if (r >= 0)
		*ret = request;
	return r;
}

int request_attach(struct fields_reader *reader, json_t *parameters, struct request_attach *ret)
{
	static const struct field fields[] = {
		FIELD("id", field_id, struct request_attach, id, .required = true),
		FIELD("mode", field_enum, struct request_attach, mode, .required = true,
			.names = request_mode_names, .names_used = ARRAY_SIZE(request_mode_names)),
		FIELD("label", field_text, struct request_attach, label, .min = 1,
			.max = LIMIT_LABEL_CHARS),
		FIELD("fileDescriptorIndex", field_fd, struct request_attach, viewer),
	};
	struct request_attach request = {.viewer = NO_FIELD_FD};
	int r;

	r = fields_read(reader, parameters, fields, ARRAY_SIZE(fields), &request);
	if (r >= 0)
		*ret = request;
	else
		fd_discardp(&request.viewer.fd);
	return r;
}

int request_issue_ticket(
	struct fields_reader *reader, json_t *parameters, struct request_ticket *ret)
{
	static const struct field fields[] = {
		FIELD("id", field_id, struct request_ticket, id, .required = true),
		FIELD("mode", field_enum, struct request_ticket, mode, .required = true,
			.names = request_mode_names, .names_used = ARRAY_SIZE(request_mode_names)),
		FIELD("seconds", field_u32, struct request_ticket, seconds, .min = 1,
			.max = LIMIT_TICKET_SECONDS),
		FIELD("label", field_text, struct request_ticket, label, .min = 1,
			.max = LIMIT_LABEL_CHARS),
	};
	struct request_ticket request = {.seconds = TICKET_SECONDS};
	int r;

	r = fields_read(reader, parameters, fields, ARRAY_SIZE(fields), &request);
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

int request_update(struct fields_reader *reader, json_t *parameters, struct request_update *ret)
{
	static const struct field fields[] = {
		FIELD("id", field_id, struct request_update, id, .required = true),
		WHOLE("context", read_changes, .required = true),
	};
	struct request_update request = {0};
	int r;

	r = fields_read(reader, parameters, fields, ARRAY_SIZE(fields), &request);
	if (r >= 0)
		*ret = request;
	else
		context_finish(&request.changes);
	return r;
}

int request_detach(struct fields_reader *reader, json_t *parameters, struct request_detach *ret)
{
	static const struct field fields[] = {
		FIELD("viewer", field_text, struct request_detach, viewer, .required = true,
			.min = 1, .max = sizeof(ret->viewer) - 1),
	};
	struct request_detach request = {0};
	int r;

	r = fields_read(reader, parameters, fields, ARRAY_SIZE(fields), &request);
	if (r >= 0)
		*ret = request;
	return r;
}

int request_nothing(struct fields_reader *reader, json_t *parameters)
{
	return fields_read(reader, parameters, NULL, 0, NULL);
}
