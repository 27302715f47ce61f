/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/convert_x86.h"

#include <drm_fourcc.h>
#include <stdbool.h>

#include "base/mem.h"
#include "capture/convert.h"

#ifdef __x86_64__

#include <immintrin.h>

#define AVX2   __attribute__((target("avx2")))
#define SSSE3  __attribute__((target("ssse3")))
#define INLINE static inline __attribute__((always_inline))

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

/* Eight bits each from bit 2, 12 and 22 on. */
INLINE AVX2 void tens_avx2(
	uint32_t fourcc, bool swap, uint32_t *dst, const uint8_t *src, size_t pixels)
{
	const __m256i low = _mm256_set1_epi32(0xff), middle = _mm256_set1_epi32(0xff00);
	const __m256i high = _mm256_set1_epi32(0xff0000);
	size_t i = 0;

	for (; pixels - i >= 8; i += 8) {
		__m256i v = _mm256_loadu_si256((const __m256i *)(src + 4 * i));
		__m256i g = _mm256_and_si256(_mm256_srli_epi32(v, 4), middle);
		__m256i r = swap ? _mm256_slli_epi32(v, 14) : _mm256_srli_epi32(v, 6);
		__m256i b = _mm256_srli_epi32(v, swap ? 22 : 2);

		v = _mm256_or_si256(_mm256_and_si256(r, high), _mm256_and_si256(b, low));
		_mm256_storeu_si256((__m256i *)(dst + i), _mm256_or_si256(v, g));
	}
	rest(fourcc, dst + i, src + 4 * i, pixels - i);
}

AVX2 static void xrgb2101010_avx2(uint32_t *dst, const uint8_t *src, size_t pixels)
{
	tens_avx2(DRM_FORMAT_XRGB2101010, false, dst, src, pixels);
}

AVX2 static void xbgr2101010_avx2(uint32_t *dst, const uint8_t *src, size_t pixels)
{
	tens_avx2(DRM_FORMAT_XBGR2101010, true, dst, src, pixels);
}

/* Eight pixels of one colour: a * factor_a + b * factor_b for each, not yet scaled down. */
struct eight {
	__m128i low, high;
};

INLINE SSSE3 struct eight eight_weigh(__m128i a, int factor_a, __m128i b, int factor_b)
{
	uint32_t both = (uint32_t)factor_b << 16 | ((uint32_t)factor_a & 0xffff);
	__m128i factors = _mm_set1_epi32((int)both);

	return (struct eight){_mm_madd_epi16(_mm_unpacklo_epi16(a, b), factors),
		_mm_madd_epi16(_mm_unpackhi_epi16(a, b), factors)};
}

INLINE SSSE3 __m128i eight_narrow(struct eight a, struct eight b)
{
	__m128i low = _mm_srai_epi32(_mm_add_epi32(a.low, b.low), CONVERT_YUV_BITS);
	__m128i high = _mm_srai_epi32(_mm_add_epi32(a.high, b.high), CONVERT_YUV_BITS);
	__m128i v = _mm_packs_epi32(low, high);

	return _mm_min_epi16(_mm_max_epi16(v, _mm_setzero_si128()), _mm_set1_epi16(255));
}

/* Byte @a of each four, then byte @b, as 16 bits. */
#define OF_EACH(a, b) \
	_mm_setr_epi8( \
		a, -1, b, -1, 4 + a, -1, 4 + b, -1, 8 + a, -1, 8 + b, -1, 12 + a, -1, 12 + b, -1)

/* @y, @u, @v: where they are among the four bytes of two pixels. */
INLINE SSSE3 void eight_convert(uint32_t *dst, __m128i src, char y, char u, char v)
{
	const __m128i one = _mm_set1_epi16(1), middle = _mm_set1_epi16(128);
	__m128i luma = _mm_sub_epi16(_mm_shuffle_epi8(src, OF_EACH(y, y + 2)), _mm_set1_epi16(16));
	__m128i blue = _mm_sub_epi16(_mm_shuffle_epi8(src, OF_EACH(u, u)), middle);
	__m128i red = _mm_sub_epi16(_mm_shuffle_epi8(src, OF_EACH(v, v)), middle);
	struct eight half = eight_weigh(one, CONVERT_YUV_HALF, one, 0);
	__m128i r = eight_narrow(eight_weigh(luma, CONVERT_YUV_Y, red, CONVERT_YUV_RV), half);
	__m128i g = eight_narrow(eight_weigh(luma, CONVERT_YUV_Y, blue, CONVERT_YUV_GU),
		eight_weigh(red, CONVERT_YUV_GV, one, CONVERT_YUV_HALF));
	__m128i b = eight_narrow(eight_weigh(luma, CONVERT_YUV_Y, blue, CONVERT_YUV_BU), half);

	b = _mm_or_si128(b, _mm_slli_epi16(g, 8));
	_mm_storeu_si128((__m128i *)dst, _mm_unpacklo_epi16(b, r));
	_mm_storeu_si128((__m128i *)dst + 1, _mm_unpackhi_epi16(b, r));
}

#define PAIRS_SSSE3(name, fourcc, y, u, v) \
	SSSE3 static void name(uint32_t *dst, const uint8_t *src, size_t pixels) \
	{ \
		size_t i = 0; \
\
		for (; pixels - i >= 8; i += 8) \
			eight_convert(dst + i, _mm_loadu_si128((const __m128i *)(src + 2 * i)), y, \
				u, v); \
		rest(fourcc, dst + i, src + 2 * i, pixels - i); \
	}

PAIRS_SSSE3(yuyv_ssse3, DRM_FORMAT_YUYV, 0, 1, 3)
PAIRS_SSSE3(yvyu_ssse3, DRM_FORMAT_YVYU, 0, 3, 1)
PAIRS_SSSE3(uyvy_ssse3, DRM_FORMAT_UYVY, 1, 0, 2)
PAIRS_SSSE3(vyuy_ssse3, DRM_FORMAT_VYUY, 1, 2, 0)

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
	{DRM_FORMAT_XRGB2101010, xrgb2101010_avx2, NULL},
	{DRM_FORMAT_ARGB2101010, xrgb2101010_avx2, NULL},
	{DRM_FORMAT_XBGR2101010, xbgr2101010_avx2, NULL},
	{DRM_FORMAT_ABGR2101010, xbgr2101010_avx2, NULL},
	{DRM_FORMAT_YUYV, yuyv_ssse3, yuyv_ssse3},
	{DRM_FORMAT_YVYU, yvyu_ssse3, yvyu_ssse3},
	{DRM_FORMAT_UYVY, uyvy_ssse3, uyvy_ssse3},
	{DRM_FORMAT_VYUY, vyuy_ssse3, vyuy_ssse3},
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
