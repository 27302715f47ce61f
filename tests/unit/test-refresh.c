/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "rfb/refresh.h"

#define MS 1000000ull

enum { WIDTH = 1043, HEIGHT = 517 }; /* blocks that stick out, more than 64 in a row */

static const struct rect all = {0, 0, WIDTH, HEIGHT};

struct fixture {
	struct refresh refresh;
	uint8_t lossy[HEIGHT][WIDTH]; /* what is at the viewer, pixel by pixel */
	uint64_t now;
};

static int begin(void **state)
{
	struct fixture *f = new0(struct fixture);

	f->now = 1000 * MS;
	*state = f;
	return refresh_resize(&f->refresh, WIDTH, HEIGHT);
}

static int end(void **state)
{
	struct fixture *f = *state;

	refresh_finish(&f->refresh);
	free(f);
	return 0;
}

static void sent(struct fixture *f, struct rect rect, bool lossy)
{
	assert_true(rect.x + rect.width <= WIDTH && rect.y + rect.height <= HEIGHT);
	for (uint32_t y = rect.y; y < rect.y + rect.height; y++)
		memset(&f->lossy[y][rect.x], lossy, rect.width);
	refresh_sent(&f->refresh, &rect, lossy, f->now);
}

static bool slice(struct fixture *f, uint32_t pixels, struct rect *ret)
{
	return refresh_due(&f->refresh, f->now) <= f->now &&
	       refresh_slice(&f->refresh, &all, pixels, ret);
}

/* Until nothing is due any more: all is exact then. Returns the slices. */
static unsigned int to_the_end(struct fixture *f, uint32_t pixels)
{
	unsigned int count = 0;
	struct rect rect;

	for (;;) {
		uint64_t due = refresh_due(&f->refresh, f->now);

		if (due == UINT64_MAX)
			break;
		f->now = MAX(f->now, due);
		while (slice(f, pixels, &rect)) {
			assert_true(rect.width && rect.height);
			assert_true(rect.width * rect.height <= MAX(pixels, 256u));
			sent(f, rect, false);
			count++;
			assert_true(count < 10000);
		}
	}
	for (uint32_t y = 0; y < HEIGHT; y++)
		for (uint32_t x = 0; x < WIDTH; x++)
			assert_false(f->lossy[y][x]);
	return count;
}

static void nothing_is_due_at_first(void **state)
{
	struct fixture *f = *state;

	assert_true(refresh_due(&f->refresh, f->now) == UINT64_MAX);
	sent(f, all, false);
	assert_true(refresh_due(&f->refresh, f->now) == UINT64_MAX);
}

static void quiet_first(void **state)
{
	struct fixture *f = *state;
	struct rect rect;

	sent(f, (struct rect){100, 100, 50, 50}, true);
	for (int i = 0; i < 20; i++) { /* and again */
		f->now += 40 * MS;
		assert_false(slice(f, 1 << 20, &rect));
		sent(f, (struct rect){100, 100, 50, 50}, true);
	}
	/* Around what is touched from here on it becomes quiet. */
	for (int i = 0; i < 20; i++) {
		f->now += 40 * MS;
		sent(f, (struct rect){100, 100, 5, 5}, true);
		refresh_due(&f->refresh, f->now);
	}
	assert_true(slice(f, 1 << 20, &rect));
	while (slice(f, 1 << 20, &rect)) {
		assert_false(rect.x <= 96 && rect.x + rect.width > 96 && rect.y <= 96 &&
			     rect.y + rect.height > 96);
		sent(f, rect, false);
	}
	assert_true(refresh_due(&f->refresh, f->now) > f->now);
	assert_true(refresh_due(&f->refresh, f->now) <= f->now + REFRESH_QUIET_NS);
	to_the_end(f, 1 << 20);
}

static void all_of_it_once(void **state)
{
	struct fixture *f = *state;

	sent(f, all, true);
	assert_in_range(to_the_end(f, 1 << 20), 1, 1);
	sent(f, all, true);
	assert_in_range(to_the_end(f, 65536), 8, 33);
	sent(f, all, true);
	assert_int_equal(to_the_end(f, 1), 66 * 33);
}

static void pieces(void **state)
{
	struct fixture *f = *state;

	srand(1);
	for (int round = 0; round < 50; round++) {
		for (int i = rand() % 20; i >= 0; i--) {
			struct rect rect = {rand() % WIDTH, rand() % HEIGHT, 0, 0};

			rect.width = 1 + rand() % (WIDTH - rect.x);
			rect.height = 1 + rand() % (HEIGHT - rect.y);
			sent(f, rect, rand() % 3);
			f->now += rand() % 500 * MS;
			if (slice(f, 1 + rand() % 100000, &rect))
				sent(f, rect, false);
		}
		to_the_end(f, 1 + rand() % 100000);
	}
}

/* An exact rectangle makes no block exact that it covers in part. */
static void exact_in_part(void **state)
{
	struct fixture *f = *state;

	sent(f, (struct rect){0, 0, 32, 32}, true);
	sent(f, (struct rect){0, 0, 31, 31}, false);
	assert_int_equal(to_the_end(f, 256), 3);
	sent(f, (struct rect){1040, 510, 3, 7}, true); /* at the edge it is whole */
	sent(f, (struct rect){1040, 496, 3, 21}, false);
	to_the_end(f, 256);
	sent(f, (struct rect){1024, 512, 19, 5}, true);
	sent(f, (struct rect){1024, 512, 19, 5}, false);
	assert_int_equal(to_the_end(f, 256), 0);
}

static void within_a_part(void **state)
{
	static const struct rect part = {8, 8, 100, 40};
	struct fixture *f = *state;
	struct rect rect;

	sent(f, all, true);
	f->now += 2 * REFRESH_QUIET_NS;
	assert_true(refresh_due(&f->refresh, f->now) >
		    f->now); /* the spell in which it was sent is over */
	f->now += 2 * REFRESH_QUIET_NS;
	assert_true(refresh_due(&f->refresh, f->now) <= f->now);
	while (refresh_slice(&f->refresh, &part, 4096, &rect)) {
		assert_in_range(rect.x, 16, 80);
		assert_true(rect.x + rect.width <= 108);
		assert_in_range(rect.y, 16, 32);
		assert_true(rect.y + rect.height <= 48);
		sent(f, rect, false);
	}
	to_the_end(f, 1 << 20);
}

static void another_size(void **state)
{
	struct fixture *f = *state;

	sent(f, all, true);
	assert_int_equal(refresh_resize(&f->refresh, 64, 64), 0);
	assert_true(refresh_due(&f->refresh, f->now) == UINT64_MAX);
	refresh_sent(&f->refresh, &(struct rect){0, 0, 64, 64}, true, f->now);
	assert_true(refresh_due(&f->refresh, f->now) == f->now + REFRESH_QUIET_NS);
}

static void colours(void **state)
{
	static uint32_t pixels[64 * 64];
	struct rect rect = {3, 5, 50, 40};

	assert_true(refresh_exact_anyway(pixels, 64, &rect));
	for (uint32_t i = 0; i < 24; i++)
		pixels[(5 + i) * 64 + 3 + 2 * i] = 0xab000000 | (i * 0x010305);
	assert_true(refresh_exact_anyway(pixels, 64, &rect));
	pixels[44 * 64 + 52] = 0xffffff; /* the last one is the 25th */
	assert_false(refresh_exact_anyway(pixels, 64, &rect));
	rect.width--;
	assert_true(refresh_exact_anyway(pixels, 64, &rect));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_is_due_at_first),
		TEST(quiet_first),
		TEST(all_of_it_once),
		TEST(pieces),
		TEST(exact_in_part),
		TEST(within_a_part),
		TEST(another_size),
		TEST(colours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
