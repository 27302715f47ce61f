/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/mapping.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "capture/capture.h"
#include "capture/stream.h"

/* Which bytes of a buffer to map: whole pages. */
struct span {
	uint64_t first, length;
	uint64_t lead; /* from @first to the plane */
};

static const char *span_find(
	const struct buffer *buffer, uint64_t offset, uint64_t bytes, struct span *ret)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), end, limit = buffer->length;
	struct span span = {.first = offset / page * page, .lead = offset % page};

	if (__builtin_add_overflow(offset, bytes, &end) || end > INT64_MAX - page)
		return "the plane begins beyond its buffer";
	if (limit && end > limit)
		return buffer->dmabuf ? "the dma-buf is smaller than its plane"
				      : "the plane reaches beyond its memory";
	end = ALIGN_UP(end, page);
	if (limit && buffer->dmabuf)
		end = MIN(end, limit / page * page);
	if (end <= offset)
		return "the dma-buf is smaller than a page";
	span.length = end - span.first;
	if (span.length > SIZE_MAX ||
		span.first > (uint64_t)INT64_MAX - page - (uint64_t)buffer->offset)
		return "the plane is larger than the address space";
	*ret = span;
	return NULL;
}

/* What a failed mmap means. A region whose memory the driver has not made yet is refused with EINVAL, so there that passes. */
static int map_error(const struct buffer *buffer, int error, const char **ret_reason)
{
	switch (error) {
	case EINVAL:
		if (!buffer->dmabuf) {
			*ret_reason = "the driver refuses to map the plane's region";
			return -EIO;
		}
		break;
	case EACCES:
	case ENODEV:
	case ENXIO:
	case EOPNOTSUPP:
	case EPERM:
		break;
	default:
		*ret_reason = "the plane's memory cannot be mapped now";
		return -error;
	}
	*ret_reason = buffer->dmabuf ? "the driver's dma-bufs cannot be mapped by the CPU"
				     : "the plane's memory cannot be mapped";
	return -ENODEV;
}

static int measure_rate(void *arg)
{
	const struct mapping *mapping = arg;

	return (int)stream_rate(mapping->pixels, mapping->readable);
}

int mapping_open(struct mapping *mapping, const struct buffer *buffer, uint64_t offset,
	uint64_t bytes, const char **ret_reason)
{
	struct span span;
	void *base;
	int rate;
	const char *wrong = span_find(buffer, offset, bytes, &span);

	if (wrong) {
		*ret_reason = wrong;
		return -ERANGE;
	}
	base = mmap(NULL, (size_t)span.length, PROT_READ, MAP_SHARED, buffer->fd,
		buffer->offset + (off_t)span.first);
	if (base == MAP_FAILED)
		return map_error(buffer, errno, ret_reason);
	*mapping = (struct mapping){
		.base = base,
		.length = (size_t)span.length,
		.pixels = (const uint8_t *)base + span.lead,
		.asked = bytes,
		.readable = MIN(bytes, span.length - span.lead),
	};
	/* A SIGBUS is found by who reads all of it. */
	rate = capture_guard(measure_rate, mapping);
	mapping->slow = rate > 0 && rate < (int)STREAM_SLOW;
	return 0;
}

void mapping_close(struct mapping *mapping)
{
	if (mapping->base)
		munmap(mapping->base, mapping->length);
	*mapping = (struct mapping){0};
}
