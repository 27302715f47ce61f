/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>
#include <drm_fourcc.h>

#include "field.h"

#include "base/mem.h"
#include "plane/tiling.h"

#define PAGE   4096u
#define FILLER 0xa5a5a5a5u

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

static void from_c8(uint32_t *dst, const uint8_t *src, size_t pixels)
{
	for (size_t i = 0; i < pixels; i++)
		dst[i] = src[i] * 0x010101u;
}

const struct format formats[FORMATS] = {
	{"XRGB8888", 4, from_xrgb, 0, 24},
	{"XBGR8888", 4, from_xbgr, 0, 24},
	{"RGB888", 3, from_rgb888, 0, 24},
	{"RGB565", 2, from_rgb565, 0, 16},
	{"C8", 1, from_c8, 0, 8},
	{"XRGB8888 X", 4, from_xrgb, I915_FORMAT_MOD_X_TILED, 24},
	{"XRGB8888 Y", 4, from_xrgb, I915_FORMAT_MOD_Y_TILED, 24},
	{"XBGR8888 Yf", 4, from_xbgr, I915_FORMAT_MOD_Yf_TILED, 24},
	{"RGB565 Y", 2, from_rgb565, I915_FORMAT_MOD_Y_TILED, 16},
	{"RGB565 Yf", 2, from_rgb565, I915_FORMAT_MOD_Yf_TILED, 16},
	{"C8 X", 1, from_c8, I915_FORMAT_MOD_X_TILED, 8},
	{"C8 Yf", 1, from_c8, I915_FORMAT_MOD_Yf_TILED, 8},
};

/* The field. */

/* Whole rows of tiles, but for those that end below the picture. */
static uint32_t whole_tiles(const struct tiling *tiling, uint32_t height, uint32_t rows)
{
	if (rows == height)
		return rows;
	return rows < tiling->height ? MIN(height, (uint32_t)tiling->height)
				     : rows / tiling->height * tiling->height;
}

void field_init(struct field *f, uint32_t width, uint32_t height, uint32_t rows_readable,
	const struct format *format)
{
	const struct tiling *tiling = tiling_find(format->modifier, format->bytes);
	uint32_t stride = width * format->bytes + width % 5;

	if (tiling) {
		stride = ALIGN_UP(stride, (uint32_t)tiling->width) + width % 2 * tiling->width;
		rows_readable = whole_tiles(tiling, height, rows_readable);
	}
	*f = (struct field){.format = format, .columns = DIV_ROUND_UP(width, BLOCK_PIXELS)};
	f->rows = DIV_ROUND_UP(height, BLOCK_PIXELS);
	f->words = tiles_bitmap_words(width, height);
	f->stride_words = tiles_bitmap_stride(width);
	f->bytes = tiling ? (size_t)stride * ALIGN_UP(rows_readable, (uint32_t)tiling->height)
			  : (size_t)stride * (rows_readable - 1) + width * format->bytes;
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
		.tiling = tiling,
	};
	assert_int_equal(tiles_create(width, height, &f->tiles), 0);
}

void field_finish(struct field *f)
{
	tiles_destroy(f->tiles);
	munmap(f->map, f->map_bytes);
	free(f->then);
	free(f->frame);
	free(f->bitmap);
}

size_t field_offset(const struct field *f, uint32_t x, uint32_t y)
{
	if (f->view.tiling)
		return tiling_offset(f->view.tiling, f->view.stride, x * f->format->bytes, y);
	return (size_t)y * f->view.stride + x * f->format->bytes;
}

uint8_t *field_at(struct field *f, uint32_t x, uint32_t y)
{
	return f->pixels + field_offset(f, x, y);
}

void field_fill(
	struct field *f, uint32_t x, uint32_t y, uint32_t width, uint32_t height, uint32_t colour)
{
	for (uint32_t v = y; v < y + height; v++)
		for (uint32_t u = x; u < x + width; u++)
			memcpy(field_at(f, u, v), &colour, f->format->bytes);
}

void field_noise(struct field *f)
{
	for (size_t i = 0; i < f->bytes; i++)
		f->pixels[i] = (uint8_t)random();
}

bool gate_open(void *arg)
{
	struct field *f = arg;

	f->gates++;
	return true;
}

int field_look(struct field *f, tiles_gate_fn gate)
{
	f->gates = 0;
	assert_int_equal(tiles_make_room(f->tiles, &f->view), 0);
	return tiles_look(f->tiles, &f->view, f->frame, f->frame_stride, gate, f);
}

uint32_t pixel_of(const struct field *f, const uint8_t *src)
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
			size_t at = field_offset(f, x, y);

			if (pixel_of(f, f->pixels + at) != pixel_of(f, f->then + at))
				return true;
		}
	}
	return false;
}

void frame_check(const struct field *f)
{
	for (uint32_t y = 0; y < f->view.height; y++) {
		const uint32_t *row = f->frame + y * f->frame_stride / 4;

		for (uint32_t x = 0; x < f->frame_stride / 4; x++) {
			uint32_t want = FILLER;

			if (x < f->view.width && y < f->view.rows_readable)
				want = pixel_of(f, f->pixels + field_offset(f, x, y));
			if (row[x] != want)
				fail_msg("pixel %u,%u is %08x, not %08x", x, y, row[x], want);
		}
	}
}

int field_check(struct field *f, bool all)
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

void each_kernel(void (*fn)(void))
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
