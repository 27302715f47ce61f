/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <getopt.h>
#include <stdio.h>

#include "ctl/complain.h"
#include "ctl/ctl.h"
#include "ctl/number.h"
#include "ctl/session.h"
#include "ctl/table.h"
#include "ctl/verbs.h"

struct ticket {
	const char *id, *mode, *label;
	int seconds; /* 0: as the daemon has it */
};

enum { MODE = 1, SECONDS, LABEL };

const struct option_row ticket_options[] = {
	{"mode", MODE, 0, "MODE", "view control exclusive", "the most that the viewer may do"},
	{"seconds", SECONDS, 0, "N", NULL, "for so long it can be used; 60"},
	{"label", LABEL, 0, "TEXT", NULL, "who will look"},
	{0},
};

static int ticket_parse(struct ctl *ctl, int argc, char **argv, struct ticket *ret)
{
	const struct option_row *row;
	int status;

	while ((row = option_next(ctl, ticket_options, argc, argv, &status))) {
		if (row->value == MODE)
			ret->mode = optarg;
		else if (row->value == LABEL)
			ret->label = optarg;
		else if (number_parse(optarg, &ret->seconds) < 0 || !ret->seconds)
			return complain_usage(
				"ticket", "--seconds takes a number from 1 on, not %s", optarg);
	}
	if (status != CTL_OK)
		return status;
	if (argc - optind != 1)
		return complain_usage("ticket", "takes one display's id");
	ret->id = argv[optind];
	return CTL_OK;
}

int verb_ticket(struct ctl *ctl, int argc, char **argv)
{
	struct ticket ticket = {.mode = "control"};
	struct varlink_result result;
	const char *text;
	json_t *parameters;
	int status;

	status = ticket_parse(ctl, argc, argv, &ticket);
	if (status != CTL_OK)
		return status;
	parameters = json_pack("{s:s, s:s, s:s*, s:o*}", "id", ticket.id, "mode", ticket.mode,
		"label", ticket.label, "seconds",
		ticket.seconds ? json_integer(ticket.seconds) : NULL);
	status = session_call(ctl, ticket.id, "IssueTicket", parameters, &result);
	if (status != CTL_OK)
		return status;
	text = json_string_value(json_object_get(result.parameters, "ticket"));
	if (ctl->json)
		json_line(result.parameters);
	else
		printf("%s\n", text ? text : "");
	varlink_result_finish(&result);
	return CTL_OK;
}
