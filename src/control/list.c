/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * Replies are made as the peer reads (feed.h): a walk over the displays is a number, that of the last one told about, so it may take as
 * long as it likes while displays come and go. Viewers have no such order, so those of one display are described together.
 *
 * List also makes displays look that nobody watches. A look costs a wake-up and a question to a driver, so a List of many orders few of
 * them, by turns.
 */
#include <string.h>

#include "base/mem.h"
#include "base/shared.h"
#include "control/describe.h"
#include "control/feed.h"
#include "control/methods.h"
#include "control/refuse.h"
#include "control/request.h"
#include "frame/wall.h"
#include "manager.h"
#include "varlink/server.h"

struct listing {
	struct feed feed;
	struct manager *manager;
	struct request_list request;
	uint64_t number;			   /* of the last display */
	struct shared *viewers[LIMIT_VIEWERS_MAX]; /* of that display, which are still to be told */
	size_t viewers_used;
};

static bool is_wanted(const struct varlink_call *call, struct manager *manager,
	const struct request_list *request, struct display *display)
{
	const struct context *context = display_context(display);

	return method_may(call, manager, RIGHT_OBSERVE, display) &&
	       (!request->id[0] || strcmp(request->id, context->id) == 0) &&
	       (!request->machine[0] || strcmp(request->machine, context->machine) == 0);
}

static struct display *next_wanted(struct listing *listing)
{
	struct display *display;

	do
		display = manager_after(listing->manager, &listing->number);
	while (display &&
		!is_wanted(listing->feed.call, listing->manager, &listing->request, display));
	return display;
}

static struct shared *next_display(struct feed *feed)
{
	struct listing *listing = container_of(feed, struct listing, feed);
	struct display *display = next_wanted(listing);
	struct writer writer;
	struct shared *text;

	feed->over = !display;
	if (!display)
		return NULL;
	writer_init(&writer);
	describe_display(&writer, display);
	text = writer_reply(&writer);
	feed->over = feed->failed = !text;
	return text;
}

static void no_display(struct feed *feed)
{
	refuse_no_such_display(feed->call, NULL);
}

static bool describe_viewers(struct listing *listing, struct display *display)
{
	const struct wall_viewer *viewers = NULL;
	struct wall *wall = display_wall(display);
	size_t n = wall ? wall_viewers(wall, &viewers) : 0;

	for (size_t i = n; i-- > 0 && listing->viewers_used < LIMIT_VIEWERS_MAX;) {
		struct writer writer;
		struct shared *text;

		writer_init(&writer);
		writer_open(&writer, NULL, '{');
		describe_viewer(&writer, "viewer", &viewers[i], display_context(display)->id);
		writer_close(&writer, '}');
		text = writer_reply(&writer);
		if (!text)
			return false;
		listing->viewers[listing->viewers_used++] = text;
	}
	return true;
}

static struct shared *next_viewer(struct feed *feed)
{
	struct listing *listing = container_of(feed, struct listing, feed);
	struct display *display;

	while (listing->viewers_used == 0) {
		display = next_wanted(listing);
		feed->failed = display && !describe_viewers(listing, display);
		feed->over = !display || feed->failed;
		if (feed->over)
			return NULL;
	}
	return listing->viewers[--listing->viewers_used];
}

static void no_viewer(struct feed *feed)
{
	refuse_no_such_viewer(feed->call, NULL);
}

static void listing_destroy(struct feed *feed)
{
	struct listing *listing = container_of(feed, struct listing, feed);

	while (listing->viewers_used > 0)
		shared_release(listing->viewers[--listing->viewers_used]);
	free(listing);
}

static void list_all(struct varlink_call *call, struct manager *manager,
	const struct request_list *request, struct shared *(*next)(struct feed *feed),
	void (*none)(struct feed *feed))
{
	struct listing *listing = new0(struct listing);

	if (!listing)
		return refuse_unavailable(call, "out of memory");
	listing->feed = (struct feed){
		.call = call,
		.next = next,
		.none = none,
		.destroy = listing_destroy,
	};
	listing->manager = manager;
	listing->request = *request;
	feed_begin(&listing->feed);
}

/* Beginning where the last one ended. */
static void glance_at_some(const struct varlink_call *call, struct manager *manager,
	const struct request_list *request)
{
	static uint64_t number;
	const uint64_t end = number;
	unsigned int glances = 0;
	struct display *display;
	bool around = false;

	while (glances < LIMIT_GLANCES) {
		display = manager_after(manager, &number);
		if (around && (!display || number > end)) {
			number = end;
			return;
		}
		around |= !display;
		if (!display)
			number = 0;
		else if (is_wanted(call, manager, request, display) && ++glances)
			display_glance(display);
	}
}

static void list_one(
	struct varlink_call *call, struct manager *manager, const struct request_list *request)
{
	struct display *display = manager_find(manager, request->id);
	struct writer writer;

	if (!display || (request->machine[0] &&
				strcmp(request->machine, display_context(display)->machine) != 0))
		return refuse_no_such_display(call, request->id);
	writer_init(&writer);
	describe_display(&writer, display);
	reply_or_refuse(call, writer_json(&writer));
	display_glance(display);
}

void method_list(struct varlink_call *call, json_t *parameters, void *arg)
{
	struct request_list request;
	struct fields_reader reader;
	int r;

	method_reader(&reader, call);
	r = request_list(&reader, parameters, &request);
	if (r < 0)
		return refuse_request(call, &reader, r);
	if (request.id[0])
		return list_one(call, arg, &request);
	if (!varlink_call_more(call))
		return refuse_needs_more(call);
	/* What is found is for the next List: what is replied may be gone after this one. */
	glance_at_some(call, arg, &request);
	list_all(call, arg, &request, next_display, no_display);
}

void method_list_viewers(struct varlink_call *call, json_t *parameters, void *arg)
{
	struct request_list request = {0};
	struct fields_reader reader;
	struct request_id only;
	int r;

	method_reader(&reader, call);
	r = request_list_viewers(&reader, parameters, &only);
	if (r < 0)
		return refuse_request(call, &reader, r);
	if (only.id[0] && !manager_find(arg, only.id))
		return refuse_no_such_display(call, only.id);
	memcpy(request.id, only.id, sizeof(request.id));
	list_all(call, arg, &request, next_viewer, no_viewer);
}
