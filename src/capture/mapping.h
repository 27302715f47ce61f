/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mapping.h - one read-only mmap of a buffer, as long as a plane needs and no longer. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "plane/source.h"

struct mapping {
	void *base;	       /* NULL: nothing is mapped */
	size_t length;	       /* bytes, whole pages */
	const uint8_t *pixels; /* the plane's first byte, inside */
	uint64_t asked;	       /* bytes of the plane */
	uint64_t
		readable; /* bytes from @pixels on that may be read: can be less than asked for, see below */
	bool slow; /* to read, as was measured when it was mapped (stream.h) */
};

/* Maps @bytes from @offset of @buffer. The kernel's limits: drivers take MAP_SHARED only; NVIDIA's console region claims
 * 16 MiB but can be mapped only as far as it was allocated; of a dma-buf only the whole pages below its size can be mapped
 * (drivers/dma-buf/dma-buf.c, dma_buf_mmap_internal), so that the end of an 800x600 plane stays out of reach.
 * -ENODEV: never, for this buffer; -ERANGE: the plane does not lie inside the buffer; -EIO, -ENOMEM and others: not now.
 * @ret_reason: static text on error. */
int mapping_open(struct mapping *mapping, const struct buffer *buffer, uint64_t offset,
	uint64_t bytes, const char **ret_reason);
/* May be called on what is not mapped. */
void mapping_close(struct mapping *mapping);
