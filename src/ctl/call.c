/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "ctl/complain.h"
#include "ctl/ctl.h"
#include "ctl/session.h"
#include "ctl/table.h"

/* A call that takes one name and answers nothing. */
static int call_about(
	const struct ctl *ctl, const char *method, const char *field, int argc, char **argv)
{
	struct varlink_result result;

	if (argc != 2)
		return complain_usage(argv[0], "takes one %s", field);
	if (session_call(ctl, argv[1], method, json_pack("{s:s}", field, argv[1]), &result) < 0)
		return CTL_FAILED;
	if (ctl->json)
		json_print(result.parameters);
	varlink_result_finish(&result);
	return CTL_OK;
}

int verb_unregister(const struct ctl *ctl, int argc, char **argv)
{
	return call_about(ctl, "Unregister", "id", argc, argv);
}

int verb_detach(const struct ctl *ctl, int argc, char **argv)
{
	return call_about(ctl, "Detach", "viewer", argc, argv);
}

int verb_capabilities(const struct ctl *ctl, int argc, char **argv)
{
	struct varlink_result result;
	const char *name;
	json_t *value;
	size_t i;

	if (argc != 1)
		return complain_usage("capabilities", "takes no arguments");
	if (session_call(ctl, NULL, "GetCapabilities", json_object(), &result) < 0)
		return CTL_FAILED;
	if (ctl->json) {
		json_print(result.parameters);
	} else {
		json_array_foreach (json_object_get(result.parameters, "capabilities"), i, value) {
			text_print(
				stdout, json_string_value(value) ? json_string_value(value) : "");
			putchar('\n');
		}
		json_object_foreach (json_object_get(result.parameters, "limits"), name, value) {
			text_print(stdout, name);
			printf("=%" JSON_INTEGER_FORMAT "\n", json_integer_value(value));
		}
	}
	varlink_result_finish(&result);
	return CTL_OK;
}

/* Prints each reply. */
static int call_replies(struct varlink_client *client, const char *method)
{
	struct varlink_result result;
	bool failed, continues;
	int r;

	do {
		r = varlink_client_receive(client, -1, &result);
		if (r < 0) {
			complain_talk(method, r);
			return CTL_FAILED;
		}
		failed = result.error;
		continues = result.continues;
		if (failed)
			complain_error(method, method, result.error, result.parameters);
		else
			json_print(result.parameters);
		fflush(stdout);
		varlink_result_finish(&result);
	} while (continues && !failed);
	return failed ? CTL_FAILED : CTL_OK;
}

static int call_parse(int argc, char **argv, bool *ret_more, json_t **ret)
{
	static const struct option options[] = {{"more", no_argument, NULL, 'm'}, {0}};
	json_error_t error;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (option != 'm')
			return CTL_USAGE;
		*ret_more = true;
	}
	if (argc - optind < 1 || argc - optind > 2)
		return complain_usage("call", "takes a method and its parameters as JSON");
	if (argc - optind == 1)
		*ret = json_object();
	else
		*ret = json_loads(argv[optind + 1], JSON_REJECT_DUPLICATES, &error);
	if (!*ret)
		return complain_usage("call", "the parameters are no JSON: %s", error.text);
	return CTL_OK;
}

int verb_call(const struct ctl *ctl, int argc, char **argv)
{
	struct varlink_client *client = NULL;
	json_t *parameters = NULL;
	bool more = false;
	char method[256];
	int status;
	int r;

	status = call_parse(argc, argv, &more, &parameters);
	if (status != CTL_OK)
		return status;
	/* A method without an interface is one of ours. */
	snprintf(method, sizeof(method), "%s%s",
		strchr(argv[optind], '.') ? "" : "org.vfiodisplay.Display.", argv[optind]);
	r = varlink_client_connect(ctl->socket, &client);
	if (r < 0) {
		json_decref(parameters);
		complain_connect(ctl->socket, r);
		return CTL_FAILED;
	}
	r = varlink_client_send(client, method, parameters, more, NULL, 0);
	if (r < 0)
		complain_talk(method, r);
	status = r < 0 ? CTL_FAILED : call_replies(client, method);
	varlink_client_destroy(client);
	return status;
}
