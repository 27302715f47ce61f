/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation: a base, which is the socket or TLS over it, and levels on top. Reading pulls from the top down, writing
 * pushes down. Readiness is the socket's, level-triggered; what has been read already but not yet handed over (a level's rest,
 * TLS's) shows on no socket, so that a timer of no time stands for it.
 *
 * What a connection speaks is seen from its first byte, which is looked at but left in the socket: a TLS handshake record
 * begins with 0x16 (RFC 8446 5.1), HTTP with the G of GET, RFB with R; and who waits for our version speaks RFB.
 *
 * When a level finds its peer wrong, it may have words about that (an HTTP status, a close code). They would be lost if the
 * connection were closed with unread bytes in the socket, so that it lingers: what comes is thrown away until the peer closes too or
 * LIMIT_PART_MS is over, and only then the owner hears of it.
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
#include "rfb/tls.h"
#include "rfb/tls_stream.h"
#include "rfb/websocket.h"

#define LEVELS	    2 /* WebSocket, and RSA-AES on it */
#define RECORD_TLS  0x16
#define THROWN_AWAY (64u << 10) /* bytes at once */

struct transport {
	struct loop *loop;	    /* borrowed */
	int fd;			    /* owned */
	struct loop_source *source; /* NULL: TLS has the fd */
	struct loop_source *timer;
	struct transport_options options; /* tls: a reference; origins: `origins` */
	char *origins;			  /* owned */
	struct tls_stream *stream;	  /* owned; NULL: no TLS */
	struct websocket *websocket;	  /* one of the levels; NULL: none */
	bool x509;
	bool sniffing;
	ssize_t failure; /* the owner hears of it once the words about it are out; 0: none */
	bool over;	 /* that is now */
	bool lost;	 /* the base has failed: no words reach the peer */
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

static ssize_t lose(struct transport *transport, ssize_t error, const char *reason)
{
	transport->lost = true;
	return give_up(transport, error, reason);
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

static void rewatch(struct transport *transport)
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
	if (transport->stream && tls_stream_part(transport->stream) == -EAGAIN)
		return;
	shutdown(transport->fd, SHUT_WR);
	transport->shut = true;
}

void transport_shutdown(struct transport *transport)
{
	transport->shutting = true;
	go_on_shutting(transport);
	rewatch(transport);
}

static void sniff(struct transport *transport, bool waited);

/* The base can be read from or written to. */
static void on_base(unsigned int events, void *arg)
{
	struct transport *transport = arg;

	if (events & LOOP_WRITE) {
		flush_levels(transport); /* an error shows when more is sent */
		go_on_shutting(transport);
		if (!may_send(transport))
			events &= ~LOOP_WRITE;
	}
	rewatch(transport);
	events &= transport->failure ? LOOP_READ : transport->wanted;
	if (events)
		transport->fn(events, transport->arg);
}

static void on_socket(int fd, unsigned int events, void *arg)
{
	struct transport *transport = arg;

	if (transport->sniffing)
		sniff(transport, false);
	else
		on_base(events, transport);
}

static void on_timer(void *arg)
{
	struct transport *transport = arg;
	unsigned int events = 0;

	if (transport->sniffing) {
		sniff(transport, true);
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
			give_up(transport, error, reason);
	}
	if (error == -EMSGSIZE)
		give_up(transport, error, "a message over its bound");
	give_up(transport, error, error == -EPIPE ? "closed by the viewer" : "connection lost");
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
	rewatch(transport);
	return transport->over ? transport->failure : -EAGAIN;
}

static ssize_t fail(struct transport *transport, ssize_t error)
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
		return fail(transport, n);
	transport->more =
		top && (n < 0 ? top->again : (size_t)n == room || levels_have_more(transport));
	rewatch(transport);
	return n;
}

ssize_t transport_send(struct transport *transport, const struct iovec *iov, size_t iov_used)
{
	struct level *top = top_level(transport);
	ssize_t n;

	if (transport->failure || transport->sniffing)
		return -EAGAIN;
	if (transport->shutting)
		return give_up(transport, -EPIPE, "connection shut down");
	n = top ? level_send(top, iov, iov_used) : base_send(transport, iov, iov_used);
	if (n < 0 && n != -EAGAIN)
		note_reason(transport, n);
	if (top)
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

static int begin_tls(struct transport *transport, struct tls *tls, bool x509)
{
	int r = tls_stream_create(
		transport->loop, transport->fd, tls, x509, on_base, transport, &transport->stream);

	if (r < 0)
		return r;
	transport->x509 = x509;
	loop_source_free(transport->source);
	transport->source = NULL;
	return 0;
}

static int begin_websocket(struct transport *transport)
{
	int r = websocket_create(
		transport->options.origins, transport->options.display, &transport->websocket);

	return r < 0 ? r
		     : transport_push(transport, &websocket_layer, transport->websocket, NULL, 0);
}

bool transport_may_start_tls(const struct transport *transport)
{
	return !transport->sniffing && !transport->stream && !transport->levels_used;
}

int transport_start_tls(
	struct transport *transport, struct tls *tls, bool x509, const void *last, size_t size)
{
	uint8_t byte;
	ssize_t n;

	if (!transport_may_start_tls(transport))
		return -EOPNOTSUPP;
	n = recv(transport->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
	if (n > 0)
		return give_up(transport, -EPROTO, "bytes before the upgrade to TLS");
	if (n == 0)
		return give_up(transport, -EPIPE, "closed by the viewer");
	n = size ? send(transport->fd, last, size, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
	if (n < 0)
		return errno == EAGAIN ? -EAGAIN : give_up(transport, -errno, "connection lost");
	if ((size_t)n < size)
		return give_up(transport, -EPIPE, "takes nothing");
	n = begin_tls(transport, tls, x509);
	if (n == 0)
		rewatch(transport);
	return n < 0 ? give_up(transport, n, "TLS cannot be set up") : 0;
}

static int become(struct transport *transport, unsigned int kind)
{
	int r = 0;

	transport->sniffing = false;
	loop_timer_stop(transport->timer);
	if (kind == LINK_TRANSPORT_SECURE_WEBSOCKET)
		r = begin_tls(transport, transport->options.tls, true);
	if (r == 0 && kind != LINK_TRANSPORT_RFB)
		r = begin_websocket(transport);
	return r;
}

/* 0: not yet known. */
static unsigned int kind_of(const struct transport *transport, bool waited)
{
	unsigned int kinds = transport->options.kinds, kind = LINK_TRANSPORT_RFB;
	uint8_t byte;
	ssize_t n = recv(transport->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR) && !waited)
		return 0;
	if (n > 0 && byte == RECORD_TLS)
		kind = LINK_TRANSPORT_SECURE_WEBSOCKET;
	else if (n > 0 && byte == 'G')
		kind = LINK_TRANSPORT_WEBSOCKET;
	if (kinds & kind || n == 0)
		return kinds & kind ? kind : LINK_TRANSPORT_RFB;
	/* What is not spoken here gets words that it may not understand, and an end. */
	return kinds & LINK_TRANSPORT_RFB	  ? LINK_TRANSPORT_RFB
	       : kinds & LINK_TRANSPORT_WEBSOCKET ? LINK_TRANSPORT_WEBSOCKET
						  : LINK_TRANSPORT_SECURE_WEBSOCKET;
}

static void sniff(struct transport *transport, bool waited)
{
	unsigned int kind = kind_of(transport, waited);
	int r;

	if (!kind)
		return;
	r = become(transport, kind);
	if (r < 0) {
		transport->lost = true;
		fail(transport, r);
	}
	rewatch(transport);
}

const char *transport_reason(const struct transport *transport)
{
	return transport->reason ? transport->reason : "connection lost";
}

bool transport_websocket(const struct transport *transport)
{
	return transport->websocket;
}

bool transport_encrypted(const struct transport *transport)
{
	return transport->stream && tls_stream_open(transport->stream);
}

bool transport_anonymous(const struct transport *transport)
{
	return transport_encrypted(transport) && !transport->x509;
}

bool transport_client_verified(const struct transport *transport)
{
	return transport_encrypted(transport) && tls_stream_verified(transport->stream);
}

const char *transport_server_name(const struct transport *transport)
{
	return transport_encrypted(transport) ? tls_stream_server_name(transport->stream) : NULL;
}

const char *transport_path(const struct transport *transport)
{
	return transport->websocket ? websocket_path(transport->websocket) : NULL;
}

const char *transport_tls_reason(const struct transport *transport)
{
	return transport->stream ? tls_stream_reason(transport->stream) : NULL;
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
