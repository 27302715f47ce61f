/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bench-scan - what looking for damage costs, beside what memory allows. See bench/README.md.
 *
 * Everything takes turns in one process, in a new order each round, so that what disturbs the machine disturbs all alike and
 * nobody always follows the same. Before each timed call source and frame are flushed from all caches.
 */
#include <drm_fourcc.h>
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
#include "capture/detile.h"
#include "damage/tiles.h"
#include "plane/tiling.h"

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

enum kind { KIND_READ, KIND_COPY, KIND_LOOK, KIND_PROBE, KIND_COMPARE, KIND_DETILE };

static const struct layout {
	const char *name;
	uint64_t modifier;
} layouts[] = {
	{"rows", DRM_FORMAT_MOD_LINEAR},
	{"X tiles", I915_FORMAT_MOD_X_TILED},
	{"Y tiles", I915_FORMAT_MOD_Y_TILED},
	{"Yf tiles", I915_FORMAT_MOD_Yf_TILED},
};

#define LAYOUTS ARRAY_SIZE(layouts)

struct racer {
	char name[40];
	enum kind kind;
	struct field *field;
	void (*read)(const uint8_t *source, size_t bytes);
	const char *kernel;
	unsigned int percent; /* of the tiles change before each look */
	bool sparse;
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

static struct racer *racer_add(struct field *field, enum kind kind, const char *name)
{
	struct racer *racer = &racers[racers_used++];

	*racer = (struct racer){.kind = kind, .field = field};
	snprintf(racer->name, sizeof(racer->name), "%s", name);
	return racer;
}

static void racer_add_looks(struct field *field, const char *kernel, const char *name)
{
	static const unsigned int percents[] = {0, 5, 100};

	for (size_t p = 0; p < ARRAY_SIZE(percents); p++) {
		struct racer *racer = racer_add(field, KIND_LOOK, "");

		snprintf(racer->name, sizeof(racer->name), "look %s, %u %%", name, percents[p]);
		racer->kernel = kernel;
		racer->percent = percents[p];
	}
	if (field->view.tiling && field->view.tiling->width < 512)
		return;
	for (int sparse = 0; sparse < 2; sparse++) {
		struct racer *racer = racer_add(field, KIND_PROBE, "");

		snprintf(racer->name, sizeof(racer->name), "%sprobe %s", sparse ? "sparse " : "",
			name);
		racer->kernel = kernel;
		racer->sparse = sparse;
	}
}

static void readers_line_up(struct field *field)
{
	racer_add(field, KIND_READ, "read, 64-bit words")->read = read_words;
#if defined(__x86_64__)
	if (__builtin_cpu_supports("avx2")) {
		racer_add(field, KIND_READ, "read, 256 bits")->read = read_256;
		racer_add(field, KIND_READ, "read, 256 bits, prefetch 2K")->read = read_256_near;
		racer_add(field, KIND_READ, "read, 256 bits, prefetch 12K")->read = read_256_far;
		racer_add(field, KIND_READ, "read, 256 bits, 4 streams")->read = read_256_four;
	}
	if (__builtin_cpu_supports("avx512f"))
		racer_add(field, KIND_READ, "read, 512 bits")->read = read_512;
#endif
	racer_add(field, KIND_COPY, "memcpy of the frame");
	racer_add(field, KIND_COMPARE, "memcmp, one row of eight");
}

static void kernels_line_up(struct field *field, const char *only)
{
	static const char *const kernels[] = {"avx512", "avx2", "pclmul", "scalar"};

	racers_used = 0;
	readers_line_up(field);
	for (size_t k = 0; k < ARRAY_SIZE(kernels); k++)
		if ((!only || !strcmp(only, kernels[k])) && tiles_select(kernels[k]) >= 0)
			racer_add_looks(field, kernels[k], kernels[k]);
}

/* With the kernel that is selected. */
static void layouts_line_up(struct field fields[LAYOUTS])
{
	const char *kernel = tiles_selected();

	racers_used = 0;
	readers_line_up(&fields[0]);
	for (size_t i = 0; i < LAYOUTS; i++) {
		char name[40];

		snprintf(name, sizeof(name), "detile, %s", layouts[i].name);
		racer_add(&fields[i], KIND_DETILE, name);
		racer_add_looks(&fields[i], kernel, layouts[i].name);
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

static int field_init(struct field *field, uint32_t width, uint32_t height, uint64_t modifier)
{
	const struct tiling *tiling = tiling_find(modifier, 4);

	*field = (struct field){.width = width, .height = height, .seed = 1};
	field->stride = ALIGN_UP((size_t)width * 4, tiling ? tiling->width : 64u);
	field->bytes = field->stride * ALIGN_UP(height, tiling ? tiling->height : 1u);
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
		.unit = 1,
		.convert = to_xrgb,
		.tiling = tiling,
	};
	return tiles_create(width, height, &field->tiles);
}

static void field_finish(struct field *field)
{
	if (!field->tiles)
		return;
	munmap(field->source, field->bytes);
	munmap(field->frame, field->bytes);
	munmap(field->copy, field->bytes);
	free(field->bitmap);
	tiles_destroy(field->tiles);
}

static uint32_t *field_pixel(struct field *field, uint32_t x, uint32_t y)
{
	const struct tiling *tiling = field->view.tiling;
	size_t offset = tiling ? tiling_offset(tiling, (uint32_t)field->stride, x * 4, y)
			       : y * field->stride + x * 4;

	return (uint32_t *)(field->source + offset);
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
				for (uint32_t u = x; u < MIN(x + TILE_PIXELS, field->width); u++)
					*field_pixel(field, u, v) += add;
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

/* As tiles_look() would have it if everything had changed. */
static void detile_field(struct field *field)
{
	for (uint32_t y = 0; y < field->height; y += DETILE_ROWS)
		detile(&field->view, 0, y, (size_t)field->width * 4,
			MIN(field->height - y, (uint32_t)DETILE_ROWS),
			field->copy + y * field->stride, field->stride);
}

/* The picture is still, and all of its rows have been probed before. */
static void probe_settle(struct field *field)
{
	tiles_look(
		field->tiles, &field->view, (uint32_t *)field->frame, field->stride, always, NULL);
	for (unsigned int i = 0; i < 8; i++)
		tiles_probe(
			field->tiles, &field->view, (uint32_t *)field->frame, field->stride, false);
}

/* What a probe would be without hashes. */
static int compare_rows(struct field *field)
{
	int differ = 0;

	for (uint32_t y = 3; y < field->height; y += 8)
		differ |= memcmp(field->source + y * field->stride, field->copy + y * field->stride,
			(size_t)field->width * 4);
	return differ;
}

static double race(const struct racer *racer)
{
	struct field *field = racer->field;
	double begin;
	int found = 0;

	if (racer->kernel)
		tiles_select(racer->kernel);
	field_change(field, racer->percent);
	if (racer->kind == KIND_COMPARE)
		memcpy(field->copy, field->source, field->bytes);
	if (racer->kind == KIND_PROBE)
		probe_settle(field);
	flush(field->source, field->bytes);
	flush(field->frame, field->bytes);
	flush(field->copy, field->bytes);
	begin = now_ms();
	if (racer->kind == KIND_READ)
		racer->read(field->source, field->bytes);
	else if (racer->kind == KIND_COPY)
		memcpy(field->copy, field->source, field->bytes);
	else if (racer->kind == KIND_COMPARE)
		found = compare_rows(field);
	else if (racer->kind == KIND_PROBE)
		found = tiles_probe(field->tiles, &field->view, (uint32_t *)field->frame,
			field->stride, racer->sparse);
	else if (racer->kind == KIND_DETILE)
		detile_field(field);
	else
		found = tiles_look(field->tiles, &field->view, (uint32_t *)field->frame,
			field->stride, always, NULL);
	begin = now_ms() - begin;
	if (!found != !racer->percent)
		fprintf(stderr, "bench-scan: %s found %d blocks\n", racer->name, found);
	return begin;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Times are sorted by then. @field: NULL for any. */
static const struct racer *fastest(
	const struct field *field, enum kind kind, unsigned int percent, size_t at)
{
	const struct racer *best = NULL;

	for (size_t i = 0; i < racers_used; i++) {
		const struct racer *racer = &racers[i];

		if (racer->kind != kind || racer->percent != percent ||
			(field && racer->field != field))
			continue;
		if (!best || racer->ms[at] < best->ms[at])
			best = racer;
	}
	return best;
}

static const struct {
	const char *name;
	unsigned int tenth;
} marks[] = {{"p10", 1}, {"p50", 5}};

static void report_times(const struct field *field, size_t rounds)
{
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
}

static void report_kernels(size_t rounds)
{
	for (size_t m = 0; m < ARRAY_SIZE(marks); m++) {
		size_t at = rounds * marks[m].tenth / 10;
		double limit = fastest(NULL, KIND_READ, 0, at)->ms[at];
		double copy = fastest(NULL, KIND_COPY, 0, at)->ms[at];

		printf("  by %s: unchanged at %.0f %% of the read limit (goal: >= 85);"
		       " 5 %% changed %.2f, full change %.2f of memcpy (goal: <= 1.20)\n",
			marks[m].name, 100 * limit / fastest(NULL, KIND_LOOK, 0, at)->ms[at],
			fastest(NULL, KIND_LOOK, 5, at)->ms[at] / copy,
			fastest(NULL, KIND_LOOK, 100, at)->ms[at] / copy);
	}
}

static void report_layouts(const struct field fields[LAYOUTS], size_t rounds)
{
	for (size_t m = 0; m < ARRAY_SIZE(marks); m++) {
		size_t at = rounds * marks[m].tenth / 10;
		double limit = fastest(NULL, KIND_READ, 0, at)->ms[at];
		double copy = fastest(NULL, KIND_COPY, 0, at)->ms[at];

		for (size_t i = 0; i < LAYOUTS; i++)
			printf("  by %s, %s: detiled at %.2f of memcpy's rate (goal: >= 0.50);"
			       " look: unchanged at %.0f %% of the read limit, full change %.2f"
			       " of memcpy\n",
				marks[m].name, layouts[i].name,
				copy / fastest(&fields[i], KIND_DETILE, 0, at)->ms[at],
				100 * limit / fastest(&fields[i], KIND_LOOK, 0, at)->ms[at],
				fastest(&fields[i], KIND_LOOK, 100, at)->ms[at] / copy);
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

static void run_races(size_t rounds)
{
	size_t order[RACERS_MAX] = {0};

	/* The first look finds everything: it is nobody's race. */
	for (size_t i = 0; i < racers_used; i++) {
		struct field *field = racers[i].field;

		tiles_look(field->tiles, &field->view, (uint32_t *)field->frame, field->stride,
			always, NULL);
		race(&racers[i]);
	}
	for (size_t round = 0; round < rounds; round++) {
		shuffle(order, racers_used);
		for (size_t i = 0; i < racers_used; i++)
			racers[order[i]].ms[round] = race(&racers[order[i]]);
	}
}

static int bench_kernels(uint32_t width, uint32_t height, size_t rounds, const char *kernel)
{
	struct field field;
	int r = field_init(&field, width, height, DRM_FORMAT_MOD_LINEAR);

	if (r < 0)
		return r;
	kernels_line_up(&field, kernel);
	if (!fastest(NULL, KIND_LOOK, 0, 0))
		return -ENOTSUP;
	run_races(rounds);
	report_times(&field, rounds);
	report_kernels(rounds);
	field_finish(&field);
	return 0;
}

static int bench_layouts(uint32_t width, uint32_t height, size_t rounds, const char *kernel)
{
	struct field fields[LAYOUTS] = {0};
	int r = tiles_select(kernel);

	for (size_t i = 0; i < LAYOUTS && r >= 0; i++)
		r = field_init(&fields[i], width, height, layouts[i].modifier);
	if (r >= 0) {
		layouts_line_up(fields);
		run_races(rounds);
		report_times(&fields[0], rounds);
		report_layouts(fields, rounds);
	}
	for (size_t i = 0; i < LAYOUTS; i++)
		field_finish(&fields[i]);
	return r;
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
		int r = bench_kernels(sizes[i][0], sizes[i][1], rounds, kernel);

		if (r >= 0 && i == 0)
			r = bench_layouts(sizes[i][0], sizes[i][1], rounds, kernel);

		if (r < 0) {
			fprintf(stderr, "bench-scan: %s\n", strerror(-r));
			return EXIT_FAILURE;
		}
	}
	return EXIT_SUCCESS;
}
