/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Written from the protocol's text (RFB community specification, Tight Encoding); shares no code with the daemon's coder. */
#include "peers/tight.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <turbojpeg.h>

enum {
	FILL = 8,
	JPEG = 9,
	WITH_FILTER = 4,
	FILTER_COPY = 0,
	FILTER_PALETTE = 1,
	FILTER_GRADIENT = 2,
	NOT_DEFLATED = 12, /* fewer bytes than that are sent as they are */
};

struct area {
	uint32_t x, y, width, height;
};

static uint32_t pixel(const uint8_t *rgb)
{
	return (uint32_t)rgb[0] << 16 | (uint32_t)rgb[1] << 8 | rgb[2];
}

static uint32_t *row_of(struct viewer *v, const struct area *a, uint32_t row)
{
	return &v->pixels[(size_t)(a->y + row) * v->width + a->x];
}

static int read_length(struct viewer *v, size_t *ret_length)
{
	size_t length = 0;
	uint8_t byte;
	int r;

	for (int shift = 0; shift <= 14; shift += 7) {
		r = viewer_read(v, &byte, 1);
		if (r < 0)
			return r;
		length |= (size_t)(shift == 14 ? byte : byte & 0x7f) << shift;
		if (!(byte & 0x80))
			break;
	}
	*ret_length = length;
	return 0;
}

static int inflate_all(z_stream *z, uint8_t *in, size_t in_size, uint8_t *out, size_t out_size)
{
	int r;

	if (!z->state && inflateInit(z) != Z_OK)
		return -ENOMEM;
	z->next_in = in;
	z->avail_in = (uInt)in_size;
	z->next_out = out;
	z->avail_out = (uInt)out_size;
	r = inflate(z, Z_SYNC_FLUSH);
	if (r != Z_OK && r != Z_STREAM_END && r != Z_BUF_ERROR)
		return -EPROTO;
	return z->avail_out ? -EPROTO : 0;
}

/* The bytes of a rectangle, at v->scratch; deflated bytes pass behind them. */
static int read_data(struct viewer *v, int stream, size_t size)
{
	size_t length;
	int r;

	if (size < NOT_DEFLATED)
		return viewer_room(v, size) < 0 ? -ENOMEM : viewer_read(v, v->scratch, size);
	r = read_length(v, &length);
	if (r < 0 || viewer_room(v, size + length) < 0)
		return r < 0 ? r : -ENOMEM;
	r = viewer_read(v, v->scratch + size, length);
	return r < 0 ? r
		     : inflate_all(
			       &v->streams[stream], v->scratch + size, length, v->scratch, size);
}

static void put_palette(struct viewer *v, const struct area *a, const uint32_t *palette, bool bits)
{
	size_t stride = bits ? (a->width + 7) / 8 : a->width;

	for (uint32_t j = 0; j < a->height; j++) {
		const uint8_t *in = v->scratch + j * stride;
		uint32_t *out = row_of(v, a, j);

		for (uint32_t i = 0; i < a->width; i++)
			out[i] = palette[bits ? in[i / 8] >> (7 - i % 8) & 1 : in[i]];
	}
}

static int decode_palette(struct viewer *v, const struct area *a, int stream)
{
	uint32_t palette[256] = {0};
	uint8_t count, colours[256 * 3];
	bool bits;
	int r = viewer_read(v, &count, 1);

	if (r == 0)
		r = viewer_read(v, colours, ((size_t)count + 1) * 3);
	if (r < 0)
		return r;
	for (int i = 0; i <= count; i++)
		palette[i] = pixel(&colours[3 * i]);
	bits = count <= 1;
	r = read_data(v, stream, (size_t)(bits ? (a->width + 7) / 8 : a->width) * a->height);
	if (r == 0)
		put_palette(v, a, palette, bits);
	return r;
}

static int decode_copy(struct viewer *v, const struct area *a, int stream)
{
	int r = read_data(v, stream, (size_t)a->width * a->height * 3);

	for (uint32_t j = 0; r == 0 && j < a->height; j++) {
		const uint8_t *in = v->scratch + (size_t)j * a->width * 3;
		uint32_t *out = row_of(v, a, j);

		for (uint32_t i = 0; i < a->width; i++)
			out[i] = pixel(in + 3 * i);
	}
	return r;
}

static uint8_t guess(int left, int above, int corner)
{
	int value = left + above - corner;

	return value < 0 ? 0 : value > 255 ? 255 : (uint8_t)value;
}

static int decode_gradient(struct viewer *v, const struct area *a, int stream)
{
	int r = read_data(v, stream, (size_t)a->width * a->height * 3);

	for (uint32_t j = 0; r == 0 && j < a->height; j++) {
		const uint8_t *in = v->scratch + (size_t)j * a->width * 3;
		uint32_t *out = row_of(v, a, j);

		for (uint32_t i = 0; i < a->width; i++) {
			uint32_t left = i ? out[i - 1] : 0, above = j ? row_of(v, a, j - 1)[i] : 0;
			uint32_t corner = i && j ? row_of(v, a, j - 1)[i - 1] : 0, colour = 0;

			for (int k = 0, shift = 16; k < 3; k++, shift -= 8)
				colour |= (uint32_t)(uint8_t)(guess(left >> shift & 255,
								      above >> shift & 255,
								      corner >> shift & 255) +
							      in[3 * i + (uint32_t)k])
					  << shift;
			out[i] = colour;
		}
	}
	return r;
}

static int decode_jpeg(struct viewer *v, const struct area *a)
{
	size_t length;
	int r = read_length(v, &length);

	if (r < 0 || viewer_room(v, length) < 0)
		return r < 0 ? r : -ENOMEM;
	r = viewer_read(v, v->scratch, length);
	if (r < 0)
		return r;
	if (!v->jpeg)
		v->jpeg = tjInitDecompress();
	if (!v->jpeg)
		return -ENOMEM;
	if (tjDecompress2(v->jpeg, v->scratch, length, (unsigned char *)row_of(v, a, 0),
		    (int)a->width, (int)v->width * 4, (int)a->height, TJPF_BGRX,
		    TJFLAG_ACCURATEDCT) < 0 &&
		tjGetErrorCode(v->jpeg) == TJERR_FATAL)
		return -EPROTO;
	v->pictures++;
	for (uint32_t j = 0; j < a->height; j++)
		for (uint32_t i = 0; i < a->width; i++)
			row_of(v, a, j)[i] &= 0xffffff;
	return 0;
}

static int decode_fill(struct viewer *v, const struct area *a)
{
	uint8_t rgb[3];
	int r = viewer_read(v, rgb, sizeof(rgb));

	for (uint32_t j = 0; r == 0 && j < a->height; j++)
		for (uint32_t i = 0; i < a->width; i++)
			row_of(v, a, j)[i] = pixel(rgb);
	return r;
}

int tight_decode(struct viewer *v, uint32_t x, uint32_t y, uint32_t width, uint32_t height)
{
	const struct area a = {x, y, width, height};
	uint8_t control, filter = FILTER_COPY;
	int r = viewer_read(v, &control, 1), stream = control >> 4 & 3;

	if (r < 0)
		return r;
	for (int i = 0; i < 4; i++)
		if (control >> i & 1 && v->streams[i].state)
			inflateReset(&v->streams[i]);
	if (control >> 4 == FILL)
		return decode_fill(v, &a);
	if (control >> 4 == JPEG)
		return decode_jpeg(v, &a);
	if (control & 0x80)
		return -EPROTO;
	if (control >> 4 & WITH_FILTER)
		r = viewer_read(v, &filter, 1);
	if (r < 0)
		return r;
	switch (filter) {
	case FILTER_COPY:
		return decode_copy(v, &a, stream);
	case FILTER_PALETTE:
		return decode_palette(v, &a, stream);
	case FILTER_GRADIENT:
		return decode_gradient(v, &a, stream);
	default:
		return -EPROTO;
	}
}

void tight_finish(struct viewer *v)
{
	for (int i = 0; i < 4; i++)
		if (v->streams[i].state)
			inflateEnd(&v->streams[i]);
	if (v->jpeg)
		tjDestroy(v->jpeg);
}
