/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "rfb/photo.h"

#ifdef HAVE_JPEG

#include <math.h>
#include <stdio.h>
#include <jpeglib.h>

#include "rfb/photo_codes.h"

enum { WIDTH = 256, HEIGHT = 144, ROOM = 8 * WIDTH * HEIGHT + 2048 };

struct fixture {
	struct photo *photo;
	uint32_t pixels[WIDTH * HEIGHT];
	uint8_t bytes[ROOM];
	uint8_t seen[2][3 * WIDTH * HEIGHT];
	uint32_t seed;
};

static int begin(void **state)
{
	struct fixture *f = new0(struct fixture);

	f->seed = 1;
	*state = f;
	return photo_create(&f->photo);
}

static int end(void **state)
{
	struct fixture *f = *state;

	photo_destroy(f->photo);
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

/* As libjpeg makes it when it is left alone, with Annex K's codes. Returns bytes. */
static unsigned long plain_jpeg(struct fixture *f, int quality, int subsampling, uint8_t **ret)
{
	struct jpeg_compress_struct library;
	struct jpeg_error_mgr errors;
	unsigned long size = 0;

	library.err = jpeg_std_error(&errors);
	jpeg_create_compress(&library);
	*ret = NULL;
	jpeg_mem_dest(&library, ret, &size);
	library.image_width = WIDTH;
	library.image_height = HEIGHT;
	library.input_components = 4;
	library.in_color_space = JCS_EXT_BGRX;
	jpeg_set_defaults(&library);
	jpeg_set_colorspace(&library, subsampling == 3 ? JCS_GRAYSCALE : JCS_YCbCr);
	jpeg_set_quality(&library, quality, TRUE);
	library.comp_info[0].h_samp_factor = subsampling == 1 || subsampling == 2 ? 2 : 1;
	library.comp_info[0].v_samp_factor = subsampling == 1 ? 2 : 1;
	jpeg_start_compress(&library, TRUE);
	for (uint32_t y = 0; y < HEIGHT; y++) {
		JSAMPROW row = (JSAMPROW)(f->pixels + y * WIDTH);

		jpeg_write_scanlines(&library, &row, 1);
	}
	jpeg_finish_compress(&library);
	jpeg_destroy_compress(&library);
	return size;
}

/* Warnings, which libjpeg has for data that are not right, are none of ours. */
static void decode(const uint8_t *bytes, unsigned long size, uint8_t *ret)
{
	struct jpeg_decompress_struct library;
	struct jpeg_error_mgr errors;

	library.err = jpeg_std_error(&errors);
	jpeg_create_decompress(&library);
	jpeg_mem_src(&library, bytes, size);
	assert_int_equal(jpeg_read_header(&library, TRUE), JPEG_HEADER_OK);
	library.out_color_space = JCS_RGB;
	jpeg_start_decompress(&library);
	assert_int_equal(library.output_width, WIDTH);
	assert_int_equal(library.output_height, HEIGHT);
	while (library.output_scanline < HEIGHT) {
		JSAMPROW row = ret + 3 * WIDTH * library.output_scanline;

		jpeg_read_scanlines(&library, &row, 1);
	}
	jpeg_finish_decompress(&library);
	assert_int_equal(errors.num_warnings, 0);
	jpeg_destroy_decompress(&library);
}

/* The same coefficients come out of it as out of libjpeg's own. Returns bytes that were spared. */
static long check(struct fixture *f, int quality, int subsampling, bool small)
{
	size_t size = photo_bytes(f->photo, f->pixels, WIDTH, WIDTH, HEIGHT, quality, subsampling,
		small, f->bytes, sizeof(f->bytes));
	unsigned long plain_size;
	uint8_t *plain;

	assert_in_range(size, 1, sizeof(f->bytes));
	plain_size = plain_jpeg(f, quality, subsampling, &plain);
	decode(plain, plain_size, f->seen[0]);
	decode(f->bytes, size, f->seen[1]);
	free(plain);
	assert_memory_equal(f->seen[0], f->seen[1], sizeof(f->seen[0]));
	return (long)plain_size - (long)size;
}

static uint32_t grey(uint32_t level)
{
	return level * 0x010101u;
}

/* Each coefficient as large as it can be, of both signs, in light; the first one jumps from end to end. */
static void paint_extremes(struct fixture *f)
{
	const double pi = 3.14159265358979;

	for (uint32_t i = 0; i < WIDTH * HEIGHT; i++) {
		uint32_t x = i % WIDTH, y = i / WIDTH, block = y / 8 * (WIDTH / 8) + x / 8;
		double wave = cos((2 * (x % 8) + 1) * (block / 2 % 8) * pi / 16) *
			      cos((2 * (y % 8) + 1) * (block / 16 % 8) * pi / 16);

		f->pixels[i] = grey((wave > 0) ^ (block & 1) ? 255 : 0);
	}
}

static void paint_noise(struct fixture *f, bool hard)
{
	for (uint32_t i = 0; i < WIDTH * HEIGHT; i++) {
		uint32_t noise = draw(f);

		f->pixels[i] = hard ? (noise & 1) * 0xff0000u | (noise & 2) / 2 * 0xff00u |
					       (noise & 4) / 4 * 0xffu
				    : noise;
	}
}

/* Smooth, with a little noise. */
static void paint_photo(struct fixture *f)
{
	for (uint32_t i = 0; i < WIDTH * HEIGHT; i++) {
		uint32_t x = i % WIDTH, y = i / WIDTH;

		f->pixels[i] = (x / 2 + draw(f) % 4) << 16 | (y + draw(f) % 4) << 8 |
			       ((x + y) / 4 + draw(f) % 4);
	}
}

/* Blocks with one far-off pixel each: long runs of zeros in front of small and large coefficients. */
static void paint_specks(struct fixture *f)
{
	memset(f->pixels, 0, sizeof(f->pixels));
	for (uint32_t y = 0; y < HEIGHT; y += 8)
		for (uint32_t x = 0; x < WIDTH; x += 8)
			f->pixels[(y + draw(f) % 8) * WIDTH + x + draw(f) % 8] = draw(f);
}

static void test_no_code_is_missing(void **state)
{
	struct fixture *f = *state;

	for (int kind = 0; kind < 5; kind++)
		for (int quality = 1; quality <= 100;
			quality += quality < 20 || quality > 80 ? 1 : 7) {
			if (kind == 0)
				paint_extremes(f);
			else if (kind < 3)
				paint_noise(f, kind == 1);
			else if (kind == 3)
				paint_specks(f);
			else
				paint_photo(f);
			for (int subsampling = 0; subsampling < 4; subsampling++)
				check(f, quality, subsampling, false);
		}
}

/* In turns with those that have codes of their own. */
static void test_any_after_any(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 60; i++) {
		if (i % 3)
			paint_noise(f, i % 2);
		else
			paint_photo(f);
		check(f, 1 + draw(f) % 100, draw(f) % 4, draw(f) % 2);
	}
}

/* Whatever came before. */
static void test_same_pixels_same_bytes(void **state)
{
	struct fixture *f = *state;
	uint8_t *before = malloc(ROOM);
	size_t size, again;

	paint_photo(f);
	size = photo_bytes(f->photo, f->pixels, WIDTH, WIDTH, HEIGHT, 42, 2, false, before, ROOM);
	photo_bytes(f->photo, f->pixels, WIDTH, WIDTH, HEIGHT, 92, 0, true, f->bytes, ROOM);
	assert_int_equal(
		photo_bytes(f->photo, f->pixels, WIDTH, WIDTH, HEIGHT, 42, 2, false, f->bytes, 100),
		0); /* not enough room */
	again = photo_bytes(
		f->photo, f->pixels, WIDTH, WIDTH, HEIGHT, 42, 2, false, f->bytes, ROOM);
	assert_int_equal(size, again);
	assert_memory_equal(before, f->bytes, size);
	free(before);
}

static void test_smooth_ones_are_smaller(void **state)
{
	struct fixture *f = *state;

	paint_photo(f);
	assert_true(check(f, 15, 1, false) > 300);
	assert_true(check(f, 42, 2, false) > 300);
	assert_true(check(f, 79, 0, false) > 200);
}

/* ---- codes ---- */

static void check_code(const struct photo_code *code)
{
	uint32_t used = 0, count = 0;
	bool seen[256] = {false};

	assert_int_equal(code->counts[0], 0);
	for (int length = 1; length <= 16; length++) {
		used += (uint32_t)code->counts[length] << (16 - length);
		count += code->counts[length];
	}
	assert_in_range(used, 1, 0xffff); /* the code that is all ones is nobody's, T.81 Annex C */
	assert_in_range(count, 1, 256);
	for (uint32_t i = 0; i < count; i++) {
		assert_false(seen[code->values[i]]);
		seen[code->values[i]] = true;
	}
}

static uint32_t values_of(const struct photo_code *code)
{
	uint32_t count = 0;

	for (int length = 1; length <= 16; length++)
		count += code->counts[length];
	return count;
}

static void test_codes_are_codes(void **state)
{
	uint16_t divisors[PHOTO_COEFFICIENTS];
	uint32_t last_first = UINT32_MAX, last_others = UINT32_MAX;
	struct photo_code first, others;

	for (uint32_t divisor = 1; divisor <= 255; divisor++) {
		for (size_t i = 0; i < PHOTO_COEFFICIENTS; i++)
			divisors[i] = divisor;
		photo_codes_first(divisors, &first);
		photo_codes_others(divisors, &others);
		check_code(&first);
		check_code(&others);
		assert_true(values_of(&first) <= last_first);
		assert_true(values_of(&others) <= last_others);
		last_first = values_of(&first);
		last_others = values_of(&others);
		if (divisor == 1) {
			assert_int_equal(last_first, 12);
			assert_int_equal(last_others, 162);
		}
	}
	assert_in_range(last_others, 2 + 16, 2 + 3 * 16);
	/* Only the very last one is divided by little. */
	divisors[PHOTO_COEFFICIENTS - 1] = 1;
	photo_codes_others(divisors, &others);
	assert_int_equal(values_of(&others), 162);
	divisors[PHOTO_COEFFICIENTS - 1] = 255;
	divisors[1] = 1; /* the very first one */
	photo_codes_others(divisors, &others);
	assert_int_equal(values_of(&others), last_others + 10 - (last_others - 2) / 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_no_code_is_missing, begin, end),
		cmocka_unit_test_setup_teardown(test_any_after_any, begin, end),
		cmocka_unit_test_setup_teardown(test_same_pixels_same_bytes, begin, end),
		cmocka_unit_test_setup_teardown(test_smooth_ones_are_smaller, begin, end),
		cmocka_unit_test(test_codes_are_codes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

static void test_nothing_fits(void **state)
{
	struct photo *photo;
	uint32_t pixels[64] = {0};
	uint8_t bytes[64];

	assert_int_equal(photo_create(&photo), 0);
	assert_int_equal(
		photo_bytes(photo, pixels, 8, 8, 8, 50, 0, false, bytes, sizeof(bytes)), 0);
	photo_destroy(photo);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_nothing_fits)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
