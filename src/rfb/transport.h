/* SPDX-License-Identifier: GPL-2.0-or-later */
/* transport.h - one viewer's connection as a stream of bytes, whatever is between: nothing, TLS, WebSocket, WebSocket in TLS, and
 * layers on top of these. Never blocks. One loop's thread.
 *
 * Byte counts or -errno are returned; after an error other than -EAGAIN transport_reason() has a word for it, and
 * transport_destroy() is all that is left to do.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "frame/link.h"
#include "rfb/layer.h"

struct loop;
struct tls;
struct transport;

struct transport_options {
	unsigned int kinds;  /* enum link_transport: what it may be. With WebSockets, the viewer's first byte is waited for LIMIT_SNIFF_MS */
	struct tls *tls;     /* for secure WebSockets; it takes a reference of its own. NULL: there are none */
	const char *origins; /* for WebSockets, copied: as in struct link_listener; NULL is empty */
	bool open; /* for WebSockets without TLS: who comes in need not prove anything; see upgrade.h */
	const char *display; /* for WebSockets, borrowed: the only one that a path may name; NULL: any */
};

/* @events: what of transport_watch() may have become possible. The transport may be destroyed inside. */
typedef void (*transport_fn)(unsigned int events, void *arg);

/* @fd, a connected stream socket, is consumed in every case. Its flags are left alone: somebody else may hold it too. @options:
 * NULL: RFB alone. -EINVAL: secure WebSockets alone, and no certificate. */
int transport_create(struct loop *loop, int fd, const struct transport_options *options, transport_fn fn,
	void *arg, struct transport **ret);
/* Closes at once. Takes NULL. */
void transport_destroy(struct transport *transport);

/* LOOP_READ: fn is called while transport_receive() has something to say, LOOP_WRITE: while transport_send() would take something. */
void transport_watch(struct transport *transport, unsigned int events);
/* -EAGAIN: nothing now; -EPIPE: the viewer has closed it. */
ssize_t transport_receive(struct transport *transport, void *to, size_t room);
/* Takes what it can, gathered into large records. -EAGAIN: nothing now. */
ssize_t transport_send(struct transport *transport, const struct iovec *iov, size_t iov_used);
/* Nothing more will be sent: the viewer is told so once all that was taken is out. Receiving goes on. */
void transport_shutdown(struct transport *transport);
/* Static text. */
const char *transport_reason(const struct transport *transport);

/* No handshake below the bytes is under way; until then, transport_send() says -EAGAIN. */
bool transport_ready(const struct transport *transport);
/* Can transport_start_tls() be called? Not where there is a WebSocket or TLS. */
bool transport_may_start_tls(const struct transport *transport);
/* TLS from here on. @last: the last bytes in plain, taken whole or not at all. @x509: with the certificate, else anonymous.
 * -EPROTO: the peer has sent bytes already that would count as if they had come encrypted (the caller has none left either).
 * -EAGAIN: @last does not fit; -EOPNOTSUPP: not possible here. Its end is seen by transport_ready(). */
int transport_start_tls(struct transport *transport, struct tls *tls, bool x509, const void *last, size_t size);
/* A layer on top, for what is sent and received from now on. @layer: owned from now on, in every case. @early: bytes received already
 * that are the layer's. -ENOSPC, -ENOMEM, -EMSGSIZE: more of these than in_maximum. */
int transport_push(struct transport *transport, const struct layer_ops *ops, void *layer, const void *early, size_t size);

/* The socket, where bytes go to it as they are, now and later: nothing is between or waits for its turn. -EBADF: they do not. Borrowed. */
int transport_bare(const struct transport *transport);

bool transport_websocket(const struct transport *transport);
bool transport_encrypted(const struct transport *transport); /* TLS, finished */
bool transport_anonymous(const struct transport *transport); /* TLS without a certificate: no defence against who sits between */
bool transport_client_verified(const struct transport *transport); /* its certificate is one of the client CA's */
const char *transport_server_name(const struct transport *transport); /* TLS server name, checked characters; NULL: none */
const char *transport_path(const struct transport *transport);	     /* of the WebSocket request; NULL: none */
const char *transport_tls_reason(const struct transport *transport); /* why TLS failed; NULL: it did not */
