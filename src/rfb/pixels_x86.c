/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rfb/pixels.h"

#ifdef __x86_64__

#include <immintrin.h>
#include <string.h>

#include "rfb/palette.h"

#define AVX2   __attribute__((target("avx2")))
#define INLINE static inline __attribute__((always_inline))

static bool usable_avx2(void)
{
	return __builtin_cpu_supports("avx2");
}

AVX2 INLINE __m256i load(const uint32_t *pixels)
{
	return _mm256_and_si256(
		_mm256_loadu_si256((const __m256i *)pixels), _mm256_set1_epi32(PIXEL_MASK));
}

/* A bit for each of eight pixels, the first in the lowest. */
AVX2 INLINE unsigned int equal(__m256i pixels, __m256i colour)
{
	return _mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpeq_epi32(pixels, colour)));
}

AVX2 static size_t run_avx2(const uint32_t *row, size_t width, uint32_t colour)
{
	const __m256i wanted = _mm256_set1_epi32(colour & PIXEL_MASK);
	size_t i = 0;

	for (; width - i >= 8; i += 8) {
		unsigned int same = equal(load(row + i), wanted);

		if (same != 0xff)
			return i + __builtin_ctz(~same);
	}
	while (i < width && !((row[i] ^ colour) & PIXEL_MASK))
		i++;
	return i;
}

/* Bytes of 0 and -1 for 32 pixels, in groups of eight that are turned round, for movemask's first bit is the lowest. */
AVX2 INLINE uint32_t bits_of(__m256i a, __m256i b, __m256i c, __m256i d)
{
	const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
	const __m256i turned = _mm256_setr_epi8(7, 6, 5, 4, 3, 2, 1, 0, 15, 14, 13, 12, 11, 10, 9,
		8, 7, 6, 5, 4, 3, 2, 1, 0, 15, 14, 13, 12, 11, 10, 9, 8);
	__m256i bytes = _mm256_packs_epi16(_mm256_packs_epi32(a, b), _mm256_packs_epi32(c, d));

	bytes = _mm256_permutevar8x32_epi32(bytes, order);
	return _mm256_movemask_epi8(_mm256_shuffle_epi8(bytes, turned));
}

AVX2 static bool mono_avx2(
	const uint32_t *row, size_t width, uint32_t first, uint32_t second, uint8_t *ret)
{
	const __m256i zero = _mm256_set1_epi32(first & PIXEL_MASK);
	const __m256i one = _mm256_set1_epi32(second & PIXEL_MASK);
	size_t i = 0;

	for (; width - i >= 32; i += 32) {
		__m256i ones[4], known = _mm256_set1_epi32(-1);
		uint32_t bits;

		for (int j = 0; j < 4; j++) {
			__m256i v = load(row + i + 8 * j);

			ones[j] = _mm256_cmpeq_epi32(v, one);
			known = _mm256_and_si256(
				known, _mm256_or_si256(ones[j], _mm256_cmpeq_epi32(v, zero)));
		}
		if (_mm256_movemask_epi8(known) != -1)
			return false;
		bits = bits_of(ones[0], ones[1], ones[2], ones[3]);
		memcpy(ret + i / 8, &bits, sizeof(bits));
	}
	return i == width ||
	       pixels_kernels[0]->mono(row + i, width - i, first, second, ret + i / 8);
}

/* Eight pixels whose colours are all known and where they are first looked for, which nearly all are: no branches that depend on
 * the picture. False: @ret is garbage. */
INLINE bool index_known(const struct palette *palette, const uint32_t *row, uint8_t *ret)
{
	uint32_t unlike = 0;

	for (int i = 0; i < 8; i++) {
		uint32_t colour = row[i] & PIXEL_MASK;
		size_t slot = palette_slot(colour);

		unlike |= palette->slots[slot].colour ^ colour;
		ret[i] = palette->slots[slot].index;
	}
	return !unlike;
}

AVX2 static bool index_avx2(
	struct palette *palette, const uint32_t *row, size_t width, uint8_t *ret)
{
	__m256i last = _mm256_set1_epi32(-1);
	uint64_t indices = 0;
	size_t i = 0;

	for (; width - i >= 8; i += 8) {
		if (equal(load(row + i), last) == 0xff) {
			memcpy(ret + i, &indices, sizeof(indices));
			continue;
		}
		if (!index_known(palette, row + i, ret + i) &&
			!palette_index(palette, row + i, 8, ret + i))
			return false;
		last = _mm256_set1_epi32(row[i + 7] & PIXEL_MASK);
		indices = ret[i + 7] * 0x0101010101010101u;
	}
	return palette_index(palette, row + i, width - i, ret + i);
}

AVX2 static void pack_avx2(const uint32_t *row, size_t width, uint8_t *ret)
{
	const __m256i order = _mm256_setr_epi8(2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1,
		-1, 2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1);
	const __m256i together = _mm256_setr_epi32(0, 1, 2, 4, 5, 6, 3, 7);
	size_t i = 0;

	/* 24 bytes of each 32 count; the other eight are within what is still to be written. */
	for (; width - i >= 11; i += 8) {
		__m256i v = _mm256_loadu_si256((const __m256i *)(row + i));

		v = _mm256_permutevar8x32_epi32(_mm256_shuffle_epi8(v, order), together);
		_mm256_storeu_si256((__m256i *)(ret + 3 * i), v);
	}
	pixels_kernels[0]->pack(row + i, width - i, ret + 3 * i);
}

const struct pixels_kernel pixels_avx2 = {
	"AVX2", usable_avx2, run_avx2, mono_avx2, index_avx2, pack_avx2};

#else

static bool usable_never(void)
{
	return false;
}

const struct pixels_kernel pixels_avx2 = {.name = "AVX2", .usable = usable_never};

#endif
