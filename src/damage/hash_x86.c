/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation.
 *
 * Memory is the limit, so rows are read from end to end, one after the other: the hardware prefetchers follow that best (tiles
 * one after the other, or several rows at once, reach half of the rate). The hash of every group of the strip grows with each
 * row, so the memory of all of them is swept as often, and must stay small beside a row of pixels: one vector for each group, folded
 * to 128 bits after the last row. The loads of one step come before its arithmetic: measured to be a few per cent faster than
 * one after the other.
 *
 * Tiles are read in the order of their memory, which is one group after the other.
 *
 * Streaming stores go past the caches: a frame is larger than they are, and the source of the next row of blocks is to stay.
 */
#include "damage/hash.h"
#include "damage/span.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <string.h>

#define INLINE	 static inline __attribute__((always_inline))
#define PCLMUL	 __attribute__((target("sse4.1,pclmul")))
#define AVX2	 __attribute__((target("avx2,pclmul,vpclmulqdq")))
#define AVX512	 __attribute__((target("avx512f,avx512vl,avx2,pclmul,vpclmulqdq")))
#define STREAMS	 4u
#define PIN(v)	 __asm__ volatile("" : "+x"(v)) /* loaded once: not to be loaded again */
#define PIN_Z(v) __asm__ volatile("" : "+v"(v))

/* What is worth fetching in advance differs. Intel's cores gain a third by every line 2 KiB ahead. AMD's lose as much by that,
 * their own prefetchers being there already, but these stop where a page ends: one line of each 256 bytes three pages ahead brings
 * the page's translation in time, and some 5 to 10 % of speed. Past the end of a mapping a prefetch does nothing. */
static bool ahead_each_line(void)
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

/* 128 bits. */

static bool pclmul_usable(void)
{
	return __builtin_cpu_supports("sse4.1") && __builtin_cpu_supports("pclmul");
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

INLINE PCLMUL __m128i pclmul_span(__m128i v, __m128i key, __m128i span)
{
	span = _mm_xor_si128(span, _mm_clmulepi64_si128(v, key, 0x00));
	return _mm_xor_si128(span, _mm_clmulepi64_si128(v, key, 0x11));
}

/* @span may be NULL, and is of the block with @span_words. */
INLINE PCLMUL __m128i pclmul_block(const uint64_t *words, const uint8_t *src, unsigned int bytes,
	__m128i mask, uint8_t *dst, __m128i sum, const uint64_t *span_words, __m128i *span)
{
	const __m128i *key = (const __m128i *)words;

	for (unsigned int i = 0; i < bytes; i++) {
		__m128i v = _mm_and_si128(_mm_loadu_si128((const __m128i *)(src + i * 16)), mask);

		PIN(v);
		if (dst)
			_mm_stream_si128((__m128i *)(dst + i * 16), v);
		if (span)
			*span = pclmul_span(v, ((const __m128i *)span_words)[i], *span);
		v = _mm_xor_si128(v, key[i]);
		sum = _mm_xor_si128(sum, _mm_clmulepi64_si128(v, v, 0x10));
	}
	return sum;
}

INLINE PCLMUL void pclmul_row(const uint64_t (*words)[HASH_BYTES / 8], const uint8_t *src,
	size_t columns, unsigned int bytes, __m128i mask, struct hash *groups)
{
	bool each_line = ahead_each_line();
	size_t c = 0;

	for (; c + HASH_GROUP <= columns; c += HASH_GROUP, groups++) {
		__m128i sum = _mm_loadu_si128((const __m128i *)groups);

		ahead(src, each_line);
#pragma GCC unroll 4
		for (unsigned int i = 0; i < HASH_GROUP; i++, src += bytes * 16)
			sum = pclmul_block(words[i], src, bytes, mask, NULL, sum, NULL, NULL);
		_mm_storeu_si128((__m128i *)groups, sum);
	}
	for (unsigned int i = 0; c < columns; c++, i++, src += bytes * 16) {
		__m128i sum = _mm_loadu_si128((const __m128i *)groups);

		sum = pclmul_block(words[i], src, bytes, mask, NULL, sum, NULL, NULL);
		_mm_storeu_si128((__m128i *)groups, sum);
	}
}

PCLMUL static void pclmul_sum(
	const struct hash_key *key, const struct strip *strip, uint8_t *sums, struct hash *groups)
{
	__m128i mask = _mm_set1_epi64x((long long)strip->mask);

	for (unsigned int y = 0; y < strip->rows; y++) {
		const uint8_t *src = strip->pixels + y * strip->stride;

		if (strip->bytes == 4)
			pclmul_row(key->words[y], src, strip->columns, 4, mask, groups);
		else
			pclmul_row(key->words[y], src, strip->columns, strip->bytes, mask, groups);
	}
}

PCLMUL static void pclmul_sum_lines(
	const struct hash_lines *lines, const uint8_t *group, uint64_t mask, struct hash *hash)
{
	__m128i sum = _mm_loadu_si128((const __m128i *)hash);
	__m128i wide = _mm_set1_epi64x((long long)mask);

	for (unsigned int i = 0; i < lines->used; i++)
		sum = pclmul_block(
			lines->key[i], group + lines->at[i], 4, wide, NULL, sum, NULL, NULL);
	_mm_storeu_si128((__m128i *)hash, sum);
}

INLINE PCLMUL void pclmul_row_store(const struct hash_key *key, const struct strip *strip,
	unsigned int y, uint8_t *row, struct hash *blocks, const struct spans *spans)
{
	__m128i mask = _mm_set1_epi64x((long long)strip->mask), span = _mm_setzero_si128();
	const uint8_t *src = strip->pixels + y * strip->stride;

	for (size_t c = 0; c < strip->columns; c++, src += strip->bytes * 16) {
		__m128i *sum = (__m128i *)&blocks[c];

		_mm_storeu_si128(
			sum, pclmul_block(key->words[y][c % HASH_GROUP], src, strip->bytes, mask,
				     row ? row + c * HASH_BYTES : NULL, _mm_loadu_si128(sum),
				     spans ? spans->key->words + c % HASH_GROUP * 8 : NULL,
				     spans ? &span : NULL));
		if (spans && (c % HASH_GROUP == HASH_GROUP - 1 || c + 1 == strip->columns)) {
			span_settle(spans, c / HASH_GROUP, y, span);
			span = _mm_setzero_si128();
		}
	}
}

PCLMUL static void pclmul_store(const struct hash_key *key, const struct strip *strip, uint8_t *dst,
	size_t dst_stride, struct hash *blocks, const struct spans *spans)
{
	memset(blocks, 0, strip->columns * sizeof(*blocks));
	for (unsigned int y = 0; y < strip->rows; y++)
		pclmul_row_store(key, strip, y, dst ? dst + y * dst_stride : NULL, blocks, spans);
}

const struct hash_kernel hash_pclmul = {
	.name = "pclmul",
	.usable = pclmul_usable,
	.sum = pclmul_sum,
	.sum_lines = pclmul_sum_lines,
	.store = pclmul_store,
	.has_spans = true,
};

/* 256 bits. */

static bool avx2_usable(void)
{
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("pclmul") &&
	       __builtin_cpu_supports("vpclmulqdq");
}

/* What a row of a group needs. Words past the end of a narrow pixel's row are not loaded and have no key: their product is 0. */
struct avx2_row {
	__m256i mask, key[HASH_GROUP][2], lanes[2];
};

INLINE AVX2 struct avx2_row avx2_prepare(
	const uint64_t (*words)[HASH_BYTES / 8], unsigned int bytes, uint64_t mask)
{
	struct avx2_row row = {.mask = _mm256_set1_epi64x((long long)mask)};

	row.lanes[0] = _mm256_set_epi64x(-(bytes > 1), -(bytes > 1), -1, -1);
	row.lanes[1] = _mm256_set_epi64x(-(bytes > 3), -(bytes > 3), -(bytes > 2), -(bytes > 2));
	for (unsigned int i = 0; i < HASH_GROUP; i++) {
		const __m256i *key = (const __m256i *)words[i];

		row.key[i][0] = _mm256_and_si256(key[0], row.lanes[0]);
		row.key[i][1] = _mm256_and_si256(key[1], row.lanes[1]);
	}
	return row;
}

INLINE AVX2 void avx2_load(
	const struct avx2_row *row, const uint8_t *src, bool whole, __m256i ret[2])
{
	ret[0] = whole ? _mm256_loadu_si256((const __m256i *)src)
		       : _mm256_maskload_epi64((const long long *)src, row->lanes[0]);
	ret[1] = whole ? _mm256_loadu_si256((const __m256i *)(src + 32))
		       : _mm256_maskload_epi64((const long long *)(src + 32), row->lanes[1]);
	PIN(ret[0]);
	PIN(ret[1]);
}

/* Of block @i of the group. Both 128-bit halves are still to be xor-ed. */
INLINE AVX2 __m256i avx2_product(
	const struct avx2_row *row, unsigned int i, __m256i v[2], uint8_t *dst)
{
	for (unsigned int half = 0; half < 2; half++) {
		v[half] = _mm256_and_si256(v[half], row->mask);
		if (dst)
			_mm256_stream_si256((__m256i *)(dst + half * 32), v[half]);
		v[half] = _mm256_xor_si256(v[half], row->key[i][half]);
		v[half] = _mm256_clmulepi64_epi128(v[half], v[half], 0x10);
	}
	return _mm256_xor_si256(v[0], v[1]);
}

INLINE AVX2 void avx2_fold(__m256i sum, struct hash *hash)
{
	__m128i was = _mm_loadu_si128((const __m128i *)hash);

	was = _mm_xor_si128(was, _mm256_castsi256_si128(sum));
	was = _mm_xor_si128(was, _mm256_extracti128_si256(sum, 1));
	_mm_storeu_si128((__m128i *)hash, was);
}

INLINE AVX2 void avx2_row_sum(const struct avx2_row *row, const uint8_t *src, size_t columns,
	size_t pitch, bool whole, __m256i *sums)
{
	bool each_line = ahead_each_line();
	size_t c = 0;
	__m256i v[2], w[2];

	for (; c + HASH_GROUP <= columns; c += HASH_GROUP, sums++) {
		__m256i sum = *sums;

		ahead(src, each_line);
#pragma GCC unroll 2
		for (unsigned int i = 0; i < HASH_GROUP; i += 2, src += pitch * 2) {
			avx2_load(row, src, whole, v);
			avx2_load(row, src + pitch, whole, w);
			sum = _mm256_xor_si256(sum, avx2_product(row, i, v, NULL));
			sum = _mm256_xor_si256(sum, avx2_product(row, i + 1, w, NULL));
		}
		*sums = sum;
	}
	for (unsigned int i = 0; c < columns; c++, i++, src += pitch) {
		avx2_load(row, src, whole, v);
		*sums = _mm256_xor_si256(*sums, avx2_product(row, i, v, NULL));
	}
}

/* Four rows at once, a quarter of a row of blocks apart from each other: AMD's cores without 512 bits (Zen 3) read four places of
 * memory nearly twice as fast as one after the other, and lose by anything that is fetched in advance. Whole groups of 4-byte pixels. */
INLINE AVX2 void avx2_four_rows_sum(
	const struct hash_key *key, const struct strip *strip, unsigned int y, __m256i *sums)
{
	const __m256i mask = _mm256_set1_epi64x((long long)strip->mask);

	for (size_t g = 0; g < strip->columns / HASH_GROUP; g++) {
		__m256i sum = sums[g];

#pragma GCC unroll 4
		for (unsigned int n = 0; n < STREAMS; n++) {
			const unsigned int at = y + n * (HASH_ROWS / STREAMS);
			const __m256i *words = (const __m256i *)key->words[at];
			const __m256i *src =
				(const __m256i *)(strip->pixels + at * (size_t)strip->stride) +
				g * 2 * HASH_GROUP;

#pragma GCC unroll 8
			for (unsigned int i = 0; i < 2 * HASH_GROUP; i++) {
				__m256i v = _mm256_loadu_si256(src + i);

				PIN(v);
				v = _mm256_xor_si256(_mm256_and_si256(v, mask), words[i]);
				v = _mm256_clmulepi64_epi128(v, v, 0x10);
				sum = _mm256_xor_si256(sum, v);
			}
		}
		sums[g] = sum;
	}
}

INLINE AVX2 void avx2_each_row_sum(
	const struct hash_key *key, const struct strip *strip, __m256i *sums)
{
	size_t pitch = strip->bytes * 16;

	for (unsigned int y = 0; y < strip->rows; y++) {
		struct avx2_row row = avx2_prepare(key->words[y], strip->bytes, strip->mask);
		const uint8_t *src = strip->pixels + y * strip->stride;

		if (strip->bytes == 4)
			avx2_row_sum(&row, src, strip->columns, HASH_BYTES, true, sums);
		else
			avx2_row_sum(&row, src, strip->columns, pitch, false, sums);
	}
}

static bool has_four_rows(const struct strip *strip)
{
	return strip->bytes == 4 && strip->rows == HASH_ROWS && strip->columns % HASH_GROUP == 0 &&
	       !ahead_each_line();
}

AVX2 static void avx2_sum(
	const struct hash_key *key, const struct strip *strip, uint8_t *sums, struct hash *groups)
{
	size_t n = (strip->columns + HASH_GROUP - 1) / HASH_GROUP;
	__m256i *wide = (__m256i *)sums;

	memset(sums, 0, n * sizeof(*wide));
	if (has_four_rows(strip))
		for (unsigned int y = 0; y < HASH_ROWS / STREAMS; y++)
			avx2_four_rows_sum(key, strip, y, wide);
	else
		avx2_each_row_sum(key, strip, wide);
	for (size_t g = 0; g < n; g++)
		avx2_fold(wide[g], &groups[g]);
}

AVX2 static void avx2_sum_lines(
	const struct hash_lines *lines, const uint8_t *group, uint64_t mask, struct hash *hash)
{
	const __m256i wide = _mm256_set1_epi64x((long long)mask);
	__m256i sum = _mm256_setzero_si256();

	for (unsigned int i = 0; i < lines->used; i++) {
		const __m256i *key = (const __m256i *)lines->key[i];
		const __m256i *src = (const __m256i *)(group + lines->at[i]);

		__builtin_prefetch((const uint8_t *)src + lines->ahead, 0, 2);
		for (unsigned int half = 0; half < 2; half++) {
			__m256i v = _mm256_and_si256(_mm256_loadu_si256(src + half), wide);

			v = _mm256_xor_si256(v, key[half]);
			v = _mm256_clmulepi64_epi128(v, v, 0x10);
			sum = _mm256_xor_si256(sum, v);
		}
	}
	avx2_fold(sum, hash);
}

INLINE AVX2 __m256i avx2_span(const struct avx2_row *row, const __m256i v[2], const uint64_t *words)
{
	const __m256i *key = (const __m256i *)words;
	__m256i low = _mm256_and_si256(v[0], row->mask), high = _mm256_and_si256(v[1], row->mask);

	low = _mm256_xor_si256(_mm256_clmulepi64_epi128(low, key[0], 0x00),
		_mm256_clmulepi64_epi128(low, key[0], 0x11));
	high = _mm256_xor_si256(_mm256_clmulepi64_epi128(high, key[1], 0x00),
		_mm256_clmulepi64_epi128(high, key[1], 0x11));
	return _mm256_xor_si256(low, high);
}

AVX2 static void avx2_sum_spans(const struct hash_lines *lines, const uint8_t *row, uint64_t mask,
	const struct spans *spans, struct hash *hash)
{
	const struct avx2_row kept = {.mask = _mm256_set1_epi64x((long long)mask)};
	__m256i sum = _mm256_setzero_si256(), span = sum, v[2];

	for (unsigned int i = 0; i < lines->used; i++) {
		const __m256i *key = (const __m256i *)lines->key[i];
		const uint8_t *src = row + lines->at[i];

		__builtin_prefetch(src + lines->ahead, 0, 2);
		avx2_load(&kept, src, true, v);
		span = _mm256_xor_si256(
			span, avx2_span(&kept, v, spans->key->words + i % HASH_GROUP * 8));
		if (i % HASH_GROUP == HASH_GROUP - 1) {
			span_settle(spans, i / HASH_GROUP, 0,
				_mm_xor_si128(_mm256_castsi256_si128(span),
					_mm256_extracti128_si256(span, 1)));
			span = _mm256_setzero_si256();
		}
		for (unsigned int half = 0; half < 2; half++) {
			v[half] = _mm256_and_si256(v[half], kept.mask);
			v[half] = _mm256_xor_si256(v[half], key[half]);
			v[half] = _mm256_clmulepi64_epi128(v[half], v[half], 0x10);
			sum = _mm256_xor_si256(sum, v[half]);
		}
	}
	avx2_fold(sum, hash);
}

/* Of one row of a group: @sums are its blocks'. */
INLINE AVX2 void avx2_group_store(const uint64_t (*words)[HASH_BYTES / 8], const uint8_t *src,
	__m256i mask, uint8_t *dst, __m256i sums[HASH_GROUP], const uint64_t *span_words,
	__m256i *span)
{
#pragma GCC unroll 8
	for (unsigned int i = 0; i < 2 * HASH_GROUP; i++) {
		__m256i v = _mm256_loadu_si256((const __m256i *)src + i);

		PIN(v);
		v = _mm256_and_si256(v, mask);
		_mm256_stream_si256((__m256i *)dst + i, v);
		if (span) {
			__m256i key = ((const __m256i *)span_words)[i];

			*span = _mm256_xor_si256(*span, _mm256_clmulepi64_epi128(v, key, 0x00));
			*span = _mm256_xor_si256(*span, _mm256_clmulepi64_epi128(v, key, 0x11));
		}
		v = _mm256_xor_si256(v, ((const __m256i *)words)[i]);
		v = _mm256_clmulepi64_epi128(v, v, 0x10);
		sums[i / 2] = _mm256_xor_si256(sums[i / 2], v);
	}
}

/* As avx2_four_rows_sum(). */
INLINE AVX2 void avx2_four_rows_store(const struct hash_key *key, const struct strip *strip,
	unsigned int y, uint8_t *dst, size_t dst_stride, struct hash *blocks,
	const struct spans *spans)
{
	const __m256i mask = _mm256_set1_epi64x((long long)strip->mask);

	for (size_t g = 0; g < strip->columns / HASH_GROUP; g++) {
		__m256i sums[HASH_GROUP] = {0};

#pragma GCC unroll 4
		for (unsigned int n = 0; n < STREAMS; n++) {
			const unsigned int at = y + n * (HASH_ROWS / STREAMS);
			const size_t left = g * HASH_GROUP * HASH_BYTES;
			__m256i span = _mm256_setzero_si256();

			avx2_group_store(key->words[at], strip->pixels + at * strip->stride + left,
				mask, dst + at * dst_stride + left, sums,
				spans ? spans->key->words : NULL, spans ? &span : NULL);
			if (spans)
				span_settle(spans, g, at,
					_mm_xor_si128(_mm256_castsi256_si128(span),
						_mm256_extracti128_si256(span, 1)));
		}
#pragma GCC unroll 4
		for (unsigned int i = 0; i < HASH_GROUP; i++)
			avx2_fold(sums[i], &blocks[g * HASH_GROUP + i]);
	}
}

INLINE AVX2 void avx2_row_store(const struct avx2_row *row, const uint8_t *src, size_t columns,
	size_t pitch, bool whole, uint8_t *dst, struct hash *blocks, const struct spans *spans,
	unsigned int y)
{
	__m256i v[2], span = _mm256_setzero_si256();

	for (size_t c = 0; c < columns; c++, src += pitch) {
		avx2_load(row, src, whole, v);
		if (spans) {
			span = _mm256_xor_si256(
				span, avx2_span(row, v, spans->key->words + c % HASH_GROUP * 8));
			if (c % HASH_GROUP == HASH_GROUP - 1 || c + 1 == columns) {
				span_settle(spans, c / HASH_GROUP, y,
					_mm_xor_si128(_mm256_castsi256_si128(span),
						_mm256_extracti128_si256(span, 1)));
				span = _mm256_setzero_si256();
			}
		}
		v[0] = avx2_product(row, c % HASH_GROUP, v, dst ? dst + c * HASH_BYTES : NULL);
		avx2_fold(v[0], &blocks[c]);
	}
}

AVX2 static void avx2_store(const struct hash_key *key, const struct strip *strip, uint8_t *dst,
	size_t dst_stride, struct hash *blocks, const struct spans *spans)
{
	memset(blocks, 0, strip->columns * sizeof(*blocks));
	if (dst && has_four_rows(strip)) {
		for (unsigned int y = 0; y < HASH_ROWS / STREAMS; y++)
			avx2_four_rows_store(key, strip, y, dst, dst_stride, blocks, spans);
		return;
	}
	for (unsigned int y = 0; y < strip->rows; y++) {
		struct avx2_row row = avx2_prepare(key->words[y], strip->bytes, strip->mask);
		const uint8_t *src = strip->pixels + y * strip->stride;

		if (dst)
			avx2_row_store(&row, src, strip->columns, HASH_BYTES, true,
				dst + y * dst_stride, blocks, spans, y);
		else
			avx2_row_store(&row, src, strip->columns, strip->bytes * 16, false, NULL,
				blocks, NULL, y);
	}
}

const struct hash_kernel hash_avx2 = {
	.name = "avx2",
	.usable = avx2_usable,
	.sum = avx2_sum,
	.sum_lines = avx2_sum_lines,
	.sum_spans = avx2_sum_spans,
	.store = avx2_store,
	.has_spans = true,
};

/* 512 bits. */

static bool avx512_usable(void)
{
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
	       avx2_usable();
}

struct avx512_row {
	__m512i mask, key[HASH_GROUP];
	__mmask8 lanes;
};

INLINE AVX512 struct avx512_row avx512_prepare(
	const uint64_t (*words)[HASH_BYTES / 8], unsigned int bytes, uint64_t mask)
{
	struct avx512_row row = {.mask = _mm512_set1_epi64((long long)mask)};

	row.lanes = (__mmask8)((1u << bytes * 2) - 1);
#pragma GCC unroll 4
	for (unsigned int i = 0; i < HASH_GROUP; i++)
		row.key[i] = _mm512_maskz_loadu_epi64(row.lanes, words[i]);
	return row;
}

INLINE AVX512 __m512i avx512_load(const struct avx512_row *row, const uint8_t *src, bool whole)
{
	__m512i v = whole ? _mm512_loadu_si512(src) : _mm512_maskz_loadu_epi64(row->lanes, src);

	PIN_Z(v);
	return v;
}

/* Of block @i of the group. All four 128-bit quarters are still to be xor-ed. */
INLINE AVX512 __m512i avx512_product(
	const struct avx512_row *row, unsigned int i, __m512i v, uint8_t *dst)
{
	if (dst)
		_mm512_stream_si512((__m512i *)dst, _mm512_and_si512(v, row->mask));
	v = _mm512_ternarylogic_epi64(v, row->mask, row->key[i], 0x6a); /* (v & mask) ^ key */
	return _mm512_clmulepi64_epi128(v, v, 0x10);
}

INLINE AVX512 void avx512_row_sum(const struct avx512_row *row, const uint8_t *src, size_t columns,
	size_t pitch, bool whole, __m512i *sums)
{
	bool each_line = ahead_each_line();
	size_t c = 0;
	__m512i v[HASH_GROUP];

	for (; c + HASH_GROUP <= columns; c += HASH_GROUP, src += pitch * HASH_GROUP, sums++) {
		ahead(src, each_line);
#pragma GCC unroll 4
		for (unsigned int i = 0; i < HASH_GROUP; i++)
			v[i] = avx512_load(row, src + i * pitch, whole);
#pragma GCC unroll 4
		for (unsigned int i = 0; i < HASH_GROUP; i++)
			v[i] = avx512_product(row, i, v[i], NULL);
		v[0] = _mm512_ternarylogic_epi64(v[0], v[1], v[2], 0x96); /* xor of three */
		*sums = _mm512_ternarylogic_epi64(*sums, v[0], v[3], 0x96);
	}
#pragma GCC unroll 4
	for (unsigned int i = 0; i < HASH_GROUP - 1; i++, src += pitch) {
		if (c + i >= columns)
			return;
		v[0] = avx512_product(row, i, avx512_load(row, src, whole), NULL);
		*sums = _mm512_xor_si512(*sums, v[0]);
	}
}

/* To two halves: quarters 0 and 2 xor 1 and 3, of @a and of @b. */
INLINE AVX512 __m512i avx512_halve(__m512i a, __m512i b)
{
	return _mm512_xor_si512(_mm512_shuffle_i64x2(a, b, 0x88), _mm512_shuffle_i64x2(a, b, 0xdd));
}

INLINE AVX512 void avx512_fold(__m512i sum, struct hash *hash)
{
	__m128i was = _mm_loadu_si128((const __m128i *)hash);

	sum = avx512_halve(sum, sum);
	sum = avx512_halve(sum, sum);
	_mm_storeu_si128((__m128i *)hash, _mm_xor_si128(was, _mm512_castsi512_si128(sum)));
}

AVX512 static void avx512_sum(
	const struct hash_key *key, const struct strip *strip, uint8_t *sums, struct hash *groups)
{
	size_t n = (strip->columns + HASH_GROUP - 1) / HASH_GROUP, pitch = strip->bytes * 16;
	__m512i *wide = (__m512i *)sums;

	memset(sums, 0, n * sizeof(*wide));
	for (unsigned int y = 0; y < strip->rows; y++) {
		struct avx512_row row = avx512_prepare(key->words[y], strip->bytes, strip->mask);
		const uint8_t *src = strip->pixels + y * strip->stride;

		if (strip->bytes == 4)
			avx512_row_sum(&row, src, strip->columns, HASH_BYTES, true, wide);
		else
			avx512_row_sum(&row, src, strip->columns, pitch, false, wide);
	}
	for (size_t g = 0; g < n; g++)
		avx512_fold(wide[g], &groups[g]);
}

AVX512 static void avx512_sum_lines(
	const struct hash_lines *lines, const uint8_t *group, uint64_t mask, struct hash *hash)
{
	const __m512i wide = _mm512_set1_epi64((long long)mask);
	__m512i sum = _mm512_setzero_si512();

	for (unsigned int i = 0; i < lines->used; i++) {
		__m512i v = _mm512_loadu_si512(group + lines->at[i]);

		__builtin_prefetch(group + lines->at[i] + lines->ahead, 0, 2);
		v = _mm512_ternarylogic_epi64(v, wide, _mm512_load_si512(lines->key[i]), 0x6a);
		sum = _mm512_xor_si512(sum, _mm512_clmulepi64_epi128(v, v, 0x10));
	}
	avx512_fold(sum, hash);
}

INLINE AVX512 __m512i avx512_span(
	const struct avx512_row *row, const struct spans *spans, unsigned int i, __m512i v)
{
	__m512i key = _mm512_load_si512(spans->key->words + i * 8);

	v = _mm512_and_si512(v, row->mask);
	return _mm512_xor_si512(
		_mm512_clmulepi64_epi128(v, key, 0x00), _mm512_clmulepi64_epi128(v, key, 0x11));
}

INLINE AVX512 void avx512_span_settle(
	const struct spans *spans, size_t group, unsigned int y, __m512i sum)
{
	sum = avx512_halve(sum, sum);
	sum = avx512_halve(sum, sum);
	span_settle(spans, group, y, _mm512_castsi512_si128(sum));
}

AVX512 static void avx512_sum_spans(const struct hash_lines *lines, const uint8_t *row,
	uint64_t mask, const struct spans *spans, struct hash *hash)
{
	const struct avx512_row kept = {.mask = _mm512_set1_epi64((long long)mask)};
	__m512i sum = _mm512_setzero_si512();

	for (unsigned int i = 0; i < lines->used; i += HASH_GROUP) {
		__m512i span = _mm512_setzero_si512();

#pragma GCC unroll 4
		for (unsigned int j = 0; j < HASH_GROUP; j++) {
			const uint8_t *src = row + lines->at[i + j];
			__m512i v = avx512_load(&kept, src, true);

			__builtin_prefetch(src + lines->ahead, 0, 2);
			span = _mm512_xor_si512(span, avx512_span(&kept, spans, j, v));
			v = _mm512_ternarylogic_epi64(
				v, kept.mask, _mm512_load_si512(lines->key[i + j]), 0x6a);
			sum = _mm512_xor_si512(sum, _mm512_clmulepi64_epi128(v, v, 0x10));
		}
		avx512_span_settle(spans, i / HASH_GROUP, 0, span);
	}
	avx512_fold(sum, hash);
}

INLINE AVX512 void avx512_row_store(const struct avx512_row *row, const uint8_t *src,
	size_t columns, size_t pitch, bool whole, uint8_t *dst, struct hash *blocks,
	const struct spans *spans, unsigned int y)
{
	__m512i v[HASH_GROUP], span;
	size_t c = 0;

	for (; c + HASH_GROUP <= columns; c += HASH_GROUP, src += pitch * HASH_GROUP) {
		__m512i sum = _mm512_loadu_si512(&blocks[c]);

#pragma GCC unroll 4
		for (unsigned int i = 0; i < HASH_GROUP; i++)
			v[i] = avx512_load(row, src + i * pitch, whole);
		if (spans) {
			span = avx512_span(row, spans, 0, v[0]);
#pragma GCC unroll 4
			for (unsigned int i = 1; i < HASH_GROUP; i++)
				span = _mm512_xor_si512(span, avx512_span(row, spans, i, v[i]));
			avx512_span_settle(spans, c / HASH_GROUP, y, span);
		}
#pragma GCC unroll 4
		for (unsigned int i = 0; i < HASH_GROUP; i++)
			v[i] = avx512_product(
				row, i, v[i], dst ? dst + (c + i) * HASH_BYTES : NULL);
		v[0] = avx512_halve(v[0], v[1]);
		v[2] = avx512_halve(v[2], v[3]);
		_mm512_storeu_si512(&blocks[c], _mm512_xor_si512(sum, avx512_halve(v[0], v[2])));
	}
	span = _mm512_setzero_si512();
#pragma GCC unroll 4
	for (unsigned int i = 0; i < HASH_GROUP - 1; i++, src += pitch) {
		if (c + i >= columns)
			break;
		v[0] = avx512_load(row, src, whole);
		if (spans)
			span = _mm512_xor_si512(span, avx512_span(row, spans, i, v[0]));
		v[0] = avx512_product(row, i, v[0], dst ? dst + (c + i) * HASH_BYTES : NULL);
		avx512_fold(v[0], &blocks[c + i]);
	}
	if (spans && c < columns)
		avx512_span_settle(spans, c / HASH_GROUP, y, span);
}

AVX512 static void avx512_store(const struct hash_key *key, const struct strip *strip, uint8_t *dst,
	size_t dst_stride, struct hash *blocks, const struct spans *spans)
{
	memset(blocks, 0, strip->columns * sizeof(*blocks));
	for (unsigned int y = 0; y < strip->rows; y++) {
		struct avx512_row row = avx512_prepare(key->words[y], strip->bytes, strip->mask);
		const uint8_t *src = strip->pixels + y * strip->stride;

		if (dst)
			avx512_row_store(&row, src, strip->columns, HASH_BYTES, true,
				dst + y * dst_stride, blocks, spans, y);
		else
			avx512_row_store(&row, src, strip->columns, strip->bytes * 16, false, NULL,
				blocks, NULL, y);
	}
}

const struct hash_kernel hash_avx512 = {
	.name = "avx512",
	.usable = avx512_usable,
	.sum = avx512_sum,
	.sum_lines = avx512_sum_lines,
	.sum_spans = avx512_sum_spans,
	.store = avx512_store,
	.has_spans = true,
};

#endif
