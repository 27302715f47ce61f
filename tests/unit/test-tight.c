/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "rfb/palette.h"
#include "rfb/photo.h"
#include "rfb/pixels.h"
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
	size_t bound = tight_bound(width, height), size, used;
	enum tight_kind kind;

	memset(f->bytes + bound, GUARD, GUARDS);
	size = tight_encode(f->tight, f->pixels, stride, width, height, &exact, f->bytes, &kind);
	assert_in_range(size, 1, bound);
	for (int i = 0; i < GUARDS; i++)
		assert_int_equal(f->bytes[bound + i], GUARD);
	assert_int_equal(
		tight_viewer_decode(&f->viewer, f->bytes, size, width, height, f->seen, &used), 0);
	assert_int_equal(used, size);
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

/* A palette is worth its bytes where each of its colours has 16 pixels. */
static enum tight_kind kind_of(uint32_t colours, uint32_t pixels)
{
	if (colours <= 2)
		return colours == 1 ? TIGHT_SOLID : TIGHT_MONO;
	return colours <= 256 && 16 * colours <= pixels ? TIGHT_PALETTE : TIGHT_FULL;
}

static void test_every_number_of_colours_is_exact(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(counts); j++) {
			uint32_t width = sizes[i].width, height = sizes[i].height;
			size_t stride = width + (width < 2048 ? j % 2 : 0);

			paint(f, stride, width, height, counts[j]);
			assert_int_equal(check(f, stride, width, height),
				kind_of(counts[j], width * height));
		}
	}
}

/* A crowd is never said to be large when it is not, however often one looks, and mostly when it is. */
static void test_crowds(void **state)
{
	struct fixture *f = *state;
	struct crowd *crowd = new0(struct crowd);

	for (uint32_t i = 0; i < 600; i++) {
		uint32_t colours = 1 + draw(f) % 256, width = 1 + draw(f) % 200;
		uint32_t height = 1 + draw(f) % 80;

		paint(f, width, width, height, colours);
		assert_false(crowd_is_large(crowd, f->pixels, width, width, height));
		paint_gradient(f, 100, 80, 40);
		assert_true(crowd_is_large(crowd, f->pixels, 100, 80, 40));
	}
	free(crowd);
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
	size_t size, used;

	for (size_t j = 0; j < ARRAY_SIZE(counts); j++) {
		paint(f, 64, 64, 64, counts[j]);
		size = tight_encode(f->tight, f->pixels, 64, 64, 64, &exact, f->bytes, &kind);
		tight_viewer_init(&fresh);
		for (int i = 0; i < 4; i++) {
			assert_int_equal(tight_viewer_decode(i % 2 ? &f->viewer : &fresh, f->bytes,
						 size, 64, 64, f->seen, &used),
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

/* ---- JPEG ---- */

static void paint_photo(struct fixture *f, uint32_t width, uint32_t height)
{
	for (uint32_t y = 0; y < height; y++) {
		for (uint32_t x = 0; x < width; x++)
			f->pixels[y * width + x] = (x / 2 + draw(f) % 8) << 16 |
						   (y / 3 + draw(f) % 8) << 8 |
						   ((x + y) / 4 + draw(f) % 8);
	}
}

/* Of the mean square of all colours' differences. */
static double square_error(const struct fixture *f, uint32_t pixels)
{
	double sum = 0;

	for (uint32_t i = 0; i < pixels; i++) {
		for (int j = 0; j < 24; j += 8) {
			int a = f->pixels[i] >> j & 0xff, b = f->seen[i] >> j & 0xff;

			sum += (a - b) * (a - b);
		}
	}
	return sum / (3.0 * pixels);
}

static void test_jpeg_is_as_good_as_wished_for(void **state)
{
	/* A square error of 25 is a PSNR of 34 dB; the noise alone is 5. */
	static const struct {
		struct tight_wish wish;
		double error;
	} rows[] = {
		{{15, 1, 1}, 25},
		{{42, 2, 1}, 12},
		{{79, 0, 1}, 8},
		{{92, 0, 1}, 7},
		{{100, 0, 1}, 1},
		{{100, 0, 9}, 1},
	};
	struct fixture *f = *state;
	uint32_t width = 300, height = 200;
	size_t last = 0;

	if (!photo_there())
		skip();
	paint_photo(f, width, height);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		enum tight_kind kind;
		size_t used, size = tight_encode(f->tight, f->pixels, width, width, height,
				     &rows[i].wish, f->bytes, &kind);

		assert_int_equal(kind, TIGHT_JPEG);
		assert_int_equal(tight_viewer_decode(
					 &f->viewer, f->bytes, size, width, height, f->seen, &used),
			TIGHT_VIEWER_JPEG);
		assert_int_equal(used, size);
		assert_true(square_error(f, width * height) <= rows[i].error);
		assert_true(rows[i].wish.compression > 1 ? size < last : size > last);
		last = size;
	}
}

static void test_grey_has_no_colours(void **state)
{
	const struct tight_wish grey = {79, 3, 1};
	struct fixture *f = *state;
	enum tight_kind kind;
	size_t size, used;

	if (!photo_there())
		skip();
	paint_photo(f, 128, 128);
	size = tight_encode(f->tight, f->pixels, 128, 128, 128, &grey, f->bytes, &kind);
	assert_int_equal(kind, TIGHT_JPEG);
	tight_viewer_decode(&f->viewer, f->bytes, size, 128, 128, f->seen, &used);
	for (size_t i = 0; i < 128 * 128; i++)
		assert_int_equal(f->seen[i], (f->seen[i] & 0xff) * 0x010101u);
}

/* A small one has tables made for it, which say nothing of what others need. */
static void test_jpeg_after_jpeg(void **state)
{
	static const struct tight_wish small = {15, 1, 9}, large = {100, 0, 1};
	struct fixture *f = *state;
	enum tight_kind kind;
	size_t used, size;

	if (!photo_there())
		skip();
	for (uint32_t i = 0; i < 128 * 128; i++)
		f->pixels[i] = (i % 128) << 16 | (i / 128) << 8;
	tight_encode(f->tight, f->pixels, 128, 128, 128, &small, f->bytes, &kind);
	assert_int_equal(kind, TIGHT_JPEG);
	paint_photo(f, 128, 128);
	size = tight_encode(f->tight, f->pixels, 128, 128, 128, &large, f->bytes, &kind);
	assert_int_equal(kind, TIGHT_JPEG);
	assert_int_equal(tight_viewer_decode(&f->viewer, f->bytes, size, 128, 128, f->seen, &used),
		TIGHT_VIEWER_JPEG);
	assert_true(square_error(f, 128 * 128) <= 1);
}

/* Few colours, few pixels, and what JPEG would make more of than there is. */
static void test_jpeg_is_for_many_colours(void **state)
{
	const struct tight_wish wish = {50, 0, 1};
	struct fixture *f = *state;
	enum tight_kind kind;

	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		paint(f, 64, 64, 64, counts[i]);
		tight_encode(f->tight, f->pixels, 64, 64, 64, &wish, f->bytes, &kind);
		assert_true((kind == TIGHT_JPEG) == (counts[i] > 256 && photo_there()));
	}
	/* Not worth a palette, but no reason for loss. */
	paint(f, 50, 50, 50, 200);
	tight_encode(f->tight, f->pixels, 50, 50, 50, &wish, f->bytes, &kind);
	assert_int_equal(kind, TIGHT_FULL);
	paint_photo(f, 20, 20);
	tight_encode(f->tight, f->pixels, 20, 20, 20, &wish, f->bytes, &kind);
	assert_int_not_equal(kind, TIGHT_JPEG);
	paint_noise(f, 64, 64, 64);
	assert_in_range(tight_encode(f->tight, f->pixels, 64, 64, 64, &wish, f->bytes, &kind), 1,
		tight_bound(64, 64));
}

/* ---- levels ---- */

static void test_settled_wishes_do_the_same(void **state)
{
	struct fixture *f = *state;
	uint8_t *other = malloc(tight_bound(64, 64));
	enum tight_kind kind;

	paint(f, 64, 64, 64, 100);
	for (int level = 0; level <= 9; level++) {
		struct tight_wish wish = {.quality = -1, .subsampling = 2, .compression = level};
		size_t a, b;

		a = tight_encode(f->tight, f->pixels, 64, 64, 64, &wish, f->bytes, &kind);
		tight_settle(&wish);
		assert_int_equal(wish.subsampling, 0);
		b = tight_encode(f->tight, f->pixels, 64, 64, 64, &wish, other, &kind);
		assert_int_equal(a, b);
		assert_memory_equal(f->bytes, other, a);
	}
	free(other);
}

static void test_every_level_is_exact(void **state)
{
	struct fixture *f = *state;

	for (int level = 9; level >= 0; level--) {
		const struct tight_wish wish = {.quality = -1, .compression = level};
		enum tight_kind kind;
		size_t size, used;

		paint(f, 250, 250, 100, 60 + level * 40);
		size = tight_encode(f->tight, f->pixels, 250, 250, 100, &wish, f->bytes, &kind);
		assert_int_equal(
			tight_viewer_decode(&f->viewer, f->bytes, size, 250, 100, f->seen, &used),
			0);
		for (size_t i = 0; i < 250 * 100; i++)
			assert_int_equal(f->seen[i], f->pixels[i] & 0xffffff);
	}
}

/* ---- kernels ---- */

static void compare_index(struct fixture *f, const struct pixels_kernel *kernel, uint32_t width)
{
	static struct palette ones, others;
	uint8_t a[300], b[300];
	bool few;

	palette_clear(&ones);
	palette_clear(&others);
	for (int row = 0; row < 3; row++) {
		few = palette_index(&ones, f->pixels + row * width, width, a);
		assert_true(few == kernel->index(&others, f->pixels + row * width, width, b));
		if (!few)
			break;
		assert_memory_equal(a, b, width);
		assert_int_equal(ones.used, others.used);
		assert_memory_equal(ones.colours, others.colours, ones.used * sizeof(uint32_t));
	}
}

static void compare(struct fixture *f, const struct pixels_kernel *kernel, uint32_t width)
{
	const struct pixels_kernel *scalar = pixels_kernels[0];
	uint32_t first = nth_colour(0) | 0xab000000, second = nth_colour(1);
	uint8_t a[1000], b[1000];
	bool mono;

	assert_int_equal(
		scalar->run(f->pixels, width, first), kernel->run(f->pixels, width, first));
	mono = scalar->mono(f->pixels, width, first, second, a);
	memset(b, GUARD, sizeof(b));
	assert_true(mono == kernel->mono(f->pixels, width, first, second, b));
	if (mono)
		assert_memory_equal(a, b, (width + 7) / 8);
	assert_int_equal(b[(width + 7) / 8], GUARD);
	scalar->pack(f->pixels, width, a);
	memset(b, GUARD, sizeof(b));
	kernel->pack(f->pixels, width, b);
	assert_memory_equal(a, b, 3 * width);
	assert_int_equal(b[3 * width], GUARD);
	compare_index(f, kernel, width);
}

static void test_kernels_agree(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 1; i < pixels_kernels_used; i++) {
		if (!pixels_kernels[i]->usable())
			continue;
		for (uint32_t width = 1; width <= 300; width++) {
			for (size_t j = 0; j < ARRAY_SIZE(counts); j++) {
				paint(f, width, width, 3, counts[j]);
				compare(f, pixels_kernels[i], width);
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_every_small_size_is_exact, begin, end),
		cmocka_unit_test_setup_teardown(test_every_number_of_colours_is_exact, begin, end),
		cmocka_unit_test_setup_teardown(test_crowds, begin, end),
		cmocka_unit_test_setup_teardown(test_full_colour_is_exact, begin, end),
		cmocka_unit_test_setup_teardown(test_last_colour_counts, begin, end),
		cmocka_unit_test_setup_teardown(test_any_order, begin, end),
		cmocka_unit_test_setup_teardown(test_stream_of_others_is_left_alone, begin, end),
		cmocka_unit_test_setup_teardown(test_jpeg_is_as_good_as_wished_for, begin, end),
		cmocka_unit_test_setup_teardown(test_grey_has_no_colours, begin, end),
		cmocka_unit_test_setup_teardown(test_jpeg_after_jpeg, begin, end),
		cmocka_unit_test_setup_teardown(test_jpeg_is_for_many_colours, begin, end),
		cmocka_unit_test_setup_teardown(test_settled_wishes_do_the_same, begin, end),
		cmocka_unit_test_setup_teardown(test_every_level_is_exact, begin, end),
		cmocka_unit_test_setup_teardown(test_kernels_agree, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
