/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Looks at where little has changed lately, before those at all: what they find, what they leave to the others, and that nothing is lost between the
 * two. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "field.h"

#include "base/limits.h"
#include "base/mem.h"
#include "damage/move.h"
#include "damage/rects.h"

enum { WIDTH = 700, HEIGHT = 800 };

/* Nothing differs any more. */
static void check_same(struct field *f)
{
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

static bool gate_shut(void *arg)
{
	struct field *f = arg;

	f->gates++;
	return false;
}

static int look_warm(struct field *f, tiles_gate_fn gate)
{
	f->gates = 0;
	return tiles_look_warm(f->tiles, &f->view, f->frame, f->frame_stride, gate, f);
}

static bool is_shown(struct field *f, uint32_t x, uint32_t y)
{
	return f->frame[y * f->frame_stride / 4 + x] == pixel_of(f, field_at(f, x, y));
}

/* Blocks that the last publish would name. */
static unsigned int take(struct field *f)
{
	unsigned int blocks = 0;

	tiles_take_damage(f->tiles, f->bitmap);
	for (size_t i = 0; i < f->words; i++)
		blocks += (unsigned int)__builtin_popcountll(f->bitmap[i]);
	return blocks;
}

static void look_at_all(struct field *f)
{
	assert_true(field_look(f, gate_open) > 0);
	check_same(f);
}

/* One letter at 200, @y, in groups 3 and 2 at most. */
static void type_first(struct field *f, uint32_t y)
{
	fill_other(f, 200, y, 9, 14);
	look_at_all(f);
}

static void letters(void)
{
	struct field f;
	struct rect news;

	field_begin(&f, &formats[0]);
	assert_int_equal(look_warm(&f, gate_open), 0); /* nowhere is it warm */
	type_first(&f, 35);
	assert_int_equal(look_warm(&f, gate_open), 0);
	assert_int_equal(f.gates, 0);
	/* Beside it, on and on; the place goes with it. */
	for (uint32_t x = 209; x + 16 < 640; x += 9) {
		fill_other(&f, x, 35, 9, 13);
		assert_in_range(look_warm(&f, gate_open), 1, 2);
		assert_int_equal(f.gates, 1);
		assert_true(tiles_news(f.tiles, &news));
		assert_int_equal(news.x, x);
		assert_int_equal(news.width, 9);
		assert_int_equal(news.y, 35);
		assert_int_equal(news.height, 13);
		assert_true(tiles_found_warm(f.tiles));
		assert_in_range(take(&f), 1, 2);
		/* That was all. */
		assert_int_equal(field_look(&f, gate_open), 0);
		check_same(&f);
	}
	field_finish(&f);
}

static void test_letters_come_first(void **state)
{
	srandom(18);
	each_kernel(letters);
}

/* What goes on beyond is shown as a whole, wherever it ends: the place is groups 2 to 4 of rows 1 to 4 of blocks. */
static void test_what_goes_on_does_not(void **state)
{
	static const struct rect larger[] = {
		{110, 40, 100, 4},					     /* to the left */
		{200, 40, 124, 4},					     /* to the right */
		{200, 14, 2, 20},					     /* upwards */
		{200, 40, 2, 41},					     /* downwards */
		{0, 0, WIDTH, HEIGHT}, {100, 40, 250, 1}, {300, 60, 60, 60}, /* at a corner */
	};
	struct field f;

	srandom(19);
	field_begin(&f, &formats[0]);
	for (size_t i = 0; i < ARRAY_SIZE(larger); i++) {
		const struct rect *r = &larger[i];

		/* Other places are forgotten. */
		for (uint32_t k = 0; k < 2; k++) {
			fill_other(&f, 640 * k, 780, 9, 9);
			look_at_all(&f);
		}
		type_first(&f, 35);
		fill_other(&f, r->x, r->y, r->width, r->height);
		assert_int_equal(look_warm(&f, gate_open), 0);
		assert_int_equal(f.gates, 0);
		assert_false(tiles_damaged(f.tiles));
		look_at_all(&f);
		assert_false(tiles_found_warm(f.tiles));
	}
	field_finish(&f);
}

/* A line of text goes across most of the picture. Whatever is stored below it, that is where it is warm then, and what is new is known to the pixel. */
static void line(void)
{
	struct field f;
	struct rect news;

	field_begin(&f, &formats[0]);
	for (unsigned int n = 0; n < 3; n++) {
		fill_other(&f, 70, 35, 440, 10);
		assert_int_equal(field_look(&f, gate_open), 28);
		assert_int_equal(tiles_found_warm(f.tiles), n > 0);
		assert_true(tiles_news(f.tiles, &news));
		assert_int_equal(news.x, 70);
		assert_int_equal(news.y, 35);
		assert_int_equal(news.width, 440);
		assert_int_equal(news.height, 10);
		check_same(&f);
	}
	/* So it is where much was found before it that is not published yet, */
	fill_other(&f, 0, 0, WIDTH, HEIGHT);
	assert_true(field_look(&f, gate_open) > 28);
	fill_other(&f, 70, 35, 440, 10);
	assert_int_equal(field_look(&f, gate_open), 28);
	assert_true(tiles_found_warm(f.tiles));
	check_same(&f);
	/* and where there are more places than are kept. */
	fill_other(&f, 0, 0, 3, 3);
	fill_other(&f, 600, 100, 3, 3);
	fill_other(&f, 70, 200, 440, 8);
	assert_int_equal(field_look(&f, gate_open), 30);
	assert_false(tiles_found_warm(f.tiles));
	assert_true(tiles_news(f.tiles, &news));
	assert_int_equal(news.width, 603);
	assert_int_equal(news.height, 208);
	check_same(&f);
	field_finish(&f);
}

static void test_a_line(void **state)
{
	srandom(24);
	each_kernel(line);
}

/* What is elsewhere as well follows, and nothing twice. */
static void test_the_rest_follows(void **state)
{
	struct field f;

	srandom(20);
	field_begin(&f, &formats[0]);
	type_first(&f, 35);
	fill_other(&f, 209, 35, 3, 3);
	fill_other(&f, 300, 600, 3, 1);
	assert_int_equal(look_warm(&f, gate_open), 1);
	assert_true(is_shown(&f, 209, 35));
	assert_false(is_shown(&f, 300, 600));
	assert_int_equal(take(&f), 1);
	assert_int_equal(field_look(&f, gate_open), 1);
	assert_false(tiles_found_warm(f.tiles));
	assert_int_equal(take(&f), 1);
	check_same(&f);
	/* Both are places now, also where they change together. */
	for (unsigned int n = 0; n < 20; n++) {
		fill_other(&f, 212 + 9 * n, 35, 3, 3);
		fill_other(&f, 300 + n % 5, 600, 3, 1);
		assert_in_range(look_warm(&f, gate_open), 2, 4);
		assert_true(tiles_found_warm(f.tiles));
		take(&f);
		assert_int_equal(field_look(&f, gate_open), 0);
		check_same(&f);
	}
	/* Not three, and what two of them have made one is as large as it is. */
	fill_other(&f, 400, 35, 3, 3);
	fill_other(&f, 300, 600, 3, 1);
	fill_other(&f, 20, 300, 3, 1);
	look_at_all(&f);
	assert_false(tiles_found_warm(f.tiles));
	fill_other(&f, 20, 300, 3, 1);
	assert_int_equal(look_warm(&f, gate_open), 0);
	look_at_all(&f);
	assert_false(tiles_found_warm(f.tiles));
	field_finish(&f);
}

static void test_a_shut_gate(void **state)
{
	struct field f;

	srandom(21);
	field_begin(&f, &formats[0]);
	type_first(&f, 35);
	fill_other(&f, 209, 35, 3, 3);
	for (unsigned int n = 0; n < 3; n++) {
		assert_int_equal(look_warm(&f, gate_shut), -EAGAIN);
		assert_int_equal(f.gates, 1);
		assert_false(tiles_damaged(f.tiles));
		assert_false(is_shown(&f, 209, 35));
	}
	assert_int_equal(look_warm(&f, gate_open), 1);
	check_same(&f);
	field_finish(&f);
}

/* Not where rows lie in tiles, or in slow memory, and not where pixels have another meaning than before. */
static void test_nowhere_warm(void **state)
{
	struct field f;

	srandom(22);
	for (size_t j = 0; j < FORMATS; j++) {
		field_init(&f, 300, 400, 400, &formats[j]);
		f.view.slow = j < LINEAR_FORMATS;
		field_noise(&f);
		field_check(&f, true);
		for (uint32_t x = 100; x < 110; x += 3) {
			fill_other(&f, x, 100, 3, 3);
			assert_int_equal(look_warm(&f, gate_open), 0);
			assert_true(field_look(&f, gate_open) > 0);
		}
		field_finish(&f);
	}
	field_begin(&f, &formats[0]);
	type_first(&f, 35);
	fill_other(&f, 209, 35, 3, 3);
	f.format = &formats[1];
	f.view.convert = formats[1].convert;
	assert_int_equal(look_warm(&f, gate_open), 0);
	assert_true(field_look(&f, gate_open) > 0);
	frame_check(&f);
	field_finish(&f);
}

/* ---- Whatever comes ---- */

/* Neither of them ends with a group, or a row of blocks. */
enum { MIX_WIDTH = 459, MIX_HEIGHT = 330 };

/* What viewers have: blocks as they were when they were told of them. */
static uint32_t seen[MIX_HEIGHT][MIX_WIDTH];

static void publish(struct field *f)
{
	struct move moves[LIMIT_MOVES];

	tiles_take_moves(f->tiles, moves, f->bitmap);
	tiles_take_damage(f->tiles, f->bitmap);
	for (uint32_t y = 0; y < MIX_HEIGHT; y++) {
		const uint64_t *row = f->bitmap + y / BLOCK_PIXELS * f->stride_words;

		for (uint32_t x = 0; x < MIX_WIDTH; x++)
			if (row[x / BLOCK_PIXELS / 64] >> x / BLOCK_PIXELS % 64 & 1)
				seen[y][x] = f->frame[y * f->frame_stride / 4 + x];
	}
}

static void check_seen(const struct field *f, uint32_t rows)
{
	frame_check(f);
	for (uint32_t y = 0; y < rows; y++)
		assert_memory_equal(seen[y], f->frame + y * f->frame_stride / 4, sizeof(seen[y]));
}

/* Of eight one is elsewhere, one goes far, the others are letters. */
static void change(struct field *f, uint32_t x, uint32_t y, uint32_t rows)
{
	struct rect r = {x, y, 1 + random() % 12, 1 + random() % 14};

	switch (random() % 8) {
	case 0:
		r.x = random() % MIX_WIDTH;
		r.y = random() % rows;
		break;
	case 1:
		r.width = MIX_WIDTH;
		r.height = 1 + random() % rows;
		break;
	default:
		break;
	}
	fill_other(f, r.x, r.y, MIN(r.width, MIX_WIDTH - r.x), MIN(r.height, rows - r.y));
}

/* Letters in lines, other things, and scrolls, published after a warm look or not. */
static void mix(const struct format *format, uint32_t rows)
{
	unsigned int early = 0;
	struct field f;
	uint32_t x = 0, y = 0;

	field_init(&f, MIX_WIDTH, MIX_HEIGHT, rows, format);
	field_noise(&f);
	field_look(&f, gate_open);
	publish(&f);
	for (unsigned int n = 0; n < 120; n++) {
		x = n % 20 ? (x + random() % 12) % MIX_WIDTH : random() % MIX_WIDTH;
		y = n % 20 ? y : random() % rows;
		for (unsigned int i = 0; i <= random() % 2; i++)
			change(&f, x, y, rows);
		if (random() % 20 == 0)
			memmove(f.pixels, f.pixels + 16 * f.view.stride,
				(size_t)200 * f.view.stride);
		early += look_warm(&f, random() % 4 ? gate_open : gate_shut) > 0;
		if (random() % 2)
			publish(&f);
		if (random() % 4 == 0)
			continue;
		assert_true(field_look(&f, gate_open) >= 0);
		publish(&f);
		check_seen(&f, rows);
	}
	assert_true(early >= 15);
	field_finish(&f);
}

static void each_mix(void)
{
	for (size_t j = 0; j < LINEAR_FORMATS; j++) {
		mix(&formats[j], MIX_HEIGHT);
		mix(&formats[j], MIX_HEIGHT - 27);
	}
}

static void test_whatever_comes(void **state)
{
	srandom(23);
	each_kernel(each_mix);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_letters_come_first),
		cmocka_unit_test(test_what_goes_on_does_not),
		cmocka_unit_test(test_a_line),
		cmocka_unit_test(test_the_rest_follows),
		cmocka_unit_test(test_a_shut_gate),
		cmocka_unit_test(test_nowhere_warm),
		cmocka_unit_test(test_whatever_comes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
