/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "adapter/stream.h"

#include <linux/input-event-codes.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/loop.h"
#include "base/mem.h"

static void stream_wait(struct stream *stream)
{
	if (stream->fd >= 0)
		loop_fd_events(stream->source,
			(stream->holds ? 0 : LOOP_READ) |
				(stream->leds != stream->leds_told ? LOOP_WRITE : 0));
}

static void stream_lose(struct stream *stream)
{
	loop_source_free(take_ptr(stream->source));
	stream->fd = fd_close(stream->fd);
	stream->events->lost(stream->arg);
}

/* False: the daemon does not say such a thing. */
static bool hear(struct stream *stream, const struct input_event *event)
{
	struct group *group = &stream->group;

	if (event->type == EV_SYN) {
		if (group->used)
			stream->events->group(stream->arg, group);
		group->used = 0;
		return event->code == SYN_REPORT;
	}
	if (group->used == LIMIT_INPUT_GROUP || !input_takes(group->kind, event->type, event->code))
		return false;
	group->events[group->used++] = *event;
	return true;
}

/* What has come, until it is held. */
static bool work(struct stream *stream)
{
	while (!stream->holds && stream->to - stream->from >= INPUT_RECORD_BYTES) {
		struct input_event event = input_unpack(stream->bytes + stream->from);

		stream->from += INPUT_RECORD_BYTES;
		if (!hear(stream, &event))
			return false;
	}
	stream->to -= stream->from;
	memmove(stream->bytes, stream->bytes + stream->from, stream->to);
	stream->from = 0;
	return true;
}

static void tell_leds(struct stream *stream)
{
	uint8_t records[(LED_CNT + 1) * INPUT_RECORD_BYTES];
	size_t used = 0;

	for (int n = 0; n < LED_CNT; n++)
		if ((stream->leds ^ stream->leds_told) >> n & 1)
			input_pack(
				&(struct input_event){EV_LED, (uint16_t)n, stream->leds >> n & 1},
				records + INPUT_RECORD_BYTES * used++);
	if (!used)
		return;
	input_pack(&(struct input_event){EV_SYN, SYN_REPORT, 0},
		records + INPUT_RECORD_BYTES * used++);
	/* On a Unix socket so few bytes go whole or not at all. */
	if (send(stream->fd, records, used * INPUT_RECORD_BYTES, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
		stream->leds_told = stream->leds;
}

static void on_socket(int fd, unsigned int events, void *arg)
{
	struct stream *stream = arg;
	ssize_t n;

	if (events & LOOP_WRITE) {
		tell_leds(stream);
		stream_wait(stream);
	}
	if (!(events & LOOP_READ) || stream->holds)
		return;
	n = recv(fd, stream->bytes + stream->to, sizeof(stream->bytes) - stream->to, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		stream->to += (size_t)n;
	if (n <= 0 || !work(stream))
		stream_lose(stream);
}

void stream_hold(struct stream *stream, bool on)
{
	if (stream->fd < 0 || stream->holds == on)
		return;
	stream->holds = on;
	if (!on && !work(stream))
		return stream_lose(stream);
	stream_wait(stream);
}

void stream_leds(struct stream *stream, uint32_t leds)
{
	stream->leds = leds;
	if (stream->fd < 0)
		return;
	tell_leds(stream);
	stream_wait(stream);
}

int stream_init(struct stream *stream, struct loop *loop, enum input_kind kind, int fd,
	const struct stream_events *events, void *arg)
{
	int r;

	*stream = (struct stream){.events = events, .arg = arg, .fd = fd, .group = {.kind = kind}};
	r = loop_fd_add(loop, fd, LOOP_READ, on_socket, stream, &stream->source);
	if (r < 0)
		stream_finish(stream);
	return r;
}

void stream_finish(struct stream *stream)
{
	loop_source_free(take_ptr(stream->source));
	stream->fd = fd_close(stream->fd);
}
