/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "memo.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>

#include "base/config.h"
#include "base/fd.h"
#include "base/mem.h"
#include "control/describe.h"
#include "control/request.h"
#include "control/writer.h"
#include "input/event.h"

enum { MEMO_VERSION = 1 };

/* ---- writing ---- */

static void write_words(
	struct writer *w, const char *name, uint32_t set, const char *(*word)(size_t n))
{
	if (!set)
		return;
	writer_open(w, name, '[');
	for (size_t n = 0; n < 32 && word(n); n++)
		if (set & 1u << n)
			writer_text(w, NULL, word(n));
	writer_close(w, ']');
}

static void write_origins(struct writer *w, const char *origins)
{
	char word[sizeof(((struct handover_listener *)0)->origins)];

	if (!origins[0])
		return;
	writer_open(w, "origins", '[');
	while (*origins) {
		size_t n = strcspn(origins, " ");

		snprintf(word, sizeof(word), "%.*s", (int)n, origins);
		writer_text(w, NULL, word);
		origins += n + strspn(origins + n, " ");
	}
	writer_close(w, ']');
}

static void write_listeners(
	struct writer *w, const struct memo *memo, const struct handover *handover)
{
	writer_open(w, "listen", '[');
	for (size_t i = 0; i < handover->listeners_used; i++) {
		const struct handover_listener *listener = &handover->listeners[i];

		if (!memo->names[HANDOVER_LISTENERS + i][0])
			continue;
		writer_open(w, NULL, '{');
		writer_text(w, "mode", request_mode_names[listener->mode]);
		writer_number(w, "fileDescriptorIndex", (int64_t)(HANDOVER_LISTENERS + i));
		write_words(w, "security", listener->security, config_offer);
		write_words(w, "transports", listener->transports, config_transport);
		write_origins(w, listener->origins);
		writer_close(w, '}');
	}
	writer_close(w, ']');
}

static bool has_places(enum input_kind kind)
{
	return kind == INPUT_ABSOLUTE_POINTER || kind == INPUT_TOUCH;
}

static void write_inputs(struct writer *w, const struct memo *memo)
{
	writer_open(w, "input", '[');
	for (size_t i = 0; i < LIMIT_INPUTS; i++) {
		const struct handover_input *input = &memo->inputs[i];

		if (!memo->names[HANDOVER_INPUTS + i][0])
			continue;
		writer_open(w, NULL, '{');
		writer_text(w, "kind", input_kind_name(input->kind));
		writer_number(w, "fileDescriptorIndex", (int64_t)(HANDOVER_INPUTS + i));
		if (has_places(input->kind) && input->x_maximum)
			writer_number(w, "xMaximum", input->x_maximum);
		if (has_places(input->kind) && input->y_maximum)
			writer_number(w, "yMaximum", input->y_maximum);
		writer_close(w, '}');
	}
	writer_close(w, ']');
}

/* As Register's parameters. */
static void write_register(
	struct writer *w, const struct memo *memo, const struct handover *handover)
{
	static const struct {
		enum handover_place place;
		const char *field;
	} places[] = {
		{HANDOVER_DEVICE, "deviceFileDescriptorIndex"},
		{HANDOVER_CHANGE, "changeFileDescriptorIndex"},
		{HANDOVER_LEASE, "leaseFileDescriptorIndex"},
		{HANDOVER_RENDER, "renderNodeFileDescriptorIndex"},
	};

	writer_open(w, "register", '{');
	describe_context(w, "context", &handover->context);
	writer_text(w, "source", handover->source == SOURCE_VFIO ? "vfio" : "surface");
	writer_bool(w, "displayInterrupt", handover->display_interrupt);
	writer_bool(w, "ownsEdid", handover->owns_edid);
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (memo->names[places[i].place][0])
			writer_number(w, places[i].field, places[i].place);
	write_listeners(w, memo, handover);
	write_inputs(w, memo);
	writer_close(w, '}');
}

/* What Register does not say of its listeners. */
static void write_made(struct writer *w, const struct memo *memo, const struct handover *handover)
{
	writer_open(w, "listeners", '[');
	for (size_t i = 0; i < handover->listeners_used; i++) {
		const struct handover_listener *listener = &handover->listeners[i];

		if (!memo->names[HANDOVER_LISTENERS + i][0])
			continue;
		writer_open(w, NULL, '{');
		writer_text(w, "address", listener->address);
		writer_bool(w, "ours", listener->ours);
		writer_bool(w, "made", listener->made);
		writer_close(w, '}');
	}
	writer_close(w, ']');
}

static void write_program(struct writer *w, const struct memo *memo)
{
	const struct wall_kept *wall = &memo->wall;

	writer_open(w, "program", '{');
	writer_text(w, "link", memo->link);
	writer_text(w, "pidfd", memo->program);
	writer_number(w, "version", wall->version);
	writer_number(w, "lastNumber", wall->last_number);
	writer_number(w, "serial", wall->roster.serial);
	writer_number(w, "mode", wall->roster.mode);
	writer_number(w, "modeChecked", wall->roster.mode_checked);
	writer_open(w, "viewers", '[');
	for (size_t i = 0; i < wall->roster.used; i++) {
		writer_open(w, NULL, '[');
		writer_number(w, NULL, wall->roster.at[i].number);
		writer_number(w, NULL, wall->roster.at[i].mode);
		writer_bool(w, NULL, wall->roster.at[i].in);
		writer_text(w, NULL, wall->roster.at[i].label);
		writer_text(w, NULL, wall->roster.at[i].peer);
		writer_close(w, ']');
	}
	writer_close(w, ']');
	writer_close(w, '}');
}

static void write_registrant(struct writer *w, const struct handover *handover)
{
	writer_open(w, "registrant", '[');
	writer_number(w, NULL, handover->uid);
	writer_number(w, NULL, handover->gid);
	writer_number(w, NULL, handover->pid);
	writer_close(w, ']');
}

char *memo_write(const struct memo *memo, const struct handover *handover, size_t *ret_size)
{
	struct writer w;
	char *text;

	writer_init(&w);
	writer_open(&w, NULL, '{');
	writer_number(&w, "version", MEMO_VERSION);
	writer_open(&w, "names", '[');
	for (size_t i = 0; i < ARRAY_SIZE(memo->names); i++)
		writer_text(&w, NULL, memo->names[i]);
	writer_close(&w, ']');
	write_registrant(&w, handover);
	writer_number(&w, "lastProgram", memo->last_program);
	writer_text(&w, "own", memo->own);
	if (memo->call[0]) {
		writer_open(&w, "call", '{');
		writer_text(&w, "name", memo->call);
		writer_bool(&w, "answered", memo->answered);
		writer_close(&w, '}');
	}
	write_made(&w, memo, handover);
	if (memo->link[0] && memo->program[0])
		write_program(&w, memo);
	write_register(&w, memo, handover);
	writer_close(&w, '}');
	*ret_size = w.used;
	text = w.failed ? NULL : take_ptr(w.text);
	writer_finish(&w);
	return text;
}

/* ---- reading ---- */

static bool read_name(json_t *value, char ret[STORE_NAME])
{
	const char *text = json_string_value(value);

	if (!text || (text[0] && !store_is_name(text)) || strlen(text) >= STORE_NAME)
		return false;
	snprintf(ret, STORE_NAME, "%s", text);
	return true;
}

static bool read_text(json_t *value, char *ret, size_t size)
{
	if (!json_is_string(value) || json_string_length(value) >= size)
		return false;
	snprintf(ret, size, "%s", json_string_value(value));
	return true;
}

static bool read_number(json_t *value, uint32_t *ret)
{
	json_int_t number = json_integer_value(value);

	if (!json_is_integer(value) || number < 0 || number > UINT32_MAX)
		return false;
	*ret = (uint32_t)number;
	return true;
}

static bool read_viewers(json_t *viewers, struct roster_kept *ret)
{
	json_t *viewer;
	size_t i;

	if (!json_is_array(viewers) || json_array_size(viewers) > ARRAY_SIZE(ret->at))
		return false;
	json_array_foreach (viewers, i, viewer) {
		struct roster_kept_viewer *at = &ret->at[i];

		if (!read_number(json_array_get(viewer, 0), &at->number) ||
			!read_number(json_array_get(viewer, 1), &at->mode) ||
			!read_text(json_array_get(viewer, 3), at->label, sizeof(at->label)) ||
			!read_text(json_array_get(viewer, 4), at->peer, sizeof(at->peer)))
			return false;
		at->in = json_is_true(json_array_get(viewer, 2));
	}
	ret->used = json_array_size(viewers);
	return true;
}

/* A program that is not to be gone on with is no reason to give up its display. */
static bool read_program(json_t *json, struct memo *memo)
{
	struct wall_kept *wall = &memo->wall;

	return read_name(json_object_get(json, "link"), memo->link) &&
	       read_name(json_object_get(json, "pidfd"), memo->program) &&
	       read_number(json_object_get(json, "version"), &wall->version) &&
	       read_number(json_object_get(json, "lastNumber"), &wall->last_number) &&
	       read_number(json_object_get(json, "serial"), &wall->roster.serial) &&
	       read_number(json_object_get(json, "mode"), &wall->roster.mode) &&
	       read_number(json_object_get(json, "modeChecked"), &wall->roster.mode_checked) &&
	       read_viewers(json_object_get(json, "viewers"), &wall->roster);
}

static bool read_names(json_t *names, struct memo *memo)
{
	if (!json_is_array(names) || json_array_size(names) > ARRAY_SIZE(memo->names))
		return false;
	for (size_t i = 0; i < json_array_size(names); i++)
		if (!read_name(json_array_get(names, i), memo->names[i]))
			return false;
	return true;
}

/* Nobody is asked for what a wrong record names. */
struct taking {
	const struct memo *memo;
	int (*take)(void *arg, const char *name);
	void *arg;
};

static int take_place(void *arg, json_int_t index)
{
	struct taking *taking = arg;

	if (index < 0 || index >= HANDOVER_PLACES || !taking->memo->names[index][0])
		return -EBADF;
	return taking->take(taking->arg, taking->memo->names[index]);
}

static bool read_made(json_t *made, struct handover *h)
{
	if (json_array_size(made) != h->listeners_used)
		return false;
	for (size_t i = 0; i < h->listeners_used; i++) {
		struct handover_listener *listener = &h->listeners[i];
		json_t *json = json_array_get(made, i);

		if (!read_text(json_object_get(json, "address"), listener->address,
			    sizeof(listener->address)))
			return false;
		listener->ours = json_is_true(json_object_get(json, "ours"));
		listener->made = listener->ours && json_is_true(json_object_get(json, "made"));
	}
	return true;
}

static bool read_registrant(json_t *json, struct handover *h)
{
	uint32_t ids[3];

	for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
		if (!read_number(json_array_get(json, i), &ids[i]))
			return false;
	h->uid = ids[0];
	h->gid = ids[1];
	h->pid = (pid_t)ids[2];
	return true;
}

/* Places are those of this version from now on, whatever they were when it was written. */
static void place_names(struct memo *memo, const struct request_indexes *indexes)
{
	char names[HANDOVER_PLACES][STORE_NAME];

	memcpy(names, memo->names, sizeof(names));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		int from = i < ARRAY_SIZE(indexes->at) ? indexes->at[i] : -1;

		memcpy(memo->names[i], from >= 0 ? names[from] : "", from >= 0 ? STORE_NAME : 1);
	}
}

static int read_register(json_t *json, struct taking *taking, struct memo *memo, struct handover *h)
{
	struct request_indexes indexes;
	struct fields_reader reader;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(indexes.at); i++)
		indexes.at[i] = -1;
	fields_init(&reader, take_place, taking);
	r = request_register(&reader, json, h, &indexes);
	if (r < 0)
		return r == -EINVAL ? -EBADMSG : r == -EBADF ? -ENOENT : r;
	place_names(memo, &indexes);
	memcpy(memo->inputs, h->inputs, sizeof(memo->inputs));
	return h->context.id[0] ? 0 : -EBADMSG;
}

static int read_memo(
	json_t *json, struct taking *taking, struct memo *memo, struct handover *handover)
{
	json_t *call = json_object_get(json, "call"), *program = json_object_get(json, "program");
	int r;

	if (json_integer_value(json_object_get(json, "version")) != MEMO_VERSION)
		return -EPROTONOSUPPORT;
	if (!read_names(json_object_get(json, "names"), memo) ||
		!read_name(json_object_get(json, "own"), memo->own) ||
		!read_number(json_object_get(json, "lastProgram"), &memo->last_program))
		return -EBADMSG;
	if (call && !read_name(json_object_get(call, "name"), memo->call))
		return -EBADMSG;
	memo->answered = json_is_true(json_object_get(call, "answered"));
	if (program && !read_program(program, memo))
		memo->link[0] = memo->program[0] = '\0';
	r = read_register(json_object_get(json, "register"), taking, memo, handover);
	if (r < 0)
		return r;
	if (!read_registrant(json_object_get(json, "registrant"), handover) ||
		!read_made(json_object_get(json, "listeners"), handover)) {
		handover_finish(handover);
		return -EBADMSG;
	}
	return 0;
}

int memo_read(const char *text, size_t size, int (*take)(void *arg, const char *name), void *arg,
	struct memo *memo, struct handover *handover)
{
	struct taking taking = {.memo = memo, .take = take, .arg = arg};
	json_t *json = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
	int r;

	*memo = (struct memo){0};
	handover_init(handover);
	r = json_is_object(json) ? read_memo(json, &taking, memo, handover) : -EBADMSG;
	json_decref(json);
	return r;
}
