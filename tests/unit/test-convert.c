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
	DRM_FORMAT_ABGR8888, DRM_FORMAT_RGB565, DRM_FORMAT_RGB888};

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
	size_t bytes = format_find(fourcc)->bytes;

	for (size_t width = 1; width <= WIDTH_MAX; width++) {
		for (size_t shift = 0; shift < 33; shift++) {
			const uint8_t *src = page + size - width * bytes - shift;
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_same_formats),
		cmocka_unit_test(test_twins),
		cmocka_unit_test(test_every_rgb565),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
