/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the last word of a command line may be, for the shell: "__complete WORD...", the words behind the program's name. Whatever goes
 * wrong is no candidate and no complaint: somebody is typing.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "ctl/ctl.h"
#include "ctl/events.h"
#include "ctl/option.h"
#include "ctl/table.h"
#include "ctl/verbs.h"
#include "varlink/client.h"

enum { PATIENCE_MS = 1000 };

struct completion {
	const char *socket;
	const char *last; /* what there is of the word; of "--mode=v" the value */
	const char *
		interface; /* whose methods are looked at, for people: "" or "io.systemd.service." */
};

static void offer(const struct completion *completion, const char *word)
{
	if (strncmp(word, completion->last, strlen(completion->last)) == 0) {
		text_print(stdout, word);
		putchar('\n');
	}
}

/* ---- What the daemon knows ---- */

static void offer_replies(const struct completion *completion, const char *method,
	json_t *parameters, bool more,
	void (*take)(const struct completion *completion, const json_t *reply))
{
	struct varlink_client *client;
	struct varlink_result result;
	bool continues = true;

	if (varlink_client_connect(completion->socket, &client) < 0) {
		json_decref(parameters);
		return;
	}
	if (varlink_client_send(client, method, parameters, more, NULL, 0) < 0)
		continues = false;
	while (continues && varlink_client_receive(client, PATIENCE_MS, &result) >= 0) {
		continues = result.continues && !result.error;
		if (!result.error)
			take(completion, result.parameters);
		varlink_result_finish(&result);
	}
	varlink_client_destroy(client);
}

static void offer_field(
	const struct completion *completion, const json_t *object, const char *field)
{
	const char *text = json_string_value(json_object_get(object, field));

	if (text)
		offer(completion, text);
}

static void take_display(const struct completion *completion, const json_t *reply)
{
	offer_field(completion, json_object_get(reply, "context"), "id");
}

static void take_viewer(const struct completion *completion, const json_t *reply)
{
	offer_field(completion, json_object_get(reply, "viewer"), "viewer");
}

/* Lines that begin with "method NAME(". */
static void take_methods(const struct completion *completion, const json_t *reply)
{
	const char *text = json_string_value(json_object_get(reply, "description"));

	for (; text; text = strchr(text, '\n')) {
		char name[64], word[128];

		text += *text == '\n';
		if (sscanf(text, "method %63[A-Za-z0-9]", name) != 1)
			continue;
		snprintf(word, sizeof(word), "%s%s", completion->interface, name);
		offer(completion, word);
	}
}

static void offer_methods(
	const struct completion *completion, const char *interface, const char *shown)
{
	struct completion of = *completion;

	of.interface = shown;
	offer_replies(&of, "org.varlink.service.GetInterfaceDescription",
		json_pack("{s:s}", "interface", interface), false, take_methods);
}

/* ---- Words ---- */

/* Of a list with commas between, the last one is being typed. */
static void offer_word(const struct completion *completion, const char *word, size_t length)
{
	const char *comma = strrchr(completion->last, ',');
	size_t before = comma ? (size_t)(comma + 1 - completion->last) : 0;
	char text[256];

	snprintf(text, sizeof(text), "%.*s%.*s", (int)before, completion->last, (int)length, word);
	offer(completion, text);
}

static void offer_words(const struct completion *completion, const char *words, size_t length)
{
#define IS(what) (length == strlen(what) && strncmp(words, (what), length) == 0)
	if (IS(WORDS_FILES)) {
		puts(WORDS_FILES);
	} else if (IS(WORDS_DISPLAYS)) {
		offer_replies(completion, "org.vfiodisplay.Display.List", json_object(), true,
			take_display);
	} else if (IS(WORDS_VIEWERS)) {
		offer_replies(completion, "org.vfiodisplay.Display.ListViewers", json_object(),
			true, take_viewer);
	} else if (IS(WORDS_METHODS)) {
		offer_methods(completion, "org.vfiodisplay.Display", "");
		offer_methods(completion, "io.systemd.service", "io.systemd.service.");
	} else if (IS(WORDS_EVENTS)) {
		for (size_t i = 0; i < event_names_used; i++)
			offer(completion, event_names[i].name);
	} else {
		for (size_t n; length; words += n, length -= n) {
			n = MIN(strcspn(words, " "), length);
			if (n)
				offer_word(completion, words, n);
			else
				n = 1;
		}
	}
#undef IS
}

/* Argument @n of a verb, the first is 0. */
static void offer_argument(const struct completion *completion, const char *words, int n)
{
	size_t length;

	if (!words)
		return;
	length = strcspn(words, "|");
	if (n == 0)
		offer_words(completion, words, length);
	else if (words[length] && strchr(words, '=') && strchr(completion->last, '='))
		puts(WORDS_FILES); /* keyboard=/run/... */
	else if (words[length])
		offer_words(completion, words + length + 1, strlen(words + length + 1));
}

static void offer_rows(const struct completion *completion, const struct option_row *rows)
{
	for (; rows->name; rows++) {
		char text[64];

		snprintf(text, sizeof(text), "--%s", rows->name);
		offer(completion, text);
	}
}

static const struct option_row *find_row(const struct option_row *rows, const char *word)
{
	for (; rows->name; rows++)
		if ((word[0] == '-' && word[1] == '-' && strcmp(word + 2, rows->name) == 0) ||
			(rows->letter && word[0] == '-' && word[1] == rows->letter && !word[2]))
			return rows;
	return NULL;
}

static void complete_last(const struct completion *completion, const struct verb *verb,
	const struct option_row *row, int arguments)
{
	if (row) {
		if (row->words)
			offer_words(completion, row->words, strlen(row->words));
	} else if (completion->last[0] == '-') {
		offer_rows(completion, option_common);
		if (verb)
			offer_rows(completion, verb->options);
		else
			offer(completion, "--version");
	} else if (verb) {
		offer_argument(completion, verb->words, arguments);
	} else {
		for (size_t i = 0; i < verbs_used; i++)
			offer(completion, verbs[i].name);
	}
}

/* "--mode=v": the option, and the value is what is completed. */
static const struct option_row *split_last(struct completion *completion, const struct verb *verb)
{
	const char *equals = strchr(completion->last, '=');
	const struct option_row *row;
	char name[64];

	if (strncmp(completion->last, "--", 2) != 0 || !equals)
		return NULL;
	snprintf(name, sizeof(name), "%.*s", (int)(equals - completion->last), completion->last);
	row = find_row(option_common, name);
	if (!row && verb)
		row = find_row(verb->options, name);
	if (!row || !row->argument)
		return NULL;
	completion->last = equals + 1;
	return row;
}

int verb_complete(struct ctl *ctl, int argc, char **argv)
{
	struct completion completion = {
		.socket = ctl->socket, .last = argc > 1 ? argv[argc - 1] : ""};
	const struct option_row *row = NULL; /* whose argument comes next */
	const struct verb *verb = NULL;
	int arguments = 0;

	for (int i = 1; i < argc - 1; i++) {
		const struct option_row *taken = row;

		row = NULL;
		if (taken && strcmp(taken->name, "socket") == 0)
			completion.socket = argv[i];
		if (taken)
			continue;
		if (strncmp(argv[i], "--socket=", strlen("--socket=")) == 0)
			completion.socket = argv[i] + strlen("--socket=");
		if (argv[i][0] == '-') {
			row = find_row(option_common, argv[i]);
			if (!row && verb)
				row = find_row(verb->options, argv[i]);
			if (row && !row->argument)
				row = NULL;
		} else if (!verb) {
			verb = verb_find(argv[i]);
			if (!verb)
				return CTL_OK;
		} else {
			arguments++;
		}
	}
	if (!row)
		row = split_last(&completion, verb);
	complete_last(&completion, verb, row, arguments);
	return CTL_OK;
}
