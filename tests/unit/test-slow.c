/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sources that are slow to read: the same is found in them, and each byte is read once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>

#include "field.h"

#include "base/mem.h"
#include "capture/stream.h"
#include "damage/probe.h"
#include "plane/tiling.h"

static void streams_copy_like_others(void **state)
{
	static uint8_t from[1024], a[1200], b[1200];

	srandom(1);
	for (size_t i = 0; i < sizeof(from); i++)
		from[i] = (uint8_t)random();
	for (size_t at = 0; at < 130; at++) {
		for (size_t bytes = 0; bytes < 300; bytes += bytes < 70 ? 1 : 13) {
			memset(a, 0x5a, sizeof(a));
			memset(b, 0x5a, sizeof(b));
			stream_copy(a + at % 67, from + at, bytes);
			stream_copy_scalar(b + at % 67, from + at, bytes);
			assert_memory_equal(a, b, sizeof(a));
		}
	}
}

static void little_is_not_measured(void **state)
{
	static uint8_t some[STREAM_SAMPLE];

	assert_int_equal(stream_rate(some, STREAM_SAMPLE_LEAST - 1), 0);
	assert_int_not_equal(stream_rate(some, STREAM_SAMPLE_LEAST), 0);
	assert_int_not_equal(stream_rate(some, STREAM_SAMPLE), 0);
}

static const uint32_t sizes[][3] = {
	/* width, height, rows that can be read */
	{1, 1, 1},
	{17, 33, 33},
	{65, 17, 17},
	{800, 100, 99},
	{1366, 70, 61},
	{1040, 48, 32},
	{48, 130, 17},
};

static bool is_found(struct field *f)
{
	for (unsigned int i = 0; i < PROBE_STEP; i++)
		if (tiles_probe(f->tiles, &f->view, f->frame, f->frame_stride, false))
			return true;
	return false;
}

static void fuzz_field(struct field *f)
{
	bool probes = probe_pays(&f->view);

	field_noise(f);
	field_check(f, true);
	for (unsigned int round = 0; round < 8; round++) {
		uint32_t x = random() % f->view.width, y = random() % f->view.rows_readable;
		uint32_t w = 1 + random() % MIN(f->view.width - x, 40u);
		uint32_t h = 1 + random() % MIN(f->view.rows_readable - y, 40u);
		uint32_t colour = 0;

		/* What was learnt from the one is right for the other. */
		f->view.slow = round % 4 != 3;
		assert_true(!probes || !is_found(f));
		memcpy(&colour, field_at(f, x, y), f->format->bytes);
		field_fill(f, x, y, w, h, ~colour);
		assert_true(is_found(f));
		field_check(f, false);
	}
}

static void every_size_and_format(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (size_t j = 0; j < FORMATS; j++) {
			struct field f;

			field_init(&f, sizes[i][0], sizes[i][1], sizes[i][2], &formats[j]);
			f.view.slow = true;
			fuzz_field(&f);
			field_finish(&f);
		}
	}
}

static void the_same_is_found(void **state)
{
	srandom(11);
	each_kernel(every_size_and_format);
}

/* The gate is asked when the first row of blocks has been hashed and before anything is stored. What was hashed must not be needed
 * from the source again. */
static size_t gone;

static bool gate_takes_away(void *arg)
{
	struct field *f = arg;

	f->gates++;
	assert_int_equal(mprotect((void *)(uintptr_t)f->view.pixels, gone, PROT_NONE), 0);
	return true;
}

static void read_once(void)
{
	enum { PAGE = 4096, ROWS = 64 };
	uint8_t *pixels =
		mmap(NULL, PAGE * ROWS, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(pixels != MAP_FAILED);
	for (size_t j = 0; j < FORMATS; j++) {
		const struct tiling *tiling = tiling_find(formats[j].modifier, formats[j].bytes);
		struct field f;

		field_init(&f, PAGE / formats[j].bytes, ROWS, ROWS, &formats[j]);
		f.view.pixels = pixels;
		f.view.stride = PAGE;
		f.view.slow = true;
		gone = (size_t)(tiling && tiling->height > 16 ? tiling->height : 16) * PAGE;
		for (size_t i = 0; i < PAGE * ROWS; i++)
			pixels[i] = (uint8_t)random();
		assert_int_equal(field_look(&f, gate_takes_away), (int)(f.rows * f.columns));
		assert_int_equal(f.gates, 1);
		mprotect(pixels, PAGE * ROWS, PROT_READ | PROT_WRITE);
		/* That was the picture. */
		assert_int_equal(field_look(&f, gate_open), 0);
		f.view.slow = false;
		assert_int_equal(field_look(&f, gate_open), 0);
		field_finish(&f);
	}
	munmap(pixels, PAGE * ROWS);
}

static void each_byte_is_read_once(void **state)
{
	srandom(12);
	each_kernel(read_once);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(streams_copy_like_others),
		cmocka_unit_test(little_is_not_measured),
		cmocka_unit_test(the_same_is_found),
		cmocka_unit_test(each_byte_is_read_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
