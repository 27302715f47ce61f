/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hash_x86.h - what the kernels of hash_pclmul.c, hash_avx2.c and hash_avx512.c share.
 *
 * Memory is the limit, so rows are read from end to end, one after the other: the hardware prefetchers follow that best, but for
 * cores that avx2_four_rows_sum() speaks of. The hash of every group of the strip grows with each
 * row, so the memory of all of them is swept as often, and must stay small beside a row of pixels: one vector for each group, folded
 * to 128 bits after the last row. The loads of one step come before its arithmetic: measured to be a few per cent faster than
 * one after the other.
 *
 * Tiles are read in the order of their memory, which is one group after the other.
 *
 * Streaming stores go past the caches: a frame is larger than they are, and the source of the next row of blocks is to stay.
 */
#pragma once

#include <immintrin.h>

#include "damage/hash.h"
#include "damage/span.h"

#define INLINE static inline __attribute__((always_inline))
#define PCLMUL __attribute__((target("sse4.1,pclmul")))
#define PIN(v) __asm__ volatile("" : "+x"(v)) /* loaded once: not to be loaded again */

/* What is worth fetching in advance differs. Intel's cores gain a third by every line 2 KiB ahead. AMD's lose as much by that,
 * their own prefetchers being there already, but these stop where a page ends: one line of each 256 bytes three pages ahead brings
 * the page's translation in time, and some 5 to 10 % of speed. Past the end of a mapping a prefetch does nothing. */
INLINE bool ahead_each_line(void)
{
	return __builtin_cpu_is("intel");
}

/* For the next group of 4-byte pixels. */
INLINE void ahead(const uint8_t *at, bool each_line)
{
	if (!each_line) {
		__builtin_prefetch(at + 12288, 0, 2);
		return;
	}
	for (size_t i = 0; i < HASH_GROUP; i++)
		__builtin_prefetch(at + 2048 + i * 64);
}

/* Spans: each word times the key word of its place, summed up for a row of a group, and brought to 64 bits. */
INLINE PCLMUL void span_settle(const struct spans *spans, size_t group, size_t y, __m128i sum)
{
	const __m128i low = _mm_cvtsi64_si128(SPAN_LOW);
	__m128i carried = _mm_clmulepi64_si128(sum, low, 0x01);

	sum = _mm_xor_si128(sum, carried);
	sum = _mm_xor_si128(sum, _mm_clmulepi64_si128(carried, low, 0x01));
	spans->at[group * spans->pitch + y] = (uint64_t)_mm_cvtsi128_si64(sum) ^ spans->key->salt;
}
