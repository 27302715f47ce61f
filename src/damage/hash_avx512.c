/* SPDX-License-Identifier: GPL-2.0-or-later */
/* 512 bits at once. */
#include "damage/hash.h"

#if defined(__x86_64__)

#include <string.h>

#include "damage/hash_x86.h"

#define AVX512	 __attribute__((target("avx512f,avx512vl,avx2,pclmul,vpclmulqdq")))
#define PIN_Z(v) __asm__ volatile("" : "+v"(v))

static bool avx512_usable(void)
{
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
	       __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("vpclmulqdq");
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
