/* SPDX-License-Identifier: GPL-2.0-or-later */
/* 256 bits at once. */
#include "damage/hash.h"

#if defined(__x86_64__)

#include <string.h>

#include "damage/hash_x86.h"

#define AVX2	__attribute__((target("avx2,pclmul,vpclmulqdq")))
#define STREAMS 4u

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

INLINE AVX2 void avx2_span_settle(const struct spans *spans, size_t group, size_t y, __m256i sum)
{
	span_settle(spans, group, y,
		_mm_xor_si128(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1)));
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
			avx2_span_settle(spans, i / HASH_GROUP, 0, span);
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
				avx2_span_settle(spans, g, at, span);
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
				avx2_span_settle(spans, c / HASH_GROUP, y, span);
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

#endif
