/* SPDX-License-Identifier: GPL-2.0-or-later */
/* deflator.h - bytes to a zlib stream (RFC 1950) that begins here and ends with a sync flush: an empty stored block, at a byte, and no
 * end of the stream. ISA-L or zlib behind it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct deflator;

/* -ENOMEM. */
int deflator_create(struct deflator **ret);
void deflator_destroy(struct deflator *deflator);
/* The most bytes that @size bytes become. */
size_t deflator_bound(size_t size);
/* The lowest of RFB's levels, 0 to 9, that does the same as @level. */
int deflator_level(int level);
/* Nothing of what went before is used. @level: RFB's, 0 to 9. Returns bytes. */
size_t deflator_bytes(
	struct deflator *deflator, int level, const uint8_t *bytes, size_t size, uint8_t *ret);
