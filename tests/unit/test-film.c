/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/limits.h"
#include "base/mem.h"
#include "damage/tiles.h"
#include "rfb/film.h"
#include "rfb/h264.h"
#include "rfb/motion.h"
#include "rfb/planes.h"
#include "rfb/spool.h"
#include "tests/unit/skip.h"

#define MS     1000000ull
#define WIDTH  640u
#define HEIGHT 400u
#define WORDS  (DIV_ROUND_UP(HEIGHT, BLOCK_PIXELS)) /* of a bitmap: a word holds a row */

/* ---- planes ---- */

static void fill_with(const struct planes_kernel *kernel, uint32_t width, const uint32_t *pixels,
	uint8_t *bright, uint8_t *colour)
{
	const struct planes planes = {.pixels = pixels,
		.stride = width,
		.width = width,
		.height = 2,
		.bright_stride = width,
		.colour_stride = width};

	kernel->rows(&planes, pixels, pixels + width, bright, colour);
}

static void kernels_do_the_same(void **state)
{
	uint32_t pixels[2 * 118];
	uint8_t bright[2][2 * 118], colour[2][118];

	for (size_t k = 1; k < planes_kernels_used; k++) {
		if (!planes_kernels[k].usable())
			continue;
		for (uint32_t width = 2; width <= 118; width += 2) {
			for (size_t i = 0; i < ARRAY_SIZE(pixels); i++)
				pixels[i] = (uint32_t)rand() * 2654435761u;
			fill_with(&planes_kernels[0], width, pixels, bright[0], colour[0]);
			fill_with(&planes_kernels[k], width, pixels, bright[1], colour[1]);
			assert_memory_equal(bright[0], bright[1], 2 * width);
			assert_memory_equal(colour[0], colour[1], width);
		}
	}
}

/* BT.601's own numbers. */
static void colours_are_those_of_the_standard(void **state)
{
	static const struct {
		uint32_t pixel;
		int bright, blue, red;
	} cases[] = {
		{0x000000, 16, 128, 128},
		{0xffffff, 235, 128, 128},
		{0xff0000, 81, 90, 240},
		{0x00ff00, 145, 54, 34},
		{0x0000ff, 41, 240, 110},
		{0x808080, 126, 128, 128},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const uint32_t pixels[4] = {
			cases[i].pixel, cases[i].pixel, cases[i].pixel, cases[i].pixel};
		uint8_t bright[4], colour[2];
		const struct planes planes = {.pixels = pixels,
			.stride = 2,
			.width = 2,
			.height = 2,
			.bright = bright,
			.colour = colour,
			.bright_stride = 2,
			.colour_stride = 2};

		planes_fill(&planes);
		assert_in_range(bright[3], cases[i].bright - 2, cases[i].bright + 2);
		assert_in_range(colour[0], cases[i].blue - 2, cases[i].blue + 2);
		assert_in_range(colour[1], cases[i].red - 2, cases[i].red + 2);
	}
}

/* ---- motion ---- */

static void set_blocks(uint64_t *bitmap, const struct rect *blocks)
{
	for (uint32_t y = blocks->y; y < blocks->y + blocks->height; y++)
		for (uint32_t x = blocks->x; x < blocks->x + blocks->width; x++)
			bitmap[y] |= 1ull << x;
}

/* Publishes for so long, @each apart, in which @blocks change. Returns how often the area became another. */
static unsigned int run(struct motion *motion, uint64_t *now, uint64_t ns, uint64_t each,
	const struct rect *blocks, size_t count)
{
	uint64_t bitmap[WORDS] = {0}, end = *now + ns;
	unsigned int changes = 0;

	for (size_t i = 0; i < count; i++)
		set_blocks(bitmap, &blocks[i]);
	for (; *now < end; *now += each)
		changes += motion_note(motion, bitmap, *now);
	return changes;
}

static void assert_area(
	const struct motion *motion, uint32_t x, uint32_t y, uint32_t width, uint32_t height)
{
	const struct rect want = {x, y, width, height};

	assert_memory_equal(&motion->area, &want, sizeof(want));
}

static const struct rect film = {5, 4, 20, 15}, spinner = {38, 0, 1, 1}, letters = {0, 22, 3, 1};

static void what_changes_often_is_a_film(void **state)
{
	const struct rect blocks[] = {film, spinner};
	struct motion motion = {0};
	uint64_t now = 1;

	assert_int_equal(motion_resize(&motion, WIDTH, HEIGHT), 0);
	assert_int_equal(run(&motion, &now, 3000 * MS, 120 * MS, blocks, 2), 0);  /* 8 Hz */
	assert_int_equal(run(&motion, &now, 3000 * MS, 33 * MS, &letters, 1), 0); /* small */
	assert_int_equal(run(&motion, &now, 1200 * MS, 33 * MS, blocks, 2), 1);
	assert_area(&motion, 80, 64, 320, 240);
	/* A part of it rests, somebody types beside it. */
	assert_int_equal(
		run(&motion, &now, 2000 * MS, 33 * MS, (struct rect[]){{5, 4, 20, 6}, letters}, 2),
		0);
	assert_int_equal(run(&motion, &now, 2000 * MS, 33 * MS, &letters, 1), 1);
	assert_int_equal(motion.area.width, 0);
	motion_finish(&motion);
}

static void a_pause_ends_it_with_the_next_publish(void **state)
{
	struct motion motion = {0};
	uint64_t now = 1;

	assert_int_equal(motion_resize(&motion, WIDTH, HEIGHT), 0);
	run(&motion, &now, 1200 * MS, 33 * MS, &film, 1);
	assert_int_equal(motion.area.width, 320);
	now += 5000 * MS;
	assert_int_equal(run(&motion, &now, 1, 33 * MS, &letters, 1), 1);
	assert_int_equal(motion.area.width, 0);
	motion_finish(&motion);
}

static void it_grows_and_reaches_odd_edges(void **state)
{
	const struct rect all = {0, 0, 40, 25};
	struct motion motion = {0};
	uint64_t now = 1;

	assert_int_equal(motion_resize(&motion, WIDTH - 1, HEIGHT - 3), 0);
	run(&motion, &now, 1200 * MS, 33 * MS, &film, 1);
	assert_int_equal(run(&motion, &now, 1200 * MS, 33 * MS, &all, 1), 1);
	assert_area(&motion, 0, 0, WIDTH - 2, HEIGHT - 4);
	motion_finish(&motion);
}

/* Any damage: what comes out is inside, even, and neither too small nor too large. */
static void areas_are_always_in_range(void **state)
{
	struct motion motion = {0};
	uint64_t now = 1;

	for (unsigned int round = 0; round < 300; round++) {
		uint32_t width = 1 + rand() % 1023, height = 1 + rand() % 511;
		uint64_t bitmap[32];

		assert_int_equal(motion_resize(&motion, width, height), 0);
		for (size_t i = 0; i < ARRAY_SIZE(bitmap); i++)
			bitmap[i] = ((uint64_t)rand() << 33 ^ (uint64_t)rand() << 11 ^ rand()) |
				    (rand() % 3 ? 0 : ~0ull);
		for (unsigned int i = 0; i < 20; i++, now += 40 * MS)
			motion_note(&motion, bitmap, now);
		assert_true(motion.area.x + motion.area.width <= width);
		assert_true(motion.area.y + motion.area.height <= height);
		assert_false(motion.area.width % 2 || motion.area.height % 2);
		if (motion.area.width)
			assert_in_range(motion.area.width * motion.area.height, MOTION_PIXELS,
				LIMIT_FILM_PIXELS);
	}
	motion_finish(&motion);
}

/* ---- h264 ---- */

static void draw(uint32_t *pixels, unsigned int number)
{
	for (uint32_t y = 0; y < HEIGHT; y++)
		for (uint32_t x = 0; x < WIDTH; x++)
			pixels[y * WIDTH + x] = (x * 2 / 3 + number * 5) % 128 << 16 |
						(y + x / 4 + number * 3) % 128 << 8 |
						(96 + (x + y + number * 7) % 64);
}

/* The type of the first NAL unit, and whether one of them is of @type. */
static unsigned int nal_types(const uint8_t *bytes, size_t size, unsigned int type, bool *ret_has)
{
	unsigned int first = 0;

	*ret_has = false;
	for (size_t i = 0; i + 3 < size; i++)
		if (!bytes[i] && !bytes[i + 1] && bytes[i + 2] == 1) {
			first = first ?: bytes[i + 3] & 31;
			*ret_has |= (bytes[i + 3] & 31) == type;
		}
	return first;
}

static void pictures_come_at_once(void **state)
{
	uint32_t *pixels;
	struct h264 *h264 = NULL;
	const uint8_t *bytes;
	size_t size;
	bool has;

	if (!h264_there())
		skip_because("built without libx264");
	pixels = calloc(WIDTH * HEIGHT, sizeof(*pixels));
	assert_non_null(pixels);
	assert_int_equal(h264_create(WIDTH, HEIGHT, &h264), 0);
	for (unsigned int i = 0; i < 10; i++) {
		bool key = i % 4 == 0;

		draw(pixels, i);
		assert_int_equal(h264_encode(h264, pixels, WIDTH, key, 0, &bytes, &size), 0);
		assert_int_equal(nal_types(bytes, size, 5, &has), key ? 7 : 1);
		assert_int_equal(has, key);
		if (key) /* profile_idc, behind the head of the parameters */
			assert_int_equal(bytes[bytes[2] == 1 ? 4 : 5], 66);
	}
	h264_destroy(h264);
	free(pixels);
}

/* ---- film ---- */

struct set {
	struct film *film;
	uint32_t *pixels;
	uint64_t now, serial;
	struct film_place places[3];
	unsigned int steps[3]; /* that their lines want */
	size_t bytes;	       /* of what was taken */
	bool grain;	       /* not all of it is in the picture before, moved */
};

static int set_up(void **state)
{
	struct set *set = calloc(1, sizeof(*set));

	if (!set)
		return -1;
	set->now = 1000 * MS;
	set->pixels = calloc(WIDTH * HEIGHT, sizeof(*set->pixels));
	*state = set;
	if (!set->pixels || film_create(NULL, NULL, &set->film) < 0)
		return -1;
	film_frame(set->film, WIDTH, HEIGHT, 7);
	film_audience(set->film, true);
	return 0;
}

static int tear_down(void **state)
{
	struct set *set = *state;

	film_destroy(set->film);
	free(set->pixels);
	free(set);
	return 0;
}

static void add_grain(uint32_t *pixels, uint32_t random)
{
	for (size_t i = 0; i < WIDTH * HEIGHT; i++) {
		random = random * 1664525 + 1013904223;
		pixels[i] ^= random >> 8 & 0x0f0f0f;
	}
}

static void publish(struct set *set)
{
	uint64_t bitmap[WORDS] = {0};

	set_blocks(bitmap, &film);
	draw(set->pixels, ++set->serial);
	if (set->grain)
		add_grain(set->pixels, set->serial);
	film_published(set->film, bitmap, set->now += 33 * MS);
}

static void play(struct set *set)
{
	struct rect area;
	uint32_t reel;

	for (unsigned int i = 0; i < 40 && !film_showing(set->film, 7, &area, &reel); i++)
		publish(set);
}

static size_t take(struct set *set, unsigned int who, bool *ret_anew, bool *ret_key)
{
	const struct shot *shots[FILM_BATCH];
	struct film_want want = {.serial = set->serial, .pixels = set->pixels, .stride = WIDTH};
	struct rect area;
	size_t count;

	want.now = set->now;
	want.step = set->steps[who];
	if (!film_showing(set->film, 7, &area, &want.reel))
		return 0;
	*ret_anew = false;
	count = film_take(set->film, &want, &set->places[who], shots, ret_anew);
	*ret_key = count && shots[0]->key;
	for (size_t i = 0; i < count; i++)
		set->bytes += shots[i]->size;
	film_drop(set->film, shots, count);
	return count;
}

static void a_shot_is_made_once(void **state)
{
	struct set *set = *state;
	bool anew, key;

	if (!h264_there())
		skip_because("built without libx264");
	play(set);
	for (unsigned int i = 0; i < 5; i++) {
		publish(set);
		for (unsigned int who = 0; who < 3; who++) {
			assert_int_equal(take(set, who, &anew, &key), 1);
			assert_int_equal(anew, i == 0);
			assert_int_equal(key, i == 0);
			assert_int_equal(take(set, who, &anew, &key), 0); /* has it */
		}
	}
	assert_int_equal(film_counts(set->film).made, 5);
	assert_int_equal(film_counts(set->film).sent, 15);
}

static void who_lags_gets_all_of_them_or_begins_again(void **state)
{
	struct set *set = *state;
	bool anew, key;

	if (!h264_there())
		skip_because("built without libx264");
	play(set);
	assert_int_equal(take(set, 0, &anew, &key), 1);
	assert_int_equal(take(set, 1, &anew, &key), 1);
	for (unsigned int i = 0; i < FILM_BATCH; i++) {
		publish(set);
		assert_int_equal(take(set, 0, &anew, &key), 1);
	}
	assert_int_equal(take(set, 1, &anew, &key), FILM_BATCH);
	assert_false(anew || key);
	for (unsigned int i = 0; i < FILM_BATCH + 1; i++) {
		publish(set);
		assert_int_equal(take(set, 0, &anew, &key), 1);
	}
	assert_int_equal(take(set, 1, &anew, &key), 0); /* too many: pixels, for a while */
	for (unsigned int i = 0; i < 100; i++) {
		publish(set);
		assert_int_equal(take(set, 0, &anew, &key), 1);
		assert_false(anew);
		assert_int_equal(take(set, 1, &anew, &key), 0);
	}
	for (unsigned int i = 0; i < 60 && !take(set, 1, &anew, &key); i++) {
		publish(set);
		assert_int_equal(take(set, 0, &anew, &key), 1);
	}
	assert_true(anew && key);
}

static void who_comes_waits_for_a_key(void **state)
{
	struct set *set = *state;
	bool anew, key;
	unsigned int waited = 0;

	if (!h264_there())
		skip_because("built without libx264");
	play(set);
	assert_int_equal(take(set, 0, &anew, &key), 1);
	for (unsigned int i = 0; i < FILM_BATCH + 2; i++) {
		publish(set);
		assert_int_equal(take(set, 0, &anew, &key), 1);
	}
	/* Keys are a second apart. */
	while (!take(set, 2, &anew, &key)) {
		publish(set);
		assert_int_equal(take(set, 0, &anew, &key), 1);
		assert_in_range(++waited, 1, 40);
	}
	assert_true(waited && anew && key);
}

static void few_colours_are_none(void **state)
{
	struct set *set = *state;
	struct rect area;
	uint32_t reel;
	bool anew, key;

	play(set);
	memset(set->pixels, 0x55, WIDTH * HEIGHT * sizeof(*set->pixels));
	assert_int_equal(take(set, 0, &anew, &key), 0);
	assert_false(film_showing(set->film, 7, &area, &reel));
}

/* Noise on a screen so large that none of its pictures is small enough to be sent: it is not made again and again. */
static void what_is_too_many_bytes_is_none(void **state)
{
	const uint32_t side = 2048, words = side / BLOCK_PIXELS / 64 * (side / BLOCK_PIXELS);
	struct set *set = *state;
	uint64_t *bitmap;
	const struct shot *shots[FILM_BATCH];
	struct film_want want = {.serial = 1, .stride = side};
	uint32_t *pixels, noise = 1;
	struct rect area;
	bool anew;

	if (!h264_there())
		skip_because("built without libx264");
	bitmap = malloc(words * sizeof(*bitmap));
	pixels = malloc(side * side * sizeof(*pixels));
	assert_non_null(bitmap);
	assert_non_null(pixels);
	memset(bitmap, 0xff, words * sizeof(*bitmap));
	for (size_t i = 0; i < side * side; i++)
		pixels[i] = (noise = noise * 1664525 + 1013904223) >> 8;
	film_frame(set->film, side, side, 8);
	for (unsigned int i = 0; i < 40 && !film_showing(set->film, 8, &area, &want.reel); i++)
		film_published(set->film, bitmap, set->now += 33 * MS);
	assert_true(film_showing(set->film, 8, &area, &want.reel));
	want.pixels = pixels;
	want.now = set->now;
	assert_int_equal(film_take(set->film, &want, &set->places[0], shots, &anew), 0);
	assert_false(film_showing(set->film, 8, &area, &want.reel));
	free(bitmap);
	free(pixels);
}

/* Two seconds and more, and then the first one's bytes of a third. */
static size_t bytes_of(struct set *set, unsigned int viewers)
{
	size_t bytes = 0;
	bool anew, key;

	for (unsigned int i = 0; i < 3 * 36; i++) {
		publish(set);
		set->bytes = 0;
		assert_int_equal(take(set, 0, &anew, &key), 1);
		bytes += i < 2 * 36 ? 0 : set->bytes;
		for (unsigned int who = 1; who < viewers; who++)
			take(set, who, &anew, &key);
	}
	return bytes;
}

/* One whose line is fast has the best for all; where there is none, less will do, and only while there is none. */
static void its_quality_is_what_the_fastest_can_take(void **state)
{
	struct set *set = *state;
	size_t best, slow, beside, again;

	if (!h264_there())
		skip_because("built without libx264");
	set->grain = true;
	play(set);
	best = bytes_of(set, 1);
	set->steps[0] = H264_STEPS;
	slow = bytes_of(set, 1);
	beside = bytes_of(set, 2);
	set->steps[1] = H264_STEPS;
	assert_in_range(bytes_of(set, 2), 1, 2 * slow);
	set->steps[0] = 0;
	again = bytes_of(set, 2);
	assert_in_range(slow, 1, best * 2 / 3);
	assert_in_range(beside, best * 3 / 4, best * 4 / 3);
	assert_in_range(again, best * 3 / 4, best * 4 / 3);
}

/* With the last viewer; what somebody is making meanwhile is of no use to anybody. */
static void it_ends_with_its_audience(void **state)
{
	struct set *set = *state;
	struct rect area;
	uint32_t reel;
	bool anew, key;

	if (!h264_there())
		skip_because("built without libx264");
	film_audience(set->film, true);
	play(set);
	assert_int_equal(take(set, 0, &anew, &key), 1);
	film_audience(set->film, false);
	assert_true(film_showing(set->film, 7, &area, &reel));
	film_audience(set->film, false);
	assert_false(film_showing(set->film, 7, &area, &reel));
	play(set);
	assert_false(film_showing(set->film, 7, &area, &reel));
	film_audience(set->film, true);
	publish(set);
	assert_false(film_showing(set->film, 7, &area, &reel));
	play(set);
	assert_true(film_showing(set->film, 7, &area, &reel));
	assert_int_equal(take(set, 0, &anew, &key), 1);
	assert_true(anew && key);
}

/* What rests is exact sooner or later, and stays so: it is no film for who comes, nor for who was there, also where the encoder is gone. */
static void what_rests_is_none(void **state)
{
	struct set *set = *state;
	bool anew, key;

	if (!h264_there())
		skip_because("built without libx264");
	play(set);
	assert_int_equal(take(set, 0, &anew, &key), 1);
	set->now += 900 * MS;
	assert_int_equal(take(set, 1, &anew, &key), 1);
	set->now += 200 * MS;
	assert_int_equal(take(set, 2, &anew, &key), 0);
	assert_true(film_tidy(set->film));
	assert_false(film_tidy(set->film));
	assert_int_equal(take(set, 0, &anew, &key), 0);
	assert_int_equal(film_counts(set->film).made, 1);
	publish(set);
	play(set);
	assert_int_equal(take(set, 0, &anew, &key), 1);
	assert_true(anew && key);
}

static void it_ends(void **state)
{
	struct set *set = *state;
	struct rect area;
	uint32_t reel, again;
	bool anew, key;

	if (!h264_there())
		skip_because("built without libx264");
	play(set);
	assert_int_equal(take(set, 0, &anew, &key), 1);
	assert_true(film_showing(set->film, 7, &area, &reel));
	assert_false(film_showing(set->film, 8, &area, &reel));
	assert_true(film_tidy(set->film));
	assert_false(film_tidy(set->film)); /* nobody has made one since */
	assert_true(film_showing(set->film, 7, &area, &again));
	assert_int_not_equal(reel, again);
	publish(set);
	assert_int_equal(take(set, 0, &anew, &key), 1);
	assert_true(anew && key);
	film_switch(set->film, false);
	play(set);
	assert_false(film_showing(set->film, 7, &area, &reel));
	film_switch(set->film, true);
	play(set);
	assert_true(film_showing(set->film, 7, &area, &reel));
	film_frame(set->film, WIDTH, HEIGHT, 8);
	assert_false(film_showing(set->film, 8, &area, &reel));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kernels_do_the_same),
		cmocka_unit_test(colours_are_those_of_the_standard),
		cmocka_unit_test(what_changes_often_is_a_film),
		cmocka_unit_test(a_pause_ends_it_with_the_next_publish),
		cmocka_unit_test(it_grows_and_reaches_odd_edges),
		cmocka_unit_test(areas_are_always_in_range),
		cmocka_unit_test(pictures_come_at_once),
		cmocka_unit_test_setup_teardown(a_shot_is_made_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			who_lags_gets_all_of_them_or_begins_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(who_comes_waits_for_a_key, set_up, tear_down),
		cmocka_unit_test_setup_teardown(few_colours_are_none, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_too_many_bytes_is_none, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			its_quality_is_what_the_fastest_can_take, set_up, tear_down),
		cmocka_unit_test_setup_teardown(it_ends_with_its_audience, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_rests_is_none, set_up, tear_down),
		cmocka_unit_test_setup_teardown(it_ends, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
