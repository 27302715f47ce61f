/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/stream.h"

#include <string.h>
#if defined(__x86_64__)
#include <smmintrin.h>
#endif

#include "base/measure.h"
#include "base/mem.h"

#define LINE  64u
#define PAGE  4096u
#define PIECE (STREAM_SAMPLE / 4)

void stream_copy_scalar(void *dst, const void *src, size_t bytes)
{
	memcpy(dst, src, bytes);
}

#if defined(__x86_64__)
__attribute__((target("sse4.1"))) static void copy_lines(
	uint8_t *dst, const uint8_t *src, size_t bytes)
{
	/* What an earlier streaming load has left in a buffer may be old. */
	_mm_mfence();
	for (size_t i = 0; i < bytes; i += LINE) {
		__m128i *line = (__m128i *)(src + i);
		__m128i a = _mm_stream_load_si128(line), b = _mm_stream_load_si128(line + 1);
		__m128i c = _mm_stream_load_si128(line + 2), d = _mm_stream_load_si128(line + 3);

		_mm_storeu_si128((__m128i *)(dst + i), a);
		_mm_storeu_si128((__m128i *)(dst + i + 16), b);
		_mm_storeu_si128((__m128i *)(dst + i + 32), c);
		_mm_storeu_si128((__m128i *)(dst + i + 48), d);
	}
}

void stream_copy(void *dst, const void *src, size_t bytes)
{
	size_t head = MIN(-(uintptr_t)src % LINE, bytes), lines = (bytes - head) / LINE * LINE;
	uint8_t *to = dst;
	const uint8_t *from = src;

	if (!__builtin_cpu_supports("sse4.1")) {
		memcpy(dst, src, bytes);
		return;
	}
	memcpy(to, from, head);
	copy_lines(to + head, from + head, lines);
	memcpy(to + head + lines, from + head + lines, bytes - head - lines);
}
#else
void stream_copy(void *dst, const void *src, size_t bytes)
{
	memcpy(dst, src, bytes);
}
#endif

unsigned int stream_rate(const uint8_t *pixels, size_t bytes)
{
	uint64_t best = UINT64_MAX;
	uint8_t there[PAGE];

	if (bytes < STREAM_SAMPLE_LEAST)
		return 0;
	for (size_t at = 0; at + PIECE <= MIN(bytes, (size_t)STREAM_SAMPLE); at += PIECE) {
		uint64_t began;

		/* The kernel maps pages when they are first read. */
		for (size_t i = 0; i < PIECE; i += PAGE)
			(void)*(const volatile uint8_t *)(pixels + at + i);
		began = measure_now();
		for (size_t i = 0; i < PIECE; i += PAGE) {
			memcpy(there, pixels + at + i, PAGE);
			__asm__ volatile("" : : "r"(there) : "memory");
		}
		best = MIN(best, measure_now() - began);
	}
	return (unsigned int)(PIECE * 1000ull / MAX(best, (uint64_t)1));
}
