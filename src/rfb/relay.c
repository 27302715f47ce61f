/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation: towards the worker go whole messages, one at a time; while it does not take them, the network is not read.
 * From the worker everything is read always, because it writes while it holds the frame at rest; the queue's bound is one
 * raw frame and some, which one update cannot pass, and the next update is not allowed before the queue is low.
 */
#include "rfb/relay.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/limits.h"
#include "base/loop.h"
#include "base/mem.h"
#include "rfb/transport.h"

#define COLLECT_READS 8 /* chunks of one worker before the others get their turn */

void relay_init(struct relay *relay)
{
	*relay = (struct relay){0};
	queue_init(&relay->queue);
}

void relay_finish(struct relay *relay)
{
	queue_finish(&relay->queue);
	relay->in_at = relay->in_size = relay->out_at = relay->out_size = 0;
}

static int give_up(struct relay *relay, int error, const char *reason)
{
	relay->reason = reason;
	return error;
}

const uint8_t *relay_input(const struct relay *relay, size_t *ret_size)
{
	*ret_size = relay->in_size - relay->in_at;
	return relay->in + relay->in_at;
}

void relay_use_input(struct relay *relay, size_t size)
{
	relay->in_at += size;
	if (relay->in_at == relay->in_size)
		relay->in_at = relay->in_size = 0;
}

bool relay_wants_input(const struct relay *relay)
{
	return relay->in_size < RELAY_IN;
}

bool relay_has_message(const struct relay *relay)
{
	return relay->out_at < relay->out_size;
}

int relay_receive(struct relay *relay, struct transport *network)
{
	ssize_t n;

	if (!relay_wants_input(relay))
		return 0;
	n = transport_receive(network, relay->in + relay->in_size, RELAY_IN - relay->in_size);
	if (n == -EAGAIN)
		return 0;
	if (n < 0)
		return give_up(relay, n, transport_reason(network));
	relay->in_size += n;
	return 0;
}

/* While a message waits for the worker, the viewer is not to blame for what it cannot send. What is skipped, a long cut text, may take as
 * long as its line needs while more of it comes: it holds up nobody. */
static void note_message(struct relay *relay)
{
	if (!parser_inside(&relay->parser) || relay_has_message(relay)) {
		relay->message_since = 0;
		return;
	}
	if (relay->message_since && relay->message_number == relay->parser.messages &&
		relay->message_skip == relay->parser.skip)
		return;
	relay->message_since = loop_now_ms();
	relay->message_number = relay->parser.messages;
	relay->message_skip = relay->parser.skip;
}

static int parse_next(struct relay *relay)
{
	const uint8_t *input;
	size_t size;
	int n;

	input = relay_input(relay, &size);
	relay->out_at = 0;
	n = parse(&relay->parser, input, size, relay->out, &relay->out_size);
	if (n < 0)
		return give_up(relay, n, relay->parser.reason);
	relay_use_input(relay, n);
	return 0;
}

int relay_forward(struct relay *relay, int inner)
{
	ssize_t n;
	int r;

	while (relay_has_message(relay) || relay->in_at < relay->in_size) {
		if (!relay_has_message(relay)) {
			r = parse_next(relay);
			if (r < 0)
				return r;
			continue;
		}
		n = send(inner, relay->out + relay->out_at, relay->out_size - relay->out_at,
			MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0) /* the worker has ended: the end of file there says why */
			n = relay->out_size - relay->out_at;
		relay->out_at += n;
	}
	note_message(relay);
	return 0;
}

int relay_collect(struct relay *relay, int inner, bool discard, bool *ret_ended)
{
	bool ended = false;

	for (int i = 0; i < COLLECT_READS; i++) {
		size_t room;
		uint8_t *to;
		ssize_t n;

		if (queue_reserve(&relay->queue, &to, &room) < 0)
			return give_up(relay, -ENOMEM, "out of memory");
		n = recv(inner, to, room, MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		ended = n == 0 || (n < 0 && errno != EAGAIN);
		if (n <= 0)
			break;
		if (discard)
			continue;
		if (!relay->queue.size)
			relay->progress = loop_now_ms();
		queue_commit(&relay->queue, n);
		if (relay->queue.size > relay->queue_maximum)
			return give_up(relay, -ENOBUFS, "queue over its bound");
	}
	*ret_ended = ended;
	return 0;
}

int relay_send(struct relay *relay, struct transport *network)
{
	struct iovec iov[16];
	ssize_t n;

	while (relay->queue.size) {
		n = transport_send(network, iov, queue_peek(&relay->queue, iov, ARRAY_SIZE(iov)));
		if (n == -EAGAIN)
			return 0;
		if (n < 0)
			return give_up(relay, n, transport_reason(network));
		queue_eat(&relay->queue, n);
		relay->bytes_sent += n;
		relay->progress = loop_now_ms();
	}
	return 0;
}

void relay_resize(struct relay *relay, uint32_t width, uint32_t height)
{
	size_t raw = (size_t)width * height * 4;

	parser_resize(&relay->parser, width, height);
	/* Never less: an update of the larger picture may be under way. */
	relay->queue_maximum = MAX(relay->queue_maximum, raw / 4 * 5 + LIMIT_VIEWER_QUEUE_SLACK);
}

uint64_t relay_due(const struct relay *relay, uint32_t stall_ms)
{
	uint64_t due = UINT64_MAX;

	if (relay->queue.size)
		due = relay->progress + stall_ms;
	if (relay->message_since)
		due = MIN(due, relay->message_since + LIMIT_MESSAGE_MS);
	return due;
}

int relay_check(struct relay *relay, uint64_t now, uint32_t stall_ms)
{
	if (relay->queue.size && now >= relay->progress + stall_ms)
		return give_up(relay, -ETIMEDOUT, "takes nothing");
	if (relay->message_since && now >= relay->message_since + LIMIT_MESSAGE_MS)
		return give_up(relay, -ETIMEDOUT, "half a message for too long");
	return 0;
}
