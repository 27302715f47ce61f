/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bench-scan - what looking for damage costs, beside what memory allows. See bench/README.md.
 *
 * Everything takes turns in one process, in a new order each round, so that what disturbs the machine disturbs all alike and
 * nobody always follows the same. Before each timed call source and frame are flushed from all caches.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "base/mem.h"
#include "damage/tiles.h"

#define TILE_PIXELS 64 /* what changes, changes in squares of this side */
#define ROUNDS_MAX  1001
#define RACERS_MAX  32

struct field {
	uint32_t width, height;
	size_t stride, bytes;
	uint8_t *source, *frame, *copy;
	struct tiles *tiles;
	struct view view;
	uint64_t *bitmap;
	uint32_t seed;
};

enum kind { KIND_READ, KIND_COPY, KIND_LOOK };

struct racer {
	char name[40];
	enum kind kind;
	void (*read)(const uint8_t *source, size_t bytes);
	const char *kernel;
	unsigned int percent; /* of the tiles change before each look */
	double ms[ROUNDS_MAX];
};

static struct racer racers[RACERS_MAX];
static size_t racers_used;
static volatile uint64_t sink;

/* Pure reads. */

static void read_words(const uint8_t *source, size_t bytes)
{
	uint64_t a = 0, b = 0, c = 0, d = 0;

	for (size_t i = 0; i + 32 <= bytes; i += 32) {
		const uint64_t *at = (const uint64_t *)(source + i);

		a |= at[0];
		b |= at[1];
		c |= at[2];
		d |= at[3];
	}
	sink = a | b | c | d;
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static inline __m256i load_256(const uint8_t *at)
{
	return _mm256_loadu_si256((const __m256i *)at);
}

__attribute__((target("avx2"))) static void sink_256(__m256i v)
{
	sink = (uint64_t)_mm256_extract_epi64(v, 0) | (uint64_t)_mm256_extract_epi64(v, 1) |
	       (uint64_t)_mm256_extract_epi64(v, 2) | (uint64_t)_mm256_extract_epi64(v, 3);
}

__attribute__((target("avx2"))) static void read_256(const uint8_t *source, size_t bytes)
{
	__m256i a = _mm256_setzero_si256(), b = a, c = a, d = a;

	for (size_t i = 0; i + 128 <= bytes; i += 128) {
		a = _mm256_or_si256(a, load_256(source + i));
		b = _mm256_or_si256(b, load_256(source + i + 32));
		c = _mm256_or_si256(c, load_256(source + i + 64));
		d = _mm256_or_si256(d, load_256(source + i + 96));
	}
	sink_256(_mm256_or_si256(_mm256_or_si256(a, b), _mm256_or_si256(c, d)));
}

__attribute__((target("avx2"))) static void read_256_near(const uint8_t *source, size_t bytes)
{
	__m256i a = _mm256_setzero_si256(), b = a;

	for (size_t i = 0; i + 64 <= bytes; i += 64) {
		__builtin_prefetch(source + i + 2048);
		a = _mm256_or_si256(a, load_256(source + i));
		b = _mm256_or_si256(b, load_256(source + i + 32));
	}
	sink_256(_mm256_or_si256(a, b));
}

/* A line of each 256 bytes, three pages ahead. */
__attribute__((target("avx2"))) static void read_256_far(const uint8_t *source, size_t bytes)
{
	__m256i a = _mm256_setzero_si256(), b = a;

	for (size_t i = 0; i + 256 <= bytes; i += 256) {
		__builtin_prefetch(source + i + 12288, 0, 2);
		for (size_t at = i; at < i + 256; at += 64) {
			a = _mm256_or_si256(a, load_256(source + at));
			b = _mm256_or_si256(b, load_256(source + at + 32));
		}
	}
	sink_256(_mm256_or_si256(a, b));
}

/* Four places of the picture at once. */
__attribute__((target("avx2"))) static void read_256_four(const uint8_t *source, size_t bytes)
{
	__m256i a = _mm256_setzero_si256(), b = a, c = a, d = a;
	size_t quarter = bytes / 4 / 64 * 64;

	for (size_t i = 0; i < quarter; i += 64) {
		for (size_t half = i; half < i + 64; half += 32) {
			a = _mm256_or_si256(a, load_256(source + half));
			b = _mm256_or_si256(b, load_256(source + quarter + half));
			c = _mm256_or_si256(c, load_256(source + quarter * 2 + half));
			d = _mm256_or_si256(d, load_256(source + quarter * 3 + half));
		}
	}
	sink_256(_mm256_or_si256(_mm256_or_si256(a, b), _mm256_or_si256(c, d)));
}

__attribute__((target("avx512f"))) static void read_512(const uint8_t *source, size_t bytes)
{
	__m512i a = _mm512_setzero_si512(), b = a;

	for (size_t i = 0; i + 128 <= bytes; i += 128) {
		a = _mm512_or_si512(a, _mm512_loadu_si512(source + i));
		b = _mm512_or_si512(b, _mm512_loadu_si512(source + i + 64));
	}
	sink = (uint64_t)_mm512_reduce_or_epi64(_mm512_or_si512(a, b));
}
#endif

static struct racer *racer_add(enum kind kind, const char *name)
{
	struct racer *racer = &racers[racers_used++];

	*racer = (struct racer){.kind = kind};
	snprintf(racer->name, sizeof(racer->name), "%s", name);
	return racer;
}

static void racers_line_up(const char *only)
{
	static const char *const kernels[] = {"avx512", "avx2", "pclmul", "scalar"};
	static const unsigned int percents[] = {0, 5, 100};

	racers_used = 0;
	racer_add(KIND_READ, "read, 64-bit words")->read = read_words;
#if defined(__x86_64__)
	if (__builtin_cpu_supports("avx2")) {
		racer_add(KIND_READ, "read, 256 bits")->read = read_256;
		racer_add(KIND_READ, "read, 256 bits, prefetch 2K")->read = read_256_near;
		racer_add(KIND_READ, "read, 256 bits, prefetch 12K")->read = read_256_far;
		racer_add(KIND_READ, "read, 256 bits, 4 streams")->read = read_256_four;
	}
	if (__builtin_cpu_supports("avx512f"))
		racer_add(KIND_READ, "read, 512 bits")->read = read_512;
#endif
	racer_add(KIND_COPY, "memcpy of the frame");
	for (size_t k = 0; k < ARRAY_SIZE(kernels); k++) {
		if ((only && strcmp(only, kernels[k])) || tiles_select(kernels[k]) < 0)
			continue;
		for (size_t p = 0; p < ARRAY_SIZE(percents); p++) {
			struct racer *racer = racer_add(KIND_LOOK, "");

			snprintf(racer->name, sizeof(racer->name), "look %s, %u %%", kernels[k],
				percents[p]);
			racer->kernel = kernels[k];
			racer->percent = percents[p];
		}
	}
}

/* The field. */

static void to_xrgb(uint32_t *dst, const uint8_t *src, size_t pixels)
{
	for (size_t i = 0; i < pixels; i++) {
		uint32_t pixel;

		memcpy(&pixel, src + i * 4, 4);
		dst[i] = pixel & 0x00ffffff;
	}
}

static bool always(void *arg)
{
	return true;
}

static uint8_t *pages(size_t bytes)
{
	uint8_t *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static int field_init(struct field *field, uint32_t width, uint32_t height)
{
	*field = (struct field){.width = width, .height = height, .seed = 1};
	field->stride = ALIGN_UP((size_t)width * 4, 64);
	field->bytes = field->stride * height;
	field->source = pages(field->bytes);
	field->frame = pages(field->bytes);
	field->copy = pages(field->bytes);
	field->bitmap = calloc(tiles_bitmap_words(width, height), sizeof(uint64_t));
	if (!field->source || !field->frame || !field->copy || !field->bitmap)
		return -ENOMEM;
	for (size_t i = 0; i < field->bytes; i += 4) {
		uint32_t pixel = (uint32_t)(i * 2654435761u);

		memcpy(field->source + i, &pixel, 4);
	}
	field->view = (struct view){
		.pixels = field->source,
		.width = width,
		.height = height,
		.stride = field->stride,
		.rows_readable = height,
		.bytes = 4,
		.convert = to_xrgb,
	};
	return tiles_create(width, height, &field->tiles);
}

static void field_finish(struct field *field)
{
	munmap(field->source, field->bytes);
	munmap(field->frame, field->bytes);
	munmap(field->copy, field->bytes);
	free(field->bitmap);
	tiles_destroy(field->tiles);
}

/* New colours for every pixel of @percent of the tiles, spread over the picture. */
static void field_change(struct field *field, unsigned int percent)
{
	uint32_t add = field->seed++ * 0x00010305u | 1, tile = 0;

	if (!percent)
		return;
	for (uint32_t y = 0; y < field->height; y += TILE_PIXELS) {
		for (uint32_t x = 0; x < field->width; x += TILE_PIXELS, tile++) {
			if (tile * 37 % 100 >= percent)
				continue;
			for (uint32_t v = y; v < MIN(y + TILE_PIXELS, field->height); v++) {
				uint32_t *row = (uint32_t *)(field->source + v * field->stride);

				for (uint32_t u = x; u < MIN(x + TILE_PIXELS, field->width); u++)
					row[u] += add;
			}
		}
	}
}

static void flush(const uint8_t *p, size_t bytes)
{
#if defined(__x86_64__)
	for (size_t i = 0; i < bytes; i += 64)
		_mm_clflush(p + i);
	_mm_mfence();
#else
	static uint8_t *other; /* no such instruction for programs: push it out */

	if (!other)
		other = pages(256u << 20);
	if (other)
		for (size_t i = 0; i < 256u << 20; i += 64)
			other[i]++;
#endif
}

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e3 + t.tv_nsec * 1e-6;
}

static double race(struct field *field, const struct racer *racer)
{
	double begin;
	int found = 0;

	if (racer->kind == KIND_LOOK) {
		tiles_select(racer->kernel);
		field_change(field, racer->percent);
	}
	flush(field->source, field->bytes);
	flush(field->frame, field->bytes);
	flush(field->copy, field->bytes);
	begin = now_ms();
	if (racer->kind == KIND_READ)
		racer->read(field->source, field->bytes);
	else if (racer->kind == KIND_COPY)
		memcpy(field->copy, field->source, field->bytes);
	else
		found = tiles_look(field->tiles, &field->view, (uint32_t *)field->frame,
			field->stride, always, NULL);
	begin = now_ms() - begin;
	if (racer->kind == KIND_LOOK && !found != !racer->percent)
		fprintf(stderr, "bench-scan: %s found %d blocks\n", racer->name, found);
	return begin;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Fields are sorted by then. */
static const struct racer *fastest(enum kind kind, int percent, size_t at)
{
	const struct racer *best = NULL;

	for (size_t i = 0; i < racers_used; i++) {
		const struct racer *racer = &racers[i];

		if (racer->kind != kind ||
			(percent >= 0 && racer->percent != (unsigned int)percent))
			continue;
		if (!best || racer->ms[at] < best->ms[at])
			best = racer;
	}
	return best;
}

static void report(const struct field *field, size_t rounds)
{
	static const struct {
		const char *name;
		unsigned int tenth;
	} marks[] = {{"p10", 1}, {"p50", 5}};

	printf("%ux%u, %zu rounds, source and frame flushed before each\n", field->width,
		field->height, rounds);
	printf("  %-28s %8s %8s %8s %8s\n", "", "p10 ms", "p50 ms", "p90 ms", "GB/s");
	for (size_t i = 0; i < racers_used; i++) {
		struct racer *racer = &racers[i];

		qsort(racer->ms, rounds, sizeof(double), ascending);
		printf("  %-28s %8.3f %8.3f %8.3f %8.1f\n", racer->name, racer->ms[rounds / 10],
			racer->ms[rounds / 2], racer->ms[rounds * 9 / 10],
			field->bytes / racer->ms[rounds / 2] / 1e6);
	}
	for (size_t m = 0; m < ARRAY_SIZE(marks); m++) {
		size_t at = rounds * marks[m].tenth / 10;
		double limit = fastest(KIND_READ, -1, at)->ms[at];
		double copy = fastest(KIND_COPY, -1, at)->ms[at];

		printf("  by %s: unchanged at %.0f %% of the read limit (goal: >= 85);"
		       " 5 %% changed %.2f, full change %.2f of memcpy (goal: <= 1.20)\n",
			marks[m].name, 100 * limit / fastest(KIND_LOOK, 0, at)->ms[at],
			fastest(KIND_LOOK, 5, at)->ms[at] / copy,
			fastest(KIND_LOOK, 100, at)->ms[at] / copy);
	}
}

static void shuffle(size_t *order, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t other = random() % (i + 1);

		order[i] = order[other];
		order[other] = i;
	}
}

static int bench(uint32_t width, uint32_t height, size_t rounds, const char *kernel)
{
	size_t order[RACERS_MAX] = {0};
	struct field field;
	int r;

	racers_line_up(kernel);
	if (!fastest(KIND_LOOK, 0, 0))
		return -ENOTSUP;
	r = field_init(&field, width, height);
	if (r < 0)
		return r;
	/* The first look finds everything: it is nobody's race. */
	tiles_look(field.tiles, &field.view, (uint32_t *)field.frame, field.stride, always, NULL);
	for (size_t i = 0; i < racers_used; i++)
		race(&field, &racers[i]);
	for (size_t round = 0; round < rounds; round++) {
		shuffle(order, racers_used);
		for (size_t i = 0; i < racers_used; i++)
			racers[order[i]].ms[round] = race(&field, &racers[order[i]]);
	}
	report(&field, rounds);
	field_finish(&field);
	return 0;
}

int main(int argc, char **argv)
{
	static const uint32_t sizes[][2] = {{1920, 1080}, {3840, 2160}};
	size_t rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 51;
	const char *kernel = argc > 2 ? argv[2] : NULL;

	if (!rounds || rounds > ROUNDS_MAX || argc > 3) {
		fprintf(stderr, "usage: bench-scan [ROUNDS [KERNEL]]\n");
		return EXIT_FAILURE;
	}
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		int r = bench(sizes[i][0], sizes[i][1], rounds, kernel);

		if (r < 0) {
			fprintf(stderr, "bench-scan: %s\n", strerror(-r));
			return EXIT_FAILURE;
		}
	}
	return EXIT_SUCCESS;
}
