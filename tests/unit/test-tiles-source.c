/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The gate, and a source that changes or goes away under the look. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "field.h"

#include "base/mem.h"

#define PAGE 4096u

/* The gate. */

static bool gate_shut(void *arg)
{
	struct field *f = arg;

	f->gates++;
	return false;
}

static void test_shut_gate_stores_nothing(void **state)
{
	struct field f;
	size_t bytes;
	uint32_t *kept;

	field_init(&f, 800, 600, 600, &formats[0]);
	field_noise(&f);
	bytes = f.frame_stride * f.view.height;
	kept = malloc(bytes);
	assert_non_null(kept);
	memcpy(kept, f.frame, bytes);
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(field_look(&f, gate_shut), -EAGAIN);
		assert_int_equal(f.gates, 1);
		assert_false(tiles_damaged(f.tiles));
		assert_memory_equal(kept, f.frame, bytes);
	}
	field_check(&f, true);
	*field_at(&f, 700, 500) ^= 1;
	assert_int_equal(field_look(&f, gate_shut), -EAGAIN);
	assert_int_equal(field_check(&f, false), 1);
	free(kept);
	field_finish(&f);
}

/* Damage adds up until it is taken, and is taken once. */
static void test_damage_is_taken_once(void **state)
{
	struct field f;

	field_init(&f, 64, 32, 32, &formats[0]);
	field_check(&f, true);
	*field_at(&f, 0, 0) ^= 1;
	assert_int_equal(field_look(&f, gate_open), 1);
	*field_at(&f, 40, 20) ^= 1;
	assert_int_equal(field_look(&f, gate_open), 1);
	*field_at(&f, 20, 0) ^= 1; /* a neighbour of the first */
	assert_int_equal(field_look(&f, gate_open), 1);
	tiles_take_damage(f.tiles, f.bitmap);
	assert_int_equal(f.bitmap[0], 3);
	assert_int_equal(f.bitmap[1], 4);
	tiles_take_damage(f.tiles, f.bitmap);
	assert_int_equal(f.bitmap[0] | f.bitmap[1], 0);
	field_finish(&f);
}

static void test_forgotten_hashes_find_everything(void **state)
{
	struct field f;

	field_init(&f, 100, 50, 50, &formats[0]);
	field_noise(&f);
	field_check(&f, true);
	tiles_forget(f.tiles);
	field_check(&f, true);
	/* The same bytes as another format. */
	f.format = &formats[1];
	f.view.convert = formats[1].convert;
	field_check(&f, true);
	field_finish(&f);
}

/* The source under the look: the gate stands between the passes. */

static bool gate_draws(void *arg)
{
	struct field *f = arg;

	f->gates++;
	memcpy(f->pixels, f->then, f->bytes);
	return true;
}

/* A, B, A: the first pass sees B, the second A; then the guest stays at B, at once or after a look at A. */
static void flicker(void)
{
	for (size_t i = 0; i < FORMATS * 2; i++) {
		_cleanup_free_ uint8_t *other = NULL;
		struct field f;

		field_init(&f, 150, 40, 40, &formats[i / 2]);
		field_noise(&f);
		field_check(&f, true);
		field_noise(&f);
		other = malloc(f.bytes);
		assert_non_null(other);
		memcpy(other, f.pixels, f.bytes);
		assert_int_equal(field_look(&f, gate_draws), 0);
		assert_int_equal(f.gates, 1);
		assert_false(tiles_damaged(f.tiles));
		frame_check(&f);
		if (i % 2) {
			assert_int_equal(field_look(&f, gate_open), 0);
			assert_int_equal(f.gates, 0);
		}
		memcpy(f.pixels, other, f.bytes);
		assert_int_equal(field_check(&f, false), 30);
		field_finish(&f);
	}
}

static void test_flicker_leaves_nothing_stale(void **state)
{
	srandom(5);
	each_kernel(flicker);
}

struct drawer {
	struct field *field;
	atomic_bool stop;
};

static void *draw(void *arg)
{
	struct drawer *drawer = arg;
	struct field *f = drawer->field;
	uint32_t x = 1;

	while (!atomic_load_explicit(&drawer->stop, memory_order_relaxed)) {
		for (unsigned int i = 0; i < 64; i++) {
			x = x * 1664525 + 1013904223;
			((volatile uint8_t *)f->pixels)[x % f->bytes] = x >> 31 ? 0xff : 0;
		}
	}
	return NULL;
}

static void drawn_meanwhile(void)
{
	for (size_t j = 0; j < FORMATS; j++) {
		struct drawer drawer = {0};
		pthread_t thread;
		struct field f;

		field_init(&f, 200, 64, 64, &formats[j]);
		drawer.field = &f;
		for (unsigned int round = 0; round < 10; round++) {
			atomic_store(&drawer.stop, false);
			assert_int_equal(pthread_create(&thread, NULL, draw, &drawer), 0);
			for (unsigned int i = 0; i < 20; i++)
				assert_true(field_look(&f, gate_open) >= 0);
			atomic_store(&drawer.stop, true);
			pthread_join(thread, NULL);
			assert_true(field_look(&f, gate_open) >= 0);
			frame_check(&f);
		}
		field_finish(&f);
	}
}

static void test_drawn_meanwhile(void **state)
{
	each_kernel(drawn_meanwhile);
}

/* The source goes away. */

static sigjmp_buf sigbus_jump;

static void sigbus_caught(int sig)
{
	siglongjmp(sigbus_jump, 1);
}

static int vanishing_fd, vanishing_page;

static bool gate_truncates(void *arg)
{
	struct field *f = arg;

	f->gates++;
	return ftruncate(vanishing_fd, vanishing_page * PAGE) == 0;
}

static void look_and_fall(struct field *f)
{
	if (sigsetjmp(sigbus_jump, 1) == 0) {
		field_look(f, gate_truncates);
		fail_msg("the source was gone, and was read");
	}
}

/* Pictures A, then B half stored because its rows end, then A again: in a row of blocks that has been hashed, and in the one below, which is stored at once. */
static void source_vanishes(void)
{
	for (size_t i = 0; i < FORMATS + LINEAR_FORMATS; i++) {
		size_t j = i % FORMATS;
		struct field f;
		uint8_t *map;

		vanishing_page = i < FORMATS ? 5 : 20;
		field_init(&f, 1024, 32, 32, &formats[j]);
		vanishing_fd = memfd_create("vanishing", MFD_CLOEXEC);
		assert_true(vanishing_fd >= 0);
		assert_int_equal(ftruncate(vanishing_fd, 32 * PAGE), 0);
		map = mmap(NULL, 32 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, vanishing_fd, 0);
		assert_true(map != MAP_FAILED);
		f.view.pixels = map;
		f.view.stride = PAGE;
		memset(map, 0x11, 32 * PAGE);
		assert_int_equal(field_look(&f, gate_open), 128);
		tiles_take_damage(f.tiles, f.bitmap);
		memset(map, 0x22, 32 * PAGE);
		look_and_fall(&f);
		/* What was stored is in the bitmap. */
		assert_true(tiles_damaged(f.tiles));
		tiles_take_damage(f.tiles, f.bitmap);
		for (uint32_t y = 0; y < 32; y++)
			for (uint32_t x = 0; x < 1024; x++)
				if (f.frame[y * f.frame_stride / 4 + x] !=
					f.frame[31 * f.frame_stride / 4])
					assert_true(f.bitmap[y / 16] >> x / 16 & 1);
		assert_int_equal(ftruncate(vanishing_fd, 32 * PAGE), 0);
		memset(map, 0x11, 32 * PAGE);
		assert_true(field_look(&f, gate_open) > 0);
		for (uint32_t y = 0; y < 32; y++)
			for (uint32_t x = 0; x < 1024; x++)
				assert_int_equal(
					f.frame[y * f.frame_stride / 4 + x], pixel_of(&f, map));
		munmap(map, 32 * PAGE);
		close(vanishing_fd);
		field_finish(&f);
	}
}

static void test_source_vanishes(void **state)
{
	struct sigaction action = {.sa_handler = sigbus_caught}, before;

	assert_int_equal(sigaction(SIGBUS, &action, &before), 0);
	each_kernel(source_vanishes);
	sigaction(SIGBUS, &before, NULL);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shut_gate_stores_nothing),
		cmocka_unit_test(test_damage_is_taken_once),
		cmocka_unit_test(test_forgotten_hashes_find_everything),
		cmocka_unit_test(test_flicker_leaves_nothing_stale),
		cmocka_unit_test(test_drawn_meanwhile),
		cmocka_unit_test(test_source_vanishes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
