/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One row of eight: what changed is found within the number of probes that was promised, and nothing else is, with every kernel. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>

#include "field.h"

#include "base/mem.h"
#include "damage/probe.h"

static bool probe(struct field *f)
{
	return tiles_probe(f->tiles, &f->view, f->frame, f->frame_stride, false);
}

/* How many probes it takes; 0: more than eight. */
static unsigned int probes_to_find(struct field *f)
{
	for (unsigned int i = 1; i <= PROBE_STEP; i++)
		if (probe(f))
			return i;
	return 0;
}

static bool can_be_probed(const struct format *format)
{
	struct view view = {.tiling = NULL};
	struct field f;

	field_init(&f, 64, 16, 16, format);
	view.tiling = f.view.tiling;
	field_finish(&f);
	return probe_pays(&view);
}

/* All rows have been learnt, and read once more. */
static void settle(struct field *f, bool all)
{
	field_check(f, all);
	assert_int_equal(probes_to_find(f), 0);
	assert_int_equal(probes_to_find(f), 0);
}

static const uint32_t sizes[][3] = {
	/* width, height, rows that can be read */
	{1, 1, 1},
	{17, 33, 33},
	{64, 64, 64},
	{65, 17, 17},
	{800, 100, 100},
	{1024, 40, 40},
	{1025, 40, 40},
	{1366, 70, 61},
	{1920, 64, 64},
	{2111, 33, 32},
	{48, 64, 17},
};

static void change_something(struct field *f)
{
	uint32_t x = random() % f->view.width, y = random() % f->view.rows_readable;
	uint32_t w = 1 + random() % MIN(f->view.width - x, 40u);
	uint32_t h = 1 + random() % MIN(f->view.rows_readable - y, 20u);
	uint32_t colour = pixel_of(f, field_at(f, x, y)), was = colour;
	unsigned int took;

	while (pixel_of(f, (uint8_t *)&colour) == was)
		colour = (uint32_t)random();
	field_fill(f, x, y, w, h, colour);
	took = probes_to_find(f);
	assert_in_range(took, 1, PROBE_STEP);
	field_check(f, false);
}

/* Each row of what is eight rows high is another. */
static void change_eight_rows(struct field *f)
{
	uint32_t x = random() % f->view.width, y = random() % (f->view.rows_readable - 7);

	for (uint32_t v = y; v < y + 8; v++) {
		uint32_t was = pixel_of(f, field_at(f, x, v)), colour = was;

		while (pixel_of(f, (uint8_t *)&colour) == was)
			colour = (uint32_t)random();
		field_fill(f, x, v, 1, 1, colour);
	}
	assert_true(probe(f));
	/* It stays found, and nothing of it is kept. */
	assert_in_range(probes_to_find(f), 1, PROBE_STEP);
	field_check(f, false);
}

static void every_size_and_format(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (size_t j = 0; j < FORMATS; j++) {
			struct field f;

			if (!can_be_probed(&formats[j]))
				continue;
			field_init(&f, sizes[i][0], sizes[i][1], sizes[i][2], &formats[j]);
			field_noise(&f);
			settle(&f, true);
			for (unsigned int round = 0; round < 6; round++) {
				change_something(&f);
				if (f.view.rows_readable >= 8)
					change_eight_rows(&f);
				settle(&f, false);
			}
			field_finish(&f);
		}
	}
}

static void test_every_size_and_format(void **state)
{
	srandom(5);
	each_kernel(every_size_and_format);
}

static void bits(void)
{
	for (size_t j = 0; j < FORMATS; j++) {
		unsigned int bits = formats[j].bytes * 8;
		unsigned int step = strcmp(tiles_selected(), "scalar") ? 211 : 1777;
		struct field f;

		if (!can_be_probed(&formats[j]))
			continue;
		field_init(&f, 1100, 8, 8, &formats[j]);
		field_noise(&f);
		settle(&f, true);
		for (unsigned int i = 0; i < 1100 * 8 * bits; i += step) {
			uint32_t pixel = i / bits, bit = i % bits;
			uint8_t *at = field_at(&f, pixel % 1100, pixel / 1100) + bit / 8;

			*at ^= (uint8_t)(1u << bit % 8);
			if (!probes_to_find(&f) != (bit >= formats[j].bits))
				fail_msg("%s: bit %u of pixel %u", formats[j].name, bit, pixel);
			*at ^= (uint8_t)(1u << bit % 8);
		}
		assert_int_equal(probes_to_find(&f), 0);
		field_finish(&f);
	}
}

static void test_every_bit(void **state)
{
	srandom(6);
	each_kernel(bits);
}

static void blank_to_blank(void)
{
	static const uint32_t colours[] = {0, 0xffffff, 1, 0x010101, 0x808080, 0x7f7f7f, 0xff0000,
		0x00ff00, 0x0000ff, 0x800000, 0xfefefe, 0x123456, 0x563412};
	struct field f;

	field_init(&f, 1920, 16, 16, &formats[0]);
	field_fill(&f, 0, 0, 1920, 16, 0x333333);
	settle(&f, true);
	for (size_t i = 0; i < ARRAY_SIZE(colours); i++) {
		field_fill(&f, 0, 0, 1920, 16, colours[i]);
		assert_true(probe(&f));
		field_check(&f, false);
		/* Learnt, or not yet. */
		if (i % 2)
			settle(&f, false);
		field_fill(&f, 900, 3, 200, 8, ~colours[i]);
		assert_true(probe(&f));
		field_check(&f, false);
	}
	field_finish(&f);
}

static void test_blank_to_blank(void **state)
{
	each_kernel(blank_to_blank);
}

/* What has a period moves on: pixels change places at the distances at which key words come again. */
static void moves(void)
{
	static const uint32_t periods[] = {
		1, 2, 3, 4, 8, 16, 32, 64, 128, 240, 256, 480, 512, 896, 960, 1024};

	for (size_t j = 0; j < LINEAR_FORMATS; j++) {
		struct field f;

		field_init(&f, 1920, 9, 9, &formats[j]);
		for (size_t i = 0; i < ARRAY_SIZE(periods); i++) {
			uint32_t p = periods[i];

			field_fill(&f, 0, 0, 1920, 9, 0x101010);
			field_fill(&f, 700, 4, 1, 1, 0xf0f0f0);
			settle(&f, i == 0);
			field_fill(&f, 700, 4, 1, 1, 0x101010);
			field_fill(&f, 700 + p, 4, 1, 1, 0xf0f0f0);
			assert_in_range(probes_to_find(&f), 1, PROBE_STEP);
			/* And stripes as wide as that. */
			for (uint32_t x = 0; x < 1920; x++)
				field_fill(&f, x, 0, 1, 9, x / p % 2 ? 0x444444 : 0x999999);
			settle(&f, false);
			for (uint32_t x = 0; x < 1920; x++)
				field_fill(&f, x, 0, 1, 9, x / p % 2 ? 0x999999 : 0x444444);
			assert_true(probe(&f));
			settle(&f, false);
		}
		field_finish(&f);
	}
}

static void test_moves(void **state)
{
	each_kernel(moves);
}

/* A row that was stored since is not taken for what it was. */
static void there_and_back(void)
{
	struct field f;

	field_init(&f, 300, 64, 64, &formats[0]);
	field_noise(&f);
	settle(&f, true);
	for (uint32_t y = 0; y < 64; y += 5) {
		uint32_t was = pixel_of(&f, field_at(&f, 150, y));

		field_fill(&f, 150, y, 1, 1, ~was);
		field_check(&f, false);
		if (y % 2)
			settle(&f, false);
		field_fill(&f, 150, y, 1, 1, was);
		assert_in_range(probes_to_find(&f), 1, PROBE_STEP);
		field_check(&f, false);
	}
	/* Neither is a frame that was not brought up to date, nor another converter. */
	tiles_forget(f.tiles);
	field_check(&f, true);
	f.view.convert = formats[1].convert;
	assert_true(probe(&f));
	field_finish(&f);
}

static void test_there_and_back(void **state)
{
	srandom(7);
	each_kernel(there_and_back);
}

/* Y tiles cannot be probed: look. */
static void test_not_for_these(void **state)
{
	struct field f;

	field_init(&f, 300, 64, 64, &formats[6]);
	assert_true(f.view.tiling && !probe_pays(&f.view));
	field_check(&f, true);
	assert_true(probe(&f));
	field_finish(&f);
}

/* How much is read. */

enum { PAGE = 4096, ROWS = 64 };

static uint8_t *counted;
static volatile sig_atomic_t touched;

static void count_page(int signal, siginfo_t *info, void *context)
{
	uint8_t *page = (uint8_t *)((uintptr_t)info->si_addr & ~(uintptr_t)(PAGE - 1));

	if (page < counted || page >= counted + ROWS * PAGE || mprotect(page, PAGE, PROT_READ) < 0)
		abort();
	touched++;
}

/* Each row is a page. */
static void test_an_eighth_is_read(void **state)
{
	struct sigaction action = {.sa_sigaction = count_page, .sa_flags = SA_SIGINFO}, before;
	struct field f;

	field_init(&f, 1024, ROWS, ROWS, &formats[0]);
	counted =
		mmap(NULL, ROWS * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(counted != MAP_FAILED);
	for (size_t i = 0; i < ROWS * PAGE; i++)
		counted[i] = (uint8_t)random();
	f.view.pixels = counted;
	f.view.stride = PAGE;
	sigaction(SIGSEGV, &action, &before);
	for (unsigned int round = 0; round < 4; round++) {
		if (round < 2)
			tiles_forget(f.tiles);
		field_look(&f, gate_open);
		mprotect(counted, ROWS * PAGE, PROT_NONE);
		for (unsigned int i = 0; i < PROBE_STEP; i++) {
			touched = 0;
			assert_false(probe(&f));
			assert_int_equal(touched, ROWS / PROBE_STEP);
		}
	}
	sigaction(SIGSEGV, &before, NULL);
	munmap(counted, ROWS * PAGE);
	field_finish(&f);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_size_and_format),
		cmocka_unit_test(test_every_bit),
		cmocka_unit_test(test_blank_to_blank),
		cmocka_unit_test(test_moves),
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_not_for_these),
		cmocka_unit_test(test_an_eighth_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
