/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/feed.h"

#include "base/mem.h"
#include "base/shared.h"
#include "control/refuse.h"
#include "varlink/server.h"

static LIST_HEAD(, feed) feeds = LIST_HEAD_INITIALIZER(feeds);

static void feed_destroy(struct feed *feed)
{
	LIST_REMOVE(feed, link);
	shared_release(feed->waiting);
	feed->destroy(feed);
}

static void on_gone(void *arg)
{
	struct feed *feed = arg;

	varlink_reply(feed->call, NULL);
	feed_destroy(feed);
}

static void on_ready(void *arg)
{
	feed_pull(arg);
}

static void feed_end(struct feed *feed)
{
	if (feed->failed)
		refuse_unavailable(feed->call, "out of memory");
	else if (feed->waiting)
		varlink_reply_text(feed->call, feed->waiting);
	else
		feed->none(feed);
	feed_destroy(feed);
}

/* One that can be over keeps each reply until the next is there. A peer that cannot be sent to is dropped, and gone follows. */
static void feed_push(struct feed *feed, struct shared *text)
{
	struct shared *out = feed->none ? feed->waiting : text;

	if (feed->none)
		feed->waiting = text;
	if (out)
		varlink_push_text(feed->call, out);
	shared_release(out);
}

void feed_pull(struct feed *feed)
{
	while (varlink_call_ready(feed->call)) {
		struct shared *text = NULL;

		while (varlink_call_ready(feed->call) && (text = feed->next(feed)))
			feed_push(feed, text);
		if (feed->over)
			return feed_end(feed);
		varlink_flush(feed->call);
		if (!text)
			return;
	}
}

void feed_begin(struct feed *feed)
{
	LIST_INSERT_HEAD(&feeds, feed, link);
	varlink_call_on_gone(feed->call, on_gone, feed);
	varlink_call_on_ready(feed->call, on_ready, feed);
	feed_pull(feed);
}

void feeds_end(void)
{
	while (!LIST_EMPTY(&feeds))
		on_gone(LIST_FIRST(&feeds));
}
