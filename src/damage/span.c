/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "damage/span.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "base/mem.h"

static uint64_t product(uint64_t a, uint64_t b)
{
	uint64_t sum = 0;

	for (; b; b >>= 1) {
		sum ^= -(b & 1) & a;
		a = a << 1 ^ (-(a >> 63) & SPAN_LOW);
	}
	return sum;
}

static void span_key_make(struct span_key *key, uint64_t place, uint64_t salt)
{
	uint64_t power = 1;

	for (size_t i = SPAN_WORDS; i > 0; i--) {
		key->words[i - 1] = power;
		power = product(power, place);
	}
	key->left = power;
	key->place = place;
	key->salt = salt;
}

int span_key_draw(struct span_key *ret)
{
	uint64_t drawn[2];
	ssize_t n;

	do
		n = getrandom(drawn, sizeof(drawn), 0); /* so few bytes come whole */
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	span_key_make(ret, drawn[0], drawn[1]);
	return 0;
}

#if defined(__x86_64__)

#include <immintrin.h>

#define PCLMUL	 __attribute__((target("sse4.1,pclmul")))
#define TOGETHER 4 /* rolled at a time, since each step waits for the last one of its own */

bool span_usable(void)
{
	return __builtin_cpu_supports("sse4.1") && __builtin_cpu_supports("pclmul");
}

PCLMUL static inline uint64_t reduced(__m128i value)
{
	const __m128i low = _mm_cvtsi64_si128(SPAN_LOW);
	__m128i carried = _mm_clmulepi64_si128(value, low, 0x01);

	value = _mm_xor_si128(value, carried);
	carried = _mm_clmulepi64_si128(carried, low, 0x01);
	return (uint64_t)_mm_cvtsi128_si64(_mm_xor_si128(value, carried));
}

PCLMUL uint64_t span_hash(const struct span_key *key, const uint32_t *pixels, size_t blocks)
{
	const __m128i *keys = (const __m128i *)key->words, *from = (const __m128i *)pixels;
	__m128i sum = _mm_setzero_si128();

	for (size_t i = 0; i < blocks * 4; i++) {
		__m128i v = _mm_loadu_si128(from + i);

		sum = _mm_xor_si128(sum, _mm_clmulepi64_si128(v, keys[i], 0x00));
		sum = _mm_xor_si128(sum, _mm_clmulepi64_si128(v, keys[i], 0x11));
	}
	return reduced(sum) ^ key->salt;
}

PCLMUL void span_seams(const struct span_key *key, const uint32_t *head, const uint32_t *tail,
	uint64_t ret[SPAN_PIXELS + 1])
{
	const __m128i *keys = (const __m128i *)key->words, *from = (const __m128i *)tail;
	__m128i sum = _mm_setzero_si128();

	for (size_t i = 0; i < SPAN_BLOCKS * 4; i++) {
		__m128i v = _mm_loadu_si128(from + i);

		sum = _mm_xor_si128(sum, _mm_clmulepi64_si128(v, keys[i], 0x00));
		sum = _mm_xor_si128(sum, _mm_clmulepi64_si128(v, keys[i], 0x11));
	}
	ret[0] = reduced(sum) ^ key->salt;
	for (size_t k = 0; k < SPAN_PIXELS; k++) {
		uint64_t other = (uint64_t)(head[k] ^ tail[k]) << k % 2 * 32;

		ret[k + 1] = ret[k];
		if (!other)
			continue;
		sum = _mm_xor_si128(
			sum, _mm_clmulepi64_si128(_mm_cvtsi64_si128((long long)other),
				     _mm_cvtsi64_si128((long long)key->words[k / 2]), 0x00));
		ret[k + 1] = reduced(sum) ^ key->salt;
	}
}

static inline uint64_t word_at(const uint32_t *pixels)
{
	uint64_t word;

	memcpy(&word, pixels, sizeof(word));
	return word;
}

/* From the span at @pixels to that two pixels on. */
PCLMUL static inline uint64_t step(
	const struct span_key *key, uint64_t hash, const uint32_t *pixels)
{
	__m128i keys = _mm_set_epi64x((long long)key->left, (long long)key->place);
	__m128i v = _mm_set_epi64x((long long)word_at(pixels), (long long)hash);
	__m128i sum = _mm_xor_si128(
		_mm_clmulepi64_si128(v, keys, 0x00), _mm_clmulepi64_si128(v, keys, 0x11));

	return reduced(sum) ^ word_at(pixels + SPAN_PIXELS);
}

/* Two pixels in a word: even and odd places are rolled apart from each other, and so are parts of the row. */
PCLMUL void span_roll(
	const struct span_key *key, const uint32_t *pixels, size_t count, uint64_t *ret)
{
	size_t part = DIV_ROUND_UP(count, (size_t)TOGETHER) / 2 * 2 + 2;
	uint64_t hash[TOGETHER][2];

	for (size_t i = 0; i < TOGETHER * 2; i++)
		if (i / 2 * part + i % 2 < count)
			hash[i / 2][i % 2] =
				span_hash(key, pixels + i / 2 * part + i % 2, SPAN_BLOCKS) ^
				key->salt;
	for (size_t x = 0; x < part; x++) {
#pragma GCC unroll 4
		for (size_t i = 0; i < TOGETHER; i++) {
			size_t at = i * part + x;

			if (at >= count)
				break;
			ret[at] = hash[i][x % 2] ^ key->salt;
			if (at + 2 < count && x + 2 < part)
				hash[i][x % 2] = step(key, hash[i][x % 2], pixels + at);
		}
	}
}

#else

bool span_usable(void)
{
	return false;
}

uint64_t span_hash(const struct span_key *key, const uint32_t *pixels, size_t blocks)
{
	return 0;
}

void span_seams(const struct span_key *key, const uint32_t *head, const uint32_t *tail,
	uint64_t ret[SPAN_PIXELS + 1])
{
	memset(ret, 0, (SPAN_PIXELS + 1) * sizeof(*ret));
}

void span_roll(const struct span_key *key, const uint32_t *pixels, size_t count, uint64_t *ret)
{
	memset(ret, 0, count * sizeof(*ret));
}

#endif
