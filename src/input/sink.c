/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's own buffer is made small: what is in there cannot be merged any more (pending.c), and a guest would work through it first. */
#include "input/sink.h"

#include <errno.h>
#include <linux/input-event-codes.h>
#include <string.h>
#include <sys/socket.h>

#include "base/discard.h"
#include "base/fd.h"
#include "base/loop.h"
#include "base/mem.h"
#include "input/parting.h"
#include "input/pending.h"

enum {
	BACK_BYTES = 512, /* for each recv() */
};

struct sink {
	struct loop *loop;
	struct loop_source *source, *timer;
	const struct sink_events *events;
	void *arg;
	int fd; /* owned; -EBADF: lost */
	uint32_t leds;
	uint64_t sent, dropped, blocked;
	bool blocks; /* the last write found no room */

	struct pending pending;

	uint8_t back[INPUT_RECORD_BYTES]; /* of a record that has not come whole */
	size_t back_used;
	unsigned int back_budget; /* records that are still read in this second */
	bool counting;		  /* the second has begun */
	bool resting;		  /* it has sent more than that */
};

static void sink_wait(struct sink *sink)
{
	loop_fd_events(sink->source,
		(sink->resting ? 0 : LOOP_READ) | (sink->pending.used ? LOOP_WRITE : 0));
}

static void sink_lose(struct sink *sink, const char *why)
{
	if (sink->fd < 0)
		return;
	loop_source_free(take_ptr(sink->source));
	loop_timer_stop(sink->timer);
	sink->leds = 0;
	pending_clear(&sink->pending);
	sink->events->lost(sink->arg, why);
	fd_discardp(&sink->fd);
}

/* ---- What goes there ---- */

static void flush(struct sink *sink)
{
	int r = pending_write(&sink->pending, sink->fd);

	if (r < 0 && r != -EAGAIN)
		return sink_lose(sink, "the other end is closed");
	sink->blocked += r < 0 && !sink->blocks;
	sink->blocks = r < 0;
	sink_wait(sink);
}

bool sink_send(struct sink *sink, const struct input_event *events, size_t n)
{
	assert(n <= LIMIT_INPUT_GROUP);
	if (sink->fd < 0 || n == 0)
		return n == 0;
	if (!pending_add(&sink->pending, events, n)) {
		sink->dropped += n;
		return false;
	}
	sink->sent += n;
	flush(sink);
	return true;
}

void sink_note(struct sink *sink, struct sink_seen *seen)
{
	pending_note(&sink->pending, seen);
	if (sink->pending.used && sink->fd >= 0)
		flush(sink);
}

/* ---- What comes back ---- */

/* False: this is no record of an input device. */
static bool hear(struct sink *sink, const struct input_event *event)
{
	if (event->type > EV_MAX)
		return false;
	if (event->type == EV_LED && event->code <= LED_MAX)
		sink->leds = event->value ? sink->leds | 1u << event->code
					  : sink->leds & ~(1u << event->code);
	return true; /* bells, repeat rates: nobody wants them */
}

static bool hear_bytes(struct sink *sink, const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct input_event event;

		sink->back[sink->back_used++] = bytes[i];
		if (sink->back_used < sizeof(sink->back))
			continue;
		sink->back_used = 0;
		event = input_unpack(sink->back);
		if (!hear(sink, &event))
			return false;
	}
	return true;
}

static void receive(struct sink *sink)
{
	unsigned int records;
	uint8_t bytes[BACK_BYTES];
	uint32_t leds = sink->leds;
	ssize_t n = recv(sink->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0)
		return sink_lose(sink, "the other end is closed");
	if (!hear_bytes(sink, bytes, (size_t)n))
		return sink_lose(sink, "what came back is no input event");
	records = DIV_ROUND_UP((unsigned int)n, INPUT_RECORD_BYTES);
	sink->back_budget -= MIN(sink->back_budget, records);
	if (!sink->back_budget) {
		sink->resting = true;
		sink_wait(sink);
	}
	if (!sink->counting)
		loop_timer_once(sink->timer, 1000);
	sink->counting = true;
	if (sink->leds != leds)
		sink->events->leds(sink->arg);
}

static void on_second(void *arg)
{
	struct sink *sink = arg;

	sink->back_budget = LIMIT_INPUT_BACK;
	sink->counting = sink->resting = false;
	sink_wait(sink);
}

static void on_socket(int fd, unsigned int events, void *arg)
{
	struct sink *sink = arg;

	if (events & LOOP_WRITE)
		flush(sink);
	if (events & LOOP_READ && sink->fd >= 0)
		receive(sink);
}

/* ---- Beginning and end ---- */

int sink_create(
	struct loop *loop, int fd, const struct sink_events *events, void *arg, struct sink **ret)
{
	struct sink *sink = new0(struct sink);
	int room = LIMIT_INPUT_SOCKET;
	int r;

	if (!sink)
		return -ENOMEM;
	sink->fd = -EBADF;
	pending_init(&sink->pending);
	sink->loop = loop;
	sink->events = events;
	sink->arg = arg;
	sink->back_budget = LIMIT_INPUT_BACK;
	r = loop_timer_add(loop, on_second, sink, &sink->timer);
	if (r == 0)
		r = loop_fd_add(loop, fd, LOOP_READ, on_socket, sink, &sink->source);
	if (r < 0) {
		sink_destroy(sink);
		return r;
	}
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	sink->fd = fd;
	*ret = sink;
	return 0;
}

void sink_destroy(struct sink *sink)
{
	if (!sink)
		return;
	loop_source_free(sink->source);
	loop_source_free(sink->timer);
	fd_discard(sink->fd);
	free(sink);
}

void sink_part(struct sink *sink)
{
	if (!sink)
		return;
	if (sink->fd >= 0) {
		pending_release(&sink->pending);
		flush(sink);
	}
	if (sink->fd >= 0) {
		loop_source_free(take_ptr(sink->source));
		parting_begin(sink->loop, take_fd(&sink->fd), &sink->pending);
	}
	sink_destroy(sink);
}

bool sink_connected(const struct sink *sink)
{
	return sink->source != NULL; /* not while its loss is told */
}

int sink_fd(const struct sink *sink)
{
	return sink->fd;
}

uint32_t sink_leds(const struct sink *sink)
{
	return sink->leds;
}

uint64_t sink_sent(const struct sink *sink)
{
	return sink->sent;
}

uint64_t sink_dropped(const struct sink *sink)
{
	return sink->dropped;
}

uint64_t sink_blocked(const struct sink *sink)
{
	return sink->blocked;
}
