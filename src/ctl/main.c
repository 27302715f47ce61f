/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <getopt.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ctl/complain.h"
#include "ctl/ctl.h"
#include "ctl/option.h"
#include "ctl/verbs.h"

#define DEFAULT_SOCKET RUNSTATEDIR "/vfio-displayd/org.vfiodisplay.Display"

/* For the shell's completion; no verb for people. */
static const struct verb complete = {.name = "__complete", .run = verb_complete};

static int run_verb(struct ctl *ctl, int argc, char **argv)
{
	const struct verb *verb;

	if (argc == 0)
		return complain_usage(NULL, "a verb is missing; --help lists them");
	verb = strcmp(argv[0], complete.name) == 0 ? &complete : verb_find(argv[0]);
	if (!verb)
		return complain_usage(argv[0], "no such verb; --help lists them");
	optind = 0; /* getopt begins anew */
	return verb->run(ctl, argc, argv);
}

/* Output that did not arrive (a full disk, a closed pipe) is a failure too. */
static int finish_output(int status)
{
	if (status == CTL_DONE)
		status = CTL_OK;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	if (status == CTL_OK)
		complain(NULL, "cannot write the output: %s", strerror(errno));
	return status == CTL_OK ? CTL_FAILED : status;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"socket", required_argument, NULL, 's'},
		{"json", no_argument, NULL, 'j'},
		{"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	const char *socket = getenv("VFIO_DISPLAYD_SOCKET");
	struct ctl ctl = {.socket = socket && socket[0] ? socket : DEFAULT_SOCKET};
	int option;

	setlocale(LC_CTYPE, "");
	signal(SIGPIPE, SIG_IGN);
	opterr = 0;
	while ((option = getopt_long(argc, argv, "+:hV", options, NULL)) >= 0) {
		switch (option) {
		case 's':
			ctl.socket = optarg;
			break;
		case 'j':
			ctl.json = true;
			break;
		case 'V':
			puts("vfio-displayctl " PACKAGE_VERSION);
			return finish_output(CTL_OK);
		case 'h':
			verbs_help(DEFAULT_SOCKET);
			return finish_output(CTL_OK);
		default:
			return option_complain(NULL, argv, option);
		}
	}
	return finish_output(run_verb(&ctl, argc - optind, argv + optind));
}
