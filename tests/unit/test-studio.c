/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/mem.h"
#include "damage/tiles.h"
#include "rfb/cut.h"
#include "rfb/serials.h"
#include "rfb/studio.h"

#define WIDTH	512
#define HEIGHT	1024
#define SIDE	64
#define PIECES	(WIDTH / SIDE * HEIGHT / SIDE)
#define THREADS 8

struct fixture {
	uint32_t pixels[HEIGHT * WIDTH];
	struct studio *studio;
	_Atomic unsigned int filled;
	uint64_t serial; /* for the threads */
};

static void on_filled(void *arg)
{
	struct fixture *f = arg;

	f->filled++;
}

static void noise(struct fixture *f, uint32_t seed)
{
	for (size_t i = 0; i < ARRAY_SIZE(f->pixels); i++) {
		seed = seed * 1664525 + 1013904223;
		f->pixels[i] = seed >> 8;
	}
}

static void open_studio(struct fixture *f, unsigned int makers, unsigned int sheets)
{
	const struct studio_options options = {
		.makers = makers,
		.maximum = sheets * STUDIO_SHEET,
		.filled = on_filled,
		.arg = f,
	};

	studio_destroy(f->studio);
	assert_int_equal(studio_create(&options, &f->studio), 0);
}

static int begin(void **state)
{
	struct fixture *f = new0(struct fixture);

	noise(f, 1);
	open_studio(f, 2, 4);
	*state = f;
	return 0;
}

static int finish(void **state)
{
	struct fixture *f = *state;

	studio_destroy(f->studio);
	free(f);
	return 0;
}

static struct print_want want_of(struct fixture *f, unsigned int piece, uint64_t serial)
{
	return (struct print_want){
		.rect = {piece * SIDE % WIDTH, piece / (WIDTH / SIDE) * SIDE, SIDE, SIDE},
		.serial = serial,
		.wish = {.quality = -1, .compression = 1},
		.pixels = f->pixels,
		.stride = WIDTH,
	};
}

static const struct print *take(struct fixture *f, const struct print_want *want)
{
	const struct print *print;

	assert_int_equal(studio_take(f->studio, want, &print), 0);
	return print;
}

static void drop(struct fixture *f, const struct print *print)
{
	studio_drop(f->studio, &print, 1);
}

static void once_for_all(void **state)
{
	struct fixture *f = *state;
	struct print_want want = want_of(f, 3, 7);
	const struct print *first = take(f, &want), *second = take(f, &want);

	assert_ptr_equal(first, second);
	assert_int_equal(studio_counts(f->studio).made, 1);
	assert_int_equal(studio_counts(f->studio).shared, 1);
	assert_int_equal(f->filled, 1);
	assert_int_equal(first->lossy.width, 0);
	assert_true(first->rectangles >= 1);
	assert_true(first->size > SIDE * SIDE * 3); /* noise */
	drop(f, first);
	assert_ptr_equal(take(f, &want), second); /* kept */
	drop(f, second);
	drop(f, second);
}

/* Whatever a print says of itself tells it from others. */
static void not_for_others(void **state)
{
	struct fixture *f = *state;
	struct print_want wants[6];
	const struct print *prints[6];

	for (size_t i = 0; i < ARRAY_SIZE(wants); i++)
		wants[i] = want_of(f, 3, 7);
	wants[1].serial = 8;
	wants[2].rect.x++;
	wants[3].rect.height--;
	wants[4].wish.compression = 9;
	wants[5].serial = 0;
	for (size_t i = 0; i < ARRAY_SIZE(wants); i++)
		prints[i] = take(f, &wants[i]);
	assert_int_equal(studio_counts(f->studio).made, 6);
	drop(f, take(f, &wants[5]));
	assert_int_equal(studio_counts(f->studio).made, 7);
	assert_int_equal(studio_counts(f->studio).shared, 0);
	for (size_t i = 0; i < ARRAY_SIZE(wants); i++)
		drop(f, prints[i]);
}

/* A sheet that is held stays; others make room; over the bound goes only what must. */
static void bounded(void **state)
{
	struct fixture *f = *state;
	const struct print *held[PIECES], *over;
	unsigned int count;
	struct print_want want;
	int r = 0;

	open_studio(f, 1, 1);
	for (count = 0; count < PIECES && r == 0; count += r == 0) {
		want = want_of(f, count, 1);
		r = studio_take(f->studio, &want, &held[count]);
	}
	assert_int_equal(r, -ENOSPC);
	assert_true(count > 30);
	assert_int_equal(studio_counts(f->studio).bytes, STUDIO_SHEET);
	want.must = true;
	over = take(f, &want);
	assert_int_equal(studio_counts(f->studio).bytes, 2 * STUDIO_SHEET);
	drop(f, over);
	assert_int_equal(studio_counts(f->studio).bytes, STUDIO_SHEET);
	for (unsigned int i = 0; i < count; i++)
		assert_int_equal(held[i]->rect.x, i * SIDE % WIDTH);
	for (unsigned int i = 0; i < count; i++)
		drop(f, held[i]);
	/* The oldest goes now. */
	want.must = false;
	drop(f, take(f, &want));
	want = want_of(f, 0, 1);
	drop(f, take(f, &want));
	assert_int_equal(studio_counts(f->studio).shared, 0);
	assert_int_equal(studio_counts(f->studio).bytes, STUDIO_SHEET);
}

static void tidied(void **state)
{
	struct fixture *f = *state;
	struct print_want want = want_of(f, 0, 1);
	const struct print *print = take(f, &want);

	assert_true(studio_tidy(f->studio));
	assert_true(studio_tidy(f->studio)); /* held */
	drop(f, print);
	assert_ptr_equal(take(f, &want), print);
	drop(f, print);
	assert_true(studio_tidy(f->studio)); /* was wanted since */
	assert_false(studio_tidy(f->studio));
	assert_int_equal(studio_counts(f->studio).bytes, 0);
	assert_int_equal(f->filled, 1);
	drop(f, take(f, &want));
	assert_int_equal(f->filled, 2);
	assert_int_equal(studio_counts(f->studio).made, 2);
}

/* All pieces, as a viewer takes them. */
static void *viewer(void *arg)
{
	struct fixture *f = arg;
	const struct print *prints[PIECES] = {0};
	unsigned int left = PIECES;

	while (left) {
		uint64_t turn = studio_turn(f->studio);
		unsigned int before = left;

		for (unsigned int i = 0; i < PIECES; i++) {
			struct print_want want = want_of(f, i, f->serial);

			if (!prints[i] && studio_take(f->studio, &want, &prints[i]) == 0)
				left--;
		}
		if (left == before)
			studio_wait(f->studio, turn);
	}
	for (unsigned int i = 0; i < PIECES; i++) {
		assert_int_equal(prints[i]->rect.x, i * SIDE % WIDTH);
		drop(f, prints[i]);
	}
	return NULL;
}

static void in_step(void **state)
{
	struct fixture *f = *state;
	pthread_t threads[THREADS];

	open_studio(f, 3, 16);
	for (f->serial = 1; f->serial <= 20; f->serial++) {
		for (size_t i = 0; i < THREADS; i++)
			assert_int_equal(pthread_create(&threads[i], NULL, viewer, f), 0);
		for (size_t i = 0; i < THREADS; i++)
			pthread_join(threads[i], NULL);
		assert_int_equal(studio_counts(f->studio).made, f->serial * PIECES);
		assert_int_equal(
			studio_counts(f->studio).shared, (THREADS - 1) * f->serial * PIECES);
	}
}

/* ---- what is cut ---- */

static unsigned int cut_all(sraRegionPtr region, uint8_t *covered)
{
	unsigned int pieces = 0;
	struct rect piece;
	struct cut cut;

	assert_true(cut_begin(&cut, region));
	while (cut_next(&cut, &piece)) {
		pieces++;
		assert_true(piece.width && piece.height);
		assert_true(piece.width * piece.height <= CUT_PIXELS);
		for (uint32_t y = piece.y; y < piece.y + piece.height; y++)
			for (uint32_t x = piece.x; x < piece.x + piece.width; x++)
				assert_int_equal(covered[y * 1000 + x]++, 0);
	}
	assert_false(cut_next(&cut, &piece));
	cut_end(&cut);
	return pieces;
}

static void cut_to_pieces(void **state)
{
	static const struct rect rects[] = {{0, 0, 1000, 700}, {0, 0, 1, 1}, {63, 65, 600, 1},
		{64, 64, 192, 192}, {65, 1, 254, 254}, {127, 127, 2, 300}, {999, 699, 1, 1},
		{16, 48, 900, 600}};
	_cleanup_free_ uint8_t *covered = calloc(700, 1000);

	assert_non_null(covered);
	for (size_t i = 0; i < ARRAY_SIZE(rects); i++) {
		const struct rect *r = &rects[i];
		sraRegionPtr region =
			sraRgnCreateRect(r->x, r->y, r->x + r->width, r->y + r->height);
		size_t sum = 0;

		memset(covered, 0, 700 * 1000);
		cut_all(region, covered);
		for (size_t j = 0; j < 700 * 1000; j++)
			sum += covered[j];
		assert_int_equal(sum, r->width * r->height);
		sraRgnDestroy(region);
	}
}

/* Whatever the pixels are. */
static void every_piece_fits(void **state)
{
	struct rect piece = {0};

	for (piece.width = 1; piece.width < 2 * CUT_WIDTH; piece.width++)
		for (piece.height = 1; piece.height < 2 * CUT_HEIGHT; piece.height++)
			assert_true(
				mosaic_bound(&piece) + sizeof(struct print) <= STUDIO_SHEET - 128);
}

/* Who has more to be sent still has the pieces inside in common with the others. */
static void cut_alike(void **state)
{
	sraRegionPtr wide = sraRgnCreateRect(0, 0, 1000, 700);
	sraRegionPtr narrow = sraRgnCreateRect(20, 130, 990, 690);
	struct rect pieces[64], piece;
	unsigned int count = 0, common = 0;
	struct cut cut;

	assert_true(cut_begin(&cut, wide));
	while (cut_next(&cut, &piece))
		pieces[count++] = piece;
	cut_end(&cut);
	assert_true(cut_begin(&cut, narrow));
	while (cut_next(&cut, &piece))
		for (unsigned int i = 0; i < count; i++)
			common += memcmp(&pieces[i], &piece, sizeof(piece)) == 0;
	cut_end(&cut);
	assert_true(common >= 4);
	sraRgnDestroy(wide);
	sraRgnDestroy(narrow);
}

static void cut_nothing(void **state)
{
	sraRegionPtr region = sraRgnCreate();

	assert_int_equal(cut_all(region, NULL), 0);
	sraRgnDestroy(region);
}

/* ---- serials ---- */

static void newest(void **state)
{
	uint64_t bitmap[8 * 2] = {0};
	struct serials serials;
	const struct rect all = {0, 0, 1030, 100}, corner = {1029, 99, 1, 1},
			  first = {0, 0, 16, 16}, second = {16, 0, 16, 16}, both = {15, 15, 2, 1};

	assert_int_equal(serials_init(&serials, 1030, 100, 5), 0);
	assert_int_equal(tiles_bitmap_stride(1030), 2);
	assert_int_equal(serials_newest(&serials, &all), 5);
	bitmap[0] = 2;
	serials_note(&serials, bitmap, 6);
	assert_int_equal(serials_newest(&serials, &first), 5);
	assert_int_equal(serials_newest(&serials, &second), 6);
	assert_int_equal(serials_newest(&serials, &both), 6);
	assert_int_equal(serials_newest(&serials, &corner), 5);
	/* The last block of all, and one that is not there. */
	bitmap[0] = 0;
	bitmap[6 * 2 + 1] = 1 | 2;
	serials_note(&serials, bitmap, 7);
	assert_int_equal(serials_newest(&serials, &corner), 7);
	assert_int_equal(serials_newest(&serials, &both), 6);
	assert_int_equal(serials_newest(&serials, &all), 7);
	for (uint64_t serial = 8; serial < 200000; serial++) {
		serials_note(&serials, bitmap, serial);
		assert_int_equal(serials_newest(&serials, &corner), serial);
		/* Those that did not change may count as changed now and then, but have no number that is yet to come. */
		assert_true(serials_newest(&serials, &second) <= serial);
		assert_true(serials_newest(&serials, &second) + UINT16_MAX >= serial);
	}
	serials_finish(&serials);
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, begin, finish)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(once_for_all),
		CASE(not_for_others),
		CASE(bounded),
		CASE(tidied),
		CASE(in_step),
		cmocka_unit_test(cut_to_pieces),
		cmocka_unit_test(cut_alike),
		cmocka_unit_test(every_piece_fits),
		cmocka_unit_test(cut_nothing),
		cmocka_unit_test(newest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
