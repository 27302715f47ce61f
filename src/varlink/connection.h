/* SPDX-License-Identifier: GPL-2.0-or-later */
/* connection.h - inside the server: what server.c, connection.c, call.c and service.c share.
 *
 * A dropped connection and the calls that lost their peer are swept from the loop, never from within a function that
 * the user of server.h has called: so gone callbacks run with nobody's loop over calls on the stack, and may reply.
 */
#pragma once

#include <sys/queue.h>

#include "base/limits.h"
#include "varlink/server.h"
#include "varlink/stream.h"

struct loop_source;
struct wire;
struct wire_message;

struct exported {
	const struct varlink_interface *interface;
	void *arg;
};

struct varlink_server {
	struct loop *loop;
	const struct varlink_identity *identity;
	struct exported *exported; /* owned */
	size_t exported_used;
	LIST_HEAD(, listener) listeners;
	struct loop_source *resume; /* timer: accept again after running out of something */
	LIST_HEAD(, connection) connections;
	LIST_HEAD(, connection) dropped; /* freed by the sweep */
	LIST_HEAD(, varlink_call) calls;
	struct loop_source *sweep; /* timer, runs in the loop's next round */
	int hangups; /* epoll: the sockets of pending calls, asked for nothing but EPOLLHUP and EPOLLERR */
	struct loop_source *hangups_source;
	void (*answered)(void *arg, const char *method, const char *error); /* NULL: nobody counts */
	void *answered_arg;
	bool crowded; /* a cap has been logged */
	struct lines {
		uint64_t since;
		unsigned int used;
	} lines[64]; /* that users have caused; they do not choose their numbers */
};

/* A peer's groups: the connection's, and of each of its calls. */
struct groups {
	unsigned int users;
	gid_t list[];
};

struct connection {
	LIST_ENTRY(connection) link; /* varlink_server::connections or ::dropped */
	struct varlink_server *server;
	int fd; /* owned; -EBADF: dropped */
	struct varlink_peer peer;
	struct groups *groups; /* peer.groups, one use of it; NULL: none */
	struct wire *wire; /* owned */
	struct outbox outbox;
	struct loop_source *source;
	struct varlink_call *call; /* the pending one */
	bool watched;		   /* in varlink_server::hangups */
};

struct varlink_call {
	LIST_ENTRY(varlink_call) link; /* varlink_server::calls */
	struct varlink_server *server; /* NULL: destroyed */
	struct connection *connection; /* NULL: the peer is gone */
	struct varlink_peer peer;
	struct groups *groups; /* likewise */
	bool more, oneway;
	const char *method; /* static text, without its interface; NULL: there is none of that name */
	bool running;		    /* the method's function is on the stack: it frees */
	bool finished;		    /* the last reply was given */
	int fds[LIMIT_VARLINK_FDS]; /* owned, taken ones are -EBADF */
	size_t fds_used;
	int out[LIMIT_VARLINK_FDS]; /* owned, for the next reply */
	size_t out_used;
	void (*gone_fn)(void *arg);
	void *gone_arg;
	void (*ready_fn)(void *arg);
	void *ready_arg;
};

/* server.c */
const struct exported *server_find(
	const struct varlink_server *server, const char *name, size_t name_size);
void server_sweep_soon(struct varlink_server *server);
bool server_worth_a_line(struct varlink_server *server, uid_t uid);

/* peer.c. Who is at the other end of @fd. */
int peer_read(int fd, struct varlink_peer *ret, struct groups **ret_groups);
struct groups *groups_use(struct groups *groups);
void groups_unuse(struct groups *groups); /* takes NULL */

/* connection.c. @fd and one use of @groups are consumed in every case. */
int connection_create(struct varlink_server *server, int fd, const struct varlink_peer *peer, struct groups *groups);
/* Closes it; a pending call lives on without it. The memory stays until the sweep. @why: -errno to be logged, or 0. */
void connection_drop(struct connection *connection, int why);
void connection_free(struct connection *connection);
/* Queues a message and sends what goes. Everything passed is consumed. -ENOBUFS, -EPIPE, -ENOMEM: it was dropped. */
int connection_send(
	struct connection *connection, char *bytes, size_t size, const int *fds, size_t fds_used);
/* Queues a text (stream.h). -ENOMEM, -ENOBUFS: it was dropped. */
int connection_queue(struct connection *connection, struct shared *text, const char *tail, size_t tail_size);
/* Sends what goes. -EPIPE: it was dropped. */
int connection_flush(struct connection *connection);
/* Waits for what its state asks for. */
void connection_settle(struct connection *connection);

/* call.c. Runs what @message asks for; takes its descriptors. -EPROTO: not a call. */
int call_dispatch(struct connection *connection, struct wire_message *message);
void call_sweep(struct varlink_server *server);

/* service.c: org.varlink.service; its arg is the server. */
extern const struct varlink_interface service_interface;
