/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * The bound is that of stored blocks. A library that needs more room than that is stopped by the end of it, and the bytes are
 * then stored by hand.
 *
 * ISA-L, where there is one, is given all bytes at once ("stateless"), and a full flush, which ends with the same bytes as a sync
 * flush. Measured on pictures of screens, its level 1 makes about as many bytes as zlib's and takes a third of the time or less; its levels 2
 * and 3 save nothing. From LEVEL_SMALL on bytes count for more than time, and zlib's level 6 saves a tenth of them.
 */
#include "rfb/deflator.h"

#include <errno.h>
#include <stdbool.h>
#include <zlib.h>

#include "base/mem.h"

#ifdef HAVE_ISAL
#include <isa-l/igzip_lib.h>
#endif

#define STORED_MAX  65535 /* bytes of a stored block, RFC 1951 3.2.4 */
#define LEVEL_SMALL 6
#define ZLIB_FAST   1
#define ZLIB_SMALL  6

static const uint8_t stream_head[2] = {0x78, 0x01}; /* deflate, window of 32 KiB, fast */
static const uint8_t sync_flush[5] = {0, 0, 0, 0xff, 0xff};

struct deflator {
#ifdef HAVE_ISAL
	struct isal_zstream isal;
	uint8_t isal_level[ISAL_DEF_LVL1_DEFAULT];
#endif
	z_stream zlib;
	bool zlib_there;
	int zlib_level;
};

size_t deflator_bound(size_t size)
{
	return sizeof(stream_head) + size + 5 * DIV_ROUND_UP(size, STORED_MAX) + sizeof(sync_flush);
}

int deflator_level(int level)
{
#ifdef HAVE_ISAL
	return level >= LEVEL_SMALL ? LEVEL_SMALL : MIN(level, 1);
#else
	return level >= LEVEL_SMALL ? LEVEL_SMALL : 1;
#endif
}

/* Where ISA-L is, zlib's 256 KiB wait for the first viewer who wants them. */
static bool zlib_open(struct deflator *deflator)
{
	if (!deflator->zlib_there) {
		deflator->zlib_level = ZLIB_SMALL;
		deflator->zlib_there = deflateInit(&deflator->zlib, ZLIB_SMALL) == Z_OK;
	}
	return deflator->zlib_there;
}

int deflator_create(struct deflator **ret)
{
	_cleanup_free_ struct deflator *deflator = new0(struct deflator);

	if (!deflator)
		return -ENOMEM;
#ifndef HAVE_ISAL
	if (!zlib_open(deflator))
		return -ENOMEM;
#endif
	*ret = take_ptr(deflator);
	return 0;
}

void deflator_destroy(struct deflator *deflator)
{
	if (!deflator)
		return;
	if (deflator->zlib_there)
		deflateEnd(&deflator->zlib);
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

/* 0, as of all that follow: not in @room. */
static size_t squeeze_zlib(struct deflator *deflator, int level, const uint8_t *bytes, size_t size,
	uint8_t *ret, size_t room)
{
	z_stream *stream = &deflator->zlib;

	if (!zlib_open(deflator))
		return 0;
	deflateReset(stream);
	if (level != deflator->zlib_level) {
		if (deflateParams(stream, level, Z_DEFAULT_STRATEGY) != Z_OK)
			return 0;
		deflator->zlib_level = level;
	}
	stream->next_in = (Bytef *)bytes;
	stream->avail_in = size;
	stream->next_out = ret;
	stream->avail_out = room;
	if (deflate(stream, Z_SYNC_FLUSH) != Z_OK || stream->avail_in || !stream->avail_out)
		return 0;
	return room - stream->avail_out;
}

#ifdef HAVE_ISAL
static size_t squeeze_isal(struct deflator *deflator, int level, const uint8_t *bytes, size_t size,
	uint8_t *ret, size_t room)
{
	struct isal_zstream *stream = &deflator->isal;

	isal_deflate_stateless_init(stream);
	stream->level = level;
	stream->level_buf = deflator->isal_level;
	stream->level_buf_size = sizeof(deflator->isal_level);
	stream->flush = FULL_FLUSH;
	stream->next_in = (uint8_t *)bytes;
	stream->avail_in = size;
	stream->next_out = ret + sizeof(stream_head);
	stream->avail_out = room - sizeof(stream_head);
	if (isal_deflate_stateless(stream) != COMP_OK || stream->avail_in)
		return 0;
	memcpy(ret, stream_head, sizeof(stream_head));
	return room - stream->avail_out;
}
#endif

static size_t squeeze(struct deflator *deflator, int level, const uint8_t *bytes, size_t size,
	uint8_t *ret, size_t room)
{
#ifdef HAVE_ISAL
	if (level < LEVEL_SMALL)
		return squeeze_isal(deflator, level, bytes, size, ret, room);
#endif
	return squeeze_zlib(
		deflator, level < LEVEL_SMALL ? ZLIB_FAST : ZLIB_SMALL, bytes, size, ret, room);
}

size_t deflator_bytes(
	struct deflator *deflator, int level, const uint8_t *bytes, size_t size, uint8_t *ret)
{
	size_t used =
		squeeze(deflator, deflator_level(level), bytes, size, ret, deflator_bound(size));

	return used ? used : store(bytes, size, ret);
}
