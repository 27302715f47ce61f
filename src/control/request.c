/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/request.h"

#include <limits.h>
#include <stdio.h>

#include "base/config.h"
#include "base/discard.h"
#include "base/fd.h"
#include "base/mem.h"

/* WHOLE: the read function gets the struct itself. The rest of the arguments are further fields of struct field. */
#define FIELD(n, fn, type, member, ...) \
	{ \
		.name = (n), .read = (fn), .offset = offsetof(type, member), __VA_ARGS__ \
	}
#define WHOLE(n, fn, ...) \
	{ \
		.name = (n), .read = (fn), __VA_ARGS__ \
	}

static const char *const mode_names[] = {
	[VIEW_MODE_VIEW] = "view",
	[VIEW_MODE_CONTROL] = "control",
	[VIEW_MODE_EXCLUSIVE] = "exclusive",
};
static const char *const sharing_names[] = {
	[SHARING_IGNORE] = "ignore",
	[SHARING_ALLOW_EXCLUSIVE] = "allowExclusive",
	[SHARING_FORCE_SHARED] = "forceShared",
};
static const char *const source_names[] = {
	[SOURCE_VFIO] = "vfio",
	[SOURCE_SURFACE] = "surface",
};

_Static_assert(sizeof(enum view_mode) == sizeof(int), "field_enum() writes an int");
_Static_assert(sizeof(enum sharing) == sizeof(int), "field_enum() writes an int");
_Static_assert(sizeof(enum source_kind) == sizeof(int), "field_enum() writes an int");
_Static_assert(LIMIT_VARLINK_FDS <= 32, "fields_reader.taken has 32 bits");

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

static const struct field context_fields[] = {
	FIELD("id", field_id, struct context, id),
	FIELD("name", field_text, struct context, name, .min = 1, .max = LIMIT_NAME_CHARS),
	FIELD("machine", field_text, struct context, machine, .min = 1, .max = LIMIT_NAME_CHARS),
	WHOLE("head", read_head, .max = INT_MAX),
	WHOLE("labels", read_labels),
	FIELD("framesPerSecondMaximum", field_u32, struct context, frames_maximum, .min = 1,
		.max = LIMIT_FRAMES_MAX),
	FIELD("bytesPerSecondMaximum", field_u32, struct context, bytes_maximum, .min = 1,
		.max = UINT32_MAX),
	WHOLE("sharing", read_sharing, .names = sharing_names,
		.names_used = ARRAY_SIZE(sharing_names)),
	FIELD("viewersMaximum", field_u32, struct context, viewers_maximum, .min = 1,
		.max = LIMIT_VIEWERS_MAX),
	FIELD("viewOnly", field_bool, struct context, view_only),
};

struct request_listener {
	enum view_mode mode;
	struct field_fd socket;
	uint32_t security, transports;
	char origins[sizeof(((struct handover_listener *)0)->origins)];
	char address[sizeof(((struct handover_listener *)0)->address)];
};

/* Words of a table as bits. An empty array is none of them, which no listener can do with. */
static int read_set(
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

static int read_security(
	struct fields_reader *reader, json_t *value, const struct field *field, void *at)
{
	return read_set(reader, value, config_offer, at);
}

static int read_transports(
	struct fields_reader *reader, json_t *value, const struct field *field, void *at)
{
	return read_set(reader, value, config_transport, at);
}

/* Words of printable ASCII, joined with one space between. */
static int read_origins(
	struct fields_reader *reader, json_t *value, const struct field *field, void *at)
{
	char *origins = at;
	size_t used = 0;

	if (!json_is_array(value))
		return -EINVAL;
	for (size_t i = 0; i < json_array_size(value); i++) {
		json_t *origin = json_array_get(value, i);
		const char *text = json_string_value(origin);
		size_t mark = field_enter_index(reader, i);

		if (!field_text_valid(origin, 1, (size_t)field->max) ||
			used + (used > 0) + strlen(text) > (size_t)field->max)
			return -EINVAL;
		for (const char *c = text; *c; c++)
			if (*c <= ' ' || *c > '~')
				return -EINVAL;
		used += (size_t)sprintf(origins + used, "%s%s", used ? " " : "", text);
		field_leave(reader, mark);
	}
	return 0;
}

static const struct field listener_fields[] = {
	FIELD("mode", field_enum, struct request_listener, mode, .required = true,
		.names = mode_names, .names_used = ARRAY_SIZE(mode_names)),
	FIELD("fileDescriptorIndex", field_fd, struct request_listener, socket),
	FIELD("security", read_security, struct request_listener, security),
	FIELD("transports", read_transports, struct request_listener, transports),
	FIELD("origins", read_origins, struct request_listener, origins,
		.max = sizeof(((struct request_listener *)0)->origins) - 1),
	FIELD("address", field_text, struct request_listener, address, .min = 1,
		.max = sizeof(((struct request_listener *)0)->address) - 1),
};

struct request_registration {
	struct context context;
	enum source_kind source;
	struct field_fd device, change, lease, render;
	bool display_interrupt, owns_edid;
	struct request_listener listeners[LIMIT_LISTENERS];
	size_t listeners_used;
};

static int read_context(
	struct fields_reader *reader, json_t *value, const struct field *field, void *at)
{
	return fields_read(reader, value, context_fields, ARRAY_SIZE(context_fields), at);
}

static int read_listener(
	struct fields_reader *reader, json_t *value, struct request_listener *listener)
{
	int r;

	r = fields_read(reader, value, listener_fields, ARRAY_SIZE(listener_fields), listener);
	if (r < 0)
		return r;
	if (listener->socket.fd >= 0 && listener->address[0]) {
		field_enter(reader, "address");
		return -EINVAL;
	}
	if (listener->socket.fd < 0 && !listener->address[0]) {
		field_enter(reader, "fileDescriptorIndex");
		return -EINVAL;
	}
	return 0;
}

static int read_listeners(
	struct fields_reader *reader, json_t *value, const struct field *field, void *at)
{
	struct request_registration *registration = at;
	int r;

	if (!json_is_array(value) || json_array_size(value) > LIMIT_LISTENERS)
		return -EINVAL;
	for (size_t i = 0; i < json_array_size(value); i++) {
		size_t mark = field_enter_index(reader, i);

		registration->listeners_used++;
		r = read_listener(reader, json_array_get(value, i), &registration->listeners[i]);
		if (r < 0)
			return r;
		field_leave(reader, mark);
	}
	return 0;
}

static const struct field register_fields[] = {
	FIELD("context", read_context, struct request_registration, context),
	FIELD("source", field_enum, struct request_registration, source, .names = source_names,
		.names_used = ARRAY_SIZE(source_names)),
	FIELD("deviceFileDescriptorIndex", field_fd, struct request_registration, device,
		.required = true),
	FIELD("changeFileDescriptorIndex", field_fd, struct request_registration, change),
	FIELD("leaseFileDescriptorIndex", field_fd, struct request_registration, lease),
	FIELD("renderNodeFileDescriptorIndex", field_fd, struct request_registration, render),
	FIELD("displayInterrupt", field_bool, struct request_registration, display_interrupt),
	FIELD("ownsEdid", field_bool, struct request_registration, owns_edid),
	WHOLE("listen", read_listeners),
};

static const struct field_fd no_fd = {.fd = -EBADF, .index = -1};

static void registration_init(struct request_registration *registration)
{
	*registration = (struct request_registration){
		.device = no_fd,
		.change = no_fd,
		.lease = no_fd,
		.render = no_fd,
	};
	for (size_t i = 0; i < LIMIT_LISTENERS; i++)
		registration->listeners[i].socket = no_fd;
}

static void registration_finish(struct request_registration *registration)
{
	context_finish(&registration->context);
	fd_discardp(&registration->device.fd);
	fd_discardp(&registration->change.fd);
	fd_discardp(&registration->lease.fd);
	fd_discardp(&registration->render.fd);
	for (size_t i = 0; i < LIMIT_LISTENERS; i++)
		fd_discardp(&registration->listeners[i].socket.fd);
}

/* viewOnly is the stronger word: a listener that says control gets a view. */
static void registration_hand_over(struct request_registration *registration,
	struct handover *handover, struct request_indexes *indexes)
{
	handover_init(handover);
	handover->context = registration->context;
	registration->context.labels_used = 0;
	handover->source = registration->source;
	handover->device = take_fd(&registration->device.fd);
	handover->change = take_fd(&registration->change.fd);
	handover->lease = take_fd(&registration->lease.fd);
	handover->render = take_fd(&registration->render.fd);
	handover->display_interrupt = registration->display_interrupt;
	handover->owns_edid = registration->owns_edid;
	indexes->at[HANDOVER_DEVICE] = registration->device.index;
	indexes->at[HANDOVER_CHANGE] = registration->change.index;
	indexes->at[HANDOVER_LEASE] = registration->lease.index;
	indexes->at[HANDOVER_RENDER] = registration->render.index;
	for (size_t i = 0; i < LIMIT_LISTENERS; i++) {
		struct request_listener *from = &registration->listeners[i];
		struct handover_listener *to = &handover->listeners[i];

		to->fd = take_fd(&from->socket.fd);
		to->mode = handover->context.view_only ? VIEW_MODE_VIEW : from->mode;
		to->security = from->security;
		to->transports = from->transports;
		memcpy(to->origins, from->origins, sizeof(to->origins));
		memcpy(to->address, from->address, sizeof(to->address));
		indexes->at[HANDOVER_LISTENERS + i] = from->socket.index;
	}
	handover->listeners_used = registration->listeners_used;
}

/* A surface has no interrupt, no EDID, and memory that needs no import. Who asks for it has mistaken something. */
static int check_source(
	struct fields_reader *reader, const struct request_registration *registration)
{
	const char *wrong = registration->display_interrupt ? "displayInterrupt"
			    : registration->owns_edid	    ? "ownsEdid"
			    : registration->render.fd >= 0  ? "renderNodeFileDescriptorIndex"
							    : NULL;

	if (registration->source != SOURCE_SURFACE || !wrong)
		return 0;
	field_enter(reader, wrong);
	return -EINVAL;
}

int request_register(struct fields_reader *reader, json_t *parameters, struct handover *ret,
	struct request_indexes *ret_indexes)
{
	struct request_registration registration;
	int r;

	registration_init(&registration);
	r = fields_read(
		reader, parameters, register_fields, ARRAY_SIZE(register_fields), &registration);
	if (r >= 0)
		r = check_source(reader, &registration);
	if (r >= 0)
		registration_hand_over(&registration, ret, ret_indexes);
	registration_finish(&registration);
	return r;
}

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
			.names = mode_names, .names_used = ARRAY_SIZE(mode_names)),
		FIELD("label", field_text, struct request_attach, label, .min = 1,
			.max = LIMIT_LABEL_CHARS),
		FIELD("fileDescriptorIndex", field_fd, struct request_attach, viewer),
	};
	struct request_attach request = {.viewer = no_fd};
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
			.names = mode_names, .names_used = ARRAY_SIZE(mode_names)),
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
	return fields_read(
		reader, value, context_fields, ARRAY_SIZE(context_fields), &request->changes);
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
