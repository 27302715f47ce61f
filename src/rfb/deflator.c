/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * The bound is that of stored blocks. A library that needs more room than that is stopped by the end of it, and the bytes are
 * then stored by hand.
 */
#include "rfb/deflator.h"

#include <errno.h>
#include <zlib.h>

#include "base/mem.h"

#define STORED_MAX 65535 /* bytes of a stored block, RFC 1951 3.2.4 */

static const uint8_t stream_head[2] = {0x78, 0x01}; /* deflate, window of 32 KiB, fast */
static const uint8_t sync_flush[5] = {0, 0, 0, 0xff, 0xff};

struct deflator {
	z_stream stream;
	int level;
};

/* That of stored blocks. */
size_t deflator_bound(size_t size)
{
	return sizeof(stream_head) + size + 5 * DIV_ROUND_UP(size, STORED_MAX) + sizeof(sync_flush);
}

int deflator_create(struct deflator **ret)
{
	_cleanup_free_ struct deflator *deflator = new0(struct deflator);

	if (!deflator)
		return -ENOMEM;
	deflator->level = 1;
	if (deflateInit(&deflator->stream, deflator->level) != Z_OK)
		return -ENOMEM;
	*ret = take_ptr(deflator);
	return 0;
}

void deflator_destroy(struct deflator *deflator)
{
	if (!deflator)
		return;
	deflateEnd(&deflator->stream);
	free(deflator);
}

static size_t store(const uint8_t *bytes, size_t size, uint8_t *ret)
{
	uint8_t *at = ret;

	memcpy(at, stream_head, sizeof(stream_head));
	at += sizeof(stream_head);
	while (size) {
		size_t part = MIN(size, (size_t)STORED_MAX);
		const uint8_t head[5] = {
			0, part & 0xff, part >> 8, ~part & 0xff, ~part >> 8 & 0xff};

		memcpy(at, head, sizeof(head));
		memcpy(at + sizeof(head), bytes, part);
		at += sizeof(head) + part;
		bytes += part;
		size -= part;
	}
	memcpy(at, sync_flush, sizeof(sync_flush));
	return at + sizeof(sync_flush) - ret;
}

/* 0: not in @room. */
static size_t squeeze(struct deflator *deflator, int level, const uint8_t *bytes, size_t size,
	uint8_t *ret, size_t room)
{
	z_stream *stream = &deflator->stream;

	deflateReset(stream);
	if (level != deflator->level && deflateParams(stream, level, Z_DEFAULT_STRATEGY) == Z_OK)
		deflator->level = level;
	stream->next_in = (Bytef *)bytes;
	stream->avail_in = size;
	stream->next_out = ret;
	stream->avail_out = room;
	if (deflate(stream, Z_SYNC_FLUSH) != Z_OK || stream->avail_in || !stream->avail_out)
		return 0;
	return room - stream->avail_out;
}

size_t deflator_bytes(
	struct deflator *deflator, int level, const uint8_t *bytes, size_t size, uint8_t *ret)
{
	size_t used = squeeze(deflator, MAX(level, 1), bytes, size, ret, deflator_bound(size));

	return used ? used : store(bytes, size, ret);
}
