/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stream.h - memory that is slow to read: write-combined or uncached, as a GPU's aperture or a device's region is.
 *
 * Plain loads take such memory in pieces of their own width, a bus transaction for each. MOVNTDQA takes a line of the cache at once
 * (Intel's Software Developer's Manual, volume 1, "Streaming Load Hint"), if the loads of a line follow each other and nothing else
 * gets in between; on memory that is cached it is a load like all others.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STREAM_SLOW \
	2000u /* MB/s: what is read slower than this is slow; caches and DRAM give five times as much */
#define STREAM_SAMPLE	    (256u << 10) /* bytes that are read to find out */
#define STREAM_SAMPLE_LEAST (64u << 10)	 /* of less nobody asks: a cursor */

/* Each byte of @src is read once, from the first to the last. Neither end is aligned. */
void stream_copy(void *dst, const void *src, size_t bytes);
/* Its twin. */
void stream_copy_scalar(void *dst, const void *src, size_t bytes);

/* MB/s at which the first @bytes of what was just mapped are read with plain loads, some KiB at a time, the best of a few; 0: too few to
 * tell. May be left by siglongjmp. */
unsigned int stream_rate(const uint8_t *pixels, size_t bytes);
