/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/convert_x86.h"

#include <drm_fourcc.h>

#include "base/mem.h"
#include "capture/convert.h"

#ifdef __x86_64__

#include <immintrin.h>

#define AVX2  __attribute__((target("avx2")))
#define SSSE3 __attribute__((target("ssse3")))

/* What is left of a row after its last whole vector. */
static void rest(uint32_t fourcc, uint32_t *dst, const uint8_t *src, size_t pixels)
{
	if (pixels)
		convert_find_scalar(fourcc)(dst, src, pixels);
}

AVX2 static void xrgb8888_avx2(uint32_t *dst, const uint8_t *src, size_t pixels)
{
	const __m256i mask = _mm256_set1_epi32(0x00ffffff);
	size_t i = 0;

	for (; pixels - i >= 8; i += 8) {
		__m256i v = _mm256_loadu_si256((const __m256i *)(src + 4 * i));

		_mm256_storeu_si256((__m256i *)(dst + i), _mm256_and_si256(v, mask));
	}
	rest(DRM_FORMAT_XRGB8888, dst + i, src + 4 * i, pixels - i);
}

AVX2 static void xbgr8888_avx2(uint32_t *dst, const uint8_t *src, size_t pixels)
{
	const __m256i order = _mm256_setr_epi8(2, 1, 0, -1, 6, 5, 4, -1, 10, 9, 8, -1, 14, 13, 12,
		-1, 2, 1, 0, -1, 6, 5, 4, -1, 10, 9, 8, -1, 14, 13, 12, -1);
	size_t i = 0;

	for (; pixels - i >= 8; i += 8) {
		__m256i v = _mm256_loadu_si256((const __m256i *)(src + 4 * i));

		_mm256_storeu_si256((__m256i *)(dst + i), _mm256_shuffle_epi8(v, order));
	}
	rest(DRM_FORMAT_XBGR8888, dst + i, src + 4 * i, pixels - i);
}

SSSE3 static void xbgr8888_ssse3(uint32_t *dst, const uint8_t *src, size_t pixels)
{
	const __m128i order = _mm_setr_epi8(2, 1, 0, -1, 6, 5, 4, -1, 10, 9, 8, -1, 14, 13, 12, -1);
	size_t i = 0;

	for (; pixels - i >= 4; i += 4) {
		__m128i v = _mm_loadu_si128((const __m128i *)(src + 4 * i));

		_mm_storeu_si128((__m128i *)(dst + i), _mm_shuffle_epi8(v, order));
	}
	rest(DRM_FORMAT_XBGR8888, dst + i, src + 4 * i, pixels - i);
}

/* Loads 28 bytes for 24: two loads of 16 that begin 12 apart. */
AVX2 static void rgb888_avx2(uint32_t *dst, const uint8_t *src, size_t pixels)
{
	const __m256i order = _mm256_setr_epi8(0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1,
		0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1);
	size_t i = 0;

	for (; (pixels - i) * 3 >= 28; i += 8) {
		__m128i low = _mm_loadu_si128((const __m128i *)(src + 3 * i));
		__m128i high = _mm_loadu_si128((const __m128i *)(src + 3 * i + 12));
		__m256i v = _mm256_set_m128i(high, low);

		_mm256_storeu_si256((__m256i *)(dst + i), _mm256_shuffle_epi8(v, order));
	}
	rest(DRM_FORMAT_RGB888, dst + i, src + 3 * i, pixels - i);
}

SSSE3 static void rgb888_ssse3(uint32_t *dst, const uint8_t *src, size_t pixels)
{
	const __m128i order = _mm_setr_epi8(0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1);
	size_t i = 0;

	for (; (pixels - i) * 3 >= 16; i += 4) {
		__m128i v = _mm_loadu_si128((const __m128i *)(src + 3 * i));

		_mm_storeu_si128((__m128i *)(dst + i), _mm_shuffle_epi8(v, order));
	}
	rest(DRM_FORMAT_RGB888, dst + i, src + 3 * i, pixels - i);
}

AVX2 static void rgb565_avx2(uint32_t *dst, const uint8_t *src, size_t pixels)
{
	const __m256i mask5 = _mm256_set1_epi32(0xf8), mask6 = _mm256_set1_epi32(0xfc);
	size_t i = 0;

	for (; pixels - i >= 8; i += 8) {
		__m256i v = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(src + 2 * i)));
		/* Each colour at the top of its low byte, then its high bits once more below. */
		__m256i r = _mm256_and_si256(_mm256_srli_epi32(v, 8), mask5);
		__m256i g = _mm256_and_si256(_mm256_srli_epi32(v, 3), mask6);
		__m256i b = _mm256_and_si256(_mm256_slli_epi32(v, 3), mask5);

		r = _mm256_or_si256(r, _mm256_srli_epi32(r, 5));
		g = _mm256_or_si256(g, _mm256_srli_epi32(g, 6));
		b = _mm256_or_si256(b, _mm256_srli_epi32(b, 5));
		v = _mm256_or_si256(_mm256_slli_epi32(r, 16), _mm256_slli_epi32(g, 8));
		_mm256_storeu_si256((__m256i *)(dst + i), _mm256_or_si256(v, b));
	}
	rest(DRM_FORMAT_RGB565, dst + i, src + 2 * i, pixels - i);
}

static const struct {
	uint32_t fourcc;
	convert_fn avx2, ssse3; /* NULL: the scalar twin is as good */
} table[] = {
	{DRM_FORMAT_XRGB8888, xrgb8888_avx2, NULL},
	{DRM_FORMAT_ARGB8888, xrgb8888_avx2, NULL},
	{DRM_FORMAT_XBGR8888, xbgr8888_avx2, xbgr8888_ssse3},
	{DRM_FORMAT_ABGR8888, xbgr8888_avx2, xbgr8888_ssse3},
	{DRM_FORMAT_RGB565, rgb565_avx2, NULL},
	{DRM_FORMAT_RGB888, rgb888_avx2, rgb888_ssse3},
};

convert_fn convert_x86_find_level(uint32_t fourcc, enum convert_x86_level level)
{
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		if (table[i].fourcc != fourcc)
			continue;
		return level == CONVERT_AVX2 ? table[i].avx2 : table[i].ssse3;
	}
	return NULL;
}

convert_fn convert_x86_find(uint32_t fourcc)
{
	if (__builtin_cpu_supports("avx2"))
		return convert_x86_find_level(fourcc, CONVERT_AVX2);
	if (__builtin_cpu_supports("ssse3"))
		return convert_x86_find_level(fourcc, CONVERT_SSSE3);
	return NULL;
}

#else

convert_fn convert_x86_find_level(uint32_t fourcc, enum convert_x86_level level)
{
	return NULL;
}

convert_fn convert_x86_find(uint32_t fourcc)
{
	return NULL;
}

#endif
