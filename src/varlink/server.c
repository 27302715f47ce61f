/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "varlink/server.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "varlink/connection.h"

#define ACCEPTS_IN_A_ROW 16 /* then others get their turn */
#define ACCEPT_PAUSE_MS \
	1000 /* after accept() ran out of descriptors or memory: the queue keeps the socket readable */

struct listener {
	LIST_ENTRY(listener) link; /* varlink_server::listeners */
	struct varlink_server *server;
	int fd; /* owned */
	bool monitor;
	struct loop_source *source;
};

const struct exported *server_find(
	const struct varlink_server *server, const char *name, size_t name_size)
{
	for (size_t i = 0; i < server->exported_used; i++) {
		const char *known = server->exported[i].interface->name;

		if (strlen(known) == name_size && memcmp(known, name, name_size) == 0)
			return &server->exported[i];
	}
	return NULL;
}

void server_sweep_soon(struct varlink_server *server)
{
	loop_timer_once(server->sweep, 0);
}

static void free_dropped(struct varlink_server *server)
{
	while (!LIST_EMPTY(&server->dropped))
		connection_free(LIST_FIRST(&server->dropped));
}

static void on_sweep(void *arg)
{
	free_dropped(arg);
	call_sweep(arg);
}

static void on_hangups(int fd, unsigned int events, void *arg)
{
	struct epoll_event event;

	/* One at a time: what is dropped leaves the set. */
	while (epoll_wait(fd, &event, 1, 0) > 0)
		connection_drop(event.data.ptr, 0);
}

static int accept_all(struct listener *listener);

static void on_resume(void *arg)
{
	struct varlink_server *server = arg;
	struct listener *listener;

	LIST_FOREACH (listener, &server->listeners, link)
		accept_all(listener);
}

int varlink_server_create(
	struct loop *loop, const struct varlink_identity *identity, struct varlink_server **ret)
{
	struct varlink_server *server = new0(struct varlink_server);
	int r;

	if (!server)
		return -ENOMEM;
	server->loop = loop;
	server->identity = identity;
	server->hangups = epoll_create1(EPOLL_CLOEXEC);
	r = server->hangups < 0 ? -errno : 0;
	if (r == 0) {
		server->hangups = fd_move_high(server->hangups);
		r = MIN(server->hangups, 0);
	}
	if (r == 0)
		r = loop_fd_add(loop, server->hangups, LOOP_READ, on_hangups, server,
			&server->hangups_source);
	if (r == 0)
		r = loop_timer_add(loop, on_sweep, server, &server->sweep);
	if (r == 0)
		r = loop_timer_add(loop, on_resume, server, &server->resume);
	if (r == 0)
		r = varlink_server_add(server, &service_interface, server);
	if (r < 0) {
		varlink_server_destroy(server);
		return r;
	}
	*ret = server;
	return 0;
}

static void listener_destroy(struct listener *listener)
{
	LIST_REMOVE(listener, link);
	loop_source_free(listener->source);
	fd_close(listener->fd);
	free(listener);
}

void varlink_server_destroy(struct varlink_server *server)
{
	struct varlink_call *call;

	if (!server)
		return;
	while (!LIST_EMPTY(&server->listeners))
		listener_destroy(LIST_FIRST(&server->listeners));
	while (!LIST_EMPTY(&server->connections))
		connection_drop(LIST_FIRST(&server->connections), 0);
	free_dropped(server);
	while ((call = LIST_FIRST(&server->calls))) {
		LIST_REMOVE(call, link);
		call->server = NULL;
	}
	loop_source_free(server->resume);
	loop_source_free(server->sweep);
	loop_source_free(server->hangups_source);
	fd_close(server->hangups);
	free(server->exported);
	free(server);
}

int varlink_server_add(
	struct varlink_server *server, const struct varlink_interface *interface, void *arg)
{
	struct exported *exported;

	if (server_find(server, interface->name, strlen(interface->name)))
		return -EEXIST;
	exported = reallocarray(server->exported, server->exported_used + 1, sizeof(*exported));
	if (!exported)
		return -ENOMEM;
	exported[server->exported_used++] = (struct exported){.interface = interface, .arg = arg};
	server->exported = exported;
	return 0;
}

/* A socket of another kind has no peer that could be asked for. */
static int check_kind(int fd)
{
	socklen_t size = sizeof(int);
	int domain, type;

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) < 0)
		return -errno;
	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0)
		return -errno;
	return domain == AF_UNIX && type == SOCK_STREAM ? 0 : -EPROTOTYPE;
}

/* A connection costs nothing. */
bool server_worth_a_line(struct varlink_server *server, uid_t uid)
{
	struct lines *lines = &server->lines[uid % ARRAY_SIZE(server->lines)];
	uint64_t now = loop_now_ms();

	if (now - lines->since >= LIMIT_VIEWER_LINES_MS || !lines->since)
		*lines = (struct lines){.since = now};
	if (lines->used++ == LIMIT_CALLER_LINES)
		log_notice(NULL, "control socket: too many connections of uid %u for a line each",
			(unsigned int)uid);
	return lines->used <= LIMIT_CALLER_LINES;
}

static bool server_is_full(struct varlink_server *server, uid_t uid)
{
	const struct connection *connection;
	size_t all = 0, same = 0;
	bool full;

	LIST_FOREACH (connection, &server->connections, link) {
		all++;
		same += connection->peer.uid == uid;
	}
	full = all >= LIMIT_VARLINK_CONNECTIONS || (uid != 0 && same >= LIMIT_VARLINK_PER_UID);
	if (full && !server->crowded && server_worth_a_line(server, uid))
		log_warn(NULL,
			"control socket: connection of uid %u refused: %zu are open, %zu of them "
			"its own",
			(unsigned int)uid, all, same);
	server->crowded = full;
	return full;
}

static int adopt(struct varlink_server *server, int fd, bool monitor)
{
	struct groups *groups = NULL;
	struct varlink_peer peer;
	int r;

	if (fd < 0)
		return -EBADF;
	r = check_kind(fd);
	if (r == 0)
		r = peer_read(fd, &peer, &groups);
	if (r == 0 && server_is_full(server, peer.uid))
		r = -EUSERS;
	if (r < 0) {
		groups_unuse(groups);
		fd_close(fd);
		return r;
	}
	peer.monitor = monitor;
	return connection_create(server, fd_move_high(fd), &peer, groups);
}

int varlink_server_adopt(struct varlink_server *server, int fd)
{
	return adopt(server, fd, false);
}

static void pause_accepting(struct varlink_server *server, int error)
{
	struct listener *listener;

	log_warn(NULL, "control socket: cannot accept, next try in %d ms: %s", ACCEPT_PAUSE_MS,
		strerror(-error));
	LIST_FOREACH (listener, &server->listeners, link)
		loop_fd_events(listener->source, 0);
	loop_timer_once(server->resume, ACCEPT_PAUSE_MS);
}

static int accept_all(struct listener *listener)
{
	int r;

	for (int i = 0; i < ACCEPTS_IN_A_ROW; i++) {
		int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0)
			r = adopt(listener->server, fd, listener->monitor);
		else
			r = errno == ECONNABORTED || errno == EINTR ? 0 : -errno;
		if (r == -EAGAIN)
			break;
		if (r < 0 && r != -EUSERS) {
			pause_accepting(listener->server, r);
			return r;
		}
	}
	return loop_fd_events(listener->source, LOOP_READ);
}

static void on_listener(int fd, unsigned int events, void *arg)
{
	accept_all(arg);
}

static int listen_on(struct varlink_server *server, int fd, bool monitor)
{
	struct listener *listener;
	int flags, r;

	if (fd < 0)
		return -EBADF;
	listener = new0(struct listener);
	if (!listener) {
		fd_close(fd);
		return -ENOMEM;
	}
	listener->server = server;
	listener->monitor = monitor;
	LIST_INSERT_HEAD(&server->listeners, listener, link);
	listener->fd = fd;
	flags = fcntl(fd, F_GETFL);
	r = flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : check_kind(fd);
	if (r == 0)
		r = loop_fd_add(
			server->loop, fd, LOOP_READ, on_listener, listener, &listener->source);
	if (r < 0)
		listener_destroy(listener);
	return r;
}

int varlink_server_listen(struct varlink_server *server, int fd)
{
	return listen_on(server, fd, false);
}

int varlink_server_listen_monitor(struct varlink_server *server, int fd)
{
	return listen_on(server, fd, true);
}

unsigned int varlink_server_connections(const struct varlink_server *server)
{
	const struct connection *connection;
	unsigned int n = 0;

	LIST_FOREACH (connection, &server->connections, link)
		n++;
	return n;
}

void varlink_server_on_answer(struct varlink_server *server,
	void (*fn)(void *arg, const char *method, const char *error), void *arg)
{
	server->answered = fn;
	server->answered_arg = arg;
}
