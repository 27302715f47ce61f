/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rfb/visit.h"

#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "base/loop.h"
#include "base/measure.h"
#include "base/mem.h"
#include "rfb/host.h"
#include "rfb/picture.h"
#include "rfb/relay.h"
#include "rfb/strokes.h"

static int give_up(struct visit *visit, int error, const char *reason)
{
	visit->reason = reason;
	return error;
}

static enum size_status on_asked(void *arg, const struct wish_asked *asked)
{
	struct visit *visit = arg;

	return visit->host->asked(visit->host, visit->caller, asked);
}

static bool on_power(void *arg, enum link_power action)
{
	struct visit *visit = arg;

	return visit->host->power(visit->host, visit->caller, action);
}

bool visit_type(struct visit *visit)
{
	struct link_message message;
	bool taken;

	if (!visit->strokes || !strokes_message(visit->strokes, visit->seat.number, &message))
		return false;
	taken = visit->host->input(visit->host, &message);
	if (taken)
		strokes_eat(visit->strokes, message.input.used);
	explicit_bzero(&message, sizeof(message));
	return taken;
}

/* Where something is to be put; NULL: out of memory. What fills a message goes at once. */
static struct strokes *strokes(struct visit *visit)
{
	if (!visit->strokes)
		visit->strokes = new0(struct strokes);
	else if (visit->strokes->used >= LINK_INPUTS)
		visit_type(visit);
	return visit->strokes;
}

static void on_key(void *arg, bool down, uint32_t keysym, uint32_t keycode)
{
	struct visit *visit = arg;
	struct strokes *to = strokes(visit);

	if (to)
		strokes_key(to, down, keysym, keycode, measure_now());
}

static void on_pointer(void *arg, const struct parse_pointer *pointer)
{
	struct visit *visit = arg;
	const struct parser *parser = &visit->relay->parser;
	struct strokes *to = strokes(visit);

	if (to)
		strokes_pointer(to, pointer, parser->width, parser->height, measure_now());
}

static const struct seat_events seat_events = {
	.asked = on_asked,
	.power = on_power,
	.key = on_key,
	.pointer = on_pointer,
};

void visit_init(struct visit *visit, struct caller_host *host, struct caller *caller,
	struct relay *relay, uint32_t number, enum link_mode mode)
{
	visit->host = host;
	visit->caller = caller;
	visit->relay = relay;
	seat_init(&visit->seat, number, mode, &seat_events, visit);
}

void visit_close(struct visit *visit)
{
	visit->sits = false;
	if (visit->strokes)
		explicit_bzero(visit->strokes, sizeof(*visit->strokes));
	free(take_ptr(visit->strokes));
}

void visit_finish(struct visit *visit)
{
	visit_close(visit);
	seat_clear(&visit->seat);
}

static bool on_ask(void *arg, uint64_t before, const struct rect *area)
{
	struct visit *visit = arg;

	return visit->seat.viewer && viewer_ask(visit->seat.viewer, before, area);
}

static int sit_down(struct visit *visit, int direct, loop_fd_fn on_inner, void *arg)
{
	struct caller_host *host = visit->host;
	struct relay *relay = visit->relay;
	const struct outlet outlet = relay_outlet(relay);
	int r = seat_take(&visit->seat, host->loop, host->picture, host->frames_maximum, host->name,
		&outlet, on_inner, arg);

	if (r < 0)
		return give_up(visit, r, "no resources for a worker");
	relay_open(relay, visit->seat.inner, direct);
	relay->ask = on_ask;
	relay->ask_arg = visit;
	parser_init(&relay->parser, host->width, host->height, &visit->seat.hooks);
	visit->sits = true;
	visit_resized(visit);
	visit_tell(visit);
	return visit_forward(visit);
}

static bool waits_for_picture(const struct visit *visit)
{
	return visit->picture_until && loop_now_ms() < visit->picture_until;
}

/* With its size a viewer is told what it must follow ever after, if it does not know DesktopSize: that is not yet known. So words for the time
 * being are waited out. */
int visit_begin(struct visit *visit, int direct, loop_fd_fn on_inner, void *arg)
{
	struct picture *picture = visit->host->picture;

	if (!visit->deadline)
		visit->deadline = loop_now_ms() + LIMIT_FIRST_FRAME_MS;
	if (!picture_ready(picture))
		return 0;
	if (picture_passes(picture)) {
		if (!visit->picture_until)
			visit->picture_until = loop_now_ms() + LIMIT_PASSING_WORDS_MS;
		if (waits_for_picture(visit))
			return 0;
	}
	return sit_down(visit, direct, on_inner, arg);
}

int visit_forward(struct visit *visit)
{
	int r = relay_forward(visit->relay, visit->seat.inner);

	visit_type(visit);
	return r < 0 ? give_up(visit, r, visit->relay->reason) : r;
}

uint64_t visit_due(const struct visit *visit)
{
	if (visit->sits)
		return relay_due(visit->relay, visit->host->stall_ms);
	return waits_for_picture(visit) ? MIN(visit->deadline, visit->picture_until)
					: visit->deadline;
}

int visit_check(struct visit *visit, uint64_t now)
{
	int r;

	if (!visit->sits)
		return now < visit->deadline ? 0 : give_up(visit, -ETIMEDOUT, "no picture");
	r = relay_check(visit->relay, now, visit->host->stall_ms);
	return r < 0 ? give_up(visit, r, visit->relay->reason) : r;
}

/* Once its input is shut, a worker's socket would always be writable. */
static bool wants_to_tell(const struct visit *visit)
{
	return visit->sits && relay_has_message(visit->relay);
}

void visit_watch(struct visit *visit)
{
	struct seat *seat = &visit->seat;

	if (seat->source)
		loop_fd_events(seat->source, LOOP_READ | (wants_to_tell(visit) ? LOOP_WRITE : 0));
	if (visit->sits)
		seat_allow(seat, relay_queued(visit->relay) < LIMIT_VIEWER_LOW);
	if (relay_relieved(visit->relay) && seat->viewer)
		viewer_wake(seat->viewer);
}

void visit_resized(struct visit *visit)
{
	struct caller_host *host = visit->host;
	uint32_t wisher = host->wisher;

	if (!visit->sits)
		return;
	relay_resize(visit->relay, host->width, host->height);
	viewer_resized(visit->seat.viewer, !wisher			  ? REASON_SERVER
					   : wisher == visit->seat.number ? REASON_THIS_VIEWER
									  : REASON_OTHER_VIEWER);
}

void visit_tell(struct visit *visit)
{
	const struct facts *facts = &visit->host->facts;

	if (!visit->sits)
		return;
	parser_relative(&visit->relay->parser, facts->relative);
	seat_tell(&visit->seat, facts);
}

const char *visit_clear(struct visit *visit)
{
	const char *why = viewer_end_reason(visit->seat.viewer);

	visit->sits = false;
	seat_clear(&visit->seat);
	return why ? why : "the worker has ended";
}

void visit_dismiss(struct visit *visit)
{
	visit->sits = false;
	if (visit->seat.viewer)
		seat_dismiss(&visit->seat);
}
