/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Everything is held against a model: a second copy of the source as it was at the last look. After each look the frame must be
 * the converted source, the bitmap must name the blocks that differ from the copy and no other, and the byte behind the last
 * readable one is a page that cannot be touched. What is found with one kernel must be found by none of the others again.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/mem.h"
#include "damage/tiles.h"

#define PAGE 4096u

static const char *const kernels[] = {"scalar", "pclmul", "avx2", "avx512"};

/* Converters. */

static void from_xrgb(uint32_t *dst, const uint8_t *src, size_t pixels)
{
	for (size_t i = 0; i < pixels; i++, src += 4)
		dst[i] = (uint32_t)src[2] << 16 | (uint32_t)src[1] << 8 | src[0];
}

static void from_xbgr(uint32_t *dst, const uint8_t *src, size_t pixels)
{
	for (size_t i = 0; i < pixels; i++, src += 4)
		dst[i] = (uint32_t)src[0] << 16 | (uint32_t)src[1] << 8 | src[2];
}

static void from_rgb888(uint32_t *dst, const uint8_t *src, size_t pixels)
{
	for (size_t i = 0; i < pixels; i++, src += 3)
		dst[i] = (uint32_t)src[2] << 16 | (uint32_t)src[1] << 8 | src[0];
}

static void from_rgb565(uint32_t *dst, const uint8_t *src, size_t pixels)
{
	for (size_t i = 0; i < pixels; i++, src += 2) {
		uint32_t p = (uint32_t)src[1] << 8 | src[0];

		dst[i] = (p >> 11) << 19 | (p >> 5 & 63) << 10 | (p & 31) << 3;
	}
}

static const struct format {
	const char *name;
	uint8_t bytes;
	convert_fn convert;
} formats[] = {
	{"XRGB8888", 4, from_xrgb},
	{"XBGR8888", 4, from_xbgr},
	{"RGB888", 3, from_rgb888},
	{"RGB565", 2, from_rgb565},
};

/* The field. */

struct field {
	const struct format *format;
	struct view view;
	uint8_t *pixels, *map;
	size_t bytes, map_bytes;
	uint8_t *then; /* the source at the last look */
	uint32_t *frame;
	size_t frame_stride;
	struct tiles *tiles;
	size_t columns, rows, words, stride_words;
	uint64_t *bitmap;
	unsigned int gates;
};

#define FILLER 0xa5a5a5a5u

static void field_init(struct field *f, uint32_t width, uint32_t height, uint32_t rows_readable,
	const struct format *format)
{
	uint32_t stride = width * format->bytes + width % 5;

	*f = (struct field){.format = format, .columns = DIV_ROUND_UP(width, BLOCK_PIXELS)};
	f->rows = DIV_ROUND_UP(height, BLOCK_PIXELS);
	f->words = tiles_bitmap_words(width, height);
	f->stride_words = tiles_bitmap_stride(width);
	f->bytes = (size_t)stride * (rows_readable - 1) + width * format->bytes;
	f->map_bytes = ALIGN_UP(f->bytes, PAGE) + PAGE;
	f->map = mmap(
		NULL, f->map_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(f->map != MAP_FAILED);
	assert_int_equal(mprotect(f->map + f->map_bytes - PAGE, PAGE, PROT_NONE), 0);
	f->pixels = f->map + f->map_bytes - PAGE - f->bytes;
	f->then = calloc(1, f->bytes);
	f->frame_stride = ALIGN_UP(width * 4, 64u) + 64;
	f->frame = aligned_alloc(64, f->frame_stride * height);
	f->bitmap = calloc(f->words, sizeof(uint64_t));
	assert_true(f->then && f->frame && f->bitmap);
	for (size_t i = 0; i < f->frame_stride / 4 * height; i++)
		f->frame[i] = FILLER;
	f->view = (struct view){
		.pixels = f->pixels,
		.width = width,
		.height = height,
		.stride = stride,
		.rows_readable = rows_readable,
		.bytes = format->bytes,
		.convert = format->convert,
	};
	assert_int_equal(tiles_create(width, height, &f->tiles), 0);
}

static void field_finish(struct field *f)
{
	tiles_destroy(f->tiles);
	munmap(f->map, f->map_bytes);
	free(f->then);
	free(f->frame);
	free(f->bitmap);
}

static uint8_t *field_at(struct field *f, uint32_t x, uint32_t y)
{
	return f->pixels + (size_t)y * f->view.stride + x * f->format->bytes;
}

static void field_fill(
	struct field *f, uint32_t x, uint32_t y, uint32_t width, uint32_t height, uint32_t colour)
{
	for (uint32_t v = y; v < y + height; v++)
		for (uint32_t u = x; u < x + width; u++)
			memcpy(field_at(f, u, v), &colour, f->format->bytes);
}

static void field_noise(struct field *f)
{
	for (size_t i = 0; i < f->bytes; i++)
		f->pixels[i] = (uint8_t)random();
}

static bool gate_open(void *arg)
{
	struct field *f = arg;

	f->gates++;
	return true;
}

static int field_look(struct field *f, tiles_gate_fn gate)
{
	f->gates = 0;
	return tiles_look(f->tiles, &f->view, f->frame, f->frame_stride, gate, f);
}

static uint32_t pixel_of(const struct field *f, const uint8_t *src)
{
	uint32_t pixel;

	f->format->convert(&pixel, src, 1);
	return pixel;
}

static bool block_differs(const struct field *f, size_t column, size_t row)
{
	uint32_t y_end = MIN((uint32_t)(row + 1) * 16, f->view.rows_readable);
	uint32_t x_end = MIN((uint32_t)(column + 1) * 16, f->view.width);

	for (uint32_t y = row * 16; y < y_end; y++) {
		for (uint32_t x = column * 16; x < x_end; x++) {
			size_t at = (size_t)y * f->view.stride + x * f->format->bytes;

			if (pixel_of(f, f->pixels + at) != pixel_of(f, f->then + at))
				return true;
		}
	}
	return false;
}

static void frame_check(const struct field *f)
{
	for (uint32_t y = 0; y < f->view.height; y++) {
		const uint32_t *row = f->frame + y * f->frame_stride / 4;

		for (uint32_t x = 0; x < f->frame_stride / 4; x++) {
			uint32_t want = FILLER;

			if (x < f->view.width && y < f->view.rows_readable)
				want = pixel_of(f, f->pixels + (size_t)y * f->view.stride +
							   x * f->format->bytes);
			if (row[x] != want)
				fail_msg("pixel %u,%u is %08x, not %08x", x, y, row[x], want);
		}
	}
}

/* A look with the kernel of choice, then one with each of the others. @all: the hashes were unknown before. */
static int field_check(struct field *f, bool all)
{
	const char *selected = tiles_selected();
	int found = field_look(f, gate_open), blocks = 0;

	assert_true(found >= 0);
	assert_int_equal(f->gates, found > 0);
	assert_int_equal(tiles_damaged(f->tiles), found > 0);
	tiles_take_damage(f->tiles, f->bitmap);
	assert_false(tiles_damaged(f->tiles));
	for (size_t r = 0; r < f->rows; r++) {
		for (size_t c = 0; c < f->stride_words * 64; c++) {
			bool got = f->bitmap[r * f->stride_words + c / 64] >> c % 64 & 1;
			bool want = c < f->columns && r * 16 < f->view.rows_readable &&
				    (all || block_differs(f, c, r));

			if (got != want)
				fail_msg("block %zu,%zu: damage %d, not %d", c, r, got, want);
			blocks += want;
		}
	}
	assert_int_equal(found, blocks);
	frame_check(f);
	memcpy(f->then, f->pixels, f->bytes);
	for (size_t k = 0; k < ARRAY_SIZE(kernels); k++) {
		if (tiles_select(kernels[k]) < 0)
			continue;
		assert_int_equal(field_look(f, gate_open), 0);
		assert_int_equal(f->gates, 0);
	}
	assert_int_equal(tiles_select(selected), 0);
	return found;
}

/* Runs @fn with each kernel that this machine has. */
static void each_kernel(void (*fn)(void))
{
	unsigned int tried = 0;

	for (size_t k = 0; k < ARRAY_SIZE(kernels); k++) {
		if (tiles_select(kernels[k]) < 0)
			continue;
		assert_string_equal(tiles_selected(), kernels[k]);
		fn();
		tried++;
	}
	assert_true(tried >= 1);
}

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
	field_noise(f);
	assert_int_equal(
		field_check(f, true), f->columns * DIV_ROUND_UP(f->view.rows_readable, 16));
	for (unsigned int round = 0; round < 12; round++) {
		unsigned int changes = random() % 9;

		for (unsigned int i = 0; i < changes; i++) {
			uint32_t x = random() % f->view.width;
			uint32_t y = random() % f->view.rows_readable;
			uint32_t w = 1 + random() % MIN(f->view.width - x, 40u);
			uint32_t h = 1 + random() % MIN(f->view.rows_readable - y, 40u);

			field_fill(f, x, y, w, h, (uint32_t)random() * 2 + (random() & 1));
		}
		field_check(f, false);
	}
}

static void every_size_and_format(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(formats); j++) {
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

/* One bit. */

static void every_bit_of_a_tile(void)
{
	for (size_t j = 0; j < ARRAY_SIZE(formats); j++) {
		unsigned int bits = formats[j].bytes * 8;
		unsigned int step = strcmp(tiles_selected(), "scalar") || !j ? 1 : 7;
		struct field f;

		field_init(&f, 64, 64, 64, &formats[j]);
		field_noise(&f);
		assert_int_equal(field_look(&f, gate_open), 16);
		for (unsigned int i = 0; i < 64 * 64 * bits; i += step) {
			uint32_t pixel = i / bits, bit = i % bits;
			uint8_t *at = field_at(&f, pixel % 64, pixel / 64) + bit / 8;

			*at ^= (uint8_t)(1u << bit % 8);
			if (field_look(&f, gate_open) != (bit < 24))
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

	for (size_t j = 0; j < ARRAY_SIZE(formats); j++) {
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
		for (uint32_t i = 0; i < w * f->format->bytes; i++) {
			uint8_t *a = field_at(f, x1, y1 + y) + i, *b = field_at(f, x2, y2 + y) + i;
			uint8_t kept = *a;

			*a = *b;
			*b = kept;
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

	for (size_t j = 0; j < ARRAY_SIZE(formats); j++) {
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
		memmove(f.pixels, field_at(&f, 1, 0), f.bytes - f.format->bytes);
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
	tiles_take_damage(f.tiles, f.bitmap);
	assert_int_equal(f.bitmap[0], 1);
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

/* A, B, A: the first pass sees B, the second A; then the guest stays at B. */
static void flicker(void)
{
	for (size_t j = 0; j < ARRAY_SIZE(formats); j++) {
		_cleanup_free_ uint8_t *other = NULL;
		struct field f;

		field_init(&f, 150, 40, 40, &formats[j]);
		field_noise(&f);
		field_check(&f, true);
		field_noise(&f);
		other = malloc(f.bytes);
		assert_non_null(other);
		memcpy(other, f.pixels, f.bytes);
		assert_true(field_look(&f, gate_draws) > 0);
		frame_check(&f);
		assert_int_equal(field_look(&f, gate_open), 0);
		memcpy(f.pixels, other, f.bytes);
		tiles_take_damage(f.tiles, f.bitmap);
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
	for (size_t j = 0; j < ARRAY_SIZE(formats); j++) {
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

static int vanishing_fd;

static bool gate_truncates(void *arg)
{
	struct field *f = arg;

	f->gates++;
	return ftruncate(vanishing_fd, 5 * PAGE) == 0;
}

static void look_and_fall(struct field *f)
{
	if (sigsetjmp(sigbus_jump, 1) == 0) {
		field_look(f, gate_truncates);
		fail_msg("the source was gone, and was read");
	}
}

/* Pictures A, then B half stored because its rows end after the fifth, then A again. */
static void source_vanishes(void)
{
	for (size_t j = 0; j < ARRAY_SIZE(formats); j++) {
		struct field f;
		uint8_t *map;

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

static void test_unknown_kernel(void **state)
{
	const char *before = tiles_selected();

	assert_int_equal(tiles_select("abacus"), -ENOTSUP);
	assert_string_equal(tiles_selected(), before);
	assert_int_equal(tiles_select(NULL), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_size_and_format),
		cmocka_unit_test(test_every_bit_of_a_tile),
		cmocka_unit_test(test_blank_to_blank),
		cmocka_unit_test(test_moves),
		cmocka_unit_test(test_shut_gate_stores_nothing),
		cmocka_unit_test(test_damage_is_taken_once),
		cmocka_unit_test(test_forgotten_hashes_find_everything),
		cmocka_unit_test(test_flicker_leaves_nothing_stale),
		cmocka_unit_test(test_drawn_meanwhile),
		cmocka_unit_test(test_source_vanishes),
		cmocka_unit_test(test_unknown_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
