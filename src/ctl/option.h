/* SPDX-License-Identifier: GPL-2.0-or-later */
/* option.h - the options of a verb as rows: what getopt, --help and completion read.
 *
 * --json, --socket PATH and --help are every verb's, beside its rows.
 */
#pragma once

#include <stdbool.h>

struct ctl;

/* What a word on the command line may be, for completion. */
#define WORDS_DISPLAYS "@displays" /* ids, which the daemon is asked for */
#define WORDS_VIEWERS  "@viewers"
#define WORDS_FILES    "@files" /* the shell knows those */
#define WORDS_METHODS  "@methods"
#define WORDS_EVENTS   "@events" /* "KEY_A" */

struct option_row {
	const char *name; /* without "--"; NULL ends the rows */
	int value;	  /* from 1 on */
	char letter;	  /* "-o"; 0: none */
	const char *argument; /* what it takes, in capitals; NULL: nothing */
	const char *words; /* words with spaces between, or WORDS_...; NULL: not known */
	const char *summary;
};

/* The next option's row, with its argument in optarg; NULL: there are none any more, and the rest is in argv[optind...], or, in *ret_status, one
 * was wrong (CTL_USAGE, which has been complained about) or --help has been printed (CTL_DONE). */
const struct option_row *option_next(struct ctl *ctl, const struct option_row *rows, int argc, char **argv,
	int *ret_status);

/* What getopt_long() made '?' or ':' of, in a line. @verb: NULL: none yet. Returns CTL_USAGE. */
int option_complain(const char *verb, char **argv, int value);

/* Those of every verb. */
extern const struct option_row option_common[];
