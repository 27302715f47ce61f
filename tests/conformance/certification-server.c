/* SPDX-License-Identifier: GPL-2.0-or-later */
/* org.varlink.certification on this project's server: certification.sh runs a foreign client against it.
 *
 * A client calls Start, Test01 to Test11 and End in this order; each call's parameters are the previous call's answer,
 * so what went through both codecs comes back here and is compared. Usage: certification-server SOCKET
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "varlink/server.h"

#define REPLIES 10 /* of Test10 */

static const char description[] =
	"# A client proves that it passes every kind of value on unchanged.\n"
	"interface org.varlink.certification\n"
	"type Scalars (bool: bool, int: int, float: float, string: string)\n"
	"type Nested (foo: ?[]?[string](foo, bar, baz), anon: (foo: bool, bar: bool))\n"
	"type Everything (object: object, enum: (one, two, three), struct: (first: int, second: "
	"string),\n"
	"  array: []string, dictionary: [string]string, stringset: [string](), nullable: ?string,\n"
	"  nullable_array_struct: ?[](first: int, second: string), interface: Nested)\n"
	"method Start() -> (client_id: string)\n"
	"method Test01(client_id: string) -> (bool: bool)\n"
	"method Test02(client_id: string, bool: bool) -> (int: int)\n"
	"method Test03(client_id: string, int: int) -> (float: float)\n"
	"method Test04(client_id: string, float: float) -> (string: string)\n"
	"method Test05(client_id: string, string: string) -> (bool: bool, int: int, float: float, "
	"string: string)\n"
	"method Test06(client_id: string, bool: bool, int: int, float: float, string: string) -> "
	"(struct: Scalars)\n"
	"method Test07(client_id: string, struct: Scalars) -> (map: [string]string)\n"
	"method Test08(client_id: string, map: [string]string) -> (set: [string]())\n"
	"method Test09(client_id: string, set: [string]()) -> (mytype: Everything)\n"
	"method Test10(client_id: string, mytype: Everything) -> (string: string)\n"
	"method Test11(client_id: string, last_more_replies: []string) -> ()\n"
	"method End(client_id: string) -> (all_ok: bool)\n"
	"error ClientIdError ()\n"
	"error CertificationError (wants: object, got: object)\n";

/* What each call answers, and so what the next one must bring. */
static const char *const answers[] = {
	[0] = "{}",
	[1] = "{'bool': true}",
	[2] = "{'int': -9007199254740993}",
	[3] = "{'float': -2.75}",
	[4] = "{'string': 'quote \\' backslash \\\\ newline \\n snowman \\u2603 clef "
	      "\\ud834\\udd1e'}",
	[5] = "{'bool': false, 'int': 2147483648, 'float': 1e+100, 'string': ''}",
	[6] = "{'struct': {'bool': true, 'int': 0, 'float': 0.125, 'string': 'in a struct'}}",
	[7] = "{'map': {'left': 'right', '': 'empty', '\\u00fc': 'umlaut'}}",
	[8] = "{'set': {'red': {}, 'green': {}, 'blue': {}}}",
	[9] = "{'mytype': {'object': {'any': ['thing', 1, null, {'deep': [[[]]]}]}, 'enum': "
	      "'three',"
	      " 'struct': {'first': 7, 'second': 'eight'}, 'array': ['a', '', 'b'], 'dictionary': "
	      "{'k': 'v'},"
	      " 'stringset': {'x': {}}, 'nullable_array_struct': [{'first': 1, 'second': '2'}],"
	      " 'interface': {'foo': [null, {'k': 'baz'}, null], 'anon': {'foo': false, 'bar': "
	      "true}}}}",
	[11] = "{}",
};

struct client {
	LIST_ENTRY(client) link; /* certifier::clients */
	char id[16];
	unsigned int step; /* the next one */
	bool ok;
};

struct certifier {
	LIST_HEAD(, client) clients;
	unsigned int started;
};

/* The tables above in JSON with ' for ", and back. */
static json_t *read_table(const char *text)
{
	char *json = strdup(text);
	json_t *object;

	for (char *at = json; *at; at++) {
		if (*at == '\\' && at[1] == '\'')
			memmove(at, at + 1, strlen(at)), *at = '\'';
		else if (*at == '\'')
			*at = '"';
	}
	object = json_loads(json, 0, NULL);
	free(json);
	return object;
}

static json_t *wanted(const struct client *client, unsigned int step)
{
	json_t *object, *list;

	if (step == 11) {
		list = json_array();
		for (int i = 1; i <= REPLIES; i++)
			json_array_append_new(list, json_sprintf("reply %d of %d", i, REPLIES));
		object = json_pack("{s:o}", "last_more_replies", list);
	} else
		object = read_table(step == 12 ? "{}" : answers[step - 1]);
	json_object_set_new(object, "client_id", json_string(client->id));
	return object;
}

static struct client *find_client(struct certifier *certifier, json_t *parameters)
{
	const char *id = json_string_value(json_object_get(parameters, "client_id"));
	struct client *client;

	LIST_FOREACH (client, &certifier->clients, link) {
		if (id && strcmp(client->id, id) == 0)
			return client;
	}
	return NULL;
}

static void start(struct varlink_call *call, json_t *parameters, void *arg)
{
	struct certifier *certifier = arg;
	struct client *client = new0(struct client);

	snprintf(client->id, sizeof(client->id), "client-%u", ++certifier->started);
	client->step = 1;
	client->ok = true;
	LIST_INSERT_HEAD(&certifier->clients, client, link);
	varlink_reply(call, json_pack("{s:s}", "client_id", client->id));
}

static void answer(struct varlink_call *call, const struct client *client, unsigned int step)
{
	if (step == 12) {
		varlink_reply(call, json_pack("{s:b}", "all_ok", client->ok));
		return;
	}
	if (step != 10) {
		varlink_reply(call, read_table(answers[step]));
		return;
	}
	for (int i = 1; i < REPLIES; i++)
		varlink_reply_continues(call,
			json_pack("{s:o}", "string", json_sprintf("reply %d of %d", i, REPLIES)));
	varlink_reply(call,
		json_pack("{s:o}", "string", json_sprintf("reply %d of %d", REPLIES, REPLIES)));
}

static void run_step(struct varlink_call *call, json_t *parameters, void *arg, unsigned int step)
{
	struct client *client = find_client(arg, parameters);
	json_t *wants;

	if (!client) {
		varlink_error(call, "org.varlink.certification.ClientIdError", NULL);
		return;
	}
	wants = wanted(client, step);
	if (client->step == step && json_equal(wants, parameters)) {
		client->step++;
		answer(call, client, step);
		json_decref(wants);
		return;
	}
	client->ok = false;
	json_dumpf(parameters, stderr, 0);
	fprintf(stderr, " is not what step %u wants (it is at step %u)\n", step, client->step);
	varlink_error(call, "org.varlink.certification.CertificationError",
		json_pack("{s:o, s:O}", "wants", wants, "got", parameters));
}

/* The declaration at the end takes the semicolon, which clang-format needs to see. */
#define STEP(number) \
	static void step_##number(struct varlink_call *call, json_t *parameters, void *arg) \
	{ \
		run_step(call, parameters, arg, number); \
	} \
	static void step_##number(struct varlink_call *call, json_t *parameters, void *arg)

STEP(1);
STEP(2);
STEP(3);
STEP(4);
STEP(5);
STEP(6);
STEP(7);
STEP(8);
STEP(9);
STEP(10);
STEP(11);
STEP(12);

static const struct varlink_method methods[] = {
	{.name = "Start", .fn = start},
	{.name = "Test01", .fn = step_1},
	{.name = "Test02", .fn = step_2},
	{.name = "Test03", .fn = step_3},
	{.name = "Test04", .fn = step_4},
	{.name = "Test05", .fn = step_5},
	{.name = "Test06", .fn = step_6},
	{.name = "Test07", .fn = step_7},
	{.name = "Test08", .fn = step_8},
	{.name = "Test09", .fn = step_9},
	{.name = "Test10", .fn = step_10, .flags = VARLINK_NEEDS_MORE},
	{.name = "Test11", .fn = step_11},
	{.name = "End", .fn = step_12},
};

static const struct varlink_interface interface = {
	.name = "org.varlink.certification",
	.description = description,
	.methods = methods,
	.methods_used = ARRAY_SIZE(methods),
};

static const struct varlink_identity identity = {
	"vfio-displayd", "certification", "1", "about:blank"};

/* The name appears when it can be connected to. */
static int listen_at(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_fd_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int n;

	n = snprintf(address.sun_path, sizeof(address.sun_path), "%s.new", path);
	if (fd < 0 || n < 0 || (size_t)n >= sizeof(address.sun_path))
		return -EINVAL;
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 8) < 0)
		return -errno;
	return rename(address.sun_path, path) < 0 ? -errno : take_fd(&fd);
}

int main(int argc, char **argv)
{
	struct certifier certifier = {0};
	struct varlink_server *server;
	struct loop *loop;
	int fd;

	log_open("certification-server", LOG_LEVEL_INFO);
	fd = argc == 2 ? listen_at(argv[1]) : -EINVAL;
	if (fd < 0) {
		log_err(NULL, "usage: certification-server SOCKET (%s)", strerror(-fd));
		return 1;
	}
	if (loop_create(&loop) < 0 || varlink_server_create(loop, &identity, &server) < 0 ||
		varlink_server_add(server, &interface, &certifier) < 0 ||
		varlink_server_listen(server, fd) < 0)
		return 1;
	return loop_run(loop) < 0;
}
