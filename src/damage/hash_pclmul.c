/* SPDX-License-Identifier: GPL-2.0-or-later */
/* 128 bits at once. */
#include "damage/hash.h"

#if defined(__x86_64__)

#include <string.h>

#include "damage/hash_x86.h"

static bool pclmul_usable(void)
{
	return __builtin_cpu_supports("sse4.1") && __builtin_cpu_supports("pclmul");
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

#endif
