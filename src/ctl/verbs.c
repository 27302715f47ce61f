/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/verbs.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#define SERVICE "io.systemd.service."

const struct option_row option_none[] = {{0}};

const struct verb verbs[] = {
	{"list", "List", "", NULL, list_options, "all displays", verb_list},
	{"describe", "List", "ID", WORDS_DISPLAYS, option_none, "all about one display",
		verb_describe},
	{"show", "List", "ID", WORDS_DISPLAYS, option_none, "the same as describe", verb_describe},
	{"watch", "Subscribe", "[ID]", WORDS_DISPLAYS, watch_options,
		"all displays as they are now, until it is interrupted", verb_watch},
	{"register", "Register", "--device PATH|--device-fd N", NULL, register_options,
		"hand a display over", verb_register},
	{"adopt", "Register", "--pid PID [ID]", NULL, adopt_options,
		"hand over a device that a running VMM has open", verb_adopt},
	{"update", "Update", "ID", WORDS_DISPLAYS, update_options,
		"change what a display was registered with", verb_update},
	{"unregister", "Unregister", "ID", WORDS_DISPLAYS, option_none,
		"end a registration, wait until the device is closed", verb_unregister},
	{"viewers", "ListViewers", "[ID]", WORDS_DISPLAYS, option_none,
		"all viewers, or those of one display", verb_viewers},
	{"attach", "Attach", "ID", WORDS_DISPLAYS, attach_options,
		"a viewer's RFB stream on stdin and stdout", verb_attach},
	{"ticket", "IssueTicket", "ID", WORDS_DISPLAYS, ticket_options,
		"a password that lets one viewer in, once", verb_ticket},
	{"detach", "Detach", "VIEWER", WORDS_VIEWERS, option_none, "close a viewer's connection",
		verb_detach},
	{"capture", "Capture", "ID -o FILE.png", WORDS_DISPLAYS, capture_options,
		"the current picture as a PNG", verb_capture},
	{"input", "SetInput", "ID KIND=SOCKET...",
		WORDS_DISPLAYS "|keyboard= absolutePointer= relativePointer= touch=", input_options,
		"say where the guest's keyboard and pointers are", verb_input},
	{"send", "SendInput", "ID EVENT...", WORDS_DISPLAYS "|" WORDS_EVENTS, send_options,
		"type and point in the guest", verb_send},
	{"capabilities", "GetCapabilities", "", NULL, option_none,
		"what the daemon can do, and its limits", verb_capabilities},
	{"metrics", "GetMetrics", "", NULL, metrics_options,
		"what the daemon counts, as OpenMetrics", verb_metrics},
	{"dump", "Dump", "[ID]", WORDS_DISPLAYS, option_none, "the state of displays in words",
		verb_dump},
	{"ping", SERVICE "Ping", "", NULL, option_none, "ask whether the daemon answers",
		verb_ping},
	{"reload", SERVICE "Reload", "", NULL, option_none,
		"make the daemon read policy, certificates and keys again", verb_reload},
	{"log-level", SERVICE "SetLogLevel", "LEVEL",
		"emerg alert crit err warning notice info debug", option_none,
		"what the daemon logs from now on", verb_log_level},
	{"call", NULL, "METHOD [JSON]", WORDS_METHODS, call_options,
		"any method, the reply as JSON", verb_call},
};

const size_t verbs_used = ARRAY_SIZE(verbs);

const struct verb *verb_find(const char *name)
{
	for (size_t i = 0; i < verbs_used; i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
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

	if (!verb)
		return;
	printf("Usage: vfio-displayctl %s %s%s[OPTION...]\n\n%s.\n\nOptions:\n", verb->name,
		verb->arguments, verb->arguments[0] ? " " : "", verb->summary);
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
		printf("  %-38s  %s\n", left, verbs[i].summary);
	}
	printf("\nOptions, before or behind the verb:\n");
	print_rows(option_common);
	printf("  %-38s  the version\n\n"
	       "'vfio-displayctl VERB --help' lists the options of a verb. Without --socket and\n"
	       "$VFIO_DISPLAYD_SOCKET the socket is %s.\nvfio-displayctl(1) says more.\n",
		"--version", socket);
}
