/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "rfb/tight.h"
#include "tight-viewer.h"

enum { GUARD = 0x5a, GUARDS = 16, STRIDE_MORE = 7 };

static const struct tight_wish exact = {.quality = -1, .compression = 1};

struct fixture {
	struct tight *tight;
	struct tight_viewer viewer;
	uint32_t pixels[TIGHT_PIXELS_MAX * 2];
	uint32_t seen[TIGHT_PIXELS_MAX];
	uint8_t *bytes;
	uint32_t seed;
};

static int begin(void **state)
{
	struct fixture *f = new0(struct fixture);

	f->seed = 1;
	f->bytes =
		malloc(tight_bound(TIGHT_WIDTH_MAX, TIGHT_PIXELS_MAX / TIGHT_WIDTH_MAX) + GUARDS);
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

static uint32_t nth_colour(uint32_t n)
{
	return (n * 0x10d4f1u ^ 0x5a3c96u) & 0xffffff;
}

/* Each of @colours is there, as far as there is room, and X is anything. */
static void paint(
	struct fixture *f, size_t stride, uint32_t width, uint32_t height, uint32_t colours)
{
	uint32_t n = 0;

	for (uint32_t y = 0; y < height; y++) {
		for (uint32_t x = 0; x < width; x++, n++) {
			uint32_t which = n < colours   ? n
					 : draw(f) % 4 ? draw(f) % colours
						       : n % 3 % colours;

			f->pixels[y * stride + x] = nth_colour(which) | draw(f) << 24;
		}
	}
}

static void paint_gradient(struct fixture *f, size_t stride, uint32_t width, uint32_t height)
{
	for (uint32_t y = 0; y < height; y++) {
		for (uint32_t x = 0; x < width; x++)
			f->pixels[y * stride + x] = x << 16 | y << 8 | ((x + y) & 0xff);
	}
}

static void paint_noise(struct fixture *f, size_t stride, uint32_t width, uint32_t height)
{
	for (size_t i = 0; i < stride * height; i++)
		f->pixels[i] = draw(f);
}

/* Through the encoder, within its bound, and through a viewer who has seen others before. */
static enum tight_kind check(struct fixture *f, size_t stride, uint32_t width, uint32_t height)
{
	size_t bound = tight_bound(width, height), size, jpeg_size;
	const uint8_t *jpeg;
	enum tight_kind kind;

	memset(f->bytes + bound, GUARD, GUARDS);
	size = tight_encode(f->tight, f->pixels, stride, width, height, &exact, f->bytes, &kind);
	assert_in_range(size, 1, bound);
	for (int i = 0; i < GUARDS; i++)
		assert_int_equal(f->bytes[bound + i], GUARD);
	assert_int_equal(tight_viewer_decode(&f->viewer, f->bytes, size, width, height, f->seen,
				 &jpeg, &jpeg_size),
		0);
	for (uint32_t y = 0; y < height; y++) {
		for (uint32_t x = 0; x < width; x++)
			assert_int_equal(
				f->seen[y * width + x], f->pixels[y * stride + x] & 0xffffff);
	}
	return kind;
}

static const uint32_t counts[] = {1, 2, 3, 16, 255, 256, 257};

static void test_every_small_size_is_exact(void **state)
{
	struct fixture *f = *state;

	for (uint32_t height = 1; height <= 80; height++) {
		for (uint32_t width = 1; width <= 80; width++) {
			uint32_t colours = counts[(height * 80 + width) % ARRAY_SIZE(counts)];

			paint(f, width + STRIDE_MORE, width, height, colours);
			check(f, width + STRIDE_MORE, width, height);
		}
	}
}

static const struct {
	uint32_t width, height;
} sizes[] = {
	{64, 64},
	{2048, 1},
	{2048, 64},
	{1, 2048},
	{2047, 63},
	{255, 257},
	{257, 510},
	{513, 17},
	{1, 131072},
};

static void test_every_number_of_colours_is_exact(void **state)
{
	static const enum tight_kind kinds[] = {TIGHT_SOLID, TIGHT_MONO, TIGHT_PALETTE,
		TIGHT_PALETTE, TIGHT_PALETTE, TIGHT_PALETTE, TIGHT_FULL};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(counts); j++) {
			size_t stride = sizes[i].width + (sizes[i].width < 2048 ? j % 2 : 0);

			paint(f, stride, sizes[i].width, sizes[i].height, counts[j]);
			assert_int_equal(
				check(f, stride, sizes[i].width, sizes[i].height), kinds[j]);
		}
	}
}

static void test_full_colour_is_exact(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		uint32_t width = sizes[i].width, height = sizes[i].height;

		paint_gradient(f, width, width, height);
		check(f, width, width, height);
		paint_noise(f, width, width, height);
		assert_int_equal(check(f, width, width, height), TIGHT_FULL);
	}
}

/* A colour that comes last, in every place of a vector. */
static void test_last_colour_counts(void **state)
{
	struct fixture *f = *state;

	for (uint32_t width = 1; width <= 70; width++) {
		for (uint32_t at = 0; at < width; at++) {
			for (uint32_t i = 0; i < 2 * width; i++)
				f->pixels[i] = 0x102030;
			f->pixels[width + at] = 0x102031;
			assert_int_equal(check(f, width, width, 2), TIGHT_MONO);
			f->pixels[width + at] = 0x102030;
			f->pixels[at] = 0x112030;
			assert_int_equal(check(f, width, width, 2), TIGHT_MONO);
		}
	}
}

/* The same bytes at a viewer who has never seen one, who has seen others, and twice. */
static void test_any_order(void **state)
{
	struct fixture *f = *state;
	struct tight_viewer fresh;
	enum tight_kind kind;
	const uint8_t *jpeg;
	size_t size, jpeg_size;

	for (size_t j = 0; j < ARRAY_SIZE(counts); j++) {
		paint(f, 64, 64, 64, counts[j]);
		size = tight_encode(f->tight, f->pixels, 64, 64, 64, &exact, f->bytes, &kind);
		tight_viewer_init(&fresh);
		for (int i = 0; i < 4; i++) {
			assert_int_equal(tight_viewer_decode(i % 2 ? &f->viewer : &fresh, f->bytes,
						 size, 64, 64, f->seen, &jpeg, &jpeg_size),
				0);
			for (size_t k = 0; k < 64 * 64; k++)
				assert_int_equal(f->seen[k], f->pixels[k] & 0xffffff);
		}
		tight_viewer_finish(&fresh);
	}
}

static void test_stream_of_others_is_left_alone(void **state)
{
	struct fixture *f = *state;
	enum tight_kind kind;

	for (size_t j = 1; j < ARRAY_SIZE(counts); j++) {
		paint(f, 64, 64, 64, counts[j]);
		tight_encode(f->tight, f->pixels, 64, 64, 64, &exact, f->bytes, &kind);
		assert_int_equal(f->bytes[0] & 0xbf, 0x38);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_every_small_size_is_exact, begin, end),
		cmocka_unit_test_setup_teardown(test_every_number_of_colours_is_exact, begin, end),
		cmocka_unit_test_setup_teardown(test_full_colour_is_exact, begin, end),
		cmocka_unit_test_setup_teardown(test_last_colour_counts, begin, end),
		cmocka_unit_test_setup_teardown(test_any_order, begin, end),
		cmocka_unit_test_setup_teardown(test_stream_of_others_is_left_alone, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
