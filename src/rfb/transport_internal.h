/* SPDX-License-Identifier: GPL-2.0-or-later */
/* transport_internal.h - for transport.c and transport_kind.c only. */
#pragma once

#include "rfb/level.h"
#include "rfb/transport.h"

#define LEVELS	    2 /* WebSocket, and RSA-AES on it */

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

/* Keeps the first reason. Returns @error. */
ssize_t transport_give_up(struct transport *transport, ssize_t error, const char *reason);
/* After whatever has changed what is waited for. */
void transport_rewatch(struct transport *transport);
/* The connection ends with @error, once its last words are out. What transport_receive() is to return. */
ssize_t transport_fail(struct transport *transport, ssize_t error);
void transport_on_base(unsigned int events, void *transport);
/* Looks at the first byte. @waited: LIMIT_SNIFF_MS are over. */
void transport_sniff(struct transport *transport, bool waited);
