/* SPDX-License-Identifier: GPL-2.0-or-later */
/* feed.h - the replies of a call with "more", made as its peer reads them (varlink/server.h). To be the first member of what makes them.
 *
 * A feed is over when it says so or when its peer is gone, or by feeds_end(); then it is destroyed.
 */
#pragma once

#include <stdbool.h>
#include <sys/queue.h>

struct shared;
struct varlink_call;

struct feed {
	/* What the maker says. */
	struct varlink_call *call;
	/* The next reply's text, a reference. NULL: none now, and where `over` is set, none any more. */
	struct shared *(*next)(struct feed *feed);
	/* Ends the call, since there was no reply at all. NULL: a feed that is never over. */
	void (*none)(struct feed *feed);
	/* Frees it; not the call. */
	void (*destroy)(struct feed *feed);
	bool over;
	bool failed; /* next() had no memory: the call ends with Unavailable */

	/* feed.c */
	LIST_ENTRY(feed) link;
	struct shared *waiting; /* the last reply, until it is known whether it is the last of all */
};

/* In the method; may destroy it. */
void feed_begin(struct feed *feed);
/* There may be something for it now. May destroy it. */
void feed_pull(struct feed *feed);
/* All of them, once the server is gone. */
void feeds_end(void);
