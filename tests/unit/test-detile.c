/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tiles against a model that places one byte after the other, in the words of drm_fourcc.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>
#include <drm_fourcc.h>

#include "base/mem.h"
#include "capture/convert.h"
#include "capture/detile.h"
#include "plane/tiling.h"

#define PAGE 4096u

static const uint64_t modifiers[] = {
	I915_FORMAT_MOD_X_TILED, I915_FORMAT_MOD_Y_TILED, I915_FORMAT_MOD_Yf_TILED};
static const uint8_t pixel_sizes[] = {1, 2, 4};
static const uint32_t sizes[][2] = {
	{1, 1}, {16, 16}, {17, 33}, {64, 64}, {65, 31}, {127, 9}, {333, 70}, {512, 32}, {600, 129}};

/* The model. @x in bytes. */

static size_t model_x(size_t x, size_t y, size_t stride)
{
	return ((y / 8) * (stride / 512) + x / 512) * 4096 + y % 8 * 512 + x % 512;
}

static size_t model_y(size_t x, size_t y, size_t stride)
{
	return ((y / 32) * (stride / 128) + x / 128) * 4096 + x % 128 / 16 * 512 + y % 32 * 16 +
	       x % 16;
}

/* Which of two columns of two, the left one first. */
static size_t quarter(size_t *x, size_t *y, size_t width, size_t height)
{
	size_t part = *x / (width / 2) * 2 + *y / (height / 2);

	*x %= width / 2;
	*y %= height / 2;
	return part;
}

static size_t model_yf(size_t x, size_t y, size_t stride, unsigned int bytes)
{
	size_t width = bytes == 1 ? 64 : 128, height = bytes == 1 ? 64 : 32;
	size_t at = ((y / height) * (stride / width) + x / width) * 4096;

	x %= width;
	y %= height;
	at += quarter(&x, &y, width, height) * 1024;
	at += quarter(&x, &y, width / 2, height / 2) * 256;
	/* A unit of 256 bytes: square, or twice as wide as it is high. */
	at += (bytes == 1 ? y / 4 : x / 16 * 2 + y / 4) * 64;
	return at + y % 4 * 16 + x % 16;
}

static size_t model(uint64_t modifier, size_t x, size_t y, size_t stride, unsigned int bytes)
{
	switch (modifier) {
	case I915_FORMAT_MOD_X_TILED:
		return model_x(x, y, stride);
	case I915_FORMAT_MOD_Y_TILED:
		return model_y(x, y, stride);
	default:
		return model_yf(x, y, stride, bytes);
	}
}

/* @bytes bytes that end where a page begins that cannot be touched. */
struct guarded {
	uint8_t *map, *bytes;
	size_t map_bytes;
};

static struct guarded guarded_make(size_t bytes)
{
	struct guarded g = {.map_bytes = ALIGN_UP(bytes, PAGE) + PAGE};

	g.map = mmap(NULL, g.map_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(g.map != MAP_FAILED);
	assert_int_equal(mprotect(g.map + g.map_bytes - PAGE, PAGE, PROT_NONE), 0);
	g.bytes = g.map + g.map_bytes - PAGE - bytes;
	return g;
}

static void guarded_free(struct guarded *g)
{
	munmap(g->map, g->map_bytes);
}

struct tiled {
	struct view view;
	struct guarded memory;
	uint8_t *rows; /* the same as plain rows */
	size_t row_bytes;
};

static void tiled_init(struct tiled *t, uint64_t modifier, unsigned int bytes, uint32_t width,
	uint32_t height, unsigned int more_tiles)
{
	const struct tiling *tiling = tiling_find(modifier, bytes);
	size_t stride, size;

	assert_non_null(tiling);
	t->row_bytes = (size_t)width * bytes;
	stride = ALIGN_UP(t->row_bytes, tiling->width) + (size_t)more_tiles * tiling->width;
	size = stride * ALIGN_UP(height, tiling->height);
	t->memory = guarded_make(size);
	t->rows = malloc(t->row_bytes * height);
	assert_non_null(t->rows);
	for (size_t i = 0; i < size; i++)
		t->memory.bytes[i] = (uint8_t)random();
	for (size_t y = 0; y < height; y++)
		for (size_t x = 0; x < t->row_bytes; x++)
			t->rows[y * t->row_bytes + x] =
				t->memory.bytes[model(modifier, x, y, stride, bytes)];
	t->view = (struct view){
		.pixels = t->memory.bytes,
		.width = width,
		.height = height,
		.stride = (uint32_t)stride,
		.rows_readable = height,
		.bytes = (uint8_t)bytes,
		.tiling = tiling,
	};
}

static void tiled_finish(struct tiled *t)
{
	guarded_free(&t->memory);
	free(t->rows);
}

static void each_tiled(void (*fn)(struct tiled *t))
{
	for (size_t m = 0; m < ARRAY_SIZE(modifiers); m++) {
		for (size_t b = 0; b < ARRAY_SIZE(pixel_sizes); b++) {
			for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
				struct tiled t;

				tiled_init(&t, modifiers[m], pixel_sizes[b], sizes[i][0],
					sizes[i][1], i % 3);
				fn(&t);
				tiled_finish(&t);
			}
		}
	}
}

static void test_tilings(void **state)
{
	assert_null(tiling_find(DRM_FORMAT_MOD_LINEAR, 4));
	assert_null(tiling_find(DRM_FORMAT_MOD_INVALID, 4));
	assert_null(tiling_find(I915_FORMAT_MOD_Y_TILED_CCS, 4));
	assert_null(tiling_find(I915_FORMAT_MOD_4_TILED, 4));
	for (size_t m = 0; m < ARRAY_SIZE(modifiers); m++) {
		assert_null(tiling_find(modifiers[m], 3));
		for (size_t b = 0; b < ARRAY_SIZE(pixel_sizes); b++) {
			const struct tiling *t = tiling_find(modifiers[m], pixel_sizes[b]);

			assert_int_equal(t->width * t->height, TILE_BYTES);
			assert_int_equal(1u << __builtin_popcount(t->row_bits), t->height);
			assert_false(t->row_bits & (TILE_WORD - 1));
		}
	}
}

static void check_offsets(struct tiled *t)
{
	for (uint32_t y = 0; y < t->view.height; y++)
		for (uint32_t x = 0; x < t->row_bytes; x++)
			assert_int_equal(tiling_offset(t->view.tiling, t->view.stride, x, y),
				model(t->view.tiling->modifier, x, y, t->view.stride,
					t->view.bytes));
}

static void test_offsets(void **state)
{
	each_tiled(check_offsets);
}

/* Every part that begins and ends anywhere it may: both twins, no byte behind the room of either side. */
static void check_parts(struct tiled *t)
{
	for (uint32_t y = 0; y < t->view.height; y += DETILE_ROWS) {
		unsigned int rows = MIN(t->view.height - y, (uint32_t)DETILE_ROWS);

		for (size_t x = 0; x < t->row_bytes; x += DETILE_STEP) {
			size_t bytes = 1 + (size_t)random() % (t->row_bytes - x);
			size_t stride = ALIGN_UP(bytes, DETILE_STEP) + (size_t)random() % 3 * 64;
			size_t room = (DETILE_ROWS - 1) * stride + ALIGN_UP(bytes, DETILE_STEP);
			struct guarded fast = guarded_make(room), scalar = guarded_make(room);

			memset(scalar.bytes, 0xa5, room);
			detile(&t->view, x, y, bytes, rows, fast.bytes, stride);
			detile_scalar(&t->view, x, y, bytes, rows, scalar.bytes, stride);
			for (size_t i = 0; i < rows; i++) {
				const uint8_t *want = t->rows + (y + i) * t->row_bytes + x;

				assert_memory_equal(fast.bytes + i * stride, want, bytes);
				assert_memory_equal(scalar.bytes + i * stride, want, bytes);
			}
			for (size_t i = 0; i < room; i++)
				if (i % stride >= bytes || i / stride >= rows)
					assert_int_equal(scalar.bytes[i], 0xa5);
			guarded_free(&fast);
			guarded_free(&scalar);
		}
	}
}

static void test_parts(void **state)
{
	srandom(1);
	each_tiled(check_parts);
}

/* What is between the tiled rows' ends and the next row is nobody's pixel. */
static void check_picture(struct tiled *t)
{
	static const uint32_t fourccs[] = {
		0, DRM_FORMAT_C8, DRM_FORMAT_RGB565, 0, DRM_FORMAT_XRGB8888};
	const size_t stride = t->view.width * 4 + 12;
	struct guarded got = guarded_make(stride * (t->view.height - 1) + t->view.width * 4);
	uint32_t *want = malloc(t->view.width * 4);

	assert_non_null(want);
	t->view.convert = convert_find(fourccs[t->view.bytes]);
	detile_picture(&t->view, (uint32_t *)got.bytes, stride);
	for (size_t y = 0; y < t->view.height; y++) {
		t->view.convert(want, t->rows + y * t->row_bytes, t->view.width);
		assert_memory_equal(got.bytes + y * stride, want, t->view.width * 4);
	}
	free(want);
	guarded_free(&got);
}

static void test_pictures(void **state)
{
	srandom(2);
	each_tiled(check_picture);
}

static void test_linear_picture(void **state)
{
	static const struct {
		uint32_t fourcc;
		uint8_t bytes, unit;
	} forms[] = {{DRM_FORMAT_RGB888, 3, 1}, {DRM_FORMAT_YUYV, 2, 2}, {DRM_FORMAT_C8, 1, 1}};

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		struct view view = {
			.width = 1237,
			.height = 19,
			.rows_readable = 18,
			.bytes = forms[i].bytes,
			.unit = forms[i].unit,
			.convert = convert_find(forms[i].fourcc),
		};
		size_t row = view_row_bytes(&view, view.width), stride = row + 5;
		struct guarded source = guarded_make(stride * 17 + row);
		uint32_t *got = calloc(18, 1237 * 4), *want = calloc(1, 1237 * 4);

		assert_true(got && want);
		view.pixels = source.bytes;
		view.stride = (uint32_t)stride;
		for (size_t at = 0; at < stride * 17 + row; at++)
			source.bytes[at] = (uint8_t)random();
		detile_picture(&view, got, 1237 * 4);
		for (size_t y = 0; y < 18; y++) {
			view.convert(want, source.bytes + y * stride, 1237);
			assert_memory_equal(got + y * 1237, want, 1237 * 4);
		}
		free(got);
		free(want);
		guarded_free(&source);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tilings),
		cmocka_unit_test(test_offsets),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_pictures),
		cmocka_unit_test(test_linear_picture),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
