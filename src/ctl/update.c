/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <getopt.h>

#include "ctl/complain.h"
#include "ctl/ctl.h"
#include "ctl/offer.h"
#include "ctl/session.h"
#include "ctl/table.h"
#include "ctl/verbs.h"

const struct option_row update_options[] = {OFFER_CHANGES, {0}};

static int update_parse(
	struct ctl *ctl, struct offer *offer, int argc, char **argv, const char **ret_id)
{
	const struct option_row *row;
	int status, wrong = CTL_OK;

	while (wrong == CTL_OK && (row = option_next(ctl, update_options, argc, argv, &status)))
		wrong = offer_option(offer, row->value, row->name, optarg);
	if (wrong != CTL_OK || status != CTL_OK)
		return wrong != CTL_OK ? wrong : status;
	if (argc - optind != 1)
		return complain_usage("update", "takes one display's id");
	if (!json_object_size(offer->context))
		return complain_usage("update", "nothing is to be changed; give an option");
	*ret_id = argv[optind];
	offer->error |= json_object_set_new(offer->parameters, "id", json_string(*ret_id));
	return CTL_OK;
}

static int update(const struct ctl *ctl, struct offer *offer, const char *id)
{
	struct varlink_result result;
	int status;

	if (offer->error) {
		complain(NULL, "an argument is no UTF-8, or memory is short");
		return CTL_FAILED;
	}
	status = session_call(ctl, id, "Update", json_incref(offer->parameters), &result);
	if (status != CTL_OK)
		return status;
	if (ctl->json)
		json_line(json_object_get(result.parameters, "context"));
	varlink_result_finish(&result);
	return CTL_OK;
}

int verb_update(struct ctl *ctl, int argc, char **argv)
{
	struct offer offer;
	const char *id = NULL;
	int status;

	offer_init(&offer, "update");
	status = update_parse(ctl, &offer, argc, argv, &id);
	if (status == CTL_OK)
		status = update(ctl, &offer, id);
	offer_finish(&offer);
	return status;
}
