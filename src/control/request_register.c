/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>

#include "base/config.h"
#include "base/discard.h"
#include "base/fd.h"
#include "control/request_internal.h"

static const char *const source_names[] = {
	[SOURCE_VFIO] = "vfio",
	[SOURCE_SURFACE] = "surface",
};

_Static_assert(sizeof(enum source_kind) == sizeof(int), "field_enum() writes an int");
_Static_assert(LIMIT_VARLINK_FDS <= 32, "fields_reader.taken has 32 bits");

struct request_listener {
	enum view_mode mode;
	struct field_fd socket;
	uint32_t security, transports;
	char origins[sizeof(((struct handover_listener *)0)->origins)];
	char address[sizeof(((struct handover_listener *)0)->address)];
};

static int read_security(
	struct fields_reader *reader, json_t *value, const struct field *field, void *at)
{
	return request_set(reader, value, config_offer, at);
}

static int read_transports(
	struct fields_reader *reader, json_t *value, const struct field *field, void *at)
{
	return request_set(reader, value, config_transport, at);
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
		.names = request_mode_names, .names_used = ARRAY_SIZE(request_mode_names)),
	FIELD("fileDescriptorIndex", field_fd, struct request_listener, socket),
	FIELD("security", read_security, struct request_listener, security, .type = "[]enum",
		.word = config_offer),
	FIELD("transports", read_transports, struct request_listener, transports, .type = "[]enum",
		.word = config_transport),
	FIELD("origins", read_origins, struct request_listener, origins,
		.max = sizeof(((struct request_listener *)0)->origins) - 1, .type = "[]string"),
	FIELD("address", field_text, struct request_listener, address, .min = 1,
		.max = sizeof(((struct request_listener *)0)->address) - 1),
};

static const struct field_set listener_set = FIELD_SET(listener_fields);

struct request_registration {
	struct context context;
	enum source_kind source;
	struct field_fd device, change, lease, render;
	bool display_interrupt, owns_edid;
	struct request_listener listeners[LIMIT_LISTENERS];
	size_t listeners_used;
	struct request_sinks inputs;
};

static int read_listener(
	struct fields_reader *reader, json_t *value, struct request_listener *listener)
{
	int r;

	r = fields_read(reader, value, &listener_set, listener);
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
	FIELD("context", request_context, struct request_registration, context, .type = "object",
		.inside = &request_context_fields),
	FIELD("source", field_enum, struct request_registration, source, .names = source_names,
		.names_used = ARRAY_SIZE(source_names)),
	FIELD("deviceFileDescriptorIndex", field_fd, struct request_registration, device,
		.required = true),
	FIELD("changeFileDescriptorIndex", field_fd, struct request_registration, change),
	FIELD("leaseFileDescriptorIndex", field_fd, struct request_registration, lease),
	FIELD("renderNodeFileDescriptorIndex", field_fd, struct request_registration, render),
	FIELD("displayInterrupt", field_bool, struct request_registration, display_interrupt),
	FIELD("ownsEdid", field_bool, struct request_registration, owns_edid),
	WHOLE("listen", read_listeners, .type = "[]object", .inside = &listener_set),
	FIELD("input", request_sinks, struct request_registration, inputs, .type = "[]object",
		.inside = &request_sink_fields),
};

const struct field_set request_register_fields = FIELD_SET(register_fields);

static void registration_init(struct request_registration *registration)
{
	*registration = (struct request_registration){
		.device = NO_FIELD_FD,
		.change = NO_FIELD_FD,
		.lease = NO_FIELD_FD,
		.render = NO_FIELD_FD,
	};
	for (size_t i = 0; i < LIMIT_LISTENERS; i++)
		registration->listeners[i].socket = NO_FIELD_FD;
	request_sinks_init(&registration->inputs);
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
	request_sinks_finish(&registration->inputs);
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
	for (size_t i = 0; i < LIMIT_INPUTS; i++) {
		handover->inputs[i] = registration->inputs.at[i];
		registration->inputs.at[i].fd = -EBADF;
		indexes->at[HANDOVER_INPUTS + i] = registration->inputs.indexes[i];
	}
	handover->inputs_used = registration->inputs.used;
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
	r = fields_read(reader, parameters, &request_register_fields, &registration);
	if (r >= 0)
		r = check_source(reader, &registration);
	if (r >= 0)
		registration_hand_over(&registration, ret, ret_indexes);
	registration_finish(&registration);
	return r;
}
