/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * LibVNCServer empties its buffer by rfbSendUpdateBuf(), for each small rectangle anew, into its socket; the other end wakes up for each, and
 * hands it on. That function is part of its interface, and its own calls find ours first, as the dynamic linker resolves names. So
 * what an update has put goes to the network in one piece, from this thread. A library that calls its own nevertheless (-Bsymbolic, as
 * Ubuntu links) writes to the socket, which is slower and in the same order: an outlet's bytes go behind those. Nothing is held back
 * then, for the library would overtake it.
 */
#include "rfb/update.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "base/mem.h"
#include "rfb/outlet.h"
#include "rfb/wire.h"

static bool ours; /* the library's calls come here */

bool update_put(rfbClientPtr client, const void *data, size_t size)
{
	const char *from = data;

	client->bytesSent += size; /* the library has no use for this field: canvas_bytes() */
	while (size) {
		size_t n = MIN(size, (size_t)(UPDATE_BUF_SIZE - client->ublen));

		memcpy(client->updateBuf + client->ublen, from, n);
		client->ublen += n;
		from += n;
		size -= n;
		if (client->ublen == UPDATE_BUF_SIZE && !rfbSendUpdateBuf(client))
			return false;
	}
	return true;
}

bool update_put_head(rfbClientPtr client, unsigned int rects)
{
	uint8_t head[4] = {0}; /* FramebufferUpdate */

	wire_put_u16(head + 2, rects);
	return update_put(client, head, sizeof(head));
}

bool update_put_rect(rfbClientPtr client, uint16_t x, uint16_t y, uint16_t width, uint16_t height,
	uint32_t encoding)
{
	uint8_t rect[12];

	wire_put_u16(rect, x);
	wire_put_u16(rect + 2, y);
	wire_put_u16(rect + 4, width);
	wire_put_u16(rect + 6, height);
	wire_put_u32(rect + 8, encoding);
	return update_put(client, rect, sizeof(rect));
}

/* As the library waits: the other end takes everything at once, or is gone. */
static bool wait_for_room(rfbClientPtr client)
{
	struct pollfd polled = {.fd = client->sock, .events = POLLOUT};
	int r;

	do {
		r = poll(&polled, 1, client->screen->maxClientWait);
	} while (r < 0 && errno == EINTR);
	return r > 0;
}

static bool write_all(rfbClientPtr client, struct iovec *iov, size_t count)
{
	ssize_t n;

	while (count) {
		n = writev(client->sock, iov, count);
		if (n < 0 && (errno == EINTR || (errno == EAGAIN && wait_for_room(client))))
			continue;
		if (n < 0)
			return false;
		for (; count && (size_t)n >= iov->iov_len; iov++, count--)
			n -= iov->iov_len;
		if (count) {
			iov->iov_base = (char *)iov->iov_base + n;
			iov->iov_len -= n;
		}
	}
	return true;
}

/* Some part is not empty. */
static uint8_t *last_byte(const struct iovec *iov, size_t count)
{
	while (!iov[count - 1].iov_len)
		count--;
	return (uint8_t *)iov[count - 1].iov_base + iov[count - 1].iov_len - 1;
}

bool update_put_parts(
	rfbClientPtr client, const struct outlet *outlet, const struct iovec *parts, size_t count)
{
	struct update_way *way = client->clientData;
	struct iovec iov[2 + UPDATE_PARTS] = {{0}}, last;
	bool going;

	assert(count <= UPDATE_PARTS);
	if (way)
		iov[0] = (struct iovec){way->held, way->held_used};
	iov[1] = (struct iovec){client->updateBuf, client->ublen};
	for (size_t i = 0; i < count; i++) {
		iov[2 + i] = parts[i];
		client->bytesSent += parts[i].iov_len;
	}
	client->ublen = 0;
	if (way)
		way->held_used = 0;
	if (outlet) {
		last = (struct iovec){last_byte(iov, 2 + count), 1};
		going = !outlet->put(outlet->arg, iov, 2 + count) || write_all(client, &last, 1);
	} else {
		going = write_all(client, iov, 2 + count);
	}
	if (!going)
		rfbCloseClient(client);
	return going;
}

/* The library's own function of this name is not called by anybody. */
rfbBool rfbSendUpdateBuf(rfbClientPtr client)
{
	struct update_way *way = client->clientData;

	if (way)
		way->called = true;
	if (client->sock < 0)
		return false;
	if (way && way->held && way->held_used + client->ublen <= UPDATE_HELD) {
		memcpy(way->held + way->held_used, client->updateBuf, client->ublen);
		way->held_used += client->ublen;
		client->ublen = 0;
		return true;
	}
	if (!client->ublen && !(way && way->held_used))
		return true;
	return update_put_parts(client, way ? way->outlet : NULL, NULL, 0);
}

/* Its call is in the same file as its own function: where that comes here, all do. */
int update_learn(void)
{
	rfbClientPtr client = new0(struct _rfbClientRec);
	struct update_way way = {0};

	if (!client)
		return -ENOMEM;
	client->sock = -1;
	client->ublen = UPDATE_BUF_SIZE;
	client->clientData = &way;
	rfbSendLastRectMarker(client);
	ours = way.called;
	free(client);
	return 0;
}

void update_hold(rfbClientPtr client, uint8_t *held)
{
	struct update_way *way = client->clientData;

	if (way && ours)
		way->held = held;
}

bool update_release(rfbClientPtr client)
{
	struct update_way *way = client->clientData;
	bool going = client->sock >= 0;

	if (!way)
		return going && update_flush(client);
	if (going && (way->held_used || client->ublen))
		going = update_put_parts(client, way->outlet, NULL, 0);
	way->held = NULL;
	way->held_used = 0;
	return going;
}

bool update_flush(rfbClientPtr client)
{
	return !client->ublen || rfbSendUpdateBuf(client);
}
