/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "rfb/mosaic.h"
#include "rfb/photo.h"
#include "rfb/wire.h"
#include "tight-viewer.h"

enum { WIDTH = 1100, HEIGHT = 700, GUARD = 0x5a, GUARDS = 16 };

static const struct tight_wish exact = {.quality = -1, .compression = 1};
static const struct tight_wish fine = {.quality = 92, .compression = 1};

struct fixture {
	struct tight *tight;
	struct tight_viewer viewer;
	uint32_t pixels[HEIGHT][WIDTH];
	uint32_t seen[HEIGHT][WIDTH];
	uint8_t times[HEIGHT][WIDTH]; /* that the pixel was sent */
	uint8_t *bytes;
	uint32_t *part; /* one rectangle's pixels */
	uint32_t seed;
	size_t jpegs;
	struct rect jpeg; /* around them */
};

static int begin(void **state)
{
	struct fixture *f = new0(struct fixture);

	f->seed = 1;
	f->bytes = malloc(16u * TIGHT_PIXELS_MAX);
	f->part = calloc(TIGHT_PIXELS_MAX, sizeof(*f->part));
	tight_viewer_init(&f->viewer);
	*state = f;
	return tight_create(&f->tight);
}

static int end(void **state)
{
	struct fixture *f = *state;

	tight_destroy(f->tight);
	tight_viewer_finish(&f->viewer);
	free(f->bytes);
	free(f->part);
	free(f);
	return 0;
}

static uint32_t draw(struct fixture *f)
{
	f->seed ^= f->seed << 13;
	f->seed ^= f->seed >> 17;
	f->seed ^= f->seed << 5;
	return f->seed;
}

/* ---- pictures ---- */

static void paint_noise(struct fixture *f, const struct rect *rect)
{
	for (uint32_t y = rect->y; y < rect->y + rect->height; y++) {
		for (uint32_t x = rect->x; x < rect->x + rect->width; x++)
			f->pixels[y][x] = draw(f);
	}
}

static void paint_photo(struct fixture *f, const struct rect *rect)
{
	for (uint32_t y = rect->y; y < rect->y + rect->height; y++) {
		for (uint32_t x = rect->x; x < rect->x + rect->width; x++)
			f->pixels[y][x] = (x * 200 / WIDTH + 20 + ((x * 7 ^ y * 5) & 3)) << 16 |
					  (y * 200 / HEIGHT + 30) << 8 |
					  ((x + y) * 100 / (WIDTH + HEIGHT) + (x * y & 3) + 60);
	}
}

static void paint_colours(struct fixture *f, const struct rect *rect, uint32_t colours)
{
	for (uint32_t y = rect->y; y < rect->y + rect->height; y++) {
		for (uint32_t x = rect->x; x < rect->x + rect->width; x++)
			f->pixels[y][x] =
				draw(f) % 4 ? 0xf0f0f0 : draw(f) % colours * 0x10d4f1u & 0xffffff;
	}
}

static struct rect some_rect(struct fixture *f)
{
	uint32_t x = draw(f) % (WIDTH - 1), y = draw(f) % (HEIGHT - 1);

	return (struct rect){x, y, 1 + draw(f) % (WIDTH - x), 1 + draw(f) % (HEIGHT - y)};
}

/* Areas of all kinds, over each other. */
static void paint(struct fixture *f)
{
	memset(f->pixels, 0x20, sizeof(f->pixels));
	for (int i = 0; i < 12; i++) {
		struct rect rect = some_rect(f);

		switch (draw(f) % 5) {
		case 0:
			paint_noise(f, &rect);
			break;
		case 1:
			paint_photo(f, &rect);
			break;
		case 2:
			paint_colours(f, &rect, 2 + draw(f) % 20);
			break;
		case 3:
			paint_colours(f, &rect, 1);
			break;
		default:
			paint_colours(f, &rect, 200 + draw(f) % 100);
		}
	}
}

/* ---- the viewer ---- */

static void put_part(struct fixture *f, const struct rect *rect)
{
	for (uint32_t y = 0; y < rect->height; y++) {
		memcpy(&f->seen[rect->y + y][rect->x], f->part + y * rect->width,
			rect->width * sizeof(*f->part));
		for (uint32_t x = 0; x < rect->width; x++)
			f->times[rect->y + y][rect->x + x]++;
	}
}

static void grow(struct rect *around, const struct rect *rect)
{
	uint32_t right = MAX(around->x + around->width, rect->x + rect->width);
	uint32_t bottom = MAX(around->y + around->height, rect->y + rect->height);

	if (!around->width) {
		*around = *rect;
		return;
	}
	around->x = MIN(around->x, rect->x);
	around->y = MIN(around->y, rect->y);
	around->width = right - around->x;
	around->height = bottom - around->y;
}

static void receive(struct fixture *f, const struct rect *area, size_t size, uint32_t rectangles)
{
	const uint8_t *at = f->bytes;

	f->jpegs = 0;
	f->jpeg = (struct rect){0};
	memset(f->times, 0, sizeof(f->times));
	for (uint32_t i = 0; i < rectangles; i++) {
		const struct rect rect = {
			wire_u16(at), wire_u16(at + 2), wire_u16(at + 4), wire_u16(at + 6)};
		size_t used;
		int r;

		assert_int_equal(wire_u32(at + 8), 7);
		assert_in_range(rect.width, 1, TIGHT_WIDTH_MAX);
		assert_true(rect.x >= area->x && rect.x + rect.width <= area->x + area->width);
		assert_true(rect.y >= area->y && rect.y + rect.height <= area->y + area->height);
		at += 12;
		r = tight_viewer_decode(&f->viewer, at, f->bytes + size - at, rect.width,
			rect.height, f->part, &used);
		assert_in_range(r, 0, TIGHT_VIEWER_JPEG);
		if (r == TIGHT_VIEWER_JPEG) {
			f->jpegs++;
			grow(&f->jpeg, &rect);
		}
		at += used;
		put_part(f, &rect);
	}
	assert_ptr_equal(at, f->bytes + size);
}

/* Every pixel once, and nothing beside. Returns the greatest difference. */
static unsigned int compare(struct fixture *f, const struct rect *rect)
{
	unsigned int most = 0;

	for (uint32_t y = 0; y < HEIGHT; y++) {
		for (uint32_t x = 0; x < WIDTH; x++) {
			bool inside = x >= rect->x && x < rect->x + rect->width && y >= rect->y &&
				      y < rect->y + rect->height;

			assert_int_equal(f->times[y][x], inside);
			for (int i = 0; inside && i < 24; i += 8) {
				int a = f->pixels[y][x] >> i & 0xff, b = f->seen[y][x] >> i & 0xff;

				most = MAX(most, (unsigned int)abs(a - b));
			}
		}
	}
	return most;
}

static unsigned int check(struct fixture *f, const struct rect *rect, const struct tight_wish *wish)
{
	size_t bound = mosaic_bound(rect), size;
	struct mosaic made;

	assert_in_range(bound, 1, 16u * TIGHT_PIXELS_MAX - GUARDS);
	memset(f->bytes + bound, GUARD, GUARDS);
	size = mosaic_make(f->tight, f->pixels[0], WIDTH, rect, wish, f->bytes, &made);
	assert_in_range(size, 1, bound);
	for (int i = 0; i < GUARDS; i++)
		assert_int_equal(f->bytes[bound + i], GUARD);
	receive(f, rect, size, made.rectangles);
	assert_memory_equal(&made.lossy, &f->jpeg, sizeof(f->jpeg));
	return compare(f, rect);
}

static void check_exact_but(struct fixture *f, const struct rect *rect, const struct rect *but)
{
	for (uint32_t y = rect->y; y < rect->y + rect->height; y++) {
		for (uint32_t x = rect->x; x < rect->x + rect->width; x++) {
			if (x < but->x || x >= but->x + but->width || y < but->y ||
				y >= but->y + but->height)
				assert_int_equal(f->seen[y][x], f->pixels[y][x] & 0xffffff);
		}
	}
}

static struct rect fitting_rect(struct fixture *f)
{
	struct rect rect;

	do {
		rect = some_rect(f);
	} while ((size_t)rect.width * rect.height > TIGHT_PIXELS_MAX);
	return rect;
}

/* ---- tests ---- */

static void test_every_area_is_exact(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 150; i++) {
		struct rect rect = fitting_rect(f);

		if (i % 5 == 0)
			paint(f);
		assert_int_equal(check(f, &rect, &exact), 0);
		assert_int_equal(f->jpegs, 0);
	}
}

static void test_small_areas_are_exact(void **state)
{
	struct fixture *f = *state;

	paint(f);
	for (uint32_t height = 1; height <= 70; height += 3) {
		for (uint32_t width = 1; width <= 70; width += 3) {
			struct rect rect = {draw(f) % 1000, draw(f) % 600, width, height};

			assert_int_equal(check(f, &rect, &exact), 0);
		}
	}
}

static void test_few_colours_stay_exact_beside_many(void **state)
{
	static const struct rect all = {0, 0, 256, 256}, corner = {64, 64, 64, 192};
	struct fixture *f = *state;

	paint_colours(f, &all, 16);
	paint_photo(f, &corner);
	check(f, &all, &fine);
	if (!photo_there())
		skip();
	assert_int_equal(f->jpegs, 1);
	assert_int_equal(f->jpeg.x, corner.x);
	assert_int_equal(f->jpeg.width, corner.width);
	assert_in_range(f->jpeg.y, corner.y, corner.y + 32);
	for (uint32_t y = 0; y < 256; y++) {
		for (uint32_t x = 0; x < 256; x++) {
			if (x < 64 || x >= 128 || y < 64)
				assert_int_equal(f->seen[y][x], f->pixels[y][x]);
		}
	}
}

static void test_photo_is_one_rectangle(void **state)
{
	static const struct rect all = {100, 30, 256, 256};
	struct fixture *f = *state;

	paint_photo(f, &all);
	assert_in_range(check(f, &all, &fine), 0, 24);
	if (!photo_there())
		skip();
	assert_int_equal(f->jpegs, 1);
	assert_memory_equal(&f->jpeg, &all, sizeof(all));
}

/* What is left beside squares and below them has few colours because it is narrow. */
static void test_edge_of_photo_goes_with_it(void **state)
{
	static const struct rect all = {100, 30, 256 + 16, 256 + 16};
	struct fixture *f = *state;

	for (uint32_t y = 0; y < all.height; y++)
		for (uint32_t x = 0; x < all.width; x++)
			f->pixels[all.y + y][all.x + x] = (x / 2) << 16 | (y / 2) << 8;
	check(f, &all, &fine);
	if (!photo_there())
		skip();
	assert_int_equal(f->jpegs, 1);
	assert_memory_equal(&f->jpeg, &all, sizeof(all));
}

static void test_loss_is_told(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 60; i++) {
		struct rect rect = fitting_rect(f);

		if (i % 5 == 0) {
			memset(f->pixels, 0x20, sizeof(f->pixels));
			for (int j = 0; j < 6; j++) {
				struct rect part = some_rect(f);

				if (j % 2)
					paint_photo(f, &part);
				else
					paint_colours(f, &part, 1 + draw(f) % 200);
			}
		}
		check(f, &rect, &fine);
		check_exact_but(f, &rect, &f->jpeg);
	}
}

/* A row of text in a wide screen is one rectangle. */
static void test_wide_and_low_is_not_cut(void **state)
{
	static const struct rect row = {0, 100, WIDTH, 18};
	struct fixture *f = *state;
	struct mosaic made;

	paint_colours(f, &row, 16);
	mosaic_make(f->tight, f->pixels[0], WIDTH, &row, &exact, f->bytes, &made);
	assert_int_equal(made.rectangles, 1);
}

/* What stands above many colours, in so few rows that it is no rectangle for its one or two colours' sake. */
static void test_few_rows_above_many_colours(void **state)
{
	static const struct rect area = {0, 0, 256, 128};
	struct fixture *f = *state;

	for (uint32_t rows = 1; rows < 64; rows++) {
		const struct rect above = {0, 0, area.width, rows};

		for (uint32_t colours = 0; colours < 3; colours++) {
			paint_noise(f, &area);
			if (colours)
				paint_colours(f, &above, colours);
			else
				memset(f->pixels, 0x20, rows * sizeof(f->pixels[0]));
			assert_int_equal(check(f, &area, &exact), 0);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_every_area_is_exact, begin, end),
		cmocka_unit_test_setup_teardown(test_small_areas_are_exact, begin, end),
		cmocka_unit_test_setup_teardown(
			test_few_colours_stay_exact_beside_many, begin, end),
		cmocka_unit_test_setup_teardown(test_photo_is_one_rectangle, begin, end),
		cmocka_unit_test_setup_teardown(test_edge_of_photo_goes_with_it, begin, end),
		cmocka_unit_test_setup_teardown(test_loss_is_told, begin, end),
		cmocka_unit_test_setup_teardown(test_wide_and_low_is_not_cut, begin, end),
		cmocka_unit_test_setup_teardown(test_few_rows_above_many_colours, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
