/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"
#include "damage/rects.h"
#include "damage/tiles.h"

struct map {
	uint32_t width, height;
	size_t columns, rows, stride;
	uint64_t *bits;
	uint8_t *covered; /* how often each block is */
	struct rect *rects;
	size_t most;
};

static void map_init(struct map *map, uint32_t width, uint32_t height)
{
	*map = (struct map){
		.width = width,
		.height = height,
		.columns = DIV_ROUND_UP(width, BLOCK_PIXELS),
		.rows = DIV_ROUND_UP(height, BLOCK_PIXELS),
		.stride = tiles_bitmap_stride(width),
	};
	map->most = map->columns * map->rows;
	map->bits = calloc(tiles_bitmap_words(width, height), sizeof(uint64_t));
	map->covered = calloc(map->most, 1);
	map->rects = calloc(map->most + 1, sizeof(struct rect));
	assert_true(map->bits && map->covered && map->rects);
}

static void map_finish(struct map *map)
{
	free(map->bits);
	free(map->covered);
	free(map->rects);
}

static void map_set(struct map *map, size_t column, size_t row)
{
	map->bits[row * map->stride + column / 64] |= (uint64_t)1 << column % 64;
}

static bool map_get(const struct map *map, size_t column, size_t row)
{
	return map->bits[row * map->stride + column / 64] >> column % 64 & 1;
}

/* Every rectangle on the picture, none over another, every set block covered; when it is to be exact, no other one. */
static size_t map_check(struct map *map, size_t max, bool exact)
{
	size_t n = rects_from_bitmap(map->bits, map->width, map->height, map->rects, max);

	assert_true(n <= max);
	memset(map->covered, 0, map->most);
	for (size_t i = 0; i < n; i++) {
		const struct rect *r = &map->rects[i];
		uint32_t right = r->x + r->width, bottom = r->y + r->height;

		assert_true(r->width > 0 && r->height > 0);
		assert_true(right <= map->width && bottom <= map->height);
		assert_true(r->x % BLOCK_PIXELS == 0 && r->y % BLOCK_PIXELS == 0);
		assert_true(right % BLOCK_PIXELS == 0 || right == map->width);
		assert_true(bottom % BLOCK_PIXELS == 0 || bottom == map->height);
		for (size_t y = r->y / BLOCK_PIXELS; y * BLOCK_PIXELS < bottom; y++)
			for (size_t x = r->x / BLOCK_PIXELS; x * BLOCK_PIXELS < right; x++)
				map->covered[y * map->columns + x]++;
	}
	for (size_t y = 0; y < map->rows; y++) {
		for (size_t x = 0; x < map->columns; x++) {
			unsigned int covered = map->covered[y * map->columns + x];

			assert_true(covered <= 1);
			if (map_get(map, x, y))
				assert_int_equal(covered, 1);
			else if (exact)
				assert_int_equal(covered, 0);
		}
	}
	return n;
}

static void nothing_set(void **state)
{
	struct map map;

	map_init(&map, 1920, 1080);
	assert_int_equal(map_check(&map, 1, true), 0);
	map_finish(&map);
}

static void everything_set_is_one(void **state)
{
	static const uint32_t sizes[][2] = {{1, 1}, {17, 33}, {1024, 16}, {1366, 768}, {8192, 100}};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct map map;

		map_init(&map, sizes[i][0], sizes[i][1]);
		for (size_t y = 0; y < map.rows; y++)
			for (size_t x = 0; x < map.columns; x++)
				map_set(&map, x, y);
		assert_int_equal(map_check(&map, 1, true), 1);
		assert_int_equal(map.rects[0].width, sizes[i][0]);
		assert_int_equal(map.rects[0].height, sizes[i][1]);
		map_finish(&map);
	}
}

static void runs_go_on_downwards(void **state)
{
	struct map map;

	map_init(&map, 2000, 1000);
	/* A pillar over the border of two words, a step beside it, a lone block below. */
	for (size_t y = 3; y < 20; y++)
		for (size_t x = 60; x < 70; x++)
			map_set(&map, x, y);
	for (size_t x = 70; x < 75; x++)
		map_set(&map, x, 10);
	map_set(&map, 1, 60);
	assert_int_equal(map_check(&map, 100, true), 4);
	assert_int_equal(map.rects[0].x, 960);
	assert_int_equal(map.rects[0].y, 48);
	assert_int_equal(map.rects[0].width, 160);
	assert_int_equal(map.rects[0].height, 7 * 16);
	map_finish(&map);
}

static void too_many_are_joined(void **state)
{
	struct map map;

	map_init(&map, 4000, 2000);
	for (size_t y = 0; y < map.rows; y++)
		for (size_t x = y & 1; x < map.columns; x += 2)
			map_set(&map, x, y);
	assert_int_equal(map_check(&map, map.most, true), (map.most + 1) / 2);
	for (size_t max = 1; max < 300; max += 7)
		assert_true(map_check(&map, max, false) >= 1);
	map_finish(&map);
}

static void joined_ones_are_shrunk(void **state)
{
	struct map map;

	map_init(&map, 4096, 4096);
	map_set(&map, 3, 5);
	map_set(&map, 9, 200);
	assert_int_equal(map_check(&map, 1, false), 1);
	assert_int_equal(map.rects[0].x, 3 * 16);
	assert_int_equal(map.rects[0].y, 5 * 16);
	assert_int_equal(map.rects[0].width, 7 * 16);
	assert_int_equal(map.rects[0].height, 196 * 16);
	map_finish(&map);
}

static void random_maps(void **state)
{
	static const uint32_t sizes[][2] = {
		{1, 1}, {17, 33}, {800, 600}, {1366, 768}, {1024, 1024}, {3840, 64}, {8192, 8192}};

	srandom(1);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (unsigned int percent = 1; percent < 100; percent += 14) {
			struct map map;
			size_t exact;

			map_init(&map, sizes[i][0], sizes[i][1]);
			for (size_t k = 0; k < map.most; k++)
				if (random() % 100 < percent)
					map_set(&map, k % map.columns, k / map.columns);
			exact = map_check(&map, map.most, true);
			if (exact > 0)
				assert_int_equal(map_check(&map, exact, true), exact);
			if (exact > 1)
				map_check(&map, exact - 1, false);
			map_check(&map, 64, false);
			map_check(&map, 1, false);
			map_finish(&map);
		}
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_set),
		cmocka_unit_test(everything_set_is_one),
		cmocka_unit_test(runs_go_on_downwards),
		cmocka_unit_test(too_many_are_joined),
		cmocka_unit_test(joined_ones_are_shrunk),
		cmocka_unit_test(random_maps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
