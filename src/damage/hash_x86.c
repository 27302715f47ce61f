/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation.
 *
 * Memory is the limit, so rows are read from end to end, one after the other: the hardware prefetchers follow that best (tiles
 * one after the other, or several rows at once, reach half of the rate). The hash of every block of the strip grows with each
 * row, so its memory is swept as often; it is kept folded to 16 bytes, for with the 64 bytes that a 512-bit sum needs, a
 * row of a wide screen and the sums would not fit in the first-level cache together. The loads of one step come before its
 * arithmetic: measured to be a few per cent faster than one after the other.
 *
 * Streaming stores go past the caches: a frame is larger than they are, and the source of the next row of blocks is to stay.
 */
#include "damage/hash.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define INLINE	 static inline __attribute__((always_inline))
#define PCLMUL	 __attribute__((target("sse4.1,pclmul")))
#define AVX2	 __attribute__((target("avx2,pclmul,vpclmulqdq")))
#define AVX512	 __attribute__((target("avx512f,avx512vl,avx2,pclmul,vpclmulqdq")))
#define PIN(v)	 __asm__ volatile("" : "+x"(v)) /* loaded once: not to be loaded again */
#define PIN_Z(v) __asm__ volatile("" : "+v"(v))

/* Bytes to prefetch ahead. Intel's cores gain a third by 2 KiB; AMD's lose as much, their own prefetchers being ahead already. */
static size_t ahead_bytes(void)
{
	return __builtin_cpu_is("intel") ? 2048 : 0;
}

INLINE void ahead(const uint8_t *at, size_t bytes, size_t lines)
{
	if (!bytes)
		return;
	for (size_t i = 0; i < lines; i++)
		__builtin_prefetch(at + bytes + i * 64);
}

/* 128 bits. */

static bool pclmul_usable(void)
{
	return __builtin_cpu_supports("sse4.1") && __builtin_cpu_supports("pclmul");
}

INLINE PCLMUL void pclmul_row(const uint64_t *words, const uint8_t *src, size_t columns,
	unsigned int bytes, __m128i mask, uint8_t *dst, struct hash *hashes)
{
	const __m128i *key = (const __m128i *)words;
	size_t far = ahead_bytes();

	for (size_t c = 0; c < columns; c++) {
		__m128i sum = _mm_loadu_si128((const __m128i *)&hashes[c]);

		ahead(src, far, 1);
		for (unsigned int i = 0; i < bytes; i++, src += 16) {
			__m128i v = _mm_and_si128(_mm_loadu_si128((const __m128i *)src), mask);

			PIN(v);
			if (dst)
				_mm_stream_si128((__m128i *)(dst + c * HASH_BYTES + i * 16), v);
			v = _mm_xor_si128(v, key[i]);
			sum = _mm_xor_si128(sum, _mm_clmulepi64_si128(v, v, 0x10));
		}
		_mm_storeu_si128((__m128i *)&hashes[c], sum);
	}
}

PCLMUL static void pclmul_sum(
	const struct hash_key *key, const struct strip *strip, struct hash *hashes)
{
	__m128i mask = _mm_set1_epi64x((long long)strip->mask);

	for (unsigned int y = 0; y < strip->rows; y++) {
		const uint8_t *src = strip->pixels + y * strip->stride;

		if (strip->bytes == 4)
			pclmul_row(key->words[y], src, strip->columns, 4, mask, NULL, hashes);
		else
			pclmul_row(key->words[y], src, strip->columns, strip->bytes, mask, NULL,
				hashes);
	}
}

PCLMUL static void pclmul_store(const struct hash_key *key, const struct strip *strip, uint8_t *dst,
	size_t dst_stride, struct hash *hashes)
{
	__m128i mask = _mm_set1_epi64x((long long)strip->mask);

	for (unsigned int y = 0; y < strip->rows; y++)
		pclmul_row(key->words[y], strip->pixels + y * strip->stride, strip->columns, 4,
			mask, dst + y * dst_stride, hashes);
}

const struct hash_kernel hash_pclmul = {
	.name = "pclmul",
	.usable = pclmul_usable,
	.sum = pclmul_sum,
	.store = pclmul_store,
};

/* 256 bits. */

static bool avx2_usable(void)
{
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("pclmul") &&
	       __builtin_cpu_supports("vpclmulqdq");
}

/* What a row of one block needs. Words past the end of a narrow pixel's row are not loaded and have no key: their product is 0. */
struct avx2_row {
	__m256i mask, key[2], lanes;
};

INLINE AVX2 struct avx2_row avx2_prepare(const uint64_t *words, unsigned int bytes, uint64_t mask)
{
	const __m256i *key = (const __m256i *)words;
	struct avx2_row row = {.mask = _mm256_set1_epi64x((long long)mask)};

	row.lanes = _mm256_set_epi64x(-(bytes > 3), -(bytes > 3), -(bytes > 2), -(bytes > 2));
	row.key[0] = key[0];
	row.key[1] = _mm256_and_si256(key[1], row.lanes);
	return row;
}

INLINE AVX2 void avx2_load(
	const struct avx2_row *row, const uint8_t *src, bool whole, __m256i ret[2])
{
	ret[0] = _mm256_loadu_si256((const __m256i *)src);
	ret[1] = whole ? _mm256_loadu_si256((const __m256i *)(src + 32))
		       : _mm256_maskload_epi64((const long long *)(src + 32), row->lanes);
	PIN(ret[0]);
	PIN(ret[1]);
}

/* Of a block's row. Both 128-bit halves are still to be xor-ed. */
INLINE AVX2 __m256i avx2_product(const struct avx2_row *row, __m256i v[2], uint8_t *dst)
{
	for (unsigned int i = 0; i < 2; i++) {
		v[i] = _mm256_and_si256(v[i], row->mask);
		if (dst)
			_mm256_stream_si256((__m256i *)(dst + i * 32), v[i]);
		v[i] = _mm256_xor_si256(v[i], row->key[i]);
		v[i] = _mm256_clmulepi64_epi128(v[i], v[i], 0x10);
	}
	return _mm256_xor_si256(v[0], v[1]);
}

INLINE AVX2 void avx2_sweep(const struct avx2_row *row, const uint8_t *src, size_t columns,
	size_t pitch, bool whole, uint8_t *dst, struct hash *hashes)
{
	size_t c = 0, far = ahead_bytes();
	__m256i v[2], w[2];

	for (; c + 2 <= columns; c += 2, src += pitch * 2) {
		uint8_t *to = dst ? dst + c * HASH_BYTES : NULL;
		__m256i sum = _mm256_loadu_si256((const __m256i *)&hashes[c]);

		ahead(src, far, 2);
		avx2_load(row, src, whole, v);
		avx2_load(row, src + pitch, whole, w);
		v[0] = avx2_product(row, v, to);
		w[0] = avx2_product(row, w, to ? to + HASH_BYTES : NULL);
		sum = _mm256_xor_si256(sum, _mm256_permute2x128_si256(v[0], w[0], 0x20));
		sum = _mm256_xor_si256(sum, _mm256_permute2x128_si256(v[0], w[0], 0x31));
		_mm256_storeu_si256((__m256i *)&hashes[c], sum);
	}
	if (c < columns) {
		__m128i sum = _mm_loadu_si128((const __m128i *)&hashes[c]);

		avx2_load(row, src, whole, v);
		v[0] = avx2_product(row, v, dst ? dst + c * HASH_BYTES : NULL);
		sum = _mm_xor_si128(sum, _mm256_castsi256_si128(v[0]));
		sum = _mm_xor_si128(sum, _mm256_extracti128_si256(v[0], 1));
		_mm_storeu_si128((__m128i *)&hashes[c], sum);
	}
}

AVX2 static void avx2_sum(
	const struct hash_key *key, const struct strip *strip, struct hash *hashes)
{
	size_t pitch = strip->bytes * 16;

	for (unsigned int y = 0; y < strip->rows; y++) {
		struct avx2_row row = avx2_prepare(key->words[y], strip->bytes, strip->mask);
		const uint8_t *src = strip->pixels + y * strip->stride;

		if (strip->bytes == 4)
			avx2_sweep(&row, src, strip->columns, HASH_BYTES, true, NULL, hashes);
		else
			avx2_sweep(&row, src, strip->columns, pitch, false, NULL, hashes);
	}
}

AVX2 static void avx2_store(const struct hash_key *key, const struct strip *strip, uint8_t *dst,
	size_t dst_stride, struct hash *hashes)
{
	for (unsigned int y = 0; y < strip->rows; y++) {
		struct avx2_row row = avx2_prepare(key->words[y], 4, strip->mask);

		avx2_sweep(&row, strip->pixels + y * strip->stride, strip->columns, HASH_BYTES,
			true, dst + y * dst_stride, hashes);
	}
}

const struct hash_kernel hash_avx2 = {
	.name = "avx2",
	.usable = avx2_usable,
	.sum = avx2_sum,
	.store = avx2_store,
};

/* 512 bits. */

static bool avx512_usable(void)
{
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
	       avx2_usable();
}

struct avx512_row {
	__m512i mask, key;
	__mmask8 lanes;
};

INLINE AVX512 struct avx512_row avx512_prepare(
	const uint64_t *words, unsigned int bytes, uint64_t mask)
{
	__mmask8 lanes = (__mmask8)((1u << bytes * 2) - 1);

	return (struct avx512_row){
		.mask = _mm512_set1_epi64((long long)mask),
		.key = _mm512_maskz_loadu_epi64(lanes, words),
		.lanes = lanes,
	};
}

INLINE AVX512 __m512i avx512_load(const struct avx512_row *row, const uint8_t *src, bool whole)
{
	__m512i v = whole ? _mm512_loadu_si512(src) : _mm512_maskz_loadu_epi64(row->lanes, src);

	PIN_Z(v);
	return v;
}

/* Of a block's row. All four 128-bit quarters are still to be xor-ed. */
INLINE AVX512 __m512i avx512_product(const struct avx512_row *row, __m512i v, uint8_t *dst)
{
	if (dst)
		_mm512_stream_si512((__m512i *)dst, _mm512_and_si512(v, row->mask));
	v = _mm512_ternarylogic_epi64(v, row->mask, row->key, 0x6a); /* (v & mask) ^ key */
	return _mm512_clmulepi64_epi128(v, v, 0x10);
}

/* Two blocks to two halves: quarters 0 and 2 xor 1 and 3. */
INLINE AVX512 __m512i avx512_fold(__m512i a, __m512i b)
{
	return _mm512_xor_si512(_mm512_shuffle_i64x2(a, b, 0x88), _mm512_shuffle_i64x2(a, b, 0xdd));
}

INLINE AVX512 void avx512_sweep(const struct avx512_row *row, const uint8_t *src, size_t columns,
	size_t pitch, bool whole, uint8_t *dst, struct hash *hashes)
{
	size_t c = 0, far = ahead_bytes();

	for (; c + 4 <= columns; c += 4, src += pitch * 4) {
		__m512i v[4], sum = _mm512_loadu_si512(&hashes[c]);

		ahead(src, far, 4);
#pragma GCC unroll 4
		for (unsigned int i = 0; i < 4; i++)
			v[i] = avx512_load(row, src + i * pitch, whole);
#pragma GCC unroll 4
		for (unsigned int i = 0; i < 4; i++)
			v[i] = avx512_product(row, v[i], dst ? dst + (c + i) * HASH_BYTES : NULL);
		v[0] = avx512_fold(v[0], v[1]);
		v[2] = avx512_fold(v[2], v[3]);
		sum = _mm512_xor_si512(sum, avx512_fold(v[0], v[2]));
		_mm512_storeu_si512(&hashes[c], sum);
	}
	for (; c < columns; c++, src += pitch) {
		__m512i v = avx512_product(
			row, avx512_load(row, src, whole), dst ? dst + c * HASH_BYTES : NULL);
		__m128i sum = _mm_loadu_si128((const __m128i *)&hashes[c]);

		v = avx512_fold(v, v);
		v = avx512_fold(v, v);
		sum = _mm_xor_si128(sum, _mm512_castsi512_si128(v));
		_mm_storeu_si128((__m128i *)&hashes[c], sum);
	}
}

AVX512 static void avx512_sum(
	const struct hash_key *key, const struct strip *strip, struct hash *hashes)
{
	size_t pitch = strip->bytes * 16;

	for (unsigned int y = 0; y < strip->rows; y++) {
		struct avx512_row row = avx512_prepare(key->words[y], strip->bytes, strip->mask);
		const uint8_t *src = strip->pixels + y * strip->stride;

		if (strip->bytes == 4)
			avx512_sweep(&row, src, strip->columns, HASH_BYTES, true, NULL, hashes);
		else
			avx512_sweep(&row, src, strip->columns, pitch, false, NULL, hashes);
	}
}

AVX512 static void avx512_store(const struct hash_key *key, const struct strip *strip, uint8_t *dst,
	size_t dst_stride, struct hash *hashes)
{
	for (unsigned int y = 0; y < strip->rows; y++) {
		struct avx512_row row = avx512_prepare(key->words[y], 4, strip->mask);

		avx512_sweep(&row, strip->pixels + y * strip->stride, strip->columns, HASH_BYTES,
			true, dst + y * dst_stride, hashes);
	}
}

const struct hash_kernel hash_avx512 = {
	.name = "avx512",
	.usable = avx512_usable,
	.sum = avx512_sum,
	.store = avx512_store,
};

#endif
