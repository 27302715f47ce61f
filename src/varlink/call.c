/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>

#include "base/discard.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/shared.h"
#include "varlink/connection.h"
#include "varlink/wire.h"

static void close_all(int *fds, size_t *fds_used)
{
	for (size_t i = 0; i < *fds_used; i++)
		fd_close(fds[i]);
	*fds_used = 0;
}

static void discard_all(int *fds, size_t *fds_used)
{
	for (size_t i = 0; i < *fds_used; i++)
		fd_discard(fds[i]);
	*fds_used = 0;
}

static void call_free(struct varlink_call *call)
{
	discard_all(call->fds, &call->fds_used);
	close_all(call->out, &call->out_used);
	groups_unuse(call->groups);
	if (call->server)
		LIST_REMOVE(call, link);
	free(call);
}

bool varlink_call_more(const struct varlink_call *call)
{
	return call->more;
}

const struct varlink_peer *varlink_call_peer(const struct varlink_call *call)
{
	return &call->peer;
}

int varlink_call_take_fd(struct varlink_call *call, json_int_t index)
{
	int fd, high;

	if (index < 0 || index >= (json_int_t)call->fds_used || call->fds[index] < 0)
		return -EBADF;
	fd = take_fd(&call->fds[index]);
	high = fcntl(fd, F_DUPFD_CLOEXEC, FD_HIGH);
	if (high < 0)
		return fd;
	fd_discard(fd);
	return high;
}

int varlink_call_push_fd(struct varlink_call *call, int fd)
{
	if (fd < 0)
		return -EBADF;
	if (call->out_used == LIMIT_VARLINK_FDS) {
		fd_close(fd);
		return -EMFILE;
	}
	call->out[call->out_used] = fd;
	return call->out_used++;
}

void varlink_call_on_gone(struct varlink_call *call, void (*fn)(void *arg), void *arg)
{
	call->gone_fn = fn;
	call->gone_arg = arg;
	if (fn && call->server && !call->connection)
		server_sweep_soon(call->server);
}

/* Tells the calls that lost their peer. A callback may end this call, others, or none. */
void call_sweep(struct varlink_server *server)
{
	struct varlink_call *call;

	do {
		LIST_FOREACH (call, &server->calls, link) {
			if (!call->connection && call->gone_fn)
				break;
		}
		if (call) {
			void (*fn)(void *arg) = take_ptr(call->gone_fn);

			fn(call->gone_arg);
		}
	} while (call);
}

/* Consumes @parameters. NULL: out of memory. */
static json_t *reply_object(const char *error, json_t *parameters, bool continues)
{
	json_t *reply = json_object();
	int r = 0;

	if (!parameters)
		parameters = json_object();
	if (error)
		r |= json_object_set_new(reply, "error", json_string(error));
	r |= json_object_set_new(reply, "parameters", parameters);
	if (continues)
		r |= json_object_set_new(reply, "continues", json_true());
	if (r == 0)
		return reply;
	json_decref(reply);
	return NULL;
}

/* A reply that cannot be made must not leave the peer waiting for it: then the connection is dropped. */
static int call_send(
	struct varlink_call *call, const char *error, json_t *parameters, bool continues)
{
	struct connection *connection = call->connection;
	char *bytes = NULL;
	size_t size = 0;
	json_t *reply;
	int r;

	if (!connection || call->oneway) {
		close_all(call->out, &call->out_used);
		json_decref(parameters);
		return connection ? 0 : -EPIPE;
	}
	if (!continues)
		connection->call = NULL;
	reply = reply_object(error, parameters, continues);
	r = reply ? wire_encode(reply, &bytes, &size) : -ENOMEM;
	json_decref(reply);
	if (r < 0) {
		close_all(call->out, &call->out_used);
		connection_drop(connection, r);
		return r;
	}
	r = connection_send(connection, bytes, size, call->out, call->out_used);
	call->out_used = 0;
	return r;
}

static void call_end(struct varlink_call *call, const char *error, json_t *parameters)
{
	struct connection *connection = call->connection;

	call->gone_fn = NULL;
	call->ready_fn = NULL;
	if (call->server && call->server->answered)
		call->server->answered(call->server->answered_arg, call->method ? call->method : "",
			error ? error : "");
	call_send(call, error, parameters, false);
	if (connection && call->oneway) {
		connection->call = NULL;
		connection_settle(connection);
	}
	call->finished = true;
	if (!call->running)
		call_free(call);
}

void varlink_reply(struct varlink_call *call, json_t *parameters)
{
	call_end(call, NULL, parameters);
}

int varlink_reply_continues(struct varlink_call *call, json_t *parameters)
{
	if (call->more)
		return call_send(call, NULL, parameters, true);
	close_all(call->out, &call->out_used);
	json_decref(parameters);
	return -EINVAL;
}

bool varlink_call_ready(const struct varlink_call *call)
{
	return call->connection && call->connection->outbox.bytes < LIMIT_VARLINK_LOW;
}

void varlink_call_on_ready(struct varlink_call *call, void (*fn)(void *arg), void *arg)
{
	call->ready_fn = fn;
	call->ready_arg = arg;
}

/* A message is a text, which all who get it share, and how it ends. */
static const char text_head[] = "{\"parameters\":", text_goes_on[] = ",\"continues\":true}",
		  text_ends[] = "}";

int varlink_text_create(const char *json, struct shared **ret)
{
	size_t size = strlen(json);
	struct shared *text;

	if (sizeof(text_head) + size + sizeof(text_goes_on) > LIMIT_VARLINK_MESSAGE)
		return -EMSGSIZE;
	text = shared_create(text_head, sizeof(text_head) - 1, json, size);
	if (!text)
		return -ENOMEM;
	*ret = text;
	return 0;
}

int varlink_push_text(struct varlink_call *call, struct shared *text)
{
	if (!call->more)
		return -EINVAL;
	if (!call->connection)
		return -EPIPE;
	return connection_queue(call->connection, text, text_goes_on, sizeof(text_goes_on));
}

void varlink_flush(struct varlink_call *call)
{
	if (call->connection)
		connection_flush(call->connection);
}

void varlink_reply_text(struct varlink_call *call, struct shared *text)
{
	struct connection *connection = call->connection;

	call->gone_fn = NULL;
	call->ready_fn = NULL;
	if (connection) {
		connection->call = NULL;
		if (call->oneway)
			connection_settle(connection);
		else if (connection_queue(connection, text, text_ends, sizeof(text_ends)) == 0)
			connection_flush(connection);
	}
	call->finished = true;
	if (!call->running)
		call_free(call);
}

void varlink_error(struct varlink_call *call, const char *error, json_t *parameters)
{
	close_all(call->out, &call->out_used);
	call_end(call, error, parameters);
}

static void error_about(
	struct varlink_call *call, const char *error, const char *key, const char *value)
{
	varlink_error(call, error, json_pack("{s:s}", key, value));
}

void varlink_invalid_parameter(struct varlink_call *call, const char *parameter)
{
	error_about(call, "org.varlink.service.InvalidParameter", "parameter", parameter);
}

struct request {
	const char *method;
	json_t *parameters; /* borrowed; NULL: none */
	bool more, oneway, upgrade;
};

static int request_set(struct request *request, const char *key, json_t *value)
{
	if (strcmp(key, "method") == 0) {
		request->method = json_string_value(value);
		return request->method ? 0 : -EPROTO;
	}
	if (strcmp(key, "parameters") == 0) {
		request->parameters = json_is_object(value) ? value : NULL;
		return json_is_object(value) || json_is_null(value) ? 0 : -EPROTO;
	}
	if (!json_is_boolean(value))
		return -EPROTO;
	if (strcmp(key, "more") == 0)
		request->more = json_is_true(value);
	else if (strcmp(key, "oneway") == 0)
		request->oneway = json_is_true(value);
	else if (strcmp(key, "upgrade") == 0)
		request->upgrade = json_is_true(value);
	else
		return -EPROTO;
	return 0;
}

static int request_parse(json_t *object, struct request *ret)
{
	struct request request = {0};
	const char *key;
	json_t *value;

	json_object_foreach (object, key, value)
		if (request_set(&request, key, value) < 0)
			return -EPROTO;
	if (!request.method || (request.more && request.oneway) || request.upgrade)
		return -EPROTO;
	*ret = request;
	return 0;
}

static const struct varlink_method *find_method(const struct exported *exported, const char *name)
{
	for (size_t i = 0; i < exported->interface->methods_used; i++)
		if (strcmp(exported->interface->methods[i].name, name) == 0)
			return &exported->interface->methods[i];
	return NULL;
}

static void call_run(struct varlink_call *call, const char *name, json_t *parameters)
{
	const char *dot = strrchr(name, '.');
	const struct varlink_method *method;
	const struct exported *exported;

	if (!dot) {
		varlink_invalid_parameter(call, "method");
		return;
	}
	exported = server_find(call->server, name, dot - name);
	if (!exported) {
		varlink_error(call, "org.varlink.service.InterfaceNotFound",
			json_pack("{s:s%}", "interface", name, (size_t)(dot - name)));
		return;
	}
	method = find_method(exported, dot + 1);
	call->method = method ? method->name : NULL;
	if (!method)
		error_about(call, "org.varlink.service.MethodNotFound", "method", name);
	else if (!method->fn)
		error_about(call, "org.varlink.service.MethodNotImplemented", "method", name);
	else if ((method->flags & VARLINK_NEEDS_MORE) && !call->more)
		varlink_error(call, "org.varlink.service.ExpectedMore", NULL);
	else if (!exported->interface->admit ||
		 exported->interface->admit(
			 call, method - exported->interface->methods, parameters, exported->arg))
		method->fn(call, parameters, exported->arg);
}

int call_dispatch(struct connection *connection, struct wire_message *message)
{
	struct varlink_call *call;
	struct request request;
	json_t *none = NULL;
	int r;

	r = request_parse(message->object, &request);
	if (r < 0)
		return r;
	if (!request.parameters)
		request.parameters = none = json_object();
	call = request.parameters ? new0(struct varlink_call) : NULL;
	if (!call) {
		json_decref(none);
		return -ENOMEM;
	}
	call->server = connection->server;
	call->connection = connection;
	call->peer = connection->peer;
	call->groups = groups_use(connection->groups);
	call->more = request.more;
	call->oneway = request.oneway;
	memcpy(call->fds, message->fds, message->fds_used * sizeof(*message->fds));
	call->fds_used = message->fds_used;
	message->fds_used = 0;
	LIST_INSERT_HEAD(&call->server->calls, call, link);
	connection->call = call;
	call->running = true;
	call_run(call, request.method, request.parameters);
	call->running = false;
	/* What the method did not take is closed now, also when its reply comes later. */
	discard_all(call->fds, &call->fds_used);
	if (call->finished)
		call_free(call);
	json_decref(none);
	return 0;
}

int varlink_server_resume(struct varlink_server *server, int fd, struct varlink_call **ret)
{
	struct varlink_call *call = new0(struct varlink_call);
	int r;

	if (!call) {
		fd_close(fd);
		return -ENOMEM;
	}
	r = varlink_server_adopt(server, fd);
	if (r < 0) {
		free(call);
		return r;
	}
	call->connection = LIST_FIRST(&server->connections); /* the newest */
	call->server = server;
	call->peer = call->connection->peer;
	call->more = true;
	LIST_INSERT_HEAD(&server->calls, call, link);
	call->connection->call = call;
	connection_settle(call->connection);
	*ret = call;
	return 0;
}

int varlink_call_socket(const struct varlink_call *call)
{
	return call->connection ? call->connection->fd : -EBADF;
}

void varlink_call_abandon(struct varlink_call *call)
{
	if (call->connection)
		connection_drop(call->connection, 0);
	call_free(call);
}
