/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <png.h>
#include <stdio.h>
#include <sys/mman.h>

#include "base/fd.h"
#include "base/mem.h"
#include "ctl/png.h"
#include "skip.h"

enum { WIDTH = 61, HEIGHT = 7 };

static uint8_t channel(uint32_t x, uint32_t y, unsigned int n)
{
	return (uint8_t)(x * 7 + y * 31 + n * 101);
}

static int rows(void *arg, uint32_t y, uint8_t *row)
{
	int *left = arg;

	if ((*left)-- == 0)
		return -ENODATA;
	for (uint32_t x = 0; x < WIDTH; x++) {
		row[x * 4] = channel(x, y, 2);	   /* blue */
		row[x * 4 + 1] = channel(x, y, 1); /* green */
		row[x * 4 + 2] = channel(x, y, 0); /* red */
		row[x * 4 + 3] = 0xee;		   /* nothing */
	}
	return 0;
}

static void test_pixels_come_back(void **state)
{
	static uint8_t pixels[WIDTH * HEIGHT * 3];
	png_image image = {.version = PNG_IMAGE_VERSION};
	int fd = memfd_create("png", MFD_CLOEXEC), left = HEIGHT;
	FILE *file;

	assert_int_equal(png_save(fd, WIDTH, HEIGHT, rows, &left), 0);
	assert_int_equal(left, 0);
	file = fdopen(fd, "r+");
	rewind(file);
	assert_true(png_image_begin_read_from_stdio(&image, file));
	assert_int_equal(image.width, WIDTH);
	assert_int_equal(image.height, HEIGHT);
	assert_int_equal(image.format, PNG_FORMAT_RGB);
	assert_true(png_image_finish_read(&image, NULL, pixels, 0, NULL));
	for (uint32_t i = 0; i < sizeof(pixels); i++)
		assert_int_equal(pixels[i], channel(i / 3 % WIDTH, i / 3 / WIDTH, i % 3));
	fclose(file);
}

static void test_full_disk_is_told(void **state)
{
	_cleanup_fd_ int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	int left = HEIGHT;

	if (fd < 0)
		skip_because("there is no /dev/full");
	assert_int_equal(png_save(fd, WIDTH, HEIGHT, rows, &left), -ENOSPC);
}

static void test_source_that_ends_is_told(void **state)
{
	_cleanup_fd_ int fd = memfd_create("png", MFD_CLOEXEC);
	int left = 3;

	assert_int_equal(png_save(fd, WIDTH, HEIGHT, rows, &left), -ENODATA);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pixels_come_back),
		cmocka_unit_test(test_full_disk_is_told),
		cmocka_unit_test(test_source_that_ends_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
