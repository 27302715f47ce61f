/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bench-moves - what looking for moves costs a look, and what is left to be sent when they are made. See bench/README.md. */
#include <drm_fourcc.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "base/limits.h"
#include "base/mem.h"
#include "capture/convert.h"
#include "damage/move.h"
#include "damage/tiles.h"
#include "peers/scene.h"

#define FRAMES_MAX 1000

/* One that publishes, and one that never does: it looks for nothing, and soon hashes nothing for it. */
struct looker {
	struct tiles *tiles;
	uint32_t *frame;
	uint64_t *bitmap;
	double ms[FRAMES_MAX];
};

struct sums {
	size_t changed, left; /* pixels */
	unsigned int moves, moved;
};

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

static bool open_gate(void *arg)
{
	return true;
}

static void flush(const void *from, size_t bytes)
{
#if defined(__x86_64__)
	for (size_t i = 0; i < bytes; i += 64)
		_mm_clflush((const char *)from + i);
	_mm_mfence();
#endif
}

static size_t pixels_of(const uint64_t *bitmap, size_t words)
{
	size_t blocks = 0;

	for (size_t i = 0; i < words; i++)
		blocks += __builtin_popcountll(bitmap[i]);
	return blocks * BLOCK_PIXELS * BLOCK_PIXELS;
}

static double look(struct looker *looker, const struct view *view)
{
	size_t stride = ALIGN_UP(view->width * 4, 64u), bytes = (size_t)view->stride * view->height;
	double began;

	flush(view->pixels, bytes);
	flush(looker->frame, stride * view->height);
	began = now_ms();
	tiles_look(looker->tiles, view, looker->frame, stride, open_gate, NULL);
	return now_ms() - began;
}

static void publish(struct looker *looker, size_t words, struct sums *sums)
{
	struct move moves[LIMIT_MOVES];
	uint64_t *left = looker->bitmap + words;
	size_t count = tiles_take_moves(looker->tiles, moves, left);

	tiles_take_damage(looker->tiles, looker->bitmap);
	sums->changed += pixels_of(looker->bitmap, words);
	sums->left += pixels_of(count ? left : looker->bitmap, words);
	sums->moves += count;
	sums->moved += count > 0;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double percentile(double *values, size_t n, unsigned int percent)
{
	qsort(values, n, sizeof(*values), by_size);
	return values[(n - 1) * percent / 100];
}

static int looker_init(struct looker *looker, uint32_t width, uint32_t height, size_t words)
{
	looker->frame = aligned_alloc(64, (size_t)ALIGN_UP(width * 4, 64u) * height);
	looker->bitmap = calloc(2 * words, sizeof(uint64_t));
	if (!looker->frame || !looker->bitmap)
		return -ENOMEM;
	memset(looker->frame, 0, (size_t)ALIGN_UP(width * 4, 64u) * height);
	return tiles_create(width, height, &looker->tiles);
}

static void looker_finish(struct looker *looker)
{
	tiles_destroy(looker->tiles);
	free(looker->frame);
	free(looker->bitmap);
}

static int play(const char *name, uint32_t width, uint32_t height, unsigned int frames)
{
	static struct looker with, without;
	size_t words = tiles_bitmap_words(width, height);
	struct view view = {.width = width, .height = height, .rows_readable = height};
	struct sums sums = {0};
	struct scene *scene;
	int r = scene_create(name, width, height, &scene);

	if (r < 0)
		return r;
	r = looker_init(&with, width, height, words);
	if (r == 0)
		r = looker_init(&without, width, height, words);
	if (r < 0)
		return r;
	view.pixels = (const uint8_t *)scene->pixels;
	view.stride = width * 4;
	view.bytes = 4;
	view.convert = convert_find(DRM_FORMAT_XRGB8888);
	for (unsigned int i = 0; i <= frames; i++) {
		bool first = i % 2;

		if (!first)
			without.ms[i] = look(&without, &view);
		with.ms[i] = look(&with, &view);
		if (first)
			without.ms[i] = look(&without, &view);
		publish(&with, words, &sums);
		if (i == 0)
			sums = (struct sums){0};
		scene_step(scene);
	}
	printf("  %-9s %8.0f %8.0f %6.1f %% %7u %7.2f %8.3f %8.3f   %8.3f %8.3f\n", name,
		sums.changed / 1e3 / frames, sums.left / 1e3 / frames,
		sums.changed ? 100.0 * sums.left / sums.changed : 0, sums.moved,
		sums.moved ? (double)sums.moves / sums.moved : 0,
		percentile(without.ms + 1, frames, 50), percentile(with.ms + 1, frames, 50),
		percentile(without.ms + 1, frames, 90), percentile(with.ms + 1, frames, 90));
	looker_finish(&with);
	looker_finish(&without);
	scene_destroy(scene);
	return 0;
}

int main(int argc, char **argv)
{
	unsigned int frames = argc > 1 ? strtoul(argv[1], NULL, 10) : 60;
	uint32_t width = argc > 3 ? strtoul(argv[2], NULL, 10) : 1920;
	uint32_t height = argc > 3 ? strtoul(argv[3], NULL, 10) : 1080;

	if (!frames || frames >= FRAMES_MAX) {
		fprintf(stderr, "usage: bench-moves [FRAMES [WIDTH HEIGHT]]\n");
		return 2;
	}
	printf("%ux%u, %u frames, kernel %s; kpixels in blocks of 16x16; p50 and p90 in ms\n",
		width, height, frames, tiles_selected());
	printf("  %-9s %8s %8s %8s %7s %7s %8s %8s   %8s %8s\n", "scene", "changed", "left", "",
		"frames", "moves", "p50 w/o", "p50", "p90 w/o", "p90");
	for (size_t i = 0; scene_name(i); i++)
		if (play(scene_name(i), width, height, frames) < 0)
			return 1;
	return play("area-100", width, height, frames) < 0;
}
