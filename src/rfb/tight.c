/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * From cheap to dear: one colour; two; a palette, whose pass makes the indices while it counts; else all pixels, or JPEG. Each
 * step ends at the first row that it cannot do. Where the rows may be cut, and a step has done enough of them by then, they are a
 * rectangle, and the rest is another. A palette stands in front of the data uncompressed, so it must be small beside them.
 *
 * Numbers are from bench-tight, with pictures of text, pages and photos: areas of 256x256 that may be cut have a third fewer bytes
 * than 64x64 and cost half the time.
 */
#include "rfb/tight.h"

#include <errno.h>

#include "base/mem.h"
#include "rfb/deflator.h"
#include "rfb/palette.h"
#include "rfb/photo.h"
#include "rfb/pixels.h"

/* The first byte: what to do, and which streams to reset. rfbproto, "Tight Encoding". */
#define STREAM	       3
#define RESET_STREAM   (1u << STREAM)
#define BASIC	       (STREAM << 4)
#define FILTER_FOLLOWS 0x40u
#define FILL	       0x80u
#define JPEG	       0x90u

#define FILTER_PALETTE	1
#define MIN_TO_COMPRESS 12 /* bytes; fewer stand there as they are, without a length */
#define COMPACT_MAX	3  /* bytes of a length */
#define HEAD_MAX	(3 + 3 * PALETTE_MAX)

/* Rows that are worth a rectangle of their own. */
#define SOLID_ROWS   32
#define MONO_ROWS    48
#define PALETTE_ROWS 16

#define PALETTE_SHARE 16 /* pixels for each colour that make a palette worth its bytes */

#define JPEG_PIXELS 512 /* fewer are not worth JPEG's 400 bytes of tables */
#define JPEG_SMALL  6	/* the level from which on bytes count for more than time */

struct area {
	const uint32_t *pixels;
	size_t stride;
	uint32_t width, height;
};

struct tight {
	const struct pixels_kernel *kernel;
	struct deflator *deflator;
	struct photo *photo;
	struct palette palette;
	struct crowd crowd;
	uint8_t raw[3 * TIGHT_PIXELS_MAX]; /* what is to be compressed */
};

int tight_create(struct tight **ret)
{
	struct tight *tight = new0(struct tight);
	int r;

	if (!tight)
		return -ENOMEM;
	tight->kernel = pixels_kernel();
	r = deflator_create(&tight->deflator);
	if (r == 0)
		r = photo_create(&tight->photo);
	if (r < 0) {
		tight_destroy(tight);
		return r;
	}
	*ret = tight;
	return 0;
}

void tight_destroy(struct tight *tight)
{
	if (!tight)
		return;
	deflator_destroy(tight->deflator);
	photo_destroy(tight->photo);
	free(tight);
}

size_t tight_bound(uint32_t width, uint32_t height)
{
	return HEAD_MAX + COMPACT_MAX + deflator_bound((size_t)3 * width * height);
}

void tight_settle(struct tight_wish *wish)
{
	if (!photo_there())
		wish->quality = -1;
	if (wish->quality < 0) {
		wish->quality = -1;
		wish->subsampling = 0;
	}
	wish->compression = deflator_level(wish->compression);
}

static const uint32_t *row_of(const struct area *area, uint32_t y)
{
	return area->pixels + y * area->stride;
}

/* ---- looking ---- */

/* How many rows have nothing but the area's first colour. *ret_other: the first colour unlike that, where there is one. */
static uint32_t solid_rows(const struct tight *tight, const struct area *area, uint32_t *ret_other)
{
	uint32_t y;

	for (y = 0; y < area->height; y++) {
		size_t run = tight->kernel->run(row_of(area, y), area->width, area->pixels[0]);

		if (run < area->width) {
			*ret_other = row_of(area, y)[run];
			break;
		}
	}
	return y;
}

static size_t mono_bytes(const struct area *area)
{
	return DIV_ROUND_UP(area->width, 8);
}

/* How many rows have nothing but two colours. Their bits are in raw. */
static uint32_t mono_rows(struct tight *tight, const struct area *area, const uint32_t colours[2])
{
	size_t bytes = mono_bytes(area);
	uint32_t y = 0;

	while (y < area->height && tight->kernel->mono(row_of(area, y), area->width, colours[0],
					   colours[1], tight->raw + y * bytes))
		y++;
	return y;
}

/* How many rows a palette is enough for. It has their colours, and raw their indices. */
static uint32_t palette_rows(struct tight *tight, const struct area *area)
{
	struct palette *palette = &tight->palette;
	uint32_t y;

	palette_clear(palette);
	for (y = 0; y < area->height; y++) {
		unsigned int used = palette->used;

		if (!tight->kernel->index(
			    palette, row_of(area, y), area->width, tight->raw + y * area->width)) {
			palette->used = used;
			break;
		}
	}
	return y;
}

/* It stands in front of the data as it is, and bytes that repeat compress nearly as well in threes. */
static bool palette_pays(const struct tight *tight, uint32_t pixels)
{
	return PALETTE_SHARE * tight->palette.used <= pixels;
}

struct look {
	enum tight_kind kind;
	bool many; /* TIGHT_FULL: more colours than a palette has */
	uint32_t rows;
	uint32_t colours[2];
};

/* @cut: the area may be cut. Else the kind is that of all its rows. */
static struct look look_at(struct tight *tight, const struct area *area, bool cut)
{
	uint32_t height = area->height;
	struct look look = {.kind = TIGHT_SOLID, .colours = {area->pixels[0]}};
	bool pays;

	look.rows = solid_rows(tight, area, &look.colours[1]);
	if (look.rows == height || (cut && look.rows >= SOLID_ROWS))
		return look;
	look.kind = TIGHT_MONO;
	look.rows = mono_rows(tight, area, look.colours);
	if (look.rows == height || (cut && look.rows >= MONO_ROWS))
		return look;
	look.rows = palette_rows(tight, area);
	pays = palette_pays(tight, look.rows * area->width);
	look.kind = pays ? TIGHT_PALETTE : TIGHT_FULL;
	if (look.rows == height || (cut && look.rows >= PALETTE_ROWS && pays))
		return look;
	look.kind = TIGHT_FULL;
	look.many = true;
	look.rows = height;
	return look;
}

/* ---- writing ---- */

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

/* The length before @length bytes that stand behind the room for it. */
static uint8_t *put_length(uint8_t *at, size_t length)
{
	size_t digits = put_compact(at, length);

	if (digits < COMPACT_MAX)
		memmove(at + digits, at + COMPACT_MAX, length);
	return at + digits + length;
}

static uint8_t *put_data(
	struct tight *tight, const struct tight_wish *wish, size_t size, uint8_t *at)
{
	if (size < MIN_TO_COMPRESS) {
		memcpy(at, tight->raw, size);
		return at + size;
	}
	return put_length(at, deflator_bytes(tight->deflator, wish->compression, tight->raw, size,
				      at + COMPACT_MAX));
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

static uint8_t *put_full(
	struct tight *tight, const struct area *area, const struct tight_wish *wish, uint8_t *at)
{
	for (uint32_t y = 0; y < area->height; y++)
		tight->kernel->pack(
			row_of(area, y), area->width, tight->raw + (size_t)3 * y * area->width);
	*at++ = RESET_STREAM | BASIC;
	return put_data(tight, wish, (size_t)3 * area->width * area->height, at);
}

/* NULL: better not. */
static uint8_t *put_jpeg(
	struct tight *tight, const struct area *area, const struct tight_wish *wish, uint8_t *at)
{
	size_t pixels = (size_t)area->width * area->height, length;

	if (wish->quality < 0 || pixels < JPEG_PIXELS)
		return NULL;
	length = photo_bytes(tight->photo, area->pixels, area->stride, area->width, area->height,
		wish->quality, wish->subsampling, wish->compression >= JPEG_SMALL,
		at + 1 + COMPACT_MAX, 3 * pixels);
	if (!length)
		return NULL;
	*at++ = JPEG;
	return put_length(at, length);
}

static size_t put(struct tight *tight, const struct area *area, const struct look *look,
	const struct tight_wish *wish, uint8_t *ret, enum tight_kind *ret_kind)
{
	uint8_t *at = ret, *end;

	*ret_kind = look->kind;
	switch (look->kind) {
	case TIGHT_SOLID:
		*at++ = FILL;
		return put_colour(at, look->colours[0]) - ret;
	case TIGHT_MONO:
		at = put_palette(look->colours, 2, at);
		return put_data(tight, wish, mono_bytes(area) * area->height, at) - ret;
	case TIGHT_PALETTE:
		at = put_palette(tight->palette.colours, tight->palette.used, at);
		return put_data(tight, wish, (size_t)area->width * area->height, at) - ret;
	default:
		end = look->many ? put_jpeg(tight, area, wish, at) : NULL;
		*ret_kind = end ? TIGHT_JPEG : TIGHT_FULL;
		return (end ? end : put_full(tight, area, wish, at)) - ret;
	}
}

static void check(const struct area *area)
{
	assert(area->width > 0 && area->width <= TIGHT_WIDTH_MAX);
	assert(area->height > 0 && (uint64_t)area->width * area->height <= TIGHT_PIXELS_MAX);
}

size_t tight_encode(struct tight *tight, const uint32_t *pixels, size_t stride, uint32_t width,
	uint32_t height, const struct tight_wish *wish, uint8_t *ret, enum tight_kind *ret_kind)
{
	const struct area area = {pixels, stride, width, height};
	struct look look;

	check(&area);
	look = look_at(tight, &area, false);
	return put(tight, &area, &look, wish, ret, ret_kind);
}

size_t tight_encode_rows(struct tight *tight, const uint32_t *pixels, size_t stride, uint32_t width,
	uint32_t height, const struct tight_wish *wish, uint8_t *ret, enum tight_kind *ret_kind,
	uint32_t *ret_rows)
{
	struct area area = {pixels, stride, width, height};
	struct look look;

	check(&area);
	if (crowd_is_large(
		    &tight->crowd, pixels, stride, width, MIN(height, (uint32_t)PALETTE_ROWS)))
		return 0;
	look = look_at(tight, &area, true);
	*ret_rows = area.height = look.rows;
	/* Rows too few to be cut off for their one or two colours: a palette of two has bits, and of one there is none. */
	if (look.kind == TIGHT_PALETTE && tight->palette.used <= 2)
		look = look_at(tight, &area, false);
	*ret_kind = look.kind;
	return look.many ? 0 : put(tight, &area, &look, wish, ret, ret_kind);
}

bool tight_has_many(
	struct tight *tight, const uint32_t *pixels, size_t stride, uint32_t width, uint32_t height)
{
	const struct area area = {pixels, stride, width, height};

	check(&area);
	return crowd_is_large(&tight->crowd, pixels, stride, width, height) ||
	       look_at(tight, &area, false).many;
}

size_t tight_encode_many(struct tight *tight, const uint32_t *pixels, size_t stride, uint32_t width,
	uint32_t height, const struct tight_wish *wish, uint8_t *ret, enum tight_kind *ret_kind)
{
	const struct area area = {pixels, stride, width, height};
	const struct look look = {.kind = TIGHT_FULL, .many = true, .rows = height};

	check(&area);
	return put(tight, &area, &look, wish, ret, ret_kind);
}
