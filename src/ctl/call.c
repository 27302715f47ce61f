/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "ctl/complain.h"
#include "ctl/ctl.h"
#include "ctl/session.h"
#include "ctl/table.h"
#include "ctl/verbs.h"

enum { PING_MS = 10000 };

/* The only word that a verb without options takes. */
static int only_word(struct ctl *ctl, int argc, char **argv, const char *what, const char **ret)
{
	int status;

	option_next(ctl, option_none, argc, argv, &status);
	if (status != CTL_OK)
		return status;
	if (argc - optind != (what ? 1 : 0))
		return complain_usage(
			argv[0], what ? "takes one %s" : "takes no arguments%s", what ?: "");
	*ret = what ? argv[optind] : NULL;
	return CTL_OK;
}

/* A call that answers nothing. */
static int call_about(struct ctl *ctl, const char *method, const char *field, const char *what,
	int argc, char **argv)
{
	struct varlink_result result;
	const char *name;
	int status;

	status = only_word(ctl, argc, argv, what, &name);
	if (status == CTL_OK)
		status = session_call(ctl, name, method,
			field ? json_pack("{s:s}", field, name) : json_object(), &result);
	if (status != CTL_OK)
		return status;
	if (ctl->json)
		json_line(result.parameters);
	varlink_result_finish(&result);
	return CTL_OK;
}

int verb_unregister(struct ctl *ctl, int argc, char **argv)
{
	return call_about(ctl, "Unregister", "id", "display's id", argc, argv);
}

int verb_detach(struct ctl *ctl, int argc, char **argv)
{
	return call_about(ctl, "Detach", "viewer", "viewer", argc, argv);
}

int verb_ping(struct ctl *ctl, int argc, char **argv)
{
	struct varlink_result result;
	struct session session;
	const char *none;
	int status;

	status = only_word(ctl, argc, argv, NULL, &none);
	if (status == CTL_OK)
		status = session_open(&session, ctl, NULL);
	if (status != CTL_OK)
		return status;
	session.patience_ms = PING_MS;
	status = session_send(&session, "io.systemd.service.Ping", json_object(), false, NULL, 0);
	if (status == CTL_OK)
		status = session_receive(&session, &result);
	session_close(&session);
	if (status != CTL_OK)
		return status;
	if (ctl->json)
		json_line(result.parameters);
	varlink_result_finish(&result);
	return CTL_OK;
}

int verb_reload(struct ctl *ctl, int argc, char **argv)
{
	return call_about(ctl, "io.systemd.service.Reload", NULL, NULL, argc, argv);
}

/* syslog(3)'s. */
int verb_log_level(struct ctl *ctl, int argc, char **argv)
{
	static const char *const levels[] = {
		"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"};
	struct varlink_result result;
	const char *name;
	size_t level = 0;
	int status;

	status = only_word(ctl, argc, argv, "level, emerg to debug", &name);
	if (status != CTL_OK)
		return status;
	while (level < ARRAY_SIZE(levels) && strcmp(levels[level], name) != 0)
		level++;
	if (level == ARRAY_SIZE(levels))
		return complain_usage("log-level",
			"a level is emerg, alert, crit, err, warning, notice, info or debug, "
			"not %s",
			name);
	status = session_call(ctl, NULL, "io.systemd.service.SetLogLevel",
		json_pack("{s:I}", "level", (json_int_t)level), &result);
	if (status != CTL_OK)
		return status;
	if (ctl->json)
		json_line(result.parameters);
	varlink_result_finish(&result);
	return CTL_OK;
}

int verb_capabilities(struct ctl *ctl, int argc, char **argv)
{
	struct varlink_result result;
	const char *name;
	json_t *value;
	int status;
	size_t i;

	status = only_word(ctl, argc, argv, NULL, &name);
	if (status == CTL_OK)
		status = session_call(ctl, NULL, "GetCapabilities", json_object(), &result);
	if (status != CTL_OK)
		return status;
	if (ctl->json) {
		json_line(result.parameters);
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

static int print_reply(void *arg, json_t *parameters)
{
	const struct ctl *ctl = arg;

	if (ctl->json)
		json_line(parameters);
	else
		json_print(parameters);
	fflush(stdout);
	return CTL_OK;
}

const struct option_row call_options[] = {
	{"more", 1, 0, NULL, NULL, "all replies of a method that has several"},
	{0},
};

static int call_parse(struct ctl *ctl, int argc, char **argv, bool *ret_more, json_t **ret)
{
	json_error_t error;
	int status;

	while (option_next(ctl, call_options, argc, argv, &status))
		*ret_more = true;
	if (status != CTL_OK)
		return status;
	if (argc - optind < 1 || argc - optind > 2)
		return complain_usage("call", "takes a method and its parameters as JSON");
	if (argc - optind == 1)
		*ret = json_object();
	else
		*ret = json_loads(argv[optind + 1], JSON_REJECT_DUPLICATES, &error);
	if (!*ret)
		return complain_usage("call", "the parameters are no JSON: %s", error.text);
	if (!json_is_object(*ret)) {
		json_decref(*ret);
		*ret = NULL;
		return complain_usage(
			"call", "the parameters are a JSON object, such as {\"id\":\"vm7\"}");
	}
	return CTL_OK;
}

int verb_call(struct ctl *ctl, int argc, char **argv)
{
	struct varlink_result result;
	json_t *parameters = NULL;
	const char *method;
	bool more = false;
	int status;

	status = call_parse(ctl, argc, argv, &more, &parameters);
	if (status != CTL_OK)
		return status;
	method = argv[optind];
	if (more)
		return session_each(ctl, method, method, parameters, NULL, print_reply, ctl);
	status = session_call(ctl, method, method, parameters, &result);
	if (status != CTL_OK)
		return status;
	print_reply(ctl, result.parameters);
	varlink_result_finish(&result);
	return CTL_OK;
}
