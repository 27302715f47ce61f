/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What changed is found and nothing else, with every kernel. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "field.h"

#include "base/mem.h"
#include "damage/rects.h"

/* Sizes and formats. */

static const uint32_t sizes[][3] = {
	/* width, height, rows that can be read */
	{1, 1, 1},
	{17, 33, 33},
	{16, 16, 16},
	{15, 100, 99},
	{100, 15, 1},
	{64, 64, 64},
	{65, 17, 17},
	{800, 600, 600},
	{1366, 768, 761},
	{640, 480, 470},
	{1040, 48, 32},
	{48, 64, 17},
};

static void fuzz_field(struct field *f)
{
	unsigned int rounds = f->bytes > 200000 ? 2 : 12;

	field_noise(f);
	assert_int_equal(
		field_check(f, true), f->columns * DIV_ROUND_UP(f->view.rows_readable, 16));
	for (unsigned int round = 0; round < rounds; round++) {
		unsigned int changes = random() % 9;

		for (unsigned int i = 0; i < changes; i++) {
			uint32_t x = random() % f->view.width;
			uint32_t y = random() % f->view.rows_readable;
			uint32_t w = 1 + random() % MIN(f->view.width - x, i % 2 ? 2000u : 40u);
			uint32_t h = 1 + random() % MIN(f->view.rows_readable - y, 40u);

			field_fill(f, x, y, w, h, (uint32_t)random() * 2 + (random() & 1));
		}
		field_check(f, false);
	}
}

static void every_size_and_format(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (size_t j = 0; j < FORMATS; j++) {
			struct field f;

			field_init(&f, sizes[i][0], sizes[i][1], sizes[i][2], &formats[j]);
			fuzz_field(&f);
			field_finish(&f);
		}
	}
}

static void test_every_size_and_format(void **state)
{
	srandom(2);
	each_kernel(every_size_and_format);
}

/* The same picture in another layout, or in other places of memory, is the same picture. */
static void other_layouts(void)
{
	for (size_t j = 0; j < FORMATS; j++) {
		struct field a, b;

		field_init(&a, 150, 100, 100, &formats[j]);
		field_noise(&a);
		field_check(&a, true);
		for (size_t k = 0; k < FORMATS; k++) {
			if (formats[k].convert != formats[j].convert)
				continue;
			field_init(&b, 150, 100, 100, &formats[k]);
			field_noise(&b); /* where no pixel is, too */
			for (uint32_t i = 0; i < 150 * 100; i++)
				memcpy(field_at(&b, i % 150, i / 150),
					field_at(&a, i % 150, i / 150), formats[j].bytes);
			assert_int_equal(tiles_look(a.tiles, &b.view, a.frame, a.frame_stride,
						 gate_open, &a),
				0);
			field_fill(&b, 70, 90, 1, 1, ~pixel_of(&b, field_at(&b, 70, 90)));
			memcpy(field_at(&a, 70, 90), field_at(&b, 70, 90), formats[j].bytes);
			assert_int_equal(tiles_look(a.tiles, &b.view, a.frame, a.frame_stride,
						 gate_open, &a),
				1);
			frame_check(&a);
			field_finish(&b);
		}
		field_finish(&a);
	}
}

static void test_other_layouts(void **state)
{
	srandom(9);
	each_kernel(other_layouts);
}

/* One bit. */

static void every_bit_of_a_tile(void)
{
	for (size_t j = 0; j < FORMATS; j++) {
		unsigned int bits = formats[j].bytes * 8;
		unsigned int step = strcmp(tiles_selected(), "scalar") || !j ? 1 : 13;

		if (j >= LINEAR_FORMATS)
			step = step == 1 ? 7 : 41;
#ifdef SANITIZED
		step = strcmp(tiles_selected(), "scalar") ? 5 : 41;
#endif
		struct field f;

		field_init(&f, 64, 64, 64, &formats[j]);
		field_noise(&f);
		assert_int_equal(field_look(&f, gate_open), 16);
		for (unsigned int i = 0; i < 64 * 64 * bits; i += step) {
			uint32_t pixel = i / bits, bit = i % bits;
			uint8_t *at = field_at(&f, pixel % 64, pixel / 64) + bit / 8;

			*at ^= (uint8_t)(1u << bit % 8);
			if (field_look(&f, gate_open) != (bit < formats[j].bits))
				fail_msg("bit %u of pixel %u", bit, pixel);
		}
		frame_check(&f);
		field_finish(&f);
	}
}

static void test_every_bit_of_a_tile(void **state)
{
	srandom(3);
	each_kernel(every_bit_of_a_tile);
}

/* One colour. */

static void blank_to_blank(void)
{
	static const uint32_t colours[] = {0, 0xffffff, 1, 0x010101, 0x808080, 0x7f7f7f, 0xff0000,
		0x00ff00, 0x0000ff, 0x800000, 0xfefefe, 0x123456, 0x563412};

	for (size_t j = 0; j < FORMATS; j++) {
		struct field f;

		field_init(&f, 96, 80, 80, &formats[j]);
		field_fill(&f, 0, 0, 96, 80, 0x333333);
		field_check(&f, true);
		for (size_t a = 0; a < ARRAY_SIZE(colours); a++) {
			for (size_t b = 0; b < ARRAY_SIZE(colours); b++) {
				field_fill(&f, 0, 0, 96, 80, colours[a]);
				field_check(&f, false);
				field_fill(&f, 16, 16, 64, 48, colours[b]);
				field_check(&f, false);
			}
		}
		field_finish(&f);
	}
}

static void test_blank_to_blank(void **state)
{
	each_kernel(blank_to_blank);
}

/* The same pixels elsewhere. */

static void swap_areas(
	struct field *f, uint32_t x1, uint32_t y1, uint32_t x2, uint32_t y2, uint32_t w, uint32_t h)
{
	for (uint32_t y = 0; y < h; y++) {
		for (uint32_t x = 0; x < w; x++) {
			uint8_t *a = field_at(f, x1 + x, y1 + y), *b = field_at(f, x2 + x, y2 + y);
			uint8_t kept[4];

			memcpy(kept, a, f->format->bytes);
			memcpy(a, b, f->format->bytes);
			memcpy(b, kept, f->format->bytes);
		}
	}
}

static void moves(void)
{
	static const uint32_t swaps[][6] = {
		/* whole blocks and tiles */
		{0, 0, 16, 0, 16, 16},
		{0, 0, 0, 16, 16, 16},
		{0, 0, 64, 64, 64, 64},
		{16, 16, 96, 80, 16, 16},
		/* pixels of a row, rows of a block, columns */
		{3, 5, 4, 5, 1, 1},
		{3, 5, 5, 5, 1, 1},
		{3, 5, 7, 5, 1, 1},
		{3, 5, 11, 5, 1, 1},
		{3, 5, 19, 5, 1, 1},
		{3, 5, 67, 5, 1, 1},
		{3, 5, 3, 6, 1, 1},
		{3, 5, 3, 13, 1, 1},
		{3, 5, 3, 21, 1, 1},
		{0, 3, 0, 4, 16, 1},
		{0, 3, 0, 19, 128, 1},
		{0, 0, 0, 8, 16, 8},
		{0, 0, 8, 0, 8, 16},
		{2, 0, 4, 0, 2, 16},
		{1, 0, 2, 0, 1, 16},
	};

	for (size_t j = 0; j < FORMATS; j++) {
		struct field f;

		field_init(&f, 128, 128, 128, &formats[j]);
		field_noise(&f);
		field_check(&f, true);
		for (size_t i = 0; i < ARRAY_SIZE(swaps); i++) {
			const uint32_t *s = swaps[i];

			swap_areas(&f, s[0], s[1], s[2], s[3], s[4], s[5]);
			assert_true(field_check(&f, false) >= 1);
		}
		/* A line that wanders over a blank picture, and all of it one pixel on. */
		field_fill(&f, 0, 0, 128, 128, 0x202020);
		field_check(&f, false);
		for (uint32_t y = 0; y < 128; y++) {
			field_fill(&f, 0, y ? y - 1 : 0, 128, 1, 0x202020);
			field_fill(&f, 0, y, 128, 1, 0xffffff);
			assert_true(field_check(&f, false) >= 8);
		}
		field_noise(&f);
		field_check(&f, false);
		for (uint32_t i = 1; i < 128 * 128; i++)
			memcpy(field_at(&f, (i - 1) % 128, (i - 1) / 128),
				field_at(&f, i % 128, i / 128), f.format->bytes);
		assert_int_equal(field_check(&f, false), 64);
		/* The same change in two rows, in two words, in two blocks. */
		for (uint32_t d = 1; d < 32; d++) {
			*field_at(&f, 5, 5) ^= 8;
			*field_at(&f, 5, 5 + d) ^= 8;
			assert_true(field_check(&f, false) >= 1);
			*field_at(&f, 5, 5) ^= 0x80;
			*field_at(&f, 5 + d, 5) ^= 0x80;
			assert_true(field_check(&f, false) >= 1);
		}
		field_finish(&f);
	}
}

static void test_moves(void **state)
{
	srandom(4);
	each_kernel(moves);
}

static void test_unknown_kernel(void **state)
{
	const char *before = tiles_selected();

	assert_int_equal(tiles_select("abacus"), -ENOTSUP);
	assert_string_equal(tiles_selected(), before);
	assert_int_equal(tiles_select(NULL), 0);
}

/* ---- Rows below a wide change ---- */

#define SPOILT 0x00abcdefu

/* The rows of blocks that a look stores, as bits: pixels of the frame are spoilt in all of them, at the right end, and the frame is mended then. */
static unsigned int rows_stored(struct field *f)
{
	unsigned int stored = 0;

	for (uint32_t r = 0; r < f->rows; r++)
		f->frame[r * 16 * f->frame_stride / 4 + f->view.width - 1] = SPOILT;
	assert_true(field_look(f, gate_open) >= 0);
	for (uint32_t r = 0; r < f->rows; r++) {
		uint32_t *at = &f->frame[r * 16 * f->frame_stride / 4 + f->view.width - 1];

		stored |= (unsigned int)(*at != SPOILT) << r;
		*at = pixel_of(f, field_at(f, f->view.width - 1, r * 16));
	}
	tiles_take_damage(f->tiles, f->bitmap);
	frame_check(f);
	return stored;
}

/* Below more than half of a row the next one is stored, whatever it is; only where pixels need no conversion. */
static void below_wide(void)
{
	for (size_t j = 0; j < FORMATS; j++) {
		bool direct = formats[j].convert == formats[0].convert;
		struct field f;

		field_init(&f, 1280, 128, 128, &formats[j]);
		field_fill(&f, 0, 0, 1280, 128, 0x20);
		field_check(&f, true);
		field_fill(&f, 0, 35, 656, 1, 0x21);
		assert_int_equal(rows_stored(&f), direct ? 8 : 0);
		field_fill(&f, 0, 35, 640, 1, 0x22);
		assert_int_equal(rows_stored(&f), 0);
		field_fill(&f, 0, 15, 1280, 1, 0x23);
		field_fill(&f, 0, 64, 1280, 20, 0x24);
		assert_int_equal(rows_stored(&f), direct ? 0x73 : 0x31);
		field_fill(&f, 0, 127, 1280, 1, 0x25);
		assert_int_equal(rows_stored(&f), 0x80);
		field_finish(&f);
	}
}

static void test_below_a_wide_change(void **state)
{
	each_kernel(below_wide);
}

/* What is new is told to the pixel where it is little, and never too narrowly. */
static void news(void)
{
	for (size_t j = 0; j < FORMATS; j++) {
		struct field f;
		uint32_t *then;

		field_init(&f, 1001, 90, 90, &formats[j]);
		then = malloc(f.frame_stride * 90);
		field_noise(&f);
		field_check(&f, true);
		for (unsigned int round = 0; round < 40; round++) {
			uint32_t x1 = UINT32_MAX, x2 = 0, y1 = UINT32_MAX, y2 = 0;
			struct rect got;
			bool known;

			memcpy(then, f.frame, f.frame_stride * 90);
			for (unsigned int looks = 1 + random() % 2; looks; looks--) {
				uint32_t x = random() % 1001, y = random() % 90;
				uint32_t w = 1 + random() % MIN(1001 - x, round % 8 ? 20u : 900u);

				field_fill(&f, x, y, w, 1 + random() % MIN(90 - y, 20u),
					(uint32_t)random());
				assert_true(field_look(&f, gate_open) >= 0);
			}
			for (uint32_t y = 0; y < 90; y++)
				for (uint32_t x = 0; x < 1001; x++)
					if (f.frame[y * f.frame_stride / 4 + x] !=
						then[y * f.frame_stride / 4 + x]) {
						x1 = MIN(x1, x);
						x2 = MAX(x2, x + 1);
						y1 = MIN(y1, y);
						y2 = MAX(y2, y + 1);
					}
			known = tiles_news(f.tiles, &got);
			if (j == 0 && round % 8 && x2 && x2 <= 960)
				assert_true(known);
			if (known) {
				assert_true(got.x <= x1 && got.x + got.width >= x2);
				assert_true(got.y <= y1 && got.y + got.height >= y2);
				assert_true(got.x + got.width <= 1001 && got.y + got.height <= 90);
			}
			tiles_take_damage(f.tiles, f.bitmap);
			assert_false(tiles_news(f.tiles, &got));
		}
		free(then);
		field_finish(&f);
	}
}

static void test_news(void **state)
{
	srandom(11);
	each_kernel(news);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_size_and_format),
		cmocka_unit_test(test_other_layouts),
		cmocka_unit_test(test_every_bit_of_a_tile),
		cmocka_unit_test(test_blank_to_blank),
		cmocka_unit_test(test_moves),
		cmocka_unit_test(test_unknown_kernel),
		cmocka_unit_test(test_below_a_wide_change),
		cmocka_unit_test(test_news),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
