/* SPDX-License-Identifier: GPL-2.0-or-later */
/* caller.h - one network connection, from accept to its end. Never blocks but in caller_destroy(). One loop's thread. It is the door's.
 *
 *	KNOCKING --> VISITING --> FLUSHING --> LINGERING
 *	   |\--> PASSING ------^  ^
 *	   \---------------------/
 *
 * From each of them, where something is wrong or caller_end() says so, at once to the end: LINGERING if there is a worker, else it is freed.
 *
 * KNOCKING: the handshake. VISITING: waits for the picture's first frame, then has a worker. PASSING: at the gate, on the way to its display.
 * FLUSHING: what is queued goes out, what comes in is thrown away, so that the last words are not lost to a reset. LINGERING: the connection
 * is closed; the worker is read to its end, however long an encode takes: to join it before would hold everybody up.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "frame/link.h"

struct caller;
struct caller_count;
struct caller_entry;
struct caller_host;

struct caller_options {
	uint32_t number;
	const struct link_listener *listener; /* what it meets; copied */
	const char *peer; /* copied, at most 63 bytes */
};

/* @fd, a connected stream socket, is consumed in every case. Its flags are left alone: somebody else may hold it too. */
int caller_create(struct caller_host *host, int fd, const struct caller_options *options, struct caller **ret);
/* At once, waiting for the worker if there is one. Calls neither left nor released. */
void caller_destroy(struct caller *caller);
struct caller_entry *caller_entry(struct caller *caller);

/* Something was published: if it waits for that, it gets its worker. */
void caller_start(struct caller *caller);
/* host->width, height and wisher have changed. */
void caller_resized(struct caller *caller);
/* host->facts has changed. */
void caller_tell(struct caller *caller);
/* The broker takes something of what was typed, if anything waits: one message. False: nothing went. */
bool caller_type(struct caller *caller);
/* The broker's answer to a CHECK. @mode: if @allowed. @place: a gate's viewer's end of the way to its display, consumed in every case; -EBADF:
 * none. */
void caller_verdict(struct caller *caller, bool allowed, enum link_mode mode, int place);
/* Closes the connection now, or with @flush after what is queued, at most a second later. @reason: copied. left and released come
 * before or after this returns. */
void caller_end(struct caller *caller, const char *reason, bool flush);

enum link_mode caller_mode(const struct caller *caller); /* once it has joined; the listener's before */
bool caller_closed(const struct caller *caller);	 /* the connection is; its worker may be ending still */
void caller_count(struct caller *caller, struct caller_count *ret);
