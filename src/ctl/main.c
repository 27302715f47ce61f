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

#define DEFAULT_SOCKET RUNSTATEDIR "/vfio-displayd/org.vfiodisplay.Display"

static const struct verb verbs[] = {
	{"list", "[--machine MACHINE]", "all displays", verb_list},
	{"describe", "ID", "all about one display", verb_describe},
	{"register", "--device PATH|--device-fd N [OPTION...]", "hand a display over",
		verb_register},
	{"adopt", "--pid PID [--device N] [ID] [OPTION...]",
		"hand over a device that a running VMM has open", verb_adopt},
	{"update", "ID OPTION...", "change what a display was registered with", verb_update},
	{"unregister", "ID", "end a registration, wait until the device is closed",
		verb_unregister},
	{"attach", "ID [--view-only] [--label L] [--exec CMD...]",
		"a viewer's RFB stream on stdin and stdout", verb_attach},
	{"ticket", "ID [--mode MODE] [--seconds N] [--label L]",
		"a password that lets one viewer in, once", verb_ticket},
	{"viewers", "[ID]", "all viewers, or those of one display", verb_viewers},
	{"detach", "VIEWER", "close a viewer's connection", verb_detach},
	{"capture", "ID -o FILE.png", "the current picture as a PNG", verb_capture},
	{"capabilities", "", "what the daemon can do, and its limits", verb_capabilities},
	{"call", "[--more] METHOD [JSON]", "any method, the reply as JSON", verb_call},
};

static void help(void)
{
	printf("Usage: vfio-displayctl [--socket PATH] [--json] VERB [ARGUMENT...]\n\n"
	       "Shows and manages the displays of vfio-displayd.\n\nVerbs:\n");
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		printf("  %s%s%s\n        %s\n", verbs[i].name, verbs[i].arguments[0] ? " " : "",
			verbs[i].arguments, verbs[i].summary);
	printf("\nOptions:\n"
	       "  --socket PATH  the daemon's control socket, instead of $VFIO_DISPLAYD_SOCKET or\n"
	       "                 %s\n"
	       "  --json         JSON for programs instead of tables for people\n"
	       "  --version      the version\n"
	       "  --help         this text\n\n"
	       "vfio-displayctl(1) says more.\n",
		DEFAULT_SOCKET);
}

static int run_verb(const struct ctl *ctl, int argc, char **argv)
{
	if (argc == 0)
		return complain_usage(NULL, "a verb is missing; --help lists them");
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		if (strcmp(verbs[i].name, argv[0]) != 0)
			continue;
		optind = 0; /* getopt begins anew */
		return verbs[i].run(ctl, argc, argv);
	}
	return complain_usage(argv[0], "no such verb; --help lists them");
}

/* Output that did not arrive (a full disk, a closed pipe) is a failure too. */
static int finish_output(int status)
{
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
	while ((option = getopt_long(argc, argv, "+hV", options, NULL)) >= 0) {
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
			help();
			return finish_output(CTL_OK);
		default:
			return CTL_USAGE;
		}
	}
	return finish_output(run_verb(&ctl, argc - optind, argv + optind));
}
