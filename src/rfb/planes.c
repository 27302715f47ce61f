/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation: BT.601's numbers in 7 bits, so that products of bytes and sums of two of them fit into 16 bits: what is lost is less than a step
 * of brightness. Colours are those of the average of four pixels, rounded up twice, as the processor does it.
 */
#include "rfb/planes.h"

#include "base/mem.h"

#ifdef __x86_64__
#include <immintrin.h>
#endif

#define MEAN(a, b) (((a) + (b) + 1) >> 1)

static bool usable_anywhere(void)
{
	return true;
}

static uint8_t bright_of(uint32_t pixel)
{
	unsigned int red = pixel >> 16 & 0xff, green = pixel >> 8 & 0xff, blue = pixel & 0xff;

	return ((33 * red + 65 * green + 13 * blue + 64) >> 7) + 16;
}

static int mean_of(const uint32_t *first, const uint32_t *second, unsigned int shift)
{
	int left = MEAN((first[0] >> shift & 0xff), (second[0] >> shift & 0xff));
	int right = MEAN((first[1] >> shift & 0xff), (second[1] >> shift & 0xff));

	return MEAN(left, right);
}

static void colour_of(const uint32_t *first, const uint32_t *second, uint8_t *ret)
{
	int red = mean_of(first, second, 16), green = mean_of(first, second, 8);
	int blue = mean_of(first, second, 0);

	ret[0] = ((56 * blue - 37 * green - 19 * red + 64) >> 7) + 128;
	ret[1] = ((56 * red - 47 * green - 9 * blue + 64) >> 7) + 128;
}

static void rows_from(const struct planes *planes, uint32_t x, const uint32_t *first,
	const uint32_t *second, uint8_t *bright, uint8_t *colour)
{
	for (; x < planes->width; x += 2) {
		bright[x] = bright_of(first[x]);
		bright[x + 1] = bright_of(first[x + 1]);
		bright[planes->bright_stride + x] = bright_of(second[x]);
		bright[planes->bright_stride + x + 1] = bright_of(second[x + 1]);
		colour_of(first + x, second + x, colour + x);
	}
}

static void rows_scalar(const struct planes *planes, const uint32_t *first, const uint32_t *second,
	uint8_t *bright, uint8_t *colour)
{
	rows_from(planes, 0, first, second, bright, colour);
}

#ifdef __x86_64__
#define SSSE3  __attribute__((target("ssse3")))
#define INLINE static inline __attribute__((always_inline))

static bool usable_ssse3(void)
{
	return __builtin_cpu_supports("ssse3");
}

/* Four pixels each: eight sums of one pixel's products. */
SSSE3 INLINE __m128i weigh(__m128i low, __m128i high, __m128i weights)
{
	__m128i sums =
		_mm_hadd_epi16(_mm_maddubs_epi16(low, weights), _mm_maddubs_epi16(high, weights));

	return _mm_add_epi16(sums, _mm_set1_epi16(64));
}

SSSE3 INLINE void bright_16(const __m128i pixels[4], uint8_t *ret)
{
	const __m128i weights = _mm_set1_epi32(13 | 65 << 8 | 33 << 16);
	__m128i low = _mm_srli_epi16(weigh(pixels[0], pixels[1], weights), 7);
	__m128i high = _mm_srli_epi16(weigh(pixels[2], pixels[3], weights), 7);

	_mm_storeu_si128(
		(__m128i *)ret, _mm_add_epi8(_mm_packus_epi16(low, high), _mm_set1_epi8(16)));
}

/* The means of pixels side by side. */
SSSE3 INLINE __m128i halve(__m128i low, __m128i high)
{
	__m128 a = _mm_castsi128_ps(low), b = _mm_castsi128_ps(high);

	return _mm_avg_epu8(_mm_castps_si128(_mm_shuffle_ps(a, b, _MM_SHUFFLE(2, 0, 2, 0))),
		_mm_castps_si128(_mm_shuffle_ps(a, b, _MM_SHUFFLE(3, 1, 3, 1))));
}

SSSE3 INLINE void colour_16(const __m128i first[4], const __m128i second[4], uint8_t *ret)
{
	const __m128i blue = _mm_set1_epi32(56 | (-37 & 0xff) << 8 | (-19 & 0xff) << 16);
	const __m128i red = _mm_set1_epi32((-9 & 0xff) | (-47 & 0xff) << 8 | 56 << 16);
	__m128i low = halve(_mm_avg_epu8(first[0], second[0]), _mm_avg_epu8(first[1], second[1]));
	__m128i high = halve(_mm_avg_epu8(first[2], second[2]), _mm_avg_epu8(first[3], second[3]));
	__m128i blues = _mm_srai_epi16(weigh(low, high, blue), 7);
	__m128i reds = _mm_srai_epi16(weigh(low, high, red), 7);
	__m128i both =
		_mm_packs_epi16(_mm_unpacklo_epi16(blues, reds), _mm_unpackhi_epi16(blues, reds));

	_mm_storeu_si128((__m128i *)ret, _mm_add_epi8(both, _mm_set1_epi8(-128)));
}

SSSE3 static void rows_ssse3(const struct planes *planes, const uint32_t *first,
	const uint32_t *second, uint8_t *bright, uint8_t *colour)
{
	uint32_t x = 0;

	for (; planes->width - x >= 16; x += 16) {
		__m128i above[4], below[4];

		for (int i = 0; i < 4; i++) {
			above[i] = _mm_loadu_si128((const __m128i *)(first + x) + i);
			below[i] = _mm_loadu_si128((const __m128i *)(second + x) + i);
		}
		bright_16(above, bright + x);
		bright_16(below, bright + planes->bright_stride + x);
		colour_16(above, below, colour + x);
	}
	rows_from(planes, x, first, second, bright, colour);
}
#endif

const struct planes_kernel planes_kernels[] = {
	{"scalar", usable_anywhere, rows_scalar},
#ifdef __x86_64__
	{"ssse3", usable_ssse3, rows_ssse3},
#endif
};
const size_t planes_kernels_used = ARRAY_SIZE(planes_kernels);

void planes_fill(const struct planes *planes)
{
	const struct planes_kernel *kernel = &planes_kernels[planes_kernels_used - 1];
	const uint32_t *row = planes->pixels;

	while (!kernel->usable())
		kernel--;
	for (uint32_t y = 0; y < planes->height; y += 2, row += 2 * planes->stride)
		kernel->rows(planes, row, row + planes->stride,
			planes->bright + y * planes->bright_stride,
			planes->colour + y / 2 * planes->colour_stride);
}
