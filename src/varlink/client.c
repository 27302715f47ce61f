/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "varlink/client.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/fd.h"
#include "base/loop.h"
#include "base/mem.h"
#include "varlink/stream.h"
#include "varlink/wire.h"

static_assert(ARRAY_SIZE(((struct varlink_result *)0)->fds) == LIMIT_VARLINK_FDS,
	"room for a message's descriptors");

struct varlink_client {
	int fd; /* owned */
	struct wire *wire;
	struct outbox outbox;
};

int varlink_client_connect(const char *path, struct varlink_client **ret)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_fd_ int fd = -EBADF;
	size_t length = strlen(path);

	if (length == 0)
		return -EINVAL; /* would be a name in the abstract space */
	if (length >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, length);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	return varlink_client_adopt(take_fd(&fd), ret);
}

int varlink_client_adopt(int fd, struct varlink_client **ret)
{
	struct varlink_client *client = new0(struct varlink_client);

	if (!client || wire_create(&client->wire) < 0) {
		free(client);
		fd_close(fd);
		return -ENOMEM;
	}
	client->fd = fd;
	outbox_init(&client->outbox);
	*ret = client;
	return 0;
}

void varlink_client_destroy(struct varlink_client *client)
{
	if (!client)
		return;
	outbox_finish(&client->outbox);
	wire_destroy(client->wire);
	fd_close(client->fd);
	free(client);
}

int varlink_client_fd(const struct varlink_client *client)
{
	return client->fd;
}

/* @until: of loop_now_ms(), or UINT64_MAX. */
static int wait_for(int fd, short events, uint64_t until)
{
	struct pollfd pollfd = {.fd = fd, .events = events};

	for (;;) {
		uint64_t now = loop_now_ms();
		uint64_t left = until > now ? until - now : 0;
		int n = poll(&pollfd, 1, until == UINT64_MAX ? -1 : (int)MIN(left, 60000u));

		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
		if (until != UINT64_MAX && loop_now_ms() >= until)
			return -ETIMEDOUT;
	}
}

/* Consumes @parameters. @mode: "more", "oneway" or NULL. */
static json_t *call_object(const char *method, json_t *parameters, const char *mode)
{
	json_t *call = json_object();
	int r = 0;

	r |= json_object_set_new(call, "method", json_string(method));
	if (parameters)
		r |= json_object_set_new(call, "parameters", parameters);
	if (mode)
		r |= json_object_set_new(call, mode, json_true());
	if (r == 0)
		return call;
	json_decref(call);
	return NULL;
}

static int push_call(
	struct varlink_client *client, const json_t *call, const int *fds, size_t fds_used)
{
	int own[LIMIT_VARLINK_FDS];
	char *bytes;
	size_t size;
	int r;

	if (fds_used > LIMIT_VARLINK_FDS)
		return -EMFILE;
	r = wire_encode(call, &bytes, &size);
	if (r < 0)
		return r;
	for (size_t i = 0; i < fds_used; i++) {
		own[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);
		if (own[i] >= 0)
			continue;
		r = -errno;
		while (i-- > 0)
			fd_close(own[i]);
		free(bytes);
		return r;
	}
	return outbox_push(&client->outbox, bytes, size, own, fds_used);
}

/* Consumes @call, which may be NULL. */
static int send_call(struct varlink_client *client, json_t *call, const int *fds, size_t fds_used)
{
	int r = call ? push_call(client, call, fds, fds_used) : -ENOMEM;

	json_decref(call);
	while (r == 0) {
		r = outbox_flush(&client->outbox, client->fd);
		if (r != -EAGAIN)
			break;
		r = wait_for(client->fd, POLLOUT, UINT64_MAX);
	}
	return r;
}

int varlink_client_send(struct varlink_client *client, const char *method, json_t *parameters,
	bool more, const int *fds, size_t fds_used)
{
	return send_call(
		client, call_object(method, parameters, more ? "more" : NULL), fds, fds_used);
}

int varlink_client_send_oneway(
	struct varlink_client *client, const char *method, json_t *parameters)
{
	return send_call(client, call_object(method, parameters, "oneway"), NULL, 0);
}

/* Moves the parts of @message into *@ret. */
static int read_reply(struct wire_message *message, struct varlink_result *ret)
{
	json_t *parameters = json_object_get(message->object, "parameters");
	json_t *error = json_object_get(message->object, "error");
	json_t *continues = json_object_get(message->object, "continues");
	struct varlink_result result = {.continues = json_is_true(continues)};

	if (parameters && !json_is_object(parameters) && !json_is_null(parameters))
		return -EBADMSG;
	if ((error && !json_is_string(error)) || (continues && !json_is_boolean(continues)))
		return -EBADMSG;
	result.parameters = json_is_object(parameters) ? json_incref(parameters) : json_object();
	result.error = error ? strdup(json_string_value(error)) : NULL;
	if (!result.parameters || (error && !result.error)) {
		varlink_result_finish(&result);
		return -ENOMEM;
	}
	memcpy(result.fds, message->fds, message->fds_used * sizeof(*message->fds));
	result.fds_used = message->fds_used;
	message->fds_used = 0;
	*ret = result;
	return 0;
}

int varlink_client_receive(
	struct varlink_client *client, int timeout_ms, struct varlink_result *ret)
{
	uint64_t until = timeout_ms < 0 ? UINT64_MAX : loop_now_ms() + timeout_ms;
	struct wire_message message;
	int r;

	while ((r = wire_take(client->wire, &message)) == 0) {
		r = stream_receive(client->fd, client->wire);
		if (r == -EAGAIN)
			r = wait_for(client->fd, POLLIN, until);
		else if (r == 0)
			r = -EPIPE;
		if (r < 0)
			return r;
	}
	if (r < 0)
		return r;
	r = read_reply(&message, ret);
	wire_message_finish(&message);
	return r;
}

void varlink_result_finish(struct varlink_result *result)
{
	json_decref(take_ptr(result->parameters));
	free(take_ptr(result->error));
	for (size_t i = 0; i < result->fds_used; i++)
		fd_close(result->fds[i]);
	result->fds_used = 0;
}

int varlink_client_call(struct varlink_client *client, const char *method, json_t *parameters,
	const int *fds, size_t fds_used, struct varlink_result *ret)
{
	int r = varlink_client_send(client, method, parameters, false, fds, fds_used);

	return r < 0 ? r : varlink_client_receive(client, -1, ret);
}
