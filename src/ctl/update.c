/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <getopt.h>

#include "ctl/complain.h"
#include "ctl/ctl.h"
#include "ctl/offer.h"
#include "ctl/session.h"
#include "ctl/table.h"

static int update_parse(struct offer *offer, int argc, char **argv, const char **ret_id)
{
	static const struct option options[] = {OFFER_CHANGES, {0}};
	int status = CTL_OK;
	int option, index = 0;

	while (status == CTL_OK && (option = getopt_long(argc, argv, "", options, &index)) >= 0)
		status = offer_option(offer, option, options[index].name, optarg);
	if (status != CTL_OK)
		return status;
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

	if (offer->error) {
		complain(NULL, "an argument is no UTF-8, or memory is short");
		return CTL_FAILED;
	}
	if (session_call(ctl, id, "Update", json_incref(offer->parameters), &result) < 0)
		return CTL_FAILED;
	if (ctl->json)
		json_print(json_object_get(result.parameters, "context"));
	varlink_result_finish(&result);
	return CTL_OK;
}

int verb_update(const struct ctl *ctl, int argc, char **argv)
{
	struct offer offer;
	const char *id = NULL;
	int status;

	offer_init(&offer, "update");
	status = update_parse(&offer, argc, argv, &id);
	if (status == CTL_OK)
		status = update(ctl, &offer, id);
	offer_finish(&offer);
	return status;
}
