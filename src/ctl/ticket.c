/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <getopt.h>
#include <stdio.h>

#include "ctl/complain.h"
#include "ctl/ctl.h"
#include "ctl/number.h"
#include "ctl/session.h"
#include "ctl/table.h"

struct ticket {
	const char *id, *mode, *label;
	int seconds; /* 0: as the daemon has it */
};

static int ticket_parse(int argc, char **argv, struct ticket *ret)
{
	static const struct option options[] = {
		{"mode", required_argument, NULL, 'm'},
		{"seconds", required_argument, NULL, 's'},
		{"label", required_argument, NULL, 'l'},
		{0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (option == 'm')
			ret->mode = optarg;
		else if (option == 'l')
			ret->label = optarg;
		else if (option != 's')
			return CTL_USAGE;
		else if (number_parse(optarg, &ret->seconds) < 0 || !ret->seconds)
			return complain_usage(
				"ticket", "--seconds takes a number from 1 on, not %s", optarg);
	}
	if (argc - optind != 1)
		return complain_usage("ticket", "takes one display's id");
	ret->id = argv[optind];
	return CTL_OK;
}

int verb_ticket(const struct ctl *ctl, int argc, char **argv)
{
	struct ticket ticket = {.mode = "control"};
	struct varlink_result result;
	const char *text;
	json_t *parameters;
	int status;

	status = ticket_parse(argc, argv, &ticket);
	if (status != CTL_OK)
		return status;
	parameters = json_pack("{s:s, s:s, s:s*, s:o*}", "id", ticket.id, "mode", ticket.mode,
		"label", ticket.label, "seconds",
		ticket.seconds ? json_integer(ticket.seconds) : NULL);
	if (session_call(ctl, ticket.id, "IssueTicket", parameters, &result) < 0)
		return CTL_FAILED;
	text = json_string_value(json_object_get(result.parameters, "ticket"));
	if (ctl->json)
		json_print(result.parameters);
	else
		printf("%s\n", text ? text : "");
	varlink_result_finish(&result);
	return CTL_OK;
}
