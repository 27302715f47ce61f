/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * From cheap to dear, and each step ends at the first pixel that it cannot do: one colour; two colours; a palette, whose pass makes
 * the indices while it counts; else all pixels. A palette stands in front of the data uncompressed, so it must be small beside them.
 */
#include "rfb/tight.h"

#include <errno.h>
#include <stdbool.h>

#include "base/mem.h"
#include "rfb/deflator.h"
#include "rfb/palette.h"
#include "rfb/pixels.h"

/* The first byte: what to do, and which streams to reset. rfbproto, "Tight Encoding". */
#define STREAM		3
#define RESET_STREAM	(1u << STREAM)
#define BASIC		(STREAM << 4)
#define FILTER_FOLLOWS	0x40u
#define FILL		0x80u
#define FILTER_PALETTE	1
#define MIN_TO_COMPRESS 12 /* bytes; fewer stand there as they are, without a length */
#define COMPACT_MAX	3  /* bytes of a length */
#define HEAD_MAX	(3 + 3 * PALETTE_MAX)

struct area {
	const uint32_t *pixels;
	size_t stride;
	uint32_t width, height;
};

struct tight {
	const struct pixels_kernel *kernel;
	struct deflator *deflator;
	struct palette palette;
	uint8_t raw[3 * TIGHT_PIXELS_MAX]; /* what is to be compressed */
};

int tight_create(struct tight **ret)
{
	_cleanup_free_ struct tight *tight = new0(struct tight);
	int r;

	if (!tight)
		return -ENOMEM;
	tight->kernel = pixels_kernel();
	r = deflator_create(&tight->deflator);
	if (r < 0)
		return r;
	*ret = take_ptr(tight);
	return 0;
}

void tight_destroy(struct tight *tight)
{
	if (!tight)
		return;
	deflator_destroy(tight->deflator);
	free(tight);
}

size_t tight_bound(uint32_t width, uint32_t height)
{
	return HEAD_MAX + COMPACT_MAX + deflator_bound((size_t)3 * width * height);
}

static const uint32_t *row_of(const struct area *area, uint32_t y)
{
	return area->pixels + y * area->stride;
}

static uint8_t *put_colour(uint8_t *at, uint32_t colour)
{
	*at++ = colour >> 16;
	*at++ = colour >> 8;
	*at++ = colour;
	return at;
}

/* Seven bits a byte, the low ones first; the third byte has eight. */
static size_t put_compact(uint8_t *at, size_t length)
{
	at[0] = length & 0x7f;
	if (length < 0x80)
		return 1;
	at[0] |= 0x80;
	at[1] = length >> 7 & 0x7f;
	if (length < 0x4000)
		return 2;
	at[1] |= 0x80;
	at[2] = length >> 14;
	return 3;
}

static uint8_t *put_data(
	struct tight *tight, const struct tight_wish *wish, size_t size, uint8_t *at)
{
	size_t length, digits;

	if (size < MIN_TO_COMPRESS) {
		memcpy(at, tight->raw, size);
		return at + size;
	}
	length = deflator_bytes(
		tight->deflator, wish->compression, tight->raw, size, at + COMPACT_MAX);
	digits = put_compact(at, length);
	if (digits < COMPACT_MAX)
		memmove(at + digits, at + COMPACT_MAX, length);
	return at + digits + length;
}

static uint8_t *put_palette(const uint32_t *colours, unsigned int used, uint8_t *at)
{
	*at++ = RESET_STREAM | BASIC | FILTER_FOLLOWS;
	*at++ = FILTER_PALETTE;
	*at++ = used - 1;
	for (unsigned int i = 0; i < used; i++)
		at = put_colour(at, colours[i]);
	return at;
}

/* The first pixel that is unlike the area's first. False: there is none. */
static bool find_second(const struct tight *tight, const struct area *area, uint32_t *ret)
{
	uint32_t first = area->pixels[0];

	for (uint32_t y = 0; y < area->height; y++) {
		size_t run = tight->kernel->run(row_of(area, y), area->width, first);

		if (run < area->width) {
			*ret = row_of(area, y)[run];
			return true;
		}
	}
	return false;
}

static bool make_mono(struct tight *tight, const struct area *area, const uint32_t colours[2])
{
	size_t bytes = DIV_ROUND_UP(area->width, 8);

	for (uint32_t y = 0; y < area->height; y++) {
		if (!tight->kernel->mono(row_of(area, y), area->width, colours[0], colours[1],
			    tight->raw + y * bytes))
			return false;
	}
	return true;
}

static bool make_indices(struct tight *tight, const struct area *area)
{
	palette_clear(&tight->palette);
	for (uint32_t y = 0; y < area->height; y++) {
		if (!palette_index(&tight->palette, row_of(area, y), area->width,
			    tight->raw + y * area->width))
			return false;
	}
	return true;
}

/* Three bytes a pixel, or one and the palette? */
static bool palette_pays(const struct tight *tight, const struct area *area)
{
	return 3 * tight->palette.used <= area->width * area->height;
}

static void make_full(struct tight *tight, const struct area *area)
{
	for (uint32_t y = 0; y < area->height; y++)
		tight->kernel->pack(
			row_of(area, y), area->width, tight->raw + (size_t)3 * y * area->width);
}

static size_t encode(struct tight *tight, const struct area *area, const struct tight_wish *wish,
	uint8_t *ret, enum tight_kind *ret_kind)
{
	size_t pixels = (size_t)area->width * area->height;
	uint32_t colours[2] = {area->pixels[0]};
	uint8_t *at = ret;

	if (!find_second(tight, area, &colours[1])) {
		*ret_kind = TIGHT_SOLID;
		*at++ = FILL;
		return put_colour(at, colours[0]) - ret;
	}
	if (make_mono(tight, area, colours)) {
		*ret_kind = TIGHT_MONO;
		at = put_palette(colours, 2, at);
		at = put_data(tight, wish, (size_t)DIV_ROUND_UP(area->width, 8) * area->height, at);
	} else if (make_indices(tight, area) && palette_pays(tight, area)) {
		*ret_kind = TIGHT_PALETTE;
		at = put_palette(tight->palette.colours, tight->palette.used, at);
		at = put_data(tight, wish, pixels, at);
	} else {
		*ret_kind = TIGHT_FULL;
		make_full(tight, area);
		*at++ = RESET_STREAM | BASIC;
		at = put_data(tight, wish, 3 * pixels, at);
	}
	return at - ret;
}

size_t tight_encode(struct tight *tight, const uint32_t *pixels, size_t stride, uint32_t width,
	uint32_t height, const struct tight_wish *wish, uint8_t *ret, enum tight_kind *ret_kind)
{
	const struct area area = {pixels, stride, width, height};

	assert(width > 0 && width <= TIGHT_WIDTH_MAX);
	assert(height > 0 && (uint64_t)width * height <= TIGHT_PIXELS_MAX);
	return encode(tight, &area, wish, ret, ret_kind);
}
