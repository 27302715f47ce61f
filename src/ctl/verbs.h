/* SPDX-License-Identifier: GPL-2.0-or-later */
/* verbs.h - the table of verbs: what runs, what --help prints, what is completed. */
#pragma once

#include <stddef.h>

#include "ctl/option.h"

struct ctl;

struct verb {
	const char *name;
	const char *method;    /* that it calls, with its interface where that is not ours; NULL: none of its own */
	const char *arguments; /* for --help, without options */
	const char *words;     /* what its arguments may be, as in option.h, with "|" between the first and all others; NULL: nothing is known */
	const struct option_row *options;
	const char *summary; /* NULL: what control/table.inc says of the method */
	int (*run)(struct ctl *ctl, int argc, char **argv);
};

extern const struct verb verbs[];
extern const size_t verbs_used;

/* NULL: there is none. */
const struct verb *verb_find(const char *name);
/* --help of one. */
void verb_help(const char *name);
void verbs_help(const char *socket);

/* The rows of each, by the file they are in. */
extern const struct option_row option_none[];
extern const struct option_row list_options[], register_options[], adopt_options[], update_options[], attach_options[],
	ticket_options[], capture_options[], call_options[], input_options[], send_options[], send_keys_options[], watch_options[], metrics_options[];

int verb_list(struct ctl *ctl, int argc, char **argv);
int verb_describe(struct ctl *ctl, int argc, char **argv);
int verb_watch(struct ctl *ctl, int argc, char **argv);
int verb_register(struct ctl *ctl, int argc, char **argv);
int verb_adopt(struct ctl *ctl, int argc, char **argv);
int verb_unregister(struct ctl *ctl, int argc, char **argv);
int verb_update(struct ctl *ctl, int argc, char **argv);
int verb_ticket(struct ctl *ctl, int argc, char **argv);
int verb_attach(struct ctl *ctl, int argc, char **argv);
int verb_viewers(struct ctl *ctl, int argc, char **argv);
int verb_detach(struct ctl *ctl, int argc, char **argv);
int verb_capture(struct ctl *ctl, int argc, char **argv);
int verb_input(struct ctl *ctl, int argc, char **argv);
int verb_send(struct ctl *ctl, int argc, char **argv);
int verb_send_keys(struct ctl *ctl, int argc, char **argv);
int verb_capabilities(struct ctl *ctl, int argc, char **argv);
int verb_reload(struct ctl *ctl, int argc, char **argv);
int verb_ping(struct ctl *ctl, int argc, char **argv);
int verb_log_level(struct ctl *ctl, int argc, char **argv);
int verb_metrics(struct ctl *ctl, int argc, char **argv);
int verb_dump(struct ctl *ctl, int argc, char **argv);
int verb_call(struct ctl *ctl, int argc, char **argv);
/* complete.c: candidates for the last of the words, a line each. */
int verb_complete(struct ctl *ctl, int argc, char **argv);
