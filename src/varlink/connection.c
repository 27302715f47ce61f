/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * A connection reads only while nothing else is to be done for its peer: no call is pending and every reply is sent.
 * So a peer that pipelines without reading meets its own full socket, and what it can make us hold is one message and
 * one queue. A pending call's socket is watched for a hang-up by an epoll of its own that asks for no events: epoll
 * always reports EPOLLHUP and EPOLLERR, and these two mean that the peer closed, where EPOLLRDHUP, which a peer that only
 * shut down its sending side causes too, does not. That peer still gets its reply.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "varlink/connection.h"
#include "varlink/wire.h"

#define CALLS_IN_A_ROW 16 /* then others get their turn */
#define TURN_MS	       2 /* and when their methods took so long: some make a text about all displays */

static const char *reason(int why)
{
	switch (why) {
	case -EBADMSG:
		return "not a JSON object, or one nested too deep";
	case -EMSGSIZE:
		return "a message is too long";
	case -EMFILE:
		return "too many descriptors with a message";
	case -EPROTO:
		return "not a Varlink call, or descriptors inside a message";
	case -ENOBUFS:
		return "it does not read its replies";
	default:
		return strerror(-why);
	}
}

static void log_drop(const struct connection *connection, int why)
{
	if (why == 0 || why == -EPIPE || why == -ECONNRESET ||
		!server_worth_a_line(connection->server, connection->peer.uid))
		return;
	log_info(NULL, "control socket: connection of uid %u, pid %d closed: %s",
		(unsigned int)connection->peer.uid, (int)connection->peer.pid, reason(why));
}

static void unwatch(struct connection *connection)
{
	if (connection->watched)
		epoll_ctl(connection->server->hangups, EPOLL_CTL_DEL, connection->fd, NULL);
	connection->watched = false;
}

static int watch(struct connection *connection)
{
	struct epoll_event event = {.events = 0, .data.ptr = connection};

	if (connection->watched)
		return 0;
	if (epoll_ctl(connection->server->hangups, EPOLL_CTL_ADD, connection->fd, &event) < 0)
		return -errno;
	connection->watched = true;
	return 0;
}

void connection_drop(struct connection *connection, int why)
{
	struct varlink_server *server = connection->server;

	if (connection->fd < 0)
		return;
	log_drop(connection, why);
	unwatch(connection);
	loop_source_free(take_ptr(connection->source));
	connection->fd = fd_close(connection->fd);
	wire_destroy(take_ptr(connection->wire));
	outbox_finish(&connection->outbox);
	if (connection->call)
		connection->call->connection = NULL;
	connection->call = NULL;
	LIST_REMOVE(connection, link);
	LIST_INSERT_HEAD(&server->dropped, connection, link);
	server_sweep_soon(server);
}

void connection_free(struct connection *connection)
{
	LIST_REMOVE(connection, link);
	groups_unuse(connection->groups);
	free(connection);
}

void connection_settle(struct connection *connection)
{
	bool sent = outbox_is_empty(&connection->outbox);
	unsigned int events = 0;
	int r = 0;

	if (connection->fd < 0)
		return;
	if (!sent)
		events |= LOOP_WRITE;
	else if (!connection->call)
		events |= LOOP_READ;
	if (connection->call)
		r = watch(connection);
	else
		unwatch(connection);
	if (r == 0)
		r = loop_fd_events(connection->source, events);
	if (r < 0)
		connection_drop(connection, r);
}

int connection_queue(
	struct connection *connection, struct shared *text, const char *tail, size_t tail_size)
{
	int r = outbox_push_shared(&connection->outbox, text, tail, tail_size);

	if (r == 0 && connection->outbox.bytes > LIMIT_VARLINK_QUEUE)
		r = -ENOBUFS;
	if (r < 0)
		connection_drop(connection, r);
	return r;
}

int connection_flush(struct connection *connection)
{
	int r = outbox_flush(&connection->outbox, connection->fd);

	if (r < 0 && r != -EAGAIN) {
		connection_drop(connection, r);
		return -EPIPE;
	}
	connection_settle(connection);
	return 0;
}

int connection_send(
	struct connection *connection, char *bytes, size_t size, const int *fds, size_t fds_used)
{
	bool idle = outbox_is_empty(&connection->outbox);
	int r;

	r = outbox_push(&connection->outbox, bytes, size, fds, fds_used);
	if (r == 0 && idle)
		r = outbox_flush(&connection->outbox, connection->fd);
	if (r == -EAGAIN)
		r = 0;
	if (r == 0 && connection->outbox.bytes > LIMIT_VARLINK_QUEUE)
		r = -ENOBUFS;
	if (r < 0) {
		connection_drop(connection, r);
		return r == -ENOBUFS || r == -ENOMEM ? r : -EPIPE;
	}
	connection_settle(connection);
	return 0;
}

/* Takes the next message if it is there and runs it. 1: go on; 0: not now; -errno. */
static int connection_step(struct connection *connection)
{
	struct wire_message message;
	int r;

	if (connection->call || !outbox_is_empty(&connection->outbox))
		return 0;
	r = stream_receive(connection->fd, connection->wire);
	if (r == -EAGAIN)
		return 0;
	if (r == 0) /* all is answered: it may go */
		connection_drop(connection, 0);
	if (r <= 0)
		return r;
	r = wire_take(connection->wire, &message);
	if (r <= 0)
		return r < 0 ? r : 1;
	r = call_dispatch(connection, &message);
	wire_message_finish(&message);
	return r < 0 ? r : 1;
}

static void on_socket(int fd, unsigned int events, void *arg)
{
	struct connection *connection = arg;
	bool low = connection->outbox.bytes < LIMIT_VARLINK_LOW;
	struct varlink_call *call = connection->call;
	uint64_t end = loop_now_ms() + TURN_MS;
	int r = 0;

	if (events & LOOP_WRITE)
		r = outbox_flush(&connection->outbox, fd);
	if (r == -EAGAIN)
		r = 0;
	if (r == 0 && !low && connection->outbox.bytes < LIMIT_VARLINK_LOW && call &&
		call->ready_fn)
		call->ready_fn(call->ready_arg);
	/* A message is two reads, a call may drop the connection. */
	for (int i = 0; r >= 0 && i < 2 * CALLS_IN_A_ROW && connection->fd >= 0; i++) {
		r = connection_step(connection);
		if (r == 0 || loop_now_ms() >= end)
			break;
	}
	if (r < 0)
		connection_drop(connection, r);
	else
		connection_settle(connection);
}

int connection_create(struct varlink_server *server, int fd, const struct varlink_peer *peer,
	struct groups *groups)
{
	struct connection *connection = fd < 0 ? NULL : new0(struct connection);
	int r;

	if (!connection) {
		groups_unuse(groups);
		fd_close(fd);
		return fd < 0 ? fd : -ENOMEM;
	}
	connection->groups = groups;
	connection->server = server;
	connection->peer = *peer;
	outbox_init(&connection->outbox);
	LIST_INSERT_HEAD(&server->connections, connection, link);
	connection->fd = fd;
	r = wire_create(&connection->wire);
	if (r == 0)
		r = loop_fd_add(
			server->loop, fd, LOOP_READ, on_socket, connection, &connection->source);
	if (r < 0)
		connection_drop(connection, r);
	return r;
}
