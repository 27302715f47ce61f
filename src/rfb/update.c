/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rfb/update.h"

#include <errno.h>
#include <poll.h>

#include "base/mem.h"
#include "rfb/outlet.h"
#include "rfb/wire.h"

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
	struct iovec iov[1 + UPDATE_PARTS], last;
	bool going;

	assert(count <= UPDATE_PARTS);
	iov[0] = (struct iovec){client->updateBuf, client->ublen};
	for (size_t i = 0; i < count; i++) {
		iov[1 + i] = parts[i];
		client->bytesSent += parts[i].iov_len;
	}
	client->ublen = 0;
	if (outlet) {
		last = (struct iovec){last_byte(iov, 1 + count), 1};
		going = !outlet->put(outlet->arg, iov, 1 + count) || write_all(client, &last, 1);
	} else {
		going = write_all(client, iov, 1 + count);
	}
	if (!going)
		rfbCloseClient(client);
	return going;
}

bool update_flush(rfbClientPtr client)
{
	return !client->ublen || rfbSendUpdateBuf(client);
}
