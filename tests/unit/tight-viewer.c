/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tight-viewer.h"

#include <errno.h>
#include <stdbool.h>

#include "base/mem.h"

#ifdef HAVE_JPEG
#include <stdio.h>
#include <jpeglib.h>
#endif

struct reader {
	const uint8_t *at, *end;
	bool failed;
};

static const uint8_t *take(struct reader *reader, size_t size)
{
	const uint8_t *at = reader->at;

	if ((size_t)(reader->end - at) < size) {
		reader->failed = true;
		return NULL;
	}
	reader->at += size;
	return at;
}

static uint8_t take_byte(struct reader *reader)
{
	const uint8_t *at = take(reader, 1);

	return at ? *at : 0;
}

static size_t take_compact(struct reader *reader)
{
	uint8_t byte = take_byte(reader);
	size_t length = byte & 0x7f;

	if (!(byte & 0x80))
		return length;
	byte = take_byte(reader);
	length |= (size_t)(byte & 0x7f) << 7;
	if (!(byte & 0x80))
		return length;
	return length | (size_t)take_byte(reader) << 14;
}

static uint32_t colour(const uint8_t *at)
{
	return at[0] << 16 | at[1] << 8 | at[2];
}

void tight_viewer_init(struct tight_viewer *viewer)
{
	*viewer = (struct tight_viewer){0};
}

static void reset(struct tight_viewer *viewer, unsigned int streams)
{
	for (int i = 0; i < 4; i++) {
		if (viewer->started & streams & 1u << i)
			inflateEnd(&viewer->streams[i]);
	}
	viewer->started &= ~streams;
}

void tight_viewer_finish(struct tight_viewer *viewer)
{
	reset(viewer, 15);
}

/* All of the data, and not a byte more than they are to be: the flush at their end is read, too. */
static int inflate_all(struct tight_viewer *viewer, unsigned int number, const uint8_t *bytes,
	size_t length, uint8_t *ret, size_t size)
{
	z_stream *stream = &viewer->streams[number];
	uint8_t spare;
	int r;

	if (!(viewer->started & 1u << number)) {
		*stream = (z_stream){0};
		if (inflateInit(stream) != Z_OK)
			return -ENOMEM;
		viewer->started |= 1u << number;
	}
	stream->next_in = (Bytef *)bytes;
	stream->avail_in = length;
	stream->next_out = ret;
	stream->avail_out = size;
	r = inflate(stream, Z_SYNC_FLUSH);
	if (r != Z_OK || stream->avail_out)
		return -EBADMSG;
	stream->next_out = &spare;
	stream->avail_out = 1;
	r = inflate(stream, Z_SYNC_FLUSH);
	return (r == Z_OK || r == Z_BUF_ERROR) && stream->avail_out == 1 && !stream->avail_in
		       ? 0
		       : -EBADMSG;
}

static int take_data(struct tight_viewer *viewer, unsigned int stream, struct reader *reader,
	size_t size, uint8_t *ret)
{
	const uint8_t *bytes;
	size_t length;

	if (size < 12) {
		bytes = take(reader, size);
		if (bytes)
			memcpy(ret, bytes, size);
		return bytes ? 0 : -EBADMSG;
	}
	length = take_compact(reader);
	bytes = take(reader, length);
	return bytes ? inflate_all(viewer, stream, bytes, length, ret, size) : -EBADMSG;
}

static int decode_palette(struct tight_viewer *viewer, unsigned int stream, struct reader *reader,
	uint32_t width, uint32_t height, uint32_t *ret)
{
	size_t used = take_byte(reader) + 1;
	const uint8_t *colours = take(reader, 3 * used);
	size_t row = used == 2 ? DIV_ROUND_UP(width, 8) : width;
	_cleanup_free_ uint8_t *raw = malloc(row * height);
	int r;

	if (!raw || !colours || used < 2)
		return -EBADMSG;
	r = take_data(viewer, stream, reader, row * height, raw);
	if (r < 0)
		return r;
	for (uint32_t y = 0; y < height; y++) {
		for (uint32_t x = 0; x < width; x++) {
			size_t index = used == 2 ? raw[y * row + x / 8] >> (7 - x % 8) & 1
						 : raw[y * row + x];

			if (index >= used)
				return -EBADMSG;
			ret[y * width + x] = colour(colours + 3 * index);
		}
	}
	return 0;
}

static int decode_full(struct tight_viewer *viewer, unsigned int stream, struct reader *reader,
	size_t pixels, uint32_t *ret)
{
	_cleanup_free_ uint8_t *raw = malloc(3 * pixels);
	int r = raw ? take_data(viewer, stream, reader, 3 * pixels, raw) : -ENOMEM;

	for (size_t i = 0; r == 0 && i < pixels; i++)
		ret[i] = colour(raw + 3 * i);
	return r;
}

static int decode_fill(struct reader *reader, size_t pixels, uint32_t *ret)
{
	const uint8_t *at = take(reader, 3);

	for (size_t i = 0; at && i < pixels; i++)
		ret[i] = colour(at);
	return at ? 0 : -EBADMSG;
}

static int decode_basic(struct tight_viewer *viewer, uint8_t control, struct reader *reader,
	uint32_t width, uint32_t height, uint32_t *ret)
{
	unsigned int stream = control >> 4 & 3;
	uint8_t filter = control & 0x40 ? take_byte(reader) : 0;

	if (control & 0x80 || filter > 1)
		return -EBADMSG;
	if (filter == 1)
		return decode_palette(viewer, stream, reader, width, height, ret);
	return decode_full(viewer, stream, reader, (size_t)width * height, ret);
}

/* With the library's own errors, which end the program. */
static int decode_jpeg(struct reader *reader, uint32_t width, uint32_t height, uint32_t *ret)
{
	size_t length = take_compact(reader);
	const uint8_t *at = take(reader, length);
#ifdef HAVE_JPEG
	struct jpeg_decompress_struct library;
	struct jpeg_error_mgr errors;

	if (!at)
		return -EBADMSG;
	library.err = jpeg_std_error(&errors);
	jpeg_create_decompress(&library);
	jpeg_mem_src(&library, at, length);
	jpeg_read_header(&library, TRUE);
	library.out_color_space = JCS_EXT_BGRX;
	jpeg_start_decompress(&library);
	if (library.output_width != width || library.output_height != height)
		return -EBADMSG;
	while (library.output_scanline < height) {
		JSAMPROW row = (JSAMPROW)(ret + (size_t)width * library.output_scanline);

		jpeg_read_scanlines(&library, &row, 1);
	}
	jpeg_finish_decompress(&library);
	jpeg_destroy_decompress(&library);
	for (size_t i = 0; i < (size_t)width * height; i++)
		ret[i] &= 0xffffff;
#endif
	return at ? TIGHT_VIEWER_JPEG : -EBADMSG;
}

int tight_viewer_decode(struct tight_viewer *viewer, const uint8_t *bytes, size_t size,
	uint32_t width, uint32_t height, uint32_t *ret, size_t *ret_used)
{
	struct reader reader = {bytes, bytes + size, false};
	uint8_t control = take_byte(&reader);
	int r;

	reset(viewer, control & 15);
	if (control >> 4 == 9)
		r = decode_jpeg(&reader, width, height, ret);
	else if (control >> 4 == 8)
		r = decode_fill(&reader, (size_t)width * height, ret);
	else
		r = decode_basic(viewer, control, &reader, width, height, ret);
	*ret_used = reader.at - bytes;
	return reader.failed ? -EBADMSG : r;
}
