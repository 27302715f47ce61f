/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/png.h"

#include <errno.h>
#include <png.h>
#include <setjmp.h>
#include <unistd.h>

#include "base/mem.h"

/* libpng leaves by longjmp(): what must survive it is in here, not in locals. */
struct picture {
	int fd;
	int error; /* the first, -errno */
	png_structp png;
	png_infop info;
	uint8_t *row;
};

static void save_failed(png_structp png, png_const_charp message)
{
	struct picture *picture = png_get_error_ptr(png);

	if (!picture->error)
		picture->error = -EINVAL;
	longjmp(png_jmpbuf(png), 1);
}

static void save_warned(png_structp png, png_const_charp message)
{
}

static void save_put(png_structp png, png_bytep bytes, size_t size)
{
	struct picture *picture = png_get_io_ptr(png);

	while (size > 0) {
		ssize_t n = write(picture->fd, bytes, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			picture->error = n < 0 ? -errno : -EIO;
			png_error(png, "write");
		}
		bytes += n;
		size -= (size_t)n;
	}
}

static void save_flushed(png_structp png)
{
}

static void write_rows(
	struct picture *picture, uint32_t width, uint32_t height, png_row_fn rows, void *arg)
{
	if (setjmp(png_jmpbuf(picture->png)))
		return;
	png_set_user_limits(picture->png, width, height);
	png_set_write_fn(picture->png, picture, save_put, save_flushed);
	png_set_IHDR(picture->png, picture->info, width, height, 8, PNG_COLOR_TYPE_RGB,
		PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
	png_write_info(picture->png, picture->info);
	png_set_filler(picture->png, 0, PNG_FILLER_AFTER);
	png_set_bgr(picture->png);
	for (uint32_t y = 0; y < height; y++) {
		picture->error = rows(arg, y, picture->row);
		if (picture->error)
			return;
		png_write_row(picture->png, picture->row);
	}
	png_write_end(picture->png, NULL);
}

int png_save(int fd, uint32_t width, uint32_t height, png_row_fn rows, void *arg)
{
	struct picture picture = {.fd = fd};

	picture.row = calloc(width, 4);
	picture.png =
		png_create_write_struct(PNG_LIBPNG_VER_STRING, &picture, save_failed, save_warned);
	if (picture.png)
		picture.info = png_create_info_struct(picture.png);
	if (picture.row && picture.info)
		write_rows(&picture, width, height, rows, arg);
	else
		picture.error = -ENOMEM;
	png_destroy_write_struct(&picture.png, &picture.info);
	free(picture.row);
	return picture.error;
}
