/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One row of 32, and all around where little has changed lately; then a look near what that has found. With every kernel. */
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
#include "damage/probe.h"

enum { WIDTH = 700, HEIGHT = 800 };

static enum tiles_doubt skim(struct field *f)
{
	return tiles_probe(f->tiles, &f->view, f->frame, f->frame_stride, true);
}

static unsigned int skims_to_find(struct field *f, unsigned int most)
{
	for (unsigned int i = 1; i <= most; i++)
		if (skim(f) != TILES_SAME)
			return i;
	return 0;
}

static unsigned int probes_to_find(struct field *f)
{
	for (unsigned int i = 1; i <= PROBE_STEP; i++)
		if (tiles_probe(f->tiles, &f->view, f->frame, f->frame_stride, false) != TILES_SAME)
			return i;
	return 0;
}

static int look_near(struct field *f, tiles_gate_fn gate)
{
	f->gates = 0;
	return tiles_look_near(f->tiles, &f->view, f->frame, f->frame_stride, gate, f);
}

/* Nothing differs any more, and that is so of all pixels. */
static void check_same(struct field *f)
{
	assert_int_equal(skims_to_find(f, PROBE_SPARSE), 0);
	assert_int_equal(probes_to_find(f), 0);
	tiles_take_damage(f->tiles, f->bitmap);
	memcpy(f->then, f->pixels, f->bytes);
	assert_int_equal(field_check(f, false), 0);
}

/* All is known, and nowhere is it warm: what changed last was much. */
static void field_begin(struct field *f, const struct format *format)
{
	field_init(f, WIDTH, HEIGHT, HEIGHT, format);
	field_noise(f);
	field_check(f, true);
	check_same(f);
}

static void fill_other(struct field *f, uint32_t x, uint32_t y, uint32_t width, uint32_t height)
{
	for (uint32_t v = y; v < y + height; v++) {
		uint32_t was = pixel_of(f, field_at(f, x, v)), colour = was;

		while (pixel_of(f, (uint8_t *)&colour) == was)
			colour = (uint32_t)random();
		field_fill(f, x, v, width, 1, colour);
	}
}

/* How soon, by its height. */
static void heights(void)
{
	static const struct {
		uint32_t rows, most;
	} heights[] = {{56, 1}, {24, 2}, {16, 3}, {8, 4}};
	struct field f;

	for (size_t j = 0; j < LINEAR_FORMATS; j++) {
		field_begin(&f, &formats[j]);
		for (size_t i = 0; i < ARRAY_SIZE(heights); i++) {
			for (unsigned int n = 0; n < 4; n++) {
				uint32_t y = random() % (HEIGHT - heights[i].rows + 1);

				fill_other(&f, random() % (WIDTH - 3), y, 3, heights[i].rows);
				assert_in_range(
					skims_to_find(&f, heights[i].most), 1, heights[i].most);
				/* Where something differs is known, and only there it is looked. */
				assert_in_range(look_near(&f, gate_open), 1, 10);
				check_same(&f);
				/* So that this place is not warm any more: others are. */
				for (uint32_t k = 0; k < 2; k++) {
					fill_other(&f, 520 * k, 0, 64, 16);
					assert_true(field_look(&f, gate_open) > 0);
					check_same(&f);
				}
			}
		}
		field_finish(&f);
	}
}

static void test_the_higher_the_sooner(void **state)
{
	srandom(11);
	each_kernel(heights);
}

/* Four in a row have read all that the next one by every eighth row reads, and no more. */
static void test_four_are_one(void **state)
{
	struct field f;
	unsigned int all = 0;

	srandom(12);
	field_begin(&f, &formats[0]);
	for (unsigned int n = 0; n < 60; n++) {
		unsigned int found = 0;

		for (unsigned int i = 0; i < n % PROBE_SPARSE; i++)
			skim(&f);
		fill_other(&f, 5, random() % HEIGHT, 1, 1);
		for (unsigned int i = 0; i < PROBE_SPARSE; i++)
			found += skim(&f) != TILES_SAME;
		assert_int_equal(found, tiles_probe(f.tiles, &f.view, f.frame, f.frame_stride,
						false) != TILES_SAME);
		all += found;
		/* Much: no place is warm by that. */
		fill_other(&f, 0, 0, WIDTH, HEIGHT);
		assert_true(field_look(&f, gate_open) > 1);
		check_same(&f);
	}
	assert_in_range(all, 1, 59);
	field_finish(&f);
}

/* Text of 16 rows that goes up a line, with as many blank rows as there may be in one of eight: no place is found blank by all rows of a
 * probe. */
static void test_lines_of_text(void **state)
{
	struct field f;

	srandom(13);
	field_begin(&f, &formats[0]);
	for (unsigned int n = 0; n < 40; n++) {
		field_fill(&f, 0, 0, WIDTH, HEIGHT, 0x101010);
		for (uint32_t y = n % 16; y + 8 < HEIGHT; y += 16)
			for (uint32_t v = y; v < y + 8; v++)
				field_fill(&f, 16, v, 20, 1, (uint32_t)random());
		assert_int_equal(skim(&f), TILES_ALL);
		field_check(&f, false);
		check_same(&f);
	}
	field_finish(&f);
}

/* A point beside the last one, and the next line. */
static void warm(void)
{
	struct field f;

	field_begin(&f, &formats[0]);
	for (uint32_t y = 30; y + 60 < HEIGHT; y += 77) {
		fill_other(&f, 200, y, 9, 14);
		assert_true(field_look(&f, gate_open) > 0);
		check_same(&f);
		for (uint32_t i = 0; i < 8; i++) {
			fill_other(&f, 210 + 9 * i, y + i % 14, 1, 1);
			assert_int_equal(skim(&f), TILES_NEAR);
			assert_int_equal(look_near(&f, gate_open), 1);
			check_same(&f);
		}
		fill_other(&f, 220, y + 16, 1, 1);
		assert_int_equal(skim(&f), TILES_NEAR);
		assert_int_equal(look_near(&f, gate_open), 1);
		check_same(&f);
		/* A clock elsewhere is a place of its own, and makes nobody forget the other. */
		fill_other(&f, 560, 3, 9, 9);
		assert_true(field_look(&f, gate_open) > 0);
		check_same(&f);
		fill_other(&f, 221, y + 14, 1, 1);
		fill_other(&f, 565, 3, 1, 1);
		assert_int_equal(skim(&f), TILES_NEAR);
		assert_int_equal(look_near(&f, gate_open), 2);
		check_same(&f);
	}
	field_finish(&f);
}

static void test_places_stay_warm(void **state)
{
	srandom(14);
	each_kernel(warm);
}

/* What it was not in doubt about waits, and is not forgotten. */
static void test_near_is_not_all(void **state)
{
	struct field f;

	srandom(15);
	field_begin(&f, &formats[0]);
	for (unsigned int n = 0; n < 30; n++) {
		fill_other(&f, 100, 100, 64, 48);
		assert_int_equal(skim(&f), TILES_NEAR);
		fill_other(&f, 300, 600 + n, 3, 1);
		assert_true(look_near(&f, gate_open) > 0);
		assert_int_not_equal(pixel_of(&f, field_at(&f, 300, 600 + n)),
			f.frame[(600 + n) * f.frame_stride / 4 + 300]);
		assert_in_range(probes_to_find(&f), 1, PROBE_STEP);
		assert_int_equal(look_near(&f, gate_open), 1);
		check_same(&f);
	}
	field_finish(&f);
}

static bool gate_shut(void *arg)
{
	struct field *f = arg;

	f->gates++;
	return false;
}

/* Without the grant nothing is stored, and the same is found again. */
static void test_a_shut_gate(void **state)
{
	struct field f;

	srandom(16);
	field_begin(&f, &formats[0]);
	fill_other(&f, 100, 100, 64, 48);
	assert_int_equal(skim(&f), TILES_NEAR);
	for (unsigned int n = 0; n < 3; n++) {
		assert_int_equal(look_near(&f, gate_shut), -EAGAIN);
		assert_int_equal(f.gates, 1);
		assert_false(tiles_damaged(f.tiles));
	}
	/* Meanwhile it has grown there. */
	fill_other(&f, 90, 96, 90, 60);
	assert_true(look_near(&f, gate_open) > 0);
	check_same(&f);
	/* What is much, is looked at as a whole. */
	fill_other(&f, 0, 200, 5, 300);
	assert_int_equal(skim(&f), TILES_ALL);
	field_check(&f, false);
	field_finish(&f);
}

/* Where rows lie in tiles, or in slow memory, and where the pixels have another meaning than before: all of it. */
static void test_where_near_is_all(void **state)
{
	struct field f;

	srandom(17);
	for (size_t j = 0; j < FORMATS; j++) {
		bool slow = j < LINEAR_FORMATS;

		field_init(&f, 300, 400, 400, &formats[j]);
		f.view.slow = slow;
		field_noise(&f);
		field_check(&f, true);
		fill_other(&f, 100, 100, 64, 48);
		fill_other(&f, 10, 300, 1, 1);
		assert_in_range(skim(&f), TILES_ALL, TILES_UNKNOWN);
		assert_true(look_near(&f, gate_open) > 0);
		frame_check(&f);
		field_finish(&f);
	}
	field_begin(&f, &formats[0]);
	fill_other(&f, 100, 100, 64, 48);
	assert_int_equal(skim(&f), TILES_NEAR);
	f.format = &formats[1];
	f.view.convert = formats[1].convert;
	assert_true(look_near(&f, gate_open) > 0);
	frame_check(&f);
	field_finish(&f);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_higher_the_sooner),
		cmocka_unit_test(test_four_are_one),
		cmocka_unit_test(test_lines_of_text),
		cmocka_unit_test(test_places_stay_warm),
		cmocka_unit_test(test_near_is_not_all),
		cmocka_unit_test(test_a_shut_gate),
		cmocka_unit_test(test_where_near_is_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
