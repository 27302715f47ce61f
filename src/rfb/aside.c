/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rfb/aside.h"

#include <poll.h>
#include <sys/socket.h>

#include "base/limits.h"
#include "base/mem.h"
#include "rfb/encodings.h"
#include "rfb/parse.h"
#include "rfb/wire.h"

enum { SET_ENCODINGS = 2, UPDATE_REQUEST = 3, CONTINUOUS_UPDATES = 150, FENCE = 248 };

/* LibVNCServer reads exactly one message at a time, without a buffer, so that what it will read is there to be seen. */
static ssize_t peek(rfbClientPtr client, uint8_t *to, size_t size)
{
	return recv(client->sock, to, size, MSG_PEEK | MSG_DONTWAIT);
}

static int next_type(rfbClientPtr client)
{
	uint8_t type;

	return peek(client, &type, 1) == 1 ? type : -1;
}

static bool take(rfbClientPtr client, uint8_t *to, size_t size)
{
	if (rfbReadExact(client, (char *)to, size) > 0)
		return true;
	rfbCloseClient(client);
	return false;
}

static void answer(struct aside *aside)
{
	aside->sync = false;
	aside->answers++;
	aside->hooks->fence(aside->arg, aside->flags, aside->payload, aside->size);
}

static void fence(struct aside *aside, rfbClientPtr client)
{
	uint8_t head[9], payload[FENCE_PAYLOAD];
	uint32_t flags;

	if (!take(client, head, sizeof(head)) || head[8] > FENCE_PAYLOAD ||
		(head[8] && !take(client, payload, head[8])))
		return;
	flags = wire_u32(head + 4);
	if (!(flags & FENCE_REQUEST)) {
		aside->hooks->pong(aside->arg, payload, head[8]);
		return;
	}
	aside->flags = flags & FENCE_FLAGS;
	aside->size = head[8];
	memcpy(aside->payload, payload, head[8]);
	aside->sync = flags & FENCE_SYNC_NEXT;
	if (!aside->sync)
		answer(aside);
}

/* Type, a flag, an area: EnableContinuousUpdates and FramebufferUpdateRequest. */
static struct rect area_of(const uint8_t message[10])
{
	return (struct rect){wire_u16(message + 2), wire_u16(message + 4), wire_u16(message + 6),
		wire_u16(message + 8)};
}

static void request(struct aside *aside, rfbClientPtr client)
{
	uint8_t message[10];
	struct rect area;

	if (peek(client, message, sizeof(message)) != sizeof(message) || message[1])
		return;
	area = area_of(message);
	aside->hooks->asked(aside->arg, &area);
}

static void continuous(struct aside *aside, rfbClientPtr client)
{
	uint8_t message[10];
	struct rect area;

	if (!take(client, message, sizeof(message)))
		return;
	area = area_of(message);
	aside->hooks->continuous(aside->arg, message[1], &area);
}

short aside_events(struct aside *aside, bool low)
{
	if (low)
		aside->answers = 0;
	return aside->answers < LIMIT_FENCES ? POLLIN : POLLRDHUP;
}

void aside_next(struct aside *aside, rfbClientPtr client)
{
	int type = next_type(client);
	uint8_t nothing;

	if (type >= 0 && aside->sync)
		answer(aside);
	if (type == FENCE) {
		fence(aside, client);
	} else if (type == CONTINUOUS_UPDATES) {
		continuous(aside, client);
	} else if (type == PARSE_NOTHING) {
		take(client, &nothing, 1);
	} else {
		if (type == UPDATE_REQUEST)
			request(aside, client);
		rfbProcessClientMessage(client); /* the end of the connection, too */
		if (type == SET_ENCODINGS && client->sock >= 0)
			aside->hooks->encodings(aside->arg);
	}
}
