/* SPDX-License-Identifier: GPL-2.0-or-later */
/* request.h - the parameters of each method as a struct.
 *
 * All return 0, -EINVAL, -EBADF or -ENOMEM with the meaning of fields.h; the reader says which field. Strings that were
 * left out are empty. Descriptors that were read before an error are closed.
 */
#pragma once

#include <jansson.h>

#include "base/limits.h"
#include "control/fields.h"
#include "handover/context.h"
#include "input/event.h"

#define TICKET_SECONDS 60 /* where IssueTicket does not say */

/* Of enum view_mode. */
extern const char *const request_mode_names[VIEW_MODE_EXCLUSIVE + 1];

/* Where a hand-over's descriptor stood in the message. -1: it had none. */
struct request_indexes {
	int at[HANDOVER_PLACES];
};

struct request_id { /* Unregister, Capture, ListViewers */
	char id[LIMIT_ID_CHARS + 1];
};

struct request_list {
	char id[LIMIT_ID_CHARS + 1];
	char machine[LIMIT_NAME_CHARS + 1];
};

struct request_attach {
	char id[LIMIT_ID_CHARS + 1];
	enum view_mode mode;
	char label[LIMIT_LABEL_CHARS + 1];
	struct field_fd viewer; /* fd owned, -EBADF: none */
};

struct request_ticket {
	char id[LIMIT_ID_CHARS + 1];
	enum view_mode mode;
	uint32_t seconds;
	char label[LIMIT_LABEL_CHARS + 1];
};

struct request_update {
	char id[LIMIT_ID_CHARS + 1];
	struct context changes; /* what was left out is as in a new one */
	bool has_labels, has_view_only;
};

/* Where the guest's input goes. Pair with request_sinks_finish(). */
struct request_sinks {
	struct handover_input at[LIMIT_INPUTS]; /* fds owned */
	int indexes[LIMIT_INPUTS];		/* in the message */
	size_t used;
};

struct request_set_input {
	char id[LIMIT_ID_CHARS + 1];
	struct request_sinks sinks;
};

struct request_send_input {
	char id[LIMIT_ID_CHARS + 1];
	bool has_kind;
	enum input_kind kind;
	struct input_event events[LIMIT_INPUT_EVENTS];
	size_t events_used;
};

struct request_send_keys {
	char id[LIMIT_ID_CHARS + 1];
	const char *chords[LIMIT_CHORDS]; /* borrowed of the parameters, as the text */
	size_t chords_used;
	const char *text; /* NULL: none */
};

/* Bit n: enum bulletin_kind n. */
struct request_subscribe {
	uint32_t filter; /* 0: all */
	char id[LIMIT_ID_CHARS + 1];
	bool current;
};

enum metrics_text { METRICS_TEXT_OPENMETRICS, METRICS_TEXT_CLASSIC };

struct request_metrics {
	enum metrics_text format;
};

struct request_detach {
	char viewer[24];
};

struct request_log_level {
	uint32_t level; /* of syslog(3): 0 to 7 */
};

/* What each reads, for the table. */
extern const struct field_set request_metrics_fields, request_register_fields, request_id_fields, request_list_fields, request_viewers_fields,
	request_attach_fields, request_ticket_fields, request_update_fields, request_detach_fields, request_log_level_fields, request_no_fields, request_subscribe_fields, request_set_input_fields,
	request_send_input_fields, request_send_keys_fields;

/* Fills all of @ret but the registrant. Pair with handover_finish(), on success only. */
int request_register(struct fields_reader *reader, json_t *parameters, struct handover *ret,
	struct request_indexes *ret_indexes);
int request_id(struct fields_reader *reader, json_t *parameters, struct request_id *ret);
int request_list(struct fields_reader *reader, json_t *parameters, struct request_list *ret);
int request_list_viewers(struct fields_reader *reader, json_t *parameters, struct request_id *ret);
int request_attach(struct fields_reader *reader, json_t *parameters, struct request_attach *ret);
int request_issue_ticket(
	struct fields_reader *reader, json_t *parameters, struct request_ticket *ret);
/* Pair with context_finish() of its changes, on success only. */
int request_update(struct fields_reader *reader, json_t *parameters, struct request_update *ret);
int request_subscribe(
	struct fields_reader *reader, json_t *parameters, struct request_subscribe *ret);
/* "displayState"; NULL: past the end. */
const char *request_event_name(size_t kind);
int request_metrics(struct fields_reader *reader, json_t *parameters, struct request_metrics *ret);
int request_detach(struct fields_reader *reader, json_t *parameters, struct request_detach *ret);
int request_log_level(struct fields_reader *reader, json_t *parameters, struct request_log_level *ret);
int request_nothing(struct fields_reader *reader, json_t *parameters);
/* Pair with request_sinks_finish(), on success only. */
int request_set_input(
	struct fields_reader *reader, json_t *parameters, struct request_set_input *ret);
void request_sinks_finish(struct request_sinks *sinks);
int request_send_input(
	struct fields_reader *reader, json_t *parameters, struct request_send_input *ret);
int request_send_keys(
	struct fields_reader *reader, json_t *parameters, struct request_send_keys *ret);
