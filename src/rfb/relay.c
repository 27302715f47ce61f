/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation: towards the worker go whole messages, one at a time; while it does not take them, the network is not read.
 * From the worker everything is read always, because it writes while it holds the frame at rest; the queue's bound is one
 * raw frame and some, which one update cannot pass, and the next update is not allowed before the queue is low.
 *
 * What a worker puts, which is nearly all, goes behind what it has written to its socket: so that is read first, by the worker itself. If nothing waits then, the
 * network's socket takes it from where it is; nobody else wakes up. What that does not take is queued, but for the last byte, which the worker
 * writes to its socket: that wakes the loop, and stays there until the loop, or the worker when it puts the next, has read it. So the
 * loop sleeps only while nothing is queued, or while it waits for the network itself. Now and then the last byte goes that way for the
 * loop to see what has been sent.
 */
#include "rfb/relay.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/limits.h"
#include "base/loop.h"
#include "base/mem.h"
#include "rfb/transport.h"
#include "rfb/wire.h"

#define COLLECT_READS 8	  /* chunks of one worker before the others get their turn */
#define UNSEEN_MS     250 /* the loop hears of what is sent at least so often */

void relay_init(struct relay *relay)
{
	*relay = (struct relay){.inner = -EBADF, .direct = -EBADF};
	pthread_mutex_init(&relay->lock, NULL);
	queue_init(&relay->queue);
}

void relay_finish(struct relay *relay)
{
	pthread_mutex_lock(&relay->lock);
	queue_finish(&relay->queue);
	relay->open = false;
	relay->inner = relay->direct = -EBADF;
	pthread_mutex_unlock(&relay->lock);
	relay->in_at = relay->in_size = relay->out_at = relay->out_size = 0;
}

void relay_destroy(struct relay *relay)
{
	relay_finish(relay);
	pthread_mutex_destroy(&relay->lock);
}

void relay_open(struct relay *relay, int inner, int direct)
{
	pthread_mutex_lock(&relay->lock);
	relay->inner = inner;
	relay->direct = direct;
	relay->open = true;
	relay->seen = loop_now_ms();
	pthread_mutex_unlock(&relay->lock);
}

size_t relay_queued(struct relay *relay)
{
	size_t size;

	pthread_mutex_lock(&relay->lock);
	size = relay->queue.size;
	pthread_mutex_unlock(&relay->lock);
	return size;
}

uint64_t relay_sent(struct relay *relay)
{
	uint64_t bytes;

	pthread_mutex_lock(&relay->lock);
	bytes = relay->bytes_sent;
	relay->seen = loop_now_ms();
	pthread_mutex_unlock(&relay->lock);
	return bytes;
}

bool relay_relieved(struct relay *relay)
{
	bool relieved;

	pthread_mutex_lock(&relay->lock);
	relieved = relay->relieved;
	relay->relieved = false;
	pthread_mutex_unlock(&relay->lock);
	return relieved;
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

/* An incremental FramebufferUpdateRequest may find a shorter way. */
static void ask(struct relay *relay)
{
	const uint8_t *message = relay->out;
	const struct rect area = {wire_u16(message + 2), wire_u16(message + 4),
		wire_u16(message + 6), wire_u16(message + 8)};

	if (relay->out_size == 10 && message[0] == 3 && message[1] && relay->ask &&
		relay->ask(relay->ask_arg, relay->forwarded, &area))
		relay->out_size = 0;
	else if (relay->out_size)
		relay->forwarded++;
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
			ask(relay);
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

/* Its bound, and its edge. */
static int note_queue(struct relay *relay)
{
	if (relay->queue.size >= LIMIT_VIEWER_LOW)
		atomic_store(&relay->full, true);
	return relay->queue.size > relay->queue_maximum ? -ENOBUFS : 0;
}

/* One read of what the worker has written. Bytes, 0 at its end, or -errno: -EAGAIN: nothing now. */
static ssize_t read_inner(struct relay *relay, int inner, bool discard)
{
	size_t room;
	uint8_t *to;
	ssize_t n;

	if (queue_reserve(&relay->queue, &to, &room) < 0)
		return -ENOMEM;
	do {
		n = recv(inner, to, room, MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		n = errno == EAGAIN ? -EAGAIN : 0;
	if (!relay->queue.size)
		relay->progress = loop_now_ms();
	queue_commit(&relay->queue, n > 0 && !discard ? n : 0);
	return n;
}

static int collect(struct relay *relay, int inner, bool discard, bool *ret_ended)
{
	ssize_t n = 1;
	int r = discard ? 0 : relay->failure;

	for (int i = 0; r == 0 && n > 0 && i < COLLECT_READS; i++) {
		n = read_inner(relay, inner, discard);
		r = n == -ENOMEM ? -ENOMEM : discard ? 0 : note_queue(relay);
	}
	if (r < 0)
		return give_up(relay, r, r == -ENOMEM ? "out of memory" : "queue over its bound");
	*ret_ended = n == 0;
	return 0;
}

int relay_collect(struct relay *relay, int inner, bool discard, bool *ret_ended)
{
	int r;

	pthread_mutex_lock(&relay->lock);
	r = collect(relay, inner, discard, ret_ended);
	pthread_mutex_unlock(&relay->lock);
	return r;
}

static int send_queue(struct relay *relay, struct transport *network)
{
	struct iovec iov[16];
	ssize_t n;

	while (relay->queue.size) {
		n = transport_send(network, iov, queue_peek(&relay->queue, iov, ARRAY_SIZE(iov)));
		if (n == -EAGAIN)
			break;
		if (n < 0)
			return give_up(relay, n, transport_reason(network));
		queue_eat(&relay->queue, n);
		relay->bytes_sent += n;
		relay->progress = loop_now_ms();
	}
	if (relay->queue.size < LIMIT_VIEWER_LOW && atomic_exchange(&relay->full, false))
		relay->relieved = true;
	return 0;
}

int relay_send(struct relay *relay, struct transport *network)
{
	int r;

	pthread_mutex_lock(&relay->lock);
	r = send_queue(relay, network);
	pthread_mutex_unlock(&relay->lock);
	return r;
}

/* ---- what the worker puts ---- */

/* Bytes that the network takes now. An error is for the loop to find. */
static size_t send_directly(struct relay *relay, struct iovec *parts, size_t count)
{
	struct msghdr msg = {.msg_iov = parts, .msg_iovlen = count};
	ssize_t n;

	if (relay->direct < 0 || relay->queue.size || !count)
		return 0;
	do {
		n = sendmsg(relay->direct, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	relay->bytes_sent += MAX(n, (ssize_t)0);
	return MAX(n, (ssize_t)0);
}

static int queue_parts(struct relay *relay, const struct iovec *parts, size_t count, size_t skip)
{
	int r = 0;

	if (!relay->queue.size)
		relay->progress = loop_now_ms();
	for (; r == 0 && count; parts++, count--) {
		size_t skipped = MIN(skip, parts->iov_len);

		r = queue_append(&relay->queue, (const uint8_t *)parts->iov_base + skipped,
			parts->iov_len - skipped);
		skip -= skipped;
	}
	return r < 0 ? r : note_queue(relay);
}

static bool put_parts(struct relay *relay, struct iovec *parts, size_t count)
{
	bool unseen = loop_now_ms() - relay->seen >= UNSEEN_MS;
	size_t left = 0, sent;
	ssize_t n;

	do {
		n = read_inner(relay, relay->inner, false);
	} while (n > 0);
	if (n != -EAGAIN && n != 0)
		relay->failure = n;
	for (size_t i = 0; i < count; i++)
		left += parts[i].iov_len;
	if (unseen)
		parts[count - 1].iov_len--;
	sent = send_directly(relay, parts, count);
	if (sent == left)
		return false;
	if (!unseen)
		parts[count - 1].iov_len--;
	if (sent < left - 1 && !relay->failure)
		relay->failure = queue_parts(relay, parts, count, sent);
	return true;
}

/* An empty last part, or all of it: nothing has been put then. */
static bool on_put(void *arg, struct iovec *parts, size_t count)
{
	struct relay *relay = arg;
	bool rest = false;

	while (count && !parts[count - 1].iov_len)
		count--;
	pthread_mutex_lock(&relay->lock);
	if (relay->open && count)
		rest = put_parts(relay, parts, count);
	pthread_mutex_unlock(&relay->lock);
	return rest;
}

static bool on_full(void *arg)
{
	struct relay *relay = arg;

	return atomic_load(&relay->full);
}

struct outlet relay_outlet(struct relay *relay)
{
	return (struct outlet){.put = on_put, .full = on_full, .arg = relay};
}

void relay_resize(struct relay *relay, uint32_t width, uint32_t height)
{
	size_t raw = (size_t)width * height * 4;

	parser_resize(&relay->parser, width, height);
	/* Never less: an update of the larger picture may be under way. */
	pthread_mutex_lock(&relay->lock);
	relay->queue_maximum = MAX(relay->queue_maximum, raw / 4 * 5 + LIMIT_VIEWER_QUEUE_SLACK);
	pthread_mutex_unlock(&relay->lock);
}

/* UINT64_MAX: nothing waits. */
static uint64_t stall_due(struct relay *relay, uint32_t stall_ms)
{
	uint64_t due;

	pthread_mutex_lock(&relay->lock);
	due = relay->queue.size ? relay->progress + stall_ms : UINT64_MAX;
	pthread_mutex_unlock(&relay->lock);
	return due;
}

uint64_t relay_due(struct relay *relay, uint32_t stall_ms)
{
	uint64_t due = stall_due(relay, stall_ms);

	if (relay->message_since)
		due = MIN(due, relay->message_since + LIMIT_MESSAGE_MS);
	return due;
}

int relay_check(struct relay *relay, uint64_t now, uint32_t stall_ms)
{
	if (now >= stall_due(relay, stall_ms))
		return give_up(relay, -ETIMEDOUT, "takes nothing");
	if (relay->message_since && now >= relay->message_since + LIMIT_MESSAGE_MS)
		return give_up(relay, -ETIMEDOUT, "half a message for too long");
	return 0;
}
