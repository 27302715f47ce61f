/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rfb/update.h"

#include "base/mem.h"
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

bool update_flush(rfbClientPtr client)
{
	return !client->ublen || rfbSendUpdateBuf(client);
}
