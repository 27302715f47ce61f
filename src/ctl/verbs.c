/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/verbs.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#define UPKEEP "io.systemd.service."

const struct option_row option_none[] = {{0}};

const struct verb verbs[] = {
	{"list", "List", "", NULL, list_options, NULL, verb_list},
	{"describe", "List", "ID", WORDS_DISPLAYS, option_none, "tells all about one display",
		verb_describe},
	{"show", "List", "ID", WORDS_DISPLAYS, option_none, "the same as describe", verb_describe},
	{"watch", "Subscribe", "[ID]", WORDS_DISPLAYS, watch_options, NULL, verb_watch},
	{"register", "Register", "--device PATH|--device-fd N", NULL, register_options, NULL,
		verb_register},
	{"adopt", "Register", "--pid PID [ID]", NULL, adopt_options,
		"hands over a device that a running VMM has open", verb_adopt},
	{"update", "Update", "ID", WORDS_DISPLAYS, update_options, NULL, verb_update},
	{"unregister", "Unregister", "ID", WORDS_DISPLAYS, option_none, NULL, verb_unregister},
	{"viewers", "ListViewers", "[ID]", WORDS_DISPLAYS, option_none, NULL, verb_viewers},
	{"attach", "Attach", "ID", WORDS_DISPLAYS, attach_options, NULL, verb_attach},
	{"ticket", "IssueTicket", "ID", WORDS_DISPLAYS, ticket_options, NULL, verb_ticket},
	{"detach", "Detach", "VIEWER", WORDS_VIEWERS, option_none, NULL, verb_detach},
	{"capture", "Capture", "ID -o FILE.png", WORDS_DISPLAYS, capture_options, NULL,
		verb_capture},
	{"input", "SetInput", "ID KIND=SOCKET...",
		WORDS_DISPLAYS "|keyboard= absolutePointer= relativePointer= touch=", input_options,
		NULL, verb_input},
	{"send", "SendInput", "ID EVENT...", WORDS_DISPLAYS "|" WORDS_EVENTS, send_options, NULL,
		verb_send},
	{"send-keys", "SendKeys", "ID KEYS...",
		WORDS_DISPLAYS "|ctrl-alt-del ctrl-alt-f1 alt-f4 alt-tab super-l f11 enter esc",
		send_keys_options, NULL, verb_send_keys},
	{"capabilities", "GetCapabilities", "", NULL, option_none, NULL, verb_capabilities},
	{"metrics", "GetMetrics", "", NULL, metrics_options, NULL, verb_metrics},
	{"dump", "Dump", "[ID]", WORDS_DISPLAYS, option_none, NULL, verb_dump},
	{"ping", UPKEEP "Ping", "", NULL, option_none, NULL, verb_ping},
	{"reload", UPKEEP "Reload", "", NULL, option_none, NULL, verb_reload},
	{"log-level", UPKEEP "SetLogLevel", "LEVEL",
		"emerg alert crit err warning notice info debug", option_none, NULL,
		verb_log_level},
	{"call", NULL, "METHOD [JSON]", WORDS_METHODS, call_options,
		"calls any method, and prints the reply as JSON", verb_call},
};

const size_t verbs_used = ARRAY_SIZE(verbs);

const struct verb *verb_find(const char *name)
{
	for (size_t i = 0; i < verbs_used; i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

/* ---- --help: what a method does and which right it needs stands in the daemon's own table ---- */

struct method {
	const char *name, *right, *help;
};

#define METHOD(name, function, flags, right, id, mode, parameters, help) {#name, #right, help},
#define SERVICE(name, function, flags, right, id, mode, parameters, help) \
	{UPKEEP #name, #right, help},
static const struct method methods[] = {
#include "control/table.inc"
};
#undef METHOD
#undef SERVICE

static const struct method *method_of(const struct verb *verb)
{
	for (size_t i = 0; verb->method && i < ARRAY_SIZE(methods); i++)
		if (strcmp(methods[i].name, verb->method) == 0)
			return &methods[i];
	return NULL;
}

static const char *summary_of(const struct verb *verb)
{
	const struct method *method = method_of(verb);

	return verb->summary || !method ? verb->summary : method->help;
}

static void print_right(const struct method *method)
{
	char right[32];
	size_t i, skipped = strlen("RIGHT_");

	for (i = 0; method->right[skipped + i] && i + 1 < sizeof(right); i++)
		right[i] = tolower((unsigned char)method->right[skipped + i]);
	right[i] = '\0';
	if (strcmp(right, "none") == 0)
		printf("Method %s, which everybody may call.\n\n", method->name);
	else
		printf("Method %s, for who has the right '%s'.\n\n", method->name, right);
}

static void print_rows(const struct option_row *rows)
{
	for (; rows->name; rows++) {
		char left[64];

		if (rows->letter)
			snprintf(left, sizeof(left), "-%c, --%s%s%s", rows->letter, rows->name,
				rows->argument ? " " : "", rows->argument ? rows->argument : "");
		else
			snprintf(left, sizeof(left), "--%s%s%s", rows->name,
				rows->argument ? " " : "", rows->argument ? rows->argument : "");
		printf("  %-38s  %s\n", left, rows->summary);
	}
}

void verb_help(const char *name)
{
	const struct verb *verb = verb_find(name);
	const char *summary;

	if (!verb)
		return;
	summary = summary_of(verb);
	printf("Usage: vfio-displayctl %s %s%s[OPTION...]\n\n%c%s.\n", verb->name, verb->arguments,
		verb->arguments[0] ? " " : "", toupper((unsigned char)summary[0]), summary + 1);
	if (method_of(verb))
		print_right(method_of(verb));
	else
		printf("\n");
	printf("Options:\n");
	print_rows(verb->options);
	print_rows(option_common);
}

void verbs_help(const char *socket)
{
	printf("Usage: vfio-displayctl VERB [ARGUMENT...] [OPTION...]\n\n"
	       "Shows and manages the displays of vfio-displayd.\n\nVerbs:\n");
	for (size_t i = 0; i < verbs_used; i++) {
		char left[64];

		snprintf(left, sizeof(left), "%s%s%s", verbs[i].name,
			verbs[i].arguments[0] ? " " : "", verbs[i].arguments);
		printf("  %-38s  %s\n", left, summary_of(&verbs[i]));
	}
	printf("\nOptions, before or behind the verb:\n");
	print_rows(option_common);
	printf("  %-38s  the version\n\n"
	       "'vfio-displayctl VERB --help' lists the options of a verb. Without --socket and\n"
	       "$VFIO_DISPLAYD_SOCKET the socket is %s.\nvfio-displayctl(1) says more.\n",
		"--version", socket);
}
