/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bench-tight - what making Tight rectangles costs and how many bytes they have. See bench/README.md.
 *
 * Ways and pictures take turns, so that what disturbs the machine disturbs all alike.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "rfb/mosaic.h"
#include "rfb/photo.h"

enum { WIDTH = 1920, HEIGHT = 1080, ROUNDS_MAX = 101, PICTURES_MAX = 16 };

struct picture {
	const char *name;
	uint32_t *pixels;
};

static struct picture pictures[PICTURES_MAX];
static size_t pictures_used;
static uint32_t seed = 1;

static uint32_t draw(uint32_t end)
{
	seed ^= seed << 13;
	seed ^= seed >> 17;
	seed ^= seed << 5;
	return seed % end;
}

/* ---- pictures ---- */

static void fill(
	uint32_t *pixels, uint32_t x, uint32_t y, uint32_t width, uint32_t height, uint32_t colour)
{
	for (uint32_t i = y; i < MIN(y + height, (uint32_t)HEIGHT); i++) {
		for (uint32_t j = x; j < MIN(x + width, (uint32_t)WIDTH); j++)
			pixels[i * WIDTH + j] = colour;
	}
}

static uint32_t mix(uint32_t a, uint32_t b, uint32_t part)
{
	uint32_t result = 0;

	for (int i = 0; i < 24; i += 8)
		result |= ((a >> i & 0xff) * (256 - part) + (b >> i & 0xff) * part) >> 8 << i;
	return result;
}

/* Strokes in a cell, the same for the same letter. @soft: grey at their edges. */
static void letter(uint32_t *pixels, uint32_t x, uint32_t y, uint32_t width, uint32_t height,
	uint32_t which, uint32_t ink, uint32_t paper, bool soft)
{
	uint32_t bits = which * 0x9e3779b1u;

	for (uint32_t i = 2; i < height - 3; i++) {
		for (uint32_t j = 1; j < width - 1; j++) {
			bool on = bits >> ((i / 3 * 5 + j / 2 * 3) % 31) & 1;
			uint32_t part = !soft ? 256 : 40 + (bits >> ((i * 7 + j) % 24) & 7) * 30;

			if (on && x + j < WIDTH && y + i < HEIGHT)
				pixels[(y + i) * WIDTH + x + j] =
					i % 3 && !soft ? ink : mix(paper, ink, part);
		}
	}
}

static void lines(uint32_t *pixels, uint32_t x, uint32_t y, uint32_t width, uint32_t height,
	uint32_t cell, uint32_t row, const uint32_t inks[4], uint32_t paper, bool soft)
{
	fill(pixels, x, y, width, height, paper);
	for (uint32_t i = y; i + row <= y + height; i += row) {
		uint32_t end = x + draw(width), word = 0, ink = inks[0];

		for (uint32_t j = x; j + cell <= end; j += cell) {
			if (!word--) {
				word = 2 + draw(8);
				ink = inks[draw(8) < 5 ? 0 : draw(4)];
				continue;
			}
			letter(pixels, j, i, cell, row, draw(60), ink, paper, soft);
		}
	}
}

static void draw_console(uint32_t *pixels)
{
	static const uint32_t inks[4] = {0xaaaaaa, 0xaaaaaa, 0xffffff, 0x55ff55};

	lines(pixels, 0, 0, WIDTH, HEIGHT, 8, 16, inks, 0, false);
}

static void draw_terminal(uint32_t *pixels)
{
	static const uint32_t inks[4] = {0xcccccc, 0x66ff66, 0x8888ff, 0xffff66};

	lines(pixels, 0, 0, WIDTH, HEIGHT, 8, 17, inks, 0x101418, true);
}

static void draw_photo(uint32_t *pixels, uint32_t x, uint32_t y, uint32_t width, uint32_t height)
{
	for (uint32_t i = y; i < MIN(y + height, (uint32_t)HEIGHT); i++) {
		for (uint32_t j = x; j < MIN(x + width, (uint32_t)WIDTH); j++) {
			uint32_t wave = (i * i / 97 + j * j / 131 + i * j / 61) % 512;
			uint32_t light = wave < 256 ? wave : 511 - wave;
			uint32_t grain = draw(7);

			pixels[i * WIDTH + j] = (light * 3 / 4 + grain + 20) << 16 |
						((i + light) / 6 % 160 + grain + 40) << 8 |
						((j + light) / 9 % 160 + grain + 30);
		}
	}
}

static void draw_page(uint32_t *pixels)
{
	static const uint32_t inks[4] = {0x222222, 0x0645ad, 0x222222, 0x552222};

	fill(pixels, 0, 0, WIDTH, HEIGHT, 0xffffff);
	for (uint32_t y = 0; y < 80; y++)
		fill(pixels, 0, y, WIDTH, 1, mix(0xe8e8f0, 0xb0b8d0, y * 3));
	lines(pixels, 0, 90, 300, HEIGHT - 90, 7, 22, inks, 0xf4f4f4, true);
	lines(pixels, 340, 100, 1000, HEIGHT - 120, 8, 21, inks, 0xffffff, true);
	draw_photo(pixels, 1380, 120, 500, 400);
	lines(pixels, 1380, 560, 500, 480, 8, 21, inks, 0xfffff4, true);
}

static void draw_whole_photo(uint32_t *pixels)
{
	draw_photo(pixels, 0, 0, WIDTH, HEIGHT);
}

static uint32_t *new_picture(const char *name)
{
	uint32_t *pixels = calloc((size_t)WIDTH * HEIGHT, sizeof(*pixels));

	if (!pixels || pictures_used == PICTURES_MAX) {
		fprintf(stderr, "%s: no room\n", name);
		exit(EXIT_FAILURE);
	}
	pictures[pictures_used++] = (struct picture){name, pixels};
	return pixels;
}

static void draw_pictures(void)
{
	draw_console(new_picture("console"));
	draw_terminal(new_picture("terminal"));
	draw_page(new_picture("page"));
	draw_whole_photo(new_picture("photo"));
}

static void load_picture(const char *path)
{
	FILE *file = fopen(path, "rb");
	const char *name = strrchr(path, '/');

	if (!file || fread(new_picture(name ? name + 1 : path), 4, (size_t)WIDTH * HEIGHT, file) !=
			     (size_t)WIDTH * HEIGHT) {
		fprintf(stderr, "%s: not %ux%u pixels of four bytes\n", path, WIDTH, HEIGHT);
		exit(EXIT_FAILURE);
	}
	fclose(file);
}

/* ---- ways ---- */

struct way {
	uint32_t width, height;
	bool mosaic;
	struct tight_wish wish;
};

static const struct way ways[] = {
	{64, 64, false, {-1, 0, 1}},
	{256, 64, false, {-1, 0, 1}},
	{256, 256, false, {-1, 0, 1}},
	{16, 16, true, {-1, 0, 1}},
	{64, 64, true, {-1, 0, 1}},
	{256, 64, true, {-1, 0, 1}},
	{128, 128, true, {-1, 0, 1}},
	{192, 256, true, {-1, 0, 1}},
	{256, 256, true, {-1, 0, 1}},
	{1920, 64, true, {-1, 0, 1}},
	{256, 256, true, {-1, 0, 0}},
	{256, 256, true, {-1, 0, 6}},
	{256, 256, true, {42, 2, 1}},
	{256, 256, true, {79, 0, 1}},
	{256, 256, true, {92, 0, 1}},
	{64, 64, true, {79, 0, 1}},
	{1920, 64, true, {79, 0, 1}},
	{256, 256, true, {79, 0, 6}},
};

struct result {
	double ms[ROUNDS_MAX];
	size_t bytes, rectangles;
};

static struct result results[PICTURES_MAX][ARRAY_SIZE(ways)];
static uint8_t out[16u * TIGHT_PIXELS_MAX];

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

static void piece(struct tight *tight, const struct picture *picture, const struct way *way,
	const struct rect *rect, struct result *result)
{
	enum tight_kind kind;
	struct mosaic made;

	if (way->mosaic) {
		result->bytes +=
			mosaic_make(tight, picture->pixels, WIDTH, rect, &way->wish, out, &made);
		result->rectangles += made.rectangles;
		return;
	}
	result->bytes += 12 + tight_encode(tight, picture->pixels + rect->y * WIDTH + rect->x,
				      WIDTH, rect->width, rect->height, &way->wish, out, &kind);
	result->rectangles++;
}

static void go(struct tight *tight, const struct picture *picture, const struct way *way,
	unsigned int round, struct result *result)
{
	double start = now_ms();

	result->bytes = result->rectangles = 0;
	for (uint32_t y = 0; y < HEIGHT; y += way->height) {
		for (uint32_t x = 0; x < WIDTH; x += way->width) {
			struct rect rect = {
				x, y, MIN(way->width, WIDTH - x), MIN(way->height, HEIGHT - y)};

			piece(tight, picture, way, &rect, result);
		}
	}
	result->ms[round] = now_ms() - start;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void print(unsigned int rounds)
{
	const double mpx = WIDTH * HEIGHT / 1e6;

	printf("%-32s", "ms for a megapixel, KiB, rects");
	for (size_t i = 0; i < pictures_used; i++)
		printf(" | %22s", pictures[i].name);
	printf("\n");
	for (size_t j = 0; j < ARRAY_SIZE(ways); j++) {
		const struct way *way = &ways[j];

		printf("%4ux%-4u %s", way->width, way->height, way->mosaic ? "cut  " : "whole");
		if (way->wish.quality < 0)
			printf(" lossless    /%d  ", way->wish.compression);
		else
			printf(" jpeg %2d s%d  /%d  ", way->wish.quality, way->wish.subsampling,
				way->wish.compression);
		for (size_t i = 0; i < pictures_used; i++) {
			struct result *result = &results[i][j];

			qsort(result->ms, rounds, sizeof(double), by_size);
			printf(" | %6.2f %7zu %6zu", result->ms[rounds / 2] / mpx,
				result->bytes >> 10, result->rectangles);
		}
		printf("\n");
	}
}

int main(int argc, char **argv)
{
	unsigned long wanted = argc > 1 ? strtoul(argv[1], NULL, 10) : 5;
	unsigned int rounds = wanted < 1 ? 1 : MIN(wanted, (unsigned long)ROUNDS_MAX);
	struct tight *tight;

	if (argc > 2) {
		for (int i = 2; i < argc; i++)
			load_picture(argv[i]);
	} else {
		draw_pictures();
	}
	if (tight_create(&tight) < 0)
		return EXIT_FAILURE;
	for (unsigned int round = 0; round < rounds; round++) {
		for (size_t j = 0; j < ARRAY_SIZE(ways); j++) {
			for (size_t i = 0; i < pictures_used; i++)
				go(tight, &pictures[i], &ways[j], round, &results[i][j]);
		}
	}
	print(rounds);
	tight_destroy(tight);
	return EXIT_SUCCESS;
}
