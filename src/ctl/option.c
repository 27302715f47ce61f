/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/option.h"

#include <ctype.h>
#include <getopt.h>
#include <stddef.h>
#include <string.h>

#include "ctl/complain.h"
#include "ctl/ctl.h"
#include "ctl/verbs.h"

enum { JSON = 1, SOCKET, HELP, COMMON = 1000 /* is added to them in a verb's rows */, ROWS = 40 };

const struct option_row option_common[] = {
	{"json", JSON, 0, NULL, NULL, "JSON for programs, a line for each answer"},
	{"socket", SOCKET, 0, "PATH", WORDS_FILES, "the daemon's control socket"},
	{"help", HELP, 'h', NULL, NULL, "what this takes"},
	{0},
};

/* @letters: "o:h". Returns how many there are in all. */
static size_t collect(
	const struct option_row *rows, int more, struct option *options, char *letters)
{
	size_t n = 0;

	for (; rows->name; rows++) {
		options[n++] = (struct option){rows->name,
			rows->argument ? required_argument : no_argument, NULL, rows->value + more};
		if (!rows->letter)
			continue;
		*letters++ = rows->letter;
		if (rows->argument)
			*letters++ = ':';
		*letters = '\0';
	}
	return n;
}

static const struct option_row *find(const struct option_row *rows, int value)
{
	for (; rows->name; rows++)
		if (rows->value == value || rows->letter == value)
			return rows;
	return NULL;
}

int option_complain(const char *verb, char **argv, int value)
{
	const char *word = argv[optind - 1], *hint = verb ? verb : "", *blank = verb ? " " : "";

	if (value == ':')
		return complain_usage(verb, "%s needs an argument", word);
	if (strncmp(word, "--", 2) == 0 || !isgraph(optopt))
		return complain_usage(verb,
			"'%s' is no option here; 'vfio-displayctl %s%s--help' lists them", word,
			hint, blank);
	return complain_usage(verb,
		"'-%c' is no option here; 'vfio-displayctl %s%s--help' lists them", optopt, hint,
		blank);
}

const struct option_row *option_next(
	struct ctl *ctl, const struct option_row *rows, int argc, char **argv, int *ret_status)
{
	struct option options[ROWS] = {0};
	char letters[2 * ROWS] = ":"; /* a missing argument is told apart */
	size_t n;
	int value;

	opterr = 0;
	n = collect(rows, 0, options, letters + 1);
	collect(option_common, COMMON, options + n, letters + strlen(letters));
	*ret_status = CTL_OK;
	while ((value = getopt_long(argc, argv, letters, options, NULL)) >= 0) {
		switch (value) {
		case COMMON + JSON:
			ctl->json = true;
			continue;
		case COMMON + SOCKET:
			ctl->socket = optarg;
			continue;
		case COMMON + HELP:
		case 'h':
			verb_help(argv[0]);
			*ret_status = CTL_DONE;
			return NULL;
		case '?':
		case ':':
			*ret_status = option_complain(argv[0], argv, value);
			return NULL;
		}
		return find(rows, value);
	}
	return NULL;
}
