/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Conversion: known bytes, and SIMD held equal to the scalar twins at every width and alignment, without reading past a row. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>
#include <drm_fourcc.h>

#include "base/mem.h"
#include "capture/convert.h"
#include "capture/convert_x86.h"
#include "plane/format.h"

#define WIDTH_MAX 100
#define CANARY	  0xdeadbeefu

static const uint32_t fourccs[] = {DRM_FORMAT_XRGB8888, DRM_FORMAT_ARGB8888, DRM_FORMAT_XBGR8888,
	DRM_FORMAT_ABGR8888, DRM_FORMAT_RGB565, DRM_FORMAT_RGB888, DRM_FORMAT_XRGB2101010,
	DRM_FORMAT_ARGB2101010, DRM_FORMAT_XBGR2101010, DRM_FORMAT_ABGR2101010, DRM_FORMAT_C8,
	DRM_FORMAT_YUYV, DRM_FORMAT_YVYU, DRM_FORMAT_UYVY, DRM_FORMAT_VYUY};

static void test_known(void **state)
{
	const struct {
		uint32_t fourcc;
		uint8_t bytes[4];
		uint32_t expected;
	} cases[] = {
		{DRM_FORMAT_XRGB8888, {0x11, 0x22, 0x33, 0xff}, 0x332211},
		{DRM_FORMAT_ARGB8888, {0x11, 0x22, 0x33, 0x80}, 0x332211},
		{DRM_FORMAT_XBGR8888, {0x11, 0x22, 0x33, 0xff}, 0x112233},
		{DRM_FORMAT_ABGR8888, {0x11, 0x22, 0x33, 0x80}, 0x112233},
		{DRM_FORMAT_RGB888, {0x11, 0x22, 0x33}, 0x332211},
		{DRM_FORMAT_RGB565, {0x00, 0xf8}, 0xff0000},
		{DRM_FORMAT_RGB565, {0xe0, 0x07}, 0x00ff00},
		{DRM_FORMAT_RGB565, {0x1f, 0x00}, 0x0000ff},
		{DRM_FORMAT_RGB565, {0x00, 0x00}, 0x000000},
		{DRM_FORMAT_RGB565, {0x10, 0x84}, 0x848284}, /* 16, 32, 16 */
		{DRM_FORMAT_RGB565, {0x21, 0x08}, 0x080408}, /* 1, 1, 1 */
		/* From the top: 2 bits, then 10 each: 0x3ff, 0x200, 0x004. */
		{DRM_FORMAT_XRGB2101010, {0x04, 0x00, 0xf8, 0x3f}, 0xff8001},
		{DRM_FORMAT_ARGB2101010, {0x04, 0x00, 0xf8, 0xff}, 0xff8001},
		{DRM_FORMAT_XBGR2101010, {0x04, 0x00, 0xf8, 0x3f}, 0x0180ff},
		{DRM_FORMAT_ABGR2101010, {0x04, 0x00, 0xf8, 0xff}, 0x0180ff},
		{DRM_FORMAT_XRGB2101010, {0xff, 0xff, 0xff, 0xff}, 0xffffff},
		{DRM_FORMAT_XRGB2101010, {0x03, 0x0c, 0x30, 0x00}, 0x000000}, /* below 8 bits */
		{DRM_FORMAT_C8, {0x00}, 0x000000},
		{DRM_FORMAT_C8, {0x7f}, 0x7f7f7f},
		{DRM_FORMAT_C8, {0xff}, 0xffffff},
		/* BT.709 colour bars of 100 %, limited range. */
		{DRM_FORMAT_YUYV, {16, 128, 99, 128}, 0x000000},
		{DRM_FORMAT_YUYV, {235, 128, 99, 128}, 0xffffff},
		{DRM_FORMAT_YUYV, {126, 128, 99, 128}, 0x808080},
		{DRM_FORMAT_YUYV, {63, 102, 99, 240}, 0xff0100},
		{DRM_FORMAT_YUYV, {173, 42, 99, 26}, 0x00ff01},
		{DRM_FORMAT_YUYV, {32, 240, 99, 118}, 0x0100ff},
		{DRM_FORMAT_YVYU, {32, 118, 99, 240}, 0x0100ff},
		{DRM_FORMAT_UYVY, {240, 32, 118, 99}, 0x0100ff},
		{DRM_FORMAT_VYUY, {118, 32, 240, 99}, 0x0100ff},
		{DRM_FORMAT_YUYV, {0, 0, 99, 0}, 0x004d00}, /* beyond the range */
		{DRM_FORMAT_YUYV, {255, 255, 99, 255}, 0xffb8ff},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint32_t pixel = CANARY;

		convert_find_scalar(cases[i].fourcc)(&pixel, cases[i].bytes, 1);
		assert_int_equal(pixel, cases[i].expected);
	}
}

static void test_same_formats(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(fourccs); i++) {
		assert_non_null(format_find(fourccs[i]));
		assert_non_null(convert_find(fourccs[i]));
		assert_non_null(convert_find_scalar(fourccs[i]));
	}
	assert_null(convert_find(DRM_FORMAT_NV12));
	assert_null(convert_find_scalar(0));
}

/* Rows end at the last byte before a page that cannot be read. */
static uint8_t *guarded_page(size_t *ret_size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *map =
		mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(map != MAP_FAILED);
	assert_int_equal(mprotect(map + page, page, PROT_NONE), 0);
	srand(1);
	for (size_t i = 0; i < page; i++)
		map[i] = (uint8_t)(rand() >> 7);
	*ret_size = page;
	return map;
}

static void hold_equal(uint32_t fourcc, convert_fn convert, const uint8_t *page, size_t size)
{
	for (size_t width = 1; width <= WIDTH_MAX; width++) {
		size_t bytes = format_row_bytes(format_find(fourcc), width);

		for (size_t shift = 0; shift < 33; shift++) {
			const uint8_t *src = page + size - bytes - shift;
			uint32_t expected[WIDTH_MAX + 1], got[WIDTH_MAX + 1];

			expected[width] = got[width] = CANARY;
			convert_find_scalar(fourcc)(expected, src, width);
			convert(got, src, width);
			assert_memory_equal(got, expected, (width + 1) * sizeof(got[0]));
		}
	}
}

static void test_twins(void **state)
{
	size_t size;
	uint8_t *page = guarded_page(&size);

	for (size_t i = 0; i < ARRAY_SIZE(fourccs); i++) {
		hold_equal(fourccs[i], convert_find(fourccs[i]), page, size);
#ifdef __x86_64__
		convert_fn fn = convert_x86_find_level(fourccs[i], CONVERT_SSSE3);

		if (fn && __builtin_cpu_supports("ssse3"))
			hold_equal(fourccs[i], fn, page, size);
		fn = convert_x86_find_level(fourccs[i], CONVERT_AVX2);
		if (fn && __builtin_cpu_supports("avx2"))
			hold_equal(fourccs[i], fn, page, size);
#endif
	}
	munmap(page, 2 * size);
}

static void test_every_rgb565(void **state)
{
	uint16_t *src = malloc(65536 * sizeof(*src));
	uint32_t *expected = malloc(65536 * sizeof(*expected));
	uint32_t *got = malloc(65536 * sizeof(*got));

	assert_true(src && expected && got);
	for (size_t i = 0; i < 65536; i++)
		src[i] = (uint16_t)i;
	convert_find_scalar(DRM_FORMAT_RGB565)(expected, (const uint8_t *)src, 65536);
	convert_find(DRM_FORMAT_RGB565)(got, (const uint8_t *)src, 65536);
	assert_memory_equal(got, expected, 65536 * sizeof(*got));
	assert_int_equal(got[65535], 0xffffff);
	free(src);
	free(expected);
	free(got);
}

/* The sums are exact in both twins; the factors are rounded: at most one step off what real numbers give. */
static void test_every_yuv(void **state)
{
	uint32_t got[256], scalar[256];
	uint8_t src[512];

	for (unsigned int u = 0; u < 256; u++) {
		for (unsigned int v = 0; v < 256; v++) {
			for (unsigned int y = 0; y < 256; y++) {
				src[y * 2] = (uint8_t)y;
				src[y * 2 + 1] = (uint8_t)(y % 2 ? v : u);
			}
			convert_find(DRM_FORMAT_YUYV)(got, src, 256);
			convert_find_scalar(DRM_FORMAT_YUYV)(scalar, src, 256);
			assert_memory_equal(got, scalar, sizeof(got));
			for (unsigned int y = 0; y < 256; y += 5) {
				double luma = 255 / 219. * (y - 16.), scale = 255 / 224. * 2;
				double b = scale * (1 - 0.0722) * (u - 128.);
				double r = scale * (1 - 0.2126) * (v - 128.);
				double colours[3] = {luma + b,
					luma - 0.0722 / 0.7152 * b - 0.2126 / 0.7152 * r, luma + r};

				for (unsigned int c = 0; c < 3; c++) {
					double want = colours[c] < 0	 ? 0
						      : colours[c] > 255 ? 255
									 : colours[c];
					double is = got[y] >> c * 8 & 0xff;

					assert_true(is > want - 0.6 && is < want + 0.6);
				}
			}
		}
	}
}

/* The second pixel of a pair has the colour of the first and its own luma; half a pair is a pixel too. */
static void test_pairs(void **state)
{
	static const uint8_t src[] = {63, 102, 126, 240, 235, 128, 16, 128};
	uint32_t got[4] = {CANARY, CANARY, CANARY, CANARY};

	convert_find(DRM_FORMAT_YUYV)(got, src, 3);
	assert_int_equal(got[0], 0xff0100);
	assert_int_equal(got[1] >> 16, 0xff);
	assert_int_equal(got[1] & 0xff, 0x49);
	assert_int_equal(got[2], 0xffffff);
	assert_int_equal(got[3], CANARY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_same_formats),
		cmocka_unit_test(test_twins),
		cmocka_unit_test(test_every_rgb565),
		cmocka_unit_test(test_every_yuv),
		cmocka_unit_test(test_pairs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
