/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tls_stream.h - TLS over a socket, as a stream that never blocks: OpenSSL driven by libevent's bufferevent.
 *
 * Functions return byte counts or -errno; after an error other than -EAGAIN see tls_stream_reason().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

struct loop;
struct tls;
struct tls_stream;

/* @events: LOOP_READ, LOOP_WRITE. The stream may be destroyed inside. */
typedef void (*tls_stream_fn)(unsigned int events, void *arg);

/* @fd is borrowed. A reference of @tls is taken. -ENOMEM; -EINVAL: no certificate. */
int tls_stream_create(struct loop *loop, int fd, struct tls *tls, bool x509, tls_stream_fn fn, void *arg,
	struct tls_stream **ret);
/* Says goodbye if that is possible at once. Takes NULL. */
void tls_stream_destroy(struct tls_stream *stream);

/* Of reading: whether there shall be any. fn is called when something has come, may be sent again, or has changed; not for what was so
 * before. */
void tls_stream_watch(struct tls_stream *stream, bool reading);
/* -EPIPE: the peer has ended it. */
ssize_t tls_stream_receive(struct tls_stream *stream, void *to, size_t room);
bool tls_stream_has_more(const struct tls_stream *stream); /* tls_stream_receive() would say something */
ssize_t tls_stream_send(struct tls_stream *stream, const struct iovec *iov, size_t iov_used);
bool tls_stream_has_room(const struct tls_stream *stream); /* tls_stream_send() would take something */
/* close_notify, once all that was taken has left. -EAGAIN: it has not; fn is called for LOOP_WRITE. 0 after an error too. */
int tls_stream_part(struct tls_stream *stream);

bool tls_stream_open(const struct tls_stream *stream); /* the handshake is over */
bool tls_stream_verified(const struct tls_stream *stream);
const char *tls_stream_server_name(const struct tls_stream *stream); /* NULL: none, or not a host name */
const char *tls_stream_reason(const struct tls_stream *stream); /* static text; NULL: no error */
