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
#include "input/event.h"

enum { MEMO_VERSION = 1 };

static const char *const mode_words[] = {
	[VIEW_MODE_VIEW] = "view",
	[VIEW_MODE_CONTROL] = "control",
	[VIEW_MODE_EXCLUSIVE] = "exclusive",
};

/* ---- writing ---- */

static json_t *words_json(uint32_t set, const char *(*word)(size_t n))
{
	json_t *words = json_array();

	for (size_t n = 0; n < 32 && word(n); n++)
		if (set & 1u << n)
			json_array_append_new(words, json_string(word(n)));
	return words;
}

static json_t *origins_json(const char *origins)
{
	json_t *words = json_array();

	while (*origins) {
		size_t n = strcspn(origins, " ");

		json_array_append_new(words, json_stringn(origins, n));
		origins += n + strspn(origins + n, " ");
	}
	return words;
}

static json_t *listener_json(const struct handover_listener *listener, size_t place)
{
	json_t *json = json_pack("{s:s, s:I}", "mode", mode_words[listener->mode],
		"fileDescriptorIndex", (json_int_t)place);

	if (listener->security)
		json_object_set_new(json, "security", words_json(listener->security, config_offer));
	if (listener->transports)
		json_object_set_new(
			json, "transports", words_json(listener->transports, config_transport));
	if (listener->origins[0])
		json_object_set_new(json, "origins", origins_json(listener->origins));
	return json;
}

/* Those that are kept, for Register, and where each was made. */
static void listeners_json(
	const struct memo *memo, const struct handover *h, json_t *parameters, json_t *memo_json)
{
	json_t *listen = json_array(), *made = json_array();

	for (size_t i = 0; i < h->listeners_used; i++) {
		const struct handover_listener *listener = &h->listeners[i];

		if (!memo->names[HANDOVER_LISTENERS + i][0])
			continue;
		json_array_append_new(listen, listener_json(listener, HANDOVER_LISTENERS + i));
		json_array_append_new(
			made, json_pack("{s:s, s:b, s:b}", "address", listener->address, "ours",
				      listener->ours, "made", listener->made));
	}
	if (json_array_size(listen) == 0) {
		json_decref(listen);
		json_decref(made);
		return;
	}
	json_object_set_new(parameters, "listen", listen);
	json_object_set_new(memo_json, "listeners", made);
}

static bool has_places(enum input_kind kind)
{
	return kind == INPUT_ABSOLUTE_POINTER || kind == INPUT_TOUCH;
}

static void inputs_json(const struct memo *memo, json_t *parameters)
{
	json_t *inputs = json_array();

	for (size_t i = 0; i < LIMIT_INPUTS; i++) {
		const struct handover_input *input = &memo->inputs[i];
		json_t *json;

		if (!memo->names[HANDOVER_INPUTS + i][0])
			continue;
		json = json_pack("{s:s, s:I}", "kind", input_kind_name(input->kind),
			"fileDescriptorIndex", (json_int_t)(HANDOVER_INPUTS + i));
		if (input->x_maximum && has_places(input->kind))
			json_object_set_new(json, "xMaximum", json_integer(input->x_maximum));
		if (input->y_maximum && has_places(input->kind))
			json_object_set_new(json, "yMaximum", json_integer(input->y_maximum));
		json_array_append_new(inputs, json);
	}
	if (json_array_size(inputs))
		json_object_set(parameters, "input", inputs);
	json_decref(inputs);
}

static json_t *register_json(const struct memo *memo, const struct handover *h, json_t *memo_json)
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
	json_t *json = json_pack("{s:o, s:s, s:b, s:b}", "context", describe_context(&h->context),
		"source", h->source == SOURCE_VFIO ? "vfio" : "surface", "displayInterrupt",
		h->display_interrupt, "ownsEdid", h->owns_edid);

	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (memo->names[places[i].place][0])
			json_object_set_new(json, places[i].field, json_integer(places[i].place));
	listeners_json(memo, h, json, memo_json);
	inputs_json(memo, json);
	return json;
}

static json_t *viewers_json(const struct roster_kept *roster)
{
	json_t *viewers = json_array();

	for (size_t i = 0; i < roster->used; i++)
		json_array_append_new(
			viewers, json_pack("[I, I, b, s, s]", (json_int_t)roster->at[i].number,
					 (json_int_t)roster->at[i].mode, roster->at[i].in,
					 roster->at[i].label, roster->at[i].peer));
	return viewers;
}

static json_t *program_json(const struct memo *memo)
{
	const struct wall_kept *wall = &memo->wall;

	return json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:o}", "link", memo->link, "pidfd",
		memo->program, "version", (json_int_t)wall->version, "lastNumber",
		(json_int_t)wall->last_number, "serial", (json_int_t)wall->roster.serial, "mode",
		(json_int_t)wall->roster.mode, "modeChecked", (json_int_t)wall->roster.mode_checked,
		"viewers", viewers_json(&wall->roster));
}

static json_t *names_json(const struct memo *memo)
{
	json_t *names = json_array();

	for (size_t i = 0; i < ARRAY_SIZE(memo->names); i++)
		json_array_append_new(names, json_string(memo->names[i]));
	return names;
}

char *memo_write(const struct memo *memo, const struct handover *h, size_t *ret_size)
{
	json_t *json = json_pack("{s:i, s:o, s:[I, I, I], s:I, s:s}", "version", MEMO_VERSION,
		"names", names_json(memo), "registrant", (json_int_t)h->uid, (json_int_t)h->gid,
		(json_int_t)h->pid, "lastProgram", (json_int_t)memo->last_program, "own",
		memo->own);
	char *text = NULL;
	int error = 0;

	error |= json_object_set_new(json, "register", register_json(memo, h, json));
	if (memo->call[0])
		error |= json_object_set_new(json, "call",
			json_pack("{s:s, s:b}", "name", memo->call, "answered", memo->answered));
	if (memo->link[0] && memo->program[0])
		error |= json_object_set_new(json, "program", program_json(memo));
	if (json && !error)
		text = json_dumps(json, JSON_COMPACT);
	json_decref(json);
	if (text)
		*ret_size = strlen(text);
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
