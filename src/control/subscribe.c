/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * An event becomes a text once, when it happens and if there is a subscriber at all, and goes into the ring (ring.h). LIMIT_EVENT_MS later
 * all subscribers that can take some are served with what has come meanwhile, in one write each; one that cannot is served when it has
 * read. What a subscriber has is its place in the ring, so a slow one costs no more than a fast one.
 *
 * Whoever falls out of the ring is told so, then how each display is now, then "ready". That is the beginning over again, of a
 * subscription with "current". Its new place is that of the moment when it was told: what happens while it still
 * reads is told after that, maybe a second time, never too seldom.
 */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/shared.h"
#include "bulletin.h"
#include "control/describe.h"
#include "control/feed.h"
#include "control/methods.h"
#include "control/refuse.h"
#include "control/request.h"
#include "control/ring.h"
#include "manager.h"
#include "varlink/server.h"

enum stage {
	STAGE_MISSED, /* to be told that it has missed some */
	STAGE_DISPLAYS,
	STAGE_READY,
	STAGE_EVENTS,
};

struct subscriber {
	struct feed feed;
	LIST_ENTRY(subscriber) link; /* subscribers */
	struct manager *manager;
	struct request_subscribe request;
	enum stage stage;
	uint64_t missed; /* events */
	uint64_t number; /* of the last display */
	uint64_t place;	 /* in the ring */
};

/* What they share. It is there while there are any. */
static struct {
	LIST_HEAD(, subscriber) all;
	struct manager *manager;
	struct ring *ring;
	struct loop_source *timer;
	struct bulletin_listener listener;
	bool due, stopping;
} subscribers;

static void serve(void *arg)
{
	struct subscriber *subscriber, *next;

	subscribers.due = false;
	for (subscriber = LIST_FIRST(&subscribers.all); subscriber; subscriber = next) {
		next = LIST_NEXT(subscriber, link);
		feed_pull(&subscriber->feed);
	}
}

/* ---- Events as texts ---- */

static void begin_text(struct writer *w, const char *name, uint64_t sequence, const char *id)
{
	writer_init(w);
	writer_open(w, NULL, '{');
	writer_text(w, "event", name);
	writer_number(w, "sequence", (int64_t)sequence);
	writer_text_if(w, "id", id);
}

static struct shared *end_text(struct writer *w)
{
	writer_close(w, '}');
	return writer_reply(w);
}

static const char *action_name(enum display_power action)
{
	return action == DISPLAY_POWER_SHUTDOWN ? "shutdown"
	       : action == DISPLAY_POWER_REBOOT ? "reboot"
						: "reset";
}

static struct shared *display_text(
	enum bulletin_kind kind, uint64_t sequence, struct display *display)
{
	const struct context *context = display_context(display);
	struct writer writer;

	begin_text(&writer, request_event_name(kind), sequence, context->id);
	describe_context(&writer, "context", context);
	describe_display_runtime(&writer, "runtime", display);
	return end_text(&writer);
}

static struct shared *event_text(const struct bulletin_event *event)
{
	struct writer writer;

	if (event->kind <= BULLETIN_DISPLAY_UNREGISTERED)
		return display_text(event->kind, event->sequence, event->display);
	begin_text(&writer, request_event_name(event->kind), event->sequence, event->id);
	if (event->viewer)
		describe_viewer(&writer, "viewer", event->viewer, event->id);
	writer_text_if(&writer, "reason", event->reason);
	writer_text_if(&writer, "label", event->label);
	writer_text_if(&writer, "peer", event->peer);
	writer_text_if(&writer, "input", event->input);
	if (event->kind == BULLETIN_POWER_REQUESTED)
		writer_text(&writer, "action", action_name(event->action));
	return end_text(&writer);
}

static uid_t owner_of(const struct bulletin_event *event)
{
	struct display *display;

	if (event->owner)
		return event->owner->uid;
	display = event->id ? manager_find(subscribers.manager, event->id) : NULL;
	return display ? display_registrant(display)->uid : RIGHTS_NO_OWNER;
}

static void on_event(void *arg, const struct bulletin_event *event)
{
	struct ring_event kept = {
		.sequence = event->sequence,
		.kind = event->kind,
		.owner = owner_of(event),
		.text = event_text(event),
	};

	if (event->id)
		strncpy(kept.id, event->id, sizeof(kept.id) - 1);
	ring_push(subscribers.ring, &kept);
	subscribers.stopping |= event->kind == BULLETIN_STOPPING;
	/* At the end there may be no later. */
	if (subscribers.stopping)
		return serve(NULL);
	if (!subscribers.due)
		loop_timer_once(subscribers.timer, LIMIT_EVENT_MS);
	subscribers.due = true;
}

/* ---- One subscriber ---- */

static bool may_know(const struct subscriber *s, const char *id, uid_t owner)
{
	return rights_allow(manager_rights(s->manager), varlink_call_peer(s->feed.call),
		RIGHT_OBSERVE, id, owner);
}

static bool wants(const struct subscriber *s, enum bulletin_kind kind, const char *id)
{
	return (!s->request.filter || s->request.filter >> kind & 1) &&
	       (!s->request.id[0] || !id[0] || strcmp(s->request.id, id) == 0);
}

static struct shared *missed_text(struct subscriber *s)
{
	struct writer writer;

	s->place = bulletin_sequence();
	s->number = 0;
	s->stage = STAGE_DISPLAYS;
	begin_text(&writer, "missed", s->place, NULL);
	writer_number(&writer, "missed", (int64_t)s->missed);
	return end_text(&writer);
}

/* NULL: that was the last one, or there is no memory. */
static struct shared *next_display(struct subscriber *s)
{
	struct display *display;

	while ((display = manager_after(s->manager, &s->number))) {
		const char *id = display_context(display)->id;

		if (wants(s, BULLETIN_DISPLAY_STATE, id) &&
			may_know(s, id, display_registrant(display)->uid)) {
			struct shared *text =
				display_text(BULLETIN_DISPLAY_STATE, s->place, display);

			s->feed.failed = !text;
			return text;
		}
	}
	s->stage = STAGE_READY;
	return NULL;
}

static struct shared *next_event(struct subscriber *s)
{
	const struct ring_event *event;
	uint64_t missed;

	while ((event = ring_next(subscribers.ring, &s->place, &missed)))
		if (wants(s, event->kind, event->id) &&
			(!event->id[0] || may_know(s, event->id, event->owner)))
			return shared_reference(event->text);
	/* With those that are kept: how everything is now is told instead. */
	if (missed) {
		s->missed = bulletin_sequence() - s->place;
		s->stage = STAGE_MISSED;
	}
	return NULL;
}

static struct shared *subscriber_next(struct feed *feed)
{
	struct subscriber *s = container_of(feed, struct subscriber, feed);
	struct shared *text = NULL;
	struct writer writer;

	if (s->stage == STAGE_EVENTS)
		text = next_event(s);
	if (s->stage == STAGE_MISSED) {
		text = missed_text(s);
		feed->failed = !text;
	} else if (s->stage == STAGE_DISPLAYS) {
		text = next_display(s);
	}
	if (s->stage == STAGE_READY && !text) {
		begin_text(&writer, "ready", s->place, NULL);
		text = end_text(&writer);
		feed->failed = !text;
		s->stage = STAGE_EVENTS;
	}
	feed->over = feed->failed;
	return text;
}

static void subscriber_destroy(struct feed *feed)
{
	struct subscriber *s = container_of(feed, struct subscriber, feed);

	LIST_REMOVE(s, link);
	free(s);
	if (!LIST_EMPTY(&subscribers.all))
		return;
	bulletin_unlisten(&subscribers.listener);
	loop_source_free(take_ptr(subscribers.timer));
	ring_destroy(take_ptr(subscribers.ring));
	subscribers.due = false;
}

static int first_subscriber(struct manager *manager)
{
	int r;

	if (!LIST_EMPTY(&subscribers.all))
		return 0;
	r = ring_create(&subscribers.ring);
	if (r == 0)
		r = loop_timer_add(manager_loop(manager), serve, NULL, &subscribers.timer);
	if (r < 0) {
		ring_destroy(take_ptr(subscribers.ring));
		return r;
	}
	subscribers.manager = manager;
	subscribers.listener.fn = on_event;
	bulletin_listen(&subscribers.listener);
	return 0;
}

void method_subscribe(struct varlink_call *call, json_t *parameters, void *arg)
{
	struct request_subscribe request;
	struct fields_reader reader;
	struct subscriber *s;
	int r;

	method_reader(&reader, call);
	r = request_subscribe(&reader, parameters, &request);
	if (r < 0)
		return refuse_request(call, &reader, r);
	s = new0(struct subscriber);
	if (!s || first_subscriber(arg) < 0) {
		free(s);
		return refuse_unavailable(call, "out of memory");
	}
	s->feed = (struct feed){
		.call = call,
		.next = subscriber_next,
		.destroy = subscriber_destroy,
	};
	s->manager = arg;
	s->request = request;
	s->place = bulletin_sequence();
	s->stage = request.current ? STAGE_DISPLAYS : STAGE_READY;
	LIST_INSERT_HEAD(&subscribers.all, s, link);
	feed_begin(&s->feed);
}
