/* SPDX-License-Identifier: GPL-2.0-or-later */
/* relay.h - the bytes of one connection: network -> parser -> worker, worker -> queue -> network. No state of the
 * connection, no events, no end: that is rfb/caller.h. Never blocks; the transport and the worker's fd are the caller's.
 *
 * The worker itself puts what it need not give to LibVNCServer (rfb/outlet.h): relay_outlet()'s functions are its thread's, all others the loop's.
 *
 * Functions return 0, or -errno with `reason` set.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "damage/rects.h"
#include "rfb/outlet.h"
#include "rfb/parse.h"
#include "rfb/queue.h"

#define RELAY_IN (16u << 10)

struct transport;

struct relay {
	struct parser parser;
	pthread_mutex_t lock; /* the worker's too, while it is open: guards what follows, to failure */
	struct queue queue;   /* to the network */
	size_t queue_maximum; /* for what comes from the worker */
	uint64_t bytes_sent;
	uint64_t progress; /* when the queue last got shorter, or was empty */
	uint64_t seen;	   /* when the loop last heard of what was sent */
	int inner, direct; /* the worker's bytes; the network, where they can go at once, else -EBADF. Borrowed */
	bool open;	   /* the worker's bytes are wanted */
	bool relieved;	   /* no longer full, and the worker was not told */
	int failure;	   /* -errno of what the worker has put; 0: none */
	_Atomic bool full;

	/* A request for an incremental update, for somebody who has been given @before messages. False: it is to go with the others. NULL: none. */
	bool (*ask)(void *arg, uint64_t before, const struct rect *area);
	void *ask_arg;
	uint64_t forwarded; /* messages to the worker */
	uint64_t message_since, message_number; /* half a message has been here so long; 0: none */
	uint32_t message_skip; /* bytes of it that nobody wants had still to come then */
	const char *reason; /* static text */
	uint8_t out[PARSE_OUT]; /* one message to the worker */
	size_t out_at, out_size;
	uint8_t in[RELAY_IN]; /* from the network, not yet used */
	size_t in_at, in_size;
};

void relay_init(struct relay *relay);
/* Throws away what is queued and gathered, and what the worker puts from now on. */
void relay_finish(struct relay *relay);
void relay_destroy(struct relay *relay); /* and no worker is left */

/* There is a worker. @inner: as for relay_collect(). @direct: transport_bare(). */
void relay_open(struct relay *relay, int inner, int direct);
struct outlet relay_outlet(struct relay *relay);
/* Bytes that wait. */
size_t relay_queued(struct relay *relay);
/* Bytes that have gone, up to now. */
uint64_t relay_sent(struct relay *relay);
/* True once after each time that the outlet was full. */
bool relay_relieved(struct relay *relay);

/* The network's bytes that nobody has used yet. */
const uint8_t *relay_input(const struct relay *relay, size_t *ret_size);
void relay_use_input(struct relay *relay, size_t size);
bool relay_wants_input(const struct relay *relay);  /* there is room for more */
bool relay_has_message(const struct relay *relay);  /* the worker has not taken it all */

/* Network to input. 0: something or nothing came; -EPIPE: end of file. */
int relay_receive(struct relay *relay, struct transport *network);
/* Input through the parser to the worker, as much as it takes. */
int relay_forward(struct relay *relay, int inner);
/* Worker to queue, or with @discard nowhere, up to a bound in one call. *ret_ended: the worker has closed its end. -ENOBUFS: the queue
 * is over its bound. */
int relay_collect(struct relay *relay, int inner, bool discard, bool *ret_ended);
/* Queue to network, as much as it takes. */
int relay_send(struct relay *relay, struct transport *network);

/* A screen of that size: the parser cuts to it, and the queue holds one raw frame and some. */
void relay_resize(struct relay *relay, uint32_t width, uint32_t height);
/* When relay_check() may find something; UINT64_MAX: nothing is late. */
uint64_t relay_due(struct relay *relay, uint32_t stall_ms);
/* -ETIMEDOUT: takes nothing, or half a message for too long. */
int relay_check(struct relay *relay, uint64_t now, uint32_t stall_ms);
