/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rfb/aside.h"

#include <sys/socket.h>

#include "rfb/encodings.h"
#include "rfb/wire.h"

enum { SET_ENCODINGS = 2, CONTINUOUS_UPDATES = 150, FENCE = 248 };

/* LibVNCServer reads exactly one message at a time, without a buffer, so that its first byte is there to be seen. */
static int next_type(rfbClientPtr client)
{
	uint8_t type;

	return recv(client->sock, &type, 1, MSG_PEEK | MSG_DONTWAIT) == 1 ? type : -1;
}

static bool take(rfbClientPtr client, uint8_t *to, size_t size)
{
	if (rfbReadExact(client, (char *)to, size) > 0)
		return true;
	rfbCloseClient(client);
	return false;
}

static void fence(rfbClientPtr client, const struct aside_hooks *hooks, void *arg)
{
	uint8_t head[9], payload[UINT8_MAX];
	uint32_t flags;

	if (!take(client, head, sizeof(head)) || (head[8] && !take(client, payload, head[8])))
		return;
	flags = wire_u32(head + 4);
	if (flags & FENCE_REQUEST)
		hooks->fence(arg, flags & FENCE_FLAGS, payload, head[8]);
	else
		hooks->pong(arg, payload, head[8]);
}

static void continuous(rfbClientPtr client, const struct aside_hooks *hooks, void *arg)
{
	uint8_t message[10];
	struct rect area;

	if (!take(client, message, sizeof(message)))
		return;
	area = (struct rect){wire_u16(message + 2), wire_u16(message + 4), wire_u16(message + 6),
		wire_u16(message + 8)};
	hooks->continuous(arg, message[1], &area);
}

void aside_next(rfbClientPtr client, const struct aside_hooks *hooks, void *arg)
{
	int type = next_type(client);

	if (type == FENCE) {
		fence(client, hooks, arg);
	} else if (type == CONTINUOUS_UPDATES) {
		continuous(client, hooks, arg);
	} else {
		rfbProcessClientMessage(client); /* the end of the connection, too */
		if (type == SET_ENCODINGS && client->sock >= 0)
			hooks->encodings(arg);
	}
}
