/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation: the bufferevent has two buffers. The one towards the viewer takes up to OUT_MAXIMUM, in pieces that are filled
 * before the next one begins, so that records are large whatever sizes the writes have; what does not fit stays in the owner's queue,
 * where it is counted. The other one is read into only while it is empty, and then one record at a time.
 *
 * Callbacks are deferred: none runs inside a function called here, nor while libevent is at work on this bufferevent, so that the
 * owner may end it in each.
 */
#include "rfb/tls_stream.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "base/loop.h"
#include "base/mem.h"
#include "rfb/tls.h"

#define RECORD	    (16u << 10)	       /* the largest of TLS */
#define OUT_MAXIMUM (2 * RECORD - 256) /* what one piece of libevent's holds for two of them */
#define OUT_LOW	    RECORD	       /* then the owner is asked for more */

struct tls_stream {
	struct tls *tls;		 /* a reference */
	SSL *ssl;			 /* owned */
	struct bufferevent *bufferevent; /* owned */
	tls_stream_fn fn;
	void *arg;
	size_t tail; /* room left in the last piece of output */
	bool open, reading, parted;
	int error; /* -errno: it has ended */
	const char *reason;
};

static void end(struct tls_stream *stream, int error, const char *reason)
{
	if (stream->error)
		return;
	stream->error = error;
	stream->reason = reason;
	bufferevent_disable(stream->bufferevent, EV_READ | EV_WRITE);
}

static void on_readable(struct bufferevent *bufferevent, void *arg)
{
	struct tls_stream *stream = arg;

	stream->fn(LOOP_READ, stream->arg);
}

static void on_writable(struct bufferevent *bufferevent, void *arg)
{
	struct tls_stream *stream = arg;

	stream->fn(LOOP_WRITE, stream->arg);
}

/* libevent keeps SSL_get_error()'s number among those of OpenSSL's error queue; only the latter have a library. */
static const char *error_text(struct tls_stream *stream)
{
	const char *text = NULL, *reason;
	unsigned long code;

	while ((code = bufferevent_get_openssl_error(stream->bufferevent))) {
		reason = ERR_GET_LIB(code) ? ERR_reason_error_string(code) : NULL;
		if (reason)
			text = reason;
	}
	return text ? text : "TLS failed";
}

static void on_event(struct bufferevent *bufferevent, short what, void *arg)
{
	struct tls_stream *stream = arg;

	if (what & BEV_EVENT_CONNECTED) {
		stream->open = true;
	} else if (what & BEV_EVENT_EOF) {
		end(stream, -EPIPE,
			stream->open ? "closed by the viewer"
				     : "closed by the viewer during the TLS handshake");
	} else if (what & BEV_EVENT_ERROR) {
		const char *text = error_text(stream);
		int error = EVUTIL_SOCKET_ERROR();

		end(stream, error == ECONNRESET || error == EPIPE ? -error : -EPROTO, text);
	}
	stream->fn(LOOP_READ | LOOP_WRITE, stream->arg);
}

int tls_stream_create(struct loop *loop, int fd, struct tls *tls, bool x509, tls_stream_fn fn,
	void *arg, struct tls_stream **ret)
{
	struct tls_stream *stream;

	if (x509 && !tls_has_certificate(tls))
		return -EINVAL;
	stream = new0(struct tls_stream);
	if (!stream)
		return -ENOMEM;
	stream->tls = tls_ref(tls);
	stream->fn = fn;
	stream->arg = arg;
	stream->ssl = tls_accept(tls, fd, x509);
	if (stream->ssl)
		stream->bufferevent = bufferevent_openssl_socket_new(loop_base(loop), fd,
			stream->ssl, BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_DEFER_CALLBACKS);
	if (!stream->bufferevent) {
		tls_stream_destroy(stream);
		return -ENOMEM;
	}
	bufferevent_openssl_set_allow_dirty_shutdown(stream->bufferevent, 1);
	bufferevent_setwatermark(stream->bufferevent, EV_WRITE, OUT_LOW, 0);
	bufferevent_setcb(stream->bufferevent, on_readable, on_writable, on_event, stream);
	bufferevent_enable(stream->bufferevent, EV_READ | EV_WRITE);
	stream->reading = true;
	*ret = stream;
	return 0;
}

void tls_stream_destroy(struct tls_stream *stream)
{
	if (!stream)
		return;
	if (stream->bufferevent) {
		tls_stream_part(stream);
		bufferevent_disable(stream->bufferevent, EV_READ | EV_WRITE);
		bufferevent_free(stream->bufferevent);
	}
	SSL_free(stream->ssl);
	tls_unref(stream->tls);
	free(stream);
}

static struct evbuffer *input(const struct tls_stream *stream)
{
	return bufferevent_get_input(stream->bufferevent);
}

static struct evbuffer *output(const struct tls_stream *stream)
{
	return bufferevent_get_output(stream->bufferevent);
}

void tls_stream_watch(struct tls_stream *stream, bool reading)
{
	reading = reading && !stream->error && !evbuffer_get_length(input(stream));
	if (reading == stream->reading)
		return;
	stream->reading = reading;
	if (reading)
		bufferevent_enable(stream->bufferevent, EV_READ);
	else
		bufferevent_disable(stream->bufferevent, EV_READ);
}

ssize_t tls_stream_receive(struct tls_stream *stream, void *to, size_t room)
{
	int n = evbuffer_remove(input(stream), to, MIN(room, (size_t)INT32_MAX));

	if (n > 0)
		return n;
	return stream->error ? stream->error : -EAGAIN;
}

bool tls_stream_has_more(const struct tls_stream *stream)
{
	return stream->error || evbuffer_get_length(input(stream));
}

static size_t gather(
	uint8_t *to, size_t room, const struct iovec **iov, const struct iovec *end_of, size_t *at)
{
	size_t size = 0;

	while (size < room && *iov < end_of) {
		size_t n = MIN((*iov)->iov_len - *at, room - size);

		memcpy(to + size, (const uint8_t *)(*iov)->iov_base + *at, n);
		size += n;
		*at += n;
		if (*at < (*iov)->iov_len)
			break;
		(*iov)++;
		*at = 0;
	}
	return size;
}

ssize_t tls_stream_send(struct tls_stream *stream, const struct iovec *iov, size_t iov_used)
{
	const struct iovec *end_of = iov + iov_used;
	size_t at = 0, size = 0;

	if (stream->error)
		return stream->error;
	if (!tls_stream_has_room(stream))
		return -EAGAIN;
	while (iov < end_of && tls_stream_has_room(stream)) {
		struct evbuffer_iovec piece;

		if (!evbuffer_get_length(output(stream)))
			stream->tail = 0;
		if (evbuffer_reserve_space(output(stream), stream->tail ? 1 : RECORD, &piece, 1) !=
			1)
			return size ? (ssize_t)size : -ENOMEM;
		stream->tail = piece.iov_len;
		piece.iov_len = gather(piece.iov_base, piece.iov_len, &iov, end_of, &at);
		stream->tail -= piece.iov_len;
		if (evbuffer_commit_space(output(stream), &piece, 1) < 0)
			return -ENOMEM;
		size += piece.iov_len;
	}
	return size;
}

bool tls_stream_has_room(const struct tls_stream *stream)
{
	return stream->open && !stream->error && evbuffer_get_length(output(stream)) < OUT_MAXIMUM;
}

int tls_stream_part(struct tls_stream *stream)
{
	if (!stream->open || stream->error || stream->parted)
		return 0;
	if (evbuffer_get_length(output(stream))) {
		bufferevent_setwatermark(stream->bufferevent, EV_WRITE, 0, 0);
		return -EAGAIN;
	}
	stream->parted = true;
	ERR_clear_error();
	SSL_shutdown(stream->ssl);
	ERR_clear_error();
	return 0;
}

bool tls_stream_open(const struct tls_stream *stream)
{
	return stream->open;
}

bool tls_stream_verified(const struct tls_stream *stream)
{
	return stream->open && SSL_get0_peer_certificate(stream->ssl) &&
	       SSL_get_verify_result(stream->ssl) == X509_V_OK;
}

const char *tls_stream_server_name(const struct tls_stream *stream)
{
	const char *name = SSL_get_servername(stream->ssl, TLSEXT_NAMETYPE_host_name);
	static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "0123456789-._";

	if (!name || !*name || name[strspn(name, good)])
		return NULL;
	return name;
}

const char *tls_stream_reason(const struct tls_stream *stream)
{
	return stream->reason;
}
