/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation: a base, which is the socket, and levels on top of it. Reading pulls from the top down, writing pushes
 * down. Readiness is the socket's, level-triggered; what has been read already but not yet handed over (a level's rest) shows
 * on no socket, so that a timer of no time stands for it.
 *
 * What is done with the owner's function on the stack must not be touched afterwards: it may have destroyed the transport.
 */
#include "rfb/transport.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/loop.h"
#include "base/mem.h"
#include "rfb/level.h"

#define LEVELS 2 /* WebSocket, and RSA-AES on it */

struct transport {
	struct loop *loop; /* borrowed */
	int fd;		   /* owned */
	struct loop_source *source;
	struct loop_source *timer;
	transport_fn fn;
	void *arg;
	unsigned int wanted; /* by the owner */
	bool more;	     /* to receive, whatever the socket says */
	bool shutting, shut;
	const char *reason;
	struct level levels[LEVELS];
	size_t levels_used;
};

static ssize_t give_up(struct transport *transport, ssize_t error, const char *reason)
{
	if (!transport->reason)
		transport->reason = reason;
	return error;
}

static ssize_t base_receive(void *arg, void *to, size_t room)
{
	struct transport *transport = arg;
	ssize_t n = recv(transport->fd, to, room, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return -EAGAIN;
	if (n < 0)
		return give_up(transport, -errno, "connection lost");
	if (n == 0)
		return give_up(transport, -EPIPE, "closed by the viewer");
	return n;
}

static ssize_t base_send(void *arg, const struct iovec *iov, size_t iov_used)
{
	struct transport *transport = arg;
	struct msghdr msg = {.msg_iov = (struct iovec *)iov, .msg_iovlen = iov_used};
	ssize_t n;

	do {
		n = sendmsg(transport->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return -EAGAIN;
	return n < 0 ? give_up(transport, -errno, "connection lost") : n;
}

static struct level *top_level(struct transport *transport)
{
	return transport->levels_used ? &transport->levels[transport->levels_used - 1] : NULL;
}

/* Levels have bytes for the socket. */
static bool is_pending(const struct transport *transport)
{
	for (size_t i = 0; i < transport->levels_used; i++) {
		const struct level *level = &transport->levels[i];

		if (level->out_at < level->out_size)
			return true;
	}
	return false;
}

bool transport_ready(const struct transport *transport)
{
	for (size_t i = 0; i < transport->levels_used; i++) {
		if (!level_open(&transport->levels[i]))
			return false;
	}
	return true;
}

static void rewatch(struct transport *transport)
{
	unsigned int events = transport->wanted & LOOP_READ;

	if (is_pending(transport) || (transport->shutting && !transport->shut) ||
		(transport->wanted & LOOP_WRITE && transport_ready(transport)))
		events |= LOOP_WRITE;
	loop_fd_events(transport->source, events);
	if (transport->more && transport->wanted & LOOP_READ)
		loop_timer_once(transport->timer, 0);
}

void transport_watch(struct transport *transport, unsigned int events)
{
	transport->wanted = events;
	rewatch(transport);
}

static int flush_levels(struct transport *transport)
{
	for (size_t i = 0; i < transport->levels_used; i++) {
		int r = level_flush(&transport->levels[i]);

		if (r < 0)
			return r;
	}
	return 0;
}

/* What was taken goes out first, then each level's last words from the top down. */
static void go_on_shutting(struct transport *transport)
{
	if (!transport->shutting || transport->shut || flush_levels(transport) < 0)
		return;
	for (size_t i = transport->levels_used; i-- > 0;) {
		if (level_part(&transport->levels[i]) < 0)
			return;
	}
	shutdown(transport->fd, SHUT_WR);
	transport->shut = true;
}

void transport_shutdown(struct transport *transport)
{
	transport->shutting = true;
	go_on_shutting(transport);
	rewatch(transport);
}

static void on_socket(int fd, unsigned int events, void *arg)
{
	struct transport *transport = arg;

	if (events & LOOP_WRITE) {
		flush_levels(transport); /* an error shows when more is sent */
		go_on_shutting(transport);
		if (is_pending(transport) || !transport_ready(transport))
			events &= ~LOOP_WRITE;
	}
	rewatch(transport);
	events &= transport->wanted;
	if (events)
		transport->fn(events, transport->arg);
}

static void on_timer(void *arg)
{
	struct transport *transport = arg;

	if (transport->more && transport->wanted & LOOP_READ)
		transport->fn(LOOP_READ, transport->arg);
}

static bool has_more(const struct transport *transport)
{
	for (size_t i = 0; i < transport->levels_used; i++) {
		const struct level *level = &transport->levels[i];

		if (level->again || level->in_at < level->in_size)
			return true;
	}
	return false;
}

static void note_reason(struct transport *transport, const struct level *level, ssize_t error)
{
	if (error == -EMSGSIZE)
		give_up(transport, error, "a message over its bound");
	else if (level->ops->reason && level->ops->reason(level->layer))
		give_up(transport, error, level->ops->reason(level->layer));
}

ssize_t transport_receive(struct transport *transport, void *to, size_t room)
{
	struct level *top = top_level(transport);
	ssize_t n;

	if (!top)
		return base_receive(transport, to, room);
	n = level_receive(top, to, room);
	if (n == -EAGAIN) {
		transport->more = top->again;
	} else if (n < 0) {
		for (size_t i = 0; i < transport->levels_used; i++)
			note_reason(transport, &transport->levels[i], n);
		give_up(transport, n, n == -EPIPE ? "closed by the viewer" : "connection lost");
	} else {
		transport->more = (size_t)n == room || has_more(transport);
	}
	rewatch(transport);
	return n;
}

ssize_t transport_send(struct transport *transport, const struct iovec *iov, size_t iov_used)
{
	struct level *top = top_level(transport);
	ssize_t n;

	if (transport->shutting)
		return give_up(transport, -EPIPE, "connection shut down");
	if (!top)
		return base_send(transport, iov, iov_used);
	n = level_send(top, iov, iov_used);
	if (n < 0 && n != -EAGAIN)
		give_up(transport, n, "connection lost");
	rewatch(transport);
	return n;
}

int transport_push(struct transport *transport, const struct layer_ops *ops, void *layer,
	const void *early, size_t size)
{
	struct level *top = top_level(transport);
	struct below below = {
		.receive = top ? level_receive : base_receive,
		.send = top ? level_send : base_send,
		.arg = top ? (void *)top : transport,
	};
	int r;

	if (transport->levels_used == LEVELS) {
		ops->destroy(layer);
		return -ENOSPC;
	}
	r = level_init(&transport->levels[transport->levels_used], ops, layer, &below, early, size);
	if (r < 0)
		return r;
	transport->levels_used++;
	transport->more = size > 0;
	rewatch(transport);
	return 0;
}

bool transport_may_start_tls(const struct transport *transport)
{
	return false;
}

int transport_start_tls(
	struct transport *transport, struct tls *tls, bool x509, const void *last, size_t size)
{
	return -EOPNOTSUPP;
}

const char *transport_reason(const struct transport *transport)
{
	return transport->reason ? transport->reason : "connection lost";
}

bool transport_websocket(const struct transport *transport)
{
	return false;
}

bool transport_encrypted(const struct transport *transport)
{
	return false;
}

bool transport_anonymous(const struct transport *transport)
{
	return false;
}

bool transport_client_verified(const struct transport *transport)
{
	return false;
}

const char *transport_server_name(const struct transport *transport)
{
	return NULL;
}

const char *transport_path(const struct transport *transport)
{
	return NULL;
}

const char *transport_tls_reason(const struct transport *transport)
{
	return NULL;
}

void transport_destroy(struct transport *transport)
{
	if (!transport)
		return;
	while (transport->levels_used)
		level_finish(&transport->levels[--transport->levels_used]);
	loop_source_free(transport->source);
	loop_source_free(transport->timer);
	fd_close(transport->fd);
	free(transport);
}

/* Small writes must not wait for an acknowledgement, and what a slow viewer has not taken shall wait in the owner's
 * queue, where it is counted, not in a socket buffer that the kernel lets grow to megabytes. Neither is possible on a Unix socket, nor needed. */
static void tune(int fd)
{
	int one = 1, unsent = LIMIT_VIEWER_UNSENT;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof(unsent));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
}

int transport_create(struct loop *loop, int fd, const struct transport_options *options,
	transport_fn fn, void *arg, struct transport **ret)
{
	struct transport *transport = new0(struct transport);
	int r;

	if (!transport) {
		fd_close(fd);
		return -ENOMEM;
	}
	transport->loop = loop;
	transport->fn = fn;
	transport->arg = arg;
	transport->fd = fd_move_high(fd);
	r = transport->fd < 0 ? transport->fd : 0;
	if (r == 0)
		r = loop_timer_add(loop, on_timer, transport, &transport->timer);
	if (r == 0)
		r = loop_fd_add(loop, transport->fd, 0, on_socket, transport, &transport->source);
	if (r < 0) {
		transport_destroy(transport);
		return r;
	}
	tune(transport->fd);
	*ret = transport;
	return 0;
}
