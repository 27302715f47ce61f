/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation: a base, which is the socket or TLS over it, and levels on top. Reading pulls from the top down, writing
 * pushes down. Readiness is the socket's, level-triggered; what has been read already but not yet handed over (a level's rest,
 * TLS's) shows on no socket, so that a timer of no time stands for it.
 *
 * When a level finds its peer wrong, it may have words about that (an HTTP status, a close code). They would be lost if the
 * connection were closed with unread bytes in the socket, so that it lingers: what comes is thrown away until the peer closes too or
 * LIMIT_PART_MS is over, and only then the owner hears of it.
 *
 * What is done with the owner's function on the stack must not be touched afterwards: it may have destroyed the transport.
 */
#include "rfb/transport_internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/loop.h"
#include "base/mem.h"
#include "rfb/tls.h"
#include "rfb/tls_stream.h"

#define THROWN_AWAY (64u << 10) /* bytes at once */

ssize_t transport_give_up(struct transport *transport, ssize_t error, const char *reason)
{
	if (!transport->reason)
		transport->reason = reason;
	return error;
}

static ssize_t lose(struct transport *transport, ssize_t error, const char *reason)
{
	transport->lost = true;
	return transport_give_up(transport, error, reason);
}

static ssize_t stream_result(struct transport *transport, ssize_t n)
{
	return n < 0 && n != -EAGAIN ? lose(transport, n, tls_stream_reason(transport->stream)) : n;
}

static ssize_t base_receive(void *arg, void *to, size_t room)
{
	struct transport *transport = arg;
	ssize_t n;

	if (transport->stream)
		return stream_result(transport, tls_stream_receive(transport->stream, to, room));
	n = recv(transport->fd, to, room, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return -EAGAIN;
	if (n < 0)
		return lose(transport, -errno, "connection lost");
	if (n == 0)
		return lose(transport, -EPIPE, "closed by the viewer");
	return n;
}

static ssize_t base_send(void *arg, const struct iovec *iov, size_t iov_used)
{
	struct transport *transport = arg;
	struct msghdr msg = {.msg_iov = (struct iovec *)iov, .msg_iovlen = iov_used};
	ssize_t n;

	if (transport->stream)
		return stream_result(transport, tls_stream_send(transport->stream, iov, iov_used));
	do {
		n = sendmsg(transport->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return -EAGAIN;
	return n < 0 ? lose(transport, -errno, "connection lost") : n;
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
	if (transport->sniffing || (transport->stream && !tls_stream_open(transport->stream)))
		return false;
	for (size_t i = 0; i < transport->levels_used; i++) {
		if (!level_open(&transport->levels[i]))
			return false;
	}
	return true;
}

int transport_bare(const struct transport *transport)
{
	bool bare = !transport->sniffing && !transport->stream && !transport->levels_used &&
		    !transport->failure;

	return bare ? transport->fd : -EBADF;
}

/* Something can be received that shows on no socket. */
static bool has_more(const struct transport *transport)
{
	return transport->failure
		       ? transport->over
		       : transport->more ||
				 (transport->stream && tls_stream_has_more(transport->stream));
}

static bool may_send(const struct transport *transport)
{
	return !transport->failure && transport_ready(transport) && !is_pending(transport);
}

void transport_rewatch(struct transport *transport)
{
	bool reads = transport->wanted & LOOP_READ || transport->failure || transport->sniffing;
	bool writes = transport->wanted & LOOP_WRITE && may_send(transport);
	bool pushes = !transport->lost &&
		      (is_pending(transport) || (transport->shutting && !transport->shut));

	if (transport->source)
		loop_fd_events(transport->source,
			(reads ? LOOP_READ : 0) | (writes || pushes ? LOOP_WRITE : 0));
	else if (transport->stream)
		tls_stream_watch(transport->stream, reads);
	if (transport->sniffing)
		return;
	if ((transport->wanted & LOOP_READ && has_more(transport)) ||
		(writes && transport->stream && tls_stream_has_room(transport->stream)))
		loop_timer_once(transport->timer, 0);
}

void transport_watch(struct transport *transport, unsigned int events)
{
	transport->wanted = events;
	transport_rewatch(transport);
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
	if (transport->stream && tls_stream_part(transport->stream) == -EAGAIN)
		return;
	shutdown(transport->fd, SHUT_WR);
	transport->shut = true;
}

void transport_shutdown(struct transport *transport)
{
	transport->shutting = true;
	go_on_shutting(transport);
	transport_rewatch(transport);
}

/* The base can be read from or written to. */
void transport_on_base(unsigned int events, void *arg)
{
	struct transport *transport = arg;

	if (events & LOOP_WRITE) {
		flush_levels(transport); /* an error shows when more is sent */
		go_on_shutting(transport);
		if (!may_send(transport))
			events &= ~LOOP_WRITE;
	}
	transport_rewatch(transport);
	events &= transport->failure ? LOOP_READ : transport->wanted;
	if (events)
		transport->fn(events, transport->arg);
}

static void on_socket(int fd, unsigned int events, void *arg)
{
	struct transport *transport = arg;

	if (transport->sniffing)
		transport_sniff(transport, false);
	else
		transport_on_base(events, transport);
}

static void on_timer(void *arg)
{
	struct transport *transport = arg;
	unsigned int events = 0;

	if (transport->sniffing) {
		transport_sniff(transport, true);
		return;
	}
	if (transport->failure)
		transport->over = true;
	if (has_more(transport))
		events |= LOOP_READ;
	if (may_send(transport) && transport->stream && tls_stream_has_room(transport->stream))
		events |= LOOP_WRITE;
	events &= transport->wanted;
	if (events)
		transport->fn(events, transport->arg);
}

/* The word for the owner: the lowest level's that has one. */
static void note_reason(struct transport *transport, ssize_t error)
{
	for (size_t i = 0; i < transport->levels_used; i++) {
		const struct level *level = &transport->levels[i];
		const char *reason = level->ops->reason ? level->ops->reason(level->layer) : NULL;

		if (reason)
			transport_give_up(transport, error, reason);
	}
	if (error == -EMSGSIZE)
		transport_give_up(transport, error, "a message over its bound");
	transport_give_up(
		transport, error, error == -EPIPE ? "closed by the viewer" : "connection lost");
}

static ssize_t linger(struct transport *transport)
{
	uint8_t waste[4096];
	size_t size = 0;
	ssize_t n;

	while (!transport->over && size < THROWN_AWAY) {
		n = base_receive(transport, waste, sizeof(waste));
		if (n == -EAGAIN)
			break;
		transport->over = n < 0;
		size += n;
	}
	transport_rewatch(transport);
	return transport->over ? transport->failure : -EAGAIN;
}

ssize_t transport_fail(struct transport *transport, ssize_t error)
{
	note_reason(transport, error);
	transport->failure = error;
	transport->over = transport->lost;
	transport->shutting = true;
	go_on_shutting(transport);
	if (!transport->over)
		loop_timer_once(transport->timer, LIMIT_PART_MS);
	return linger(transport);
}

static bool levels_have_more(const struct transport *transport)
{
	for (size_t i = 0; i < transport->levels_used; i++) {
		const struct level *level = &transport->levels[i];

		if (level->again || level->error || level->in_at < level->in_size)
			return true;
	}
	return false;
}

ssize_t transport_receive(struct transport *transport, void *to, size_t room)
{
	struct level *top = top_level(transport);
	ssize_t n;

	if (transport->failure)
		return linger(transport);
	if (transport->sniffing)
		return -EAGAIN;
	n = top ? level_receive(top, to, room) : base_receive(transport, to, room);
	if (!top && !transport->stream)
		return n;
	if (n < 0 && n != -EAGAIN)
		return transport_fail(transport, n);
	transport->more =
		top && (n < 0 ? top->again : (size_t)n == room || levels_have_more(transport));
	transport_rewatch(transport);
	return n;
}

ssize_t transport_send(struct transport *transport, const struct iovec *iov, size_t iov_used)
{
	struct level *top = top_level(transport);
	ssize_t n;

	if (transport->failure || transport->sniffing)
		return -EAGAIN;
	if (transport->shutting)
		return transport_give_up(transport, -EPIPE, "connection shut down");
	n = top ? level_send(top, iov, iov_used) : base_send(transport, iov, iov_used);
	if (n < 0 && n != -EAGAIN)
		note_reason(transport, n);
	if (top)
		transport_rewatch(transport);
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
	transport_rewatch(transport);
	return 0;
}

const char *transport_reason(const struct transport *transport)
{
	return transport->reason ? transport->reason : "connection lost";
}

void transport_destroy(struct transport *transport)
{
	if (!transport)
		return;
	while (transport->levels_used)
		level_finish(&transport->levels[--transport->levels_used]);
	tls_stream_destroy(transport->stream);
	tls_unref(transport->options.tls);
	free(transport->origins);
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

static int set_options(struct transport *transport, const struct transport_options *options)
{
	transport->options.kinds = LINK_TRANSPORT_RFB;
	if (!options)
		return 0;
	transport->options = *options;
	if (options->tls)
		tls_ref(options->tls);
	if (!options->tls || !tls_has_certificate(options->tls))
		transport->options.kinds &= ~LINK_TRANSPORT_SECURE_WEBSOCKET;
	if (options->origins) {
		transport->origins = strdup(options->origins);
		if (!transport->origins)
			return -ENOMEM;
	}
	transport->options.origins = transport->origins;
	return transport->options.kinds ? 0 : -EINVAL;
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
	r = set_options(transport, options);
	if (r == 0 && transport->fd < 0)
		r = transport->fd;
	if (r == 0)
		r = loop_timer_add(loop, on_timer, transport, &transport->timer);
	if (r == 0)
		r = loop_fd_add(loop, transport->fd, 0, on_socket, transport, &transport->source);
	if (r < 0) {
		transport_destroy(transport);
		return r;
	}
	tune(transport->fd);
	transport->sniffing = transport->options.kinds & ~LINK_TRANSPORT_RFB;
	if (transport->sniffing && transport->options.kinds & LINK_TRANSPORT_RFB)
		loop_timer_once(transport->timer, LIMIT_SNIFF_MS);
	*ret = transport;
	return 0;
}
