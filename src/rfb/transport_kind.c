/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation: what a connection speaks is seen from its first byte, which is looked at but left in the socket: a TLS
 * handshake record begins with 0x16 (RFC 8446 5.1), HTTP with the G of GET, RFB with R; and who waits for our version speaks RFB.
 */
#include <errno.h>
#include <sys/socket.h>

#include "base/loop.h"
#include "base/mem.h"
#include "rfb/tls_stream.h"
#include "rfb/transport_internal.h"
#include "rfb/upgrade.h"
#include "rfb/websocket.h"

#define RECORD_TLS 0x16

static int begin_tls(struct transport *transport, struct tls *tls, bool x509)
{
	int r = tls_stream_create(transport->loop, transport->fd, tls, x509, transport_on_base,
		transport, &transport->stream);

	if (r < 0)
		return r;
	transport->x509 = x509;
	loop_source_free(transport->source);
	transport->source = NULL;
	return 0;
}

static int begin_websocket(struct transport *transport)
{
	const struct upgrade_place place = {
		.origins = transport->options.origins,
		.display = transport->options.display,
		.open = transport->options.open && !transport->stream,
	};
	int r = websocket_create(&place, &transport->websocket);

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
		return transport_give_up(transport, -EPROTO, "bytes before the upgrade to TLS");
	if (n == 0)
		return transport_give_up(transport, -EPIPE, "closed by the viewer");
	n = size ? send(transport->fd, last, size, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
	if (n < 0)
		return errno == EAGAIN ? -EAGAIN
				       : transport_give_up(transport, -errno, "connection lost");
	if ((size_t)n < size)
		return transport_give_up(transport, -EPIPE, "takes nothing");
	n = begin_tls(transport, tls, x509);
	if (n == 0)
		transport_rewatch(transport);
	return n < 0 ? transport_give_up(transport, n, "TLS cannot be set up") : 0;
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

void transport_sniff(struct transport *transport, bool waited)
{
	unsigned int kind = kind_of(transport, waited);
	int r;

	if (!kind)
		return;
	r = become(transport, kind);
	if (r < 0) {
		transport->lost = true;
		transport_fail(transport, r);
	}
	transport_rewatch(transport);
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
