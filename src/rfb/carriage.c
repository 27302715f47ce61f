/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rfb/carriage.h"

#include <errno.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/loop.h"
#include "base/mem.h"
#include "rfb/passage.h"
#include "rfb/relay.h"
#include "rfb/transport.h"

#define ROUNDS 8 /* of one viewer before the others get their turn */

struct carriage {
	struct passage *passage;
	struct loop_source *source;
	struct relay *relay; /* borrowed */
	uint64_t progress;   /* when the viewer last took something, or had nothing to take */
	uint64_t deadline;   /* of the display's answer */
	const char *reason;
	void (*fn)(void *arg);
	void *arg;
};

static void on_place(int fd, unsigned int events, void *arg)
{
	struct carriage *carriage = arg;

	carriage->fn(carriage->arg);
}

int carriage_create(struct loop *loop, int place, bool shared, struct relay *relay,
	void (*fn)(void *arg), void *arg, struct carriage **ret)
{
	struct carriage *carriage = new0(struct carriage);
	int r;

	if (!carriage) {
		fd_close(place);
		return -ENOMEM;
	}
	r = passage_create(place, shared, &carriage->passage);
	if (r < 0) {
		free(carriage);
		return r;
	}
	carriage->relay = relay;
	carriage->progress = loop_now_ms();
	carriage->deadline = carriage->progress + LIMIT_HANDSHAKE_MS;
	carriage->fn = fn;
	carriage->arg = arg;
	r = loop_fd_add(
		loop, carriage->passage->place, LOOP_READ, on_place, carriage, &carriage->source);
	if (r < 0) {
		carriage_destroy(carriage);
		return r;
	}
	*ret = carriage;
	return 0;
}

void carriage_destroy(struct carriage *carriage)
{
	if (!carriage)
		return;
	loop_source_free(carriage->source);
	passage_destroy(carriage->passage);
	free(carriage);
}

static int give_up(struct carriage *carriage, int error, const char *reason)
{
	carriage->reason = reason;
	return error;
}

/* To the viewer. Returns whether something went, or -errno. */
static int send_down(struct carriage *carriage, struct transport *network)
{
	struct iovec iov;
	ssize_t n;

	iov.iov_base = (void *)passage_bytes(carriage->passage, &iov.iov_len);
	if (!iov.iov_len) {
		carriage->progress = loop_now_ms();
		return 0;
	}
	n = transport_send(network, &iov, 1);
	if (n == -EAGAIN)
		return 0;
	if (n < 0)
		return give_up(carriage, n, transport_reason(network));
	passage_use(carriage->passage, n);
	carriage->relay->bytes_sent += n;
	carriage->progress = loop_now_ms();
	return n > 0;
}

static int send_up(struct carriage *carriage)
{
	size_t size, taken;
	const uint8_t *input = relay_input(carriage->relay, &size);
	int r = passage_forward(carriage->passage, input, size, &taken);

	relay_use_input(carriage->relay, taken);
	return r;
}

/* 1. What the display said last goes the way of all last words. */
static int ended(struct carriage *carriage)
{
	size_t size;
	const uint8_t *bytes = passage_bytes(carriage->passage, &size);

	carriage->reason = carriage->passage->reason;
	if (size && queue_append(&carriage->relay->queue, bytes, size) < 0)
		return -ENOMEM;
	return 1;
}

int carriage_step(struct carriage *carriage, struct transport *network)
{
	int r = relay_send(carriage->relay, network);

	if (r < 0)
		return give_up(carriage, r, carriage->relay->reason);
	if (carriage->relay->queue.size)
		return 0;
	r = send_up(carriage);
	for (int i = 0; i < ROUNDS && r >= 0; i++) {
		int collected = passage_collect(carriage->passage);

		if (collected == -EPIPE)
			return ended(carriage);
		if (collected < 0)
			return give_up(carriage, collected, carriage->passage->reason);
		r = send_down(carriage, network);
		if (r == 0)
			break;
	}
	return r < 0 ? r : send_up(carriage);
}

unsigned int carriage_watch(struct carriage *carriage)
{
	struct passage *passage = carriage->passage;
	unsigned int inner = passage_has_room(passage) ? LOOP_READ : 0, outer = 0;
	size_t size;

	relay_input(carriage->relay, &size);
	if (size && passage_open(passage))
		inner |= LOOP_WRITE;
	loop_fd_events(carriage->source, inner);
	if (relay_wants_input(carriage->relay))
		outer |= LOOP_READ;
	passage_bytes(passage, &size);
	return size ? outer | LOOP_WRITE : outer;
}

static uint64_t stalled_at(const struct carriage *carriage, uint32_t stall_ms)
{
	size_t size;

	passage_bytes(carriage->passage, &size);
	return size ? carriage->progress + stall_ms : UINT64_MAX;
}

static uint64_t unanswered_at(const struct carriage *carriage)
{
	return passage_open(carriage->passage) ? UINT64_MAX : carriage->deadline;
}

uint64_t carriage_due(const struct carriage *carriage, uint32_t stall_ms)
{
	return MIN(stalled_at(carriage, stall_ms), unanswered_at(carriage));
}

int carriage_check(struct carriage *carriage, uint64_t now, uint32_t stall_ms)
{
	if (now >= unanswered_at(carriage))
		return give_up(carriage, -ETIMEDOUT, "its display does not answer");
	if (now >= stalled_at(carriage, stall_ms))
		return give_up(carriage, -ETIMEDOUT, "takes nothing");
	return 0;
}

const char *carriage_reason(const struct carriage *carriage)
{
	return carriage->reason;
}
