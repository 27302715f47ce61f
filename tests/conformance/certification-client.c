/* SPDX-License-Identifier: GPL-2.0-or-later */
/* This project's client on a foreign org.varlink.certification server. Usage: certification-client SOCKET
 *
 * Each answer is the next call's parameters, so there is nothing to know here about the values.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "varlink/client.h"

#define TIMEOUT_MS 10000

static const char *const methods[] = {
	"Test01", "Test02", "Test03", "Test04", "Test05", "Test06", "Test07", "Test08", "Test09"};

static int fail(const char *method, int r, const char *error)
{
	fprintf(stderr, "%s: %s\n", method, error ? error : strerror(-r));
	return -1;
}

/* Replaces *@parameters by the answer, and gives it the client's id. */
static int step(
	struct varlink_client *client, const char *name, const char *id, json_t **parameters)
{
	struct varlink_result result = {0};
	char method[64];
	int r;

	snprintf(method, sizeof(method), "org.varlink.certification.%s", name);
	r = varlink_client_send(client, method, take_ptr(*parameters), false, NULL, 0);
	if (r == 0)
		r = varlink_client_receive(client, TIMEOUT_MS, &result);
	if (r < 0 || result.error || result.continues)
		return fail(method, r, result.error ? result.error : "an answer that goes on");
	*parameters = json_incref(result.parameters);
	if (id)
		json_object_set_new(*parameters, "client_id", json_string(id));
	varlink_result_finish(&result);
	return 0;
}

/* Test10 with its many replies, then Test11, which gets none. Consumes @parameters. */
static int step_more(struct varlink_client *client, const char *id, json_t *parameters)
{
	static const char method[] = "org.varlink.certification.Test10";
	json_t *list = json_array();
	bool continues = true;
	int r;

	r = varlink_client_send(client, method, parameters, true, NULL, 0);
	while (r == 0 && continues) {
		struct varlink_result result = {0};

		r = varlink_client_receive(client, TIMEOUT_MS, &result);
		if (r < 0 || result.error)
			return fail(method, r, result.error);
		json_array_append(list, json_object_get(result.parameters, "string"));
		continues = result.continues;
		varlink_result_finish(&result);
	}
	if (r < 0)
		return fail(method, r, NULL);
	r = varlink_client_send_oneway(client, "org.varlink.certification.Test11",
		json_pack("{s:s, s:o}", "client_id", id, "last_more_replies", list));
	return r < 0 ? fail("org.varlink.certification.Test11", r, NULL) : 0;
}

static int run(struct varlink_client *client)
{
	json_t *parameters = NULL, *end;
	char id[128];

	if (step(client, "Start", NULL, &parameters) < 0)
		return -1;
	snprintf(id, sizeof(id), "%s", json_string_value(json_object_get(parameters, "client_id")));
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
		if (step(client, methods[i], id, &parameters) < 0)
			return -1;
	if (step_more(client, id, take_ptr(parameters)) < 0)
		return -1;
	end = json_pack("{s:s}", "client_id", id);
	if (step(client, "End", NULL, &end) < 0)
		return -1;
	if (!json_is_true(json_object_get(end, "all_ok")))
		return fail("End", 0, "not all is well");
	json_decref(end);
	return 0;
}

/* The server may have just been started. */
static int connect_soon(const char *path, struct varlink_client **ret)
{
	int r = varlink_client_connect(path, ret);

	for (int i = 0; i < 200 && (r == -ENOENT || r == -ECONNREFUSED); i++) {
		usleep(50000);
		r = varlink_client_connect(path, ret);
	}
	return r;
}

int main(int argc, char **argv)
{
	struct varlink_client *client;
	int r;

	r = argc == 2 ? connect_soon(argv[1], &client) : -EINVAL;
	if (r < 0) {
		fprintf(stderr, "usage: certification-client SOCKET (%s)\n", strerror(-r));
		return 1;
	}
	r = run(client);
	varlink_client_destroy(client);
	return r < 0;
}
