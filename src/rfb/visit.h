/* SPDX-License-Identifier: GPL-2.0-or-later */
/* visit.h - a viewer at this display, once its handshake is over: it waits for a picture, takes its seat (rfb/seat.h), and then bytes go both
 * ways through its relay, and to the broker what it types.
 *
 *	waits --visit_begin()--> sits --visit_dismiss()--> the worker ends --visit_clear()--> over
 *
 * One loop's thread; nothing blocks but visit_finish(). Owns the seat, and what was typed. Functions return 0, or -errno with `reason` set.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "rfb/seat.h"

struct caller;
struct caller_host;
struct relay;
struct strokes;

struct visit {
	struct caller_host *host; /* borrowed */
	struct caller *caller;	  /* likewise, for the host's functions */
	struct relay *relay;	  /* likewise */
	struct seat seat;
	bool sits;		/* there is a worker, and its viewer is served */
	uint64_t deadline;	/* of the wait for a picture; 0: not begun */
	uint64_t picture_until; /* words for the time being are not enough before; 0: not asked yet */
	struct strokes *strokes; /* owned; NULL: it has never typed */
	const char *reason;	/* static text */
};

/* @visit: zeroed. @mode: until visit_begin() seat.mode may become another. */
void visit_init(struct visit *visit, struct caller_host *host, struct caller *caller, struct relay *relay, uint32_t number,
	enum link_mode mode);
void visit_close(struct visit *visit);	/* the connection is closed: what was typed is wiped */
void visit_finish(struct visit *visit); /* waits for the worker, if that has not ended */

/* Not if it sits. Begins, or goes on waiting. @direct: transport_bare(). @on_inner: the worker has written, or ended. */
int visit_begin(struct visit *visit, int direct, loop_fd_fn on_inner, void *arg);
int visit_forward(struct visit *visit); /* if it sits: network's bytes to the worker, and what was typed between them to the broker */
bool visit_type(struct visit *visit);	/* as caller_type() */
/* When visit_check() and then, if it waits, visit_begin() have something to do by time alone; UINT64_MAX: never. */
uint64_t visit_due(const struct visit *visit);
int visit_check(struct visit *visit, uint64_t now); /* -ETIMEDOUT */
void visit_watch(struct visit *visit);		    /* after every step: what to wait for of the worker, and may it go on? */
void visit_resized(struct visit *visit);	    /* as caller_resized() */
void visit_tell(struct visit *visit);		    /* as caller_tell() */
void visit_dismiss(struct visit *visit);	    /* the worker, if there is one, is to end; on_inner hears of it */
const char *visit_clear(struct visit *visit);	    /* it has ended, by itself or not; why: static text */
