/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * A cursor plane is often much larger than the arrow in it, so the shape is cut to what is visible and the hot spot. Cursor With
 * Alpha takes the pixels nearly as they are: premultiplied, as R, G, B, A whatever the viewer's pixel format is (rfbproto.rst). The others
 * have one bit of opacity for each pixel: half-transparent ones become opaque or nothing, and their colours are divided by
 * their alpha again, then translated to the viewer's format by the library.
 *
 * Rows are made one by one in the library's own update buffer, which is empty between its updates: no memory for shapes.
 */
#include "rfb/shape.h"

#include "base/mem.h"
#include "damage/rects.h"
#include "rfb/encodings.h"
#include "rfb/update.h"
#include "rfb/wire.h"

#define OPAQUE 128 /* alpha from here on is opaque in a mask of one bit */

struct shape {
	struct rect part; /* of the image */
	const uint32_t *image;
	uint32_t stride; /* pixels */
};

enum shape_kind shape_kind(unsigned int extras)
{
	if (extras & EXTRA_CURSOR_ALPHA)
		return SHAPE_ALPHA;
	if (extras & EXTRA_CURSOR)
		return SHAPE_MASKED;
	return extras & EXTRA_XCURSOR ? SHAPE_TWO_COLOURS : SHAPE_NONE;
}

static uint32_t alpha_of(uint32_t pixel)
{
	return pixel >> 24;
}

/* The smallest part of the image with the hot spot and every pixel of that opacity. */
static struct rect visible_part(
	const struct frame_cursor *cursor, const uint32_t *image, uint32_t opacity)
{
	uint32_t left = cursor->hot_x, right = left, top = cursor->hot_y, bottom = top;

	for (uint32_t y = 0; y < cursor->height; y++)
		for (uint32_t x = 0; x < cursor->width; x++) {
			if (alpha_of(image[y * cursor->width + x]) < opacity)
				continue;
			left = MIN(left, x);
			right = MAX(right, x);
			top = MIN(top, y);
			bottom = MAX(bottom, y);
		}
	return (struct rect){left, top, right - left + 1, bottom - top + 1};
}

static uint32_t unpremultiplied(uint32_t pixel)
{
	uint32_t alpha = alpha_of(pixel), colour = 0;

	for (unsigned int shift = 0; shift < 24; shift += 8) {
		uint32_t value = ((pixel >> shift & 0xff) * 255 + alpha / 2) / alpha;

		colour |= MIN(value, 255u) << shift;
	}
	return colour;
}

static bool is_dark(uint32_t colour)
{
	uint32_t red = colour >> 16 & 0xff, green = colour >> 8 & 0xff, blue = colour & 0xff;

	return 2 * red + 5 * green + blue < 8 * 128;
}

static const uint32_t *row_of(const struct shape *shape, uint32_t y)
{
	return shape->image + (size_t)(shape->part.y + y) * shape->stride + shape->part.x;
}

/* More colour than alpha is no premultiplied pixel; viewers that divide would see anything. */
static bool put_alpha(rfbClientPtr client, const struct shape *shape)
{
	uint8_t encoding[4], out[4 * FRAME_CURSOR_SIDE];

	wire_put_u32(encoding, ENCODING_RAW);
	if (!update_put(client, encoding, sizeof(encoding)))
		return false;
	for (uint32_t y = 0; y < shape->part.height; y++) {
		const uint32_t *row = row_of(shape, y);

		for (uint32_t x = 0; x < shape->part.width; x++) {
			uint32_t alpha = alpha_of(row[x]);

			out[4 * x] = MIN(row[x] >> 16 & 0xff, alpha);
			out[4 * x + 1] = MIN(row[x] >> 8 & 0xff, alpha);
			out[4 * x + 2] = MIN(row[x] & 0xff, alpha);
			out[4 * x + 3] = alpha;
		}
		if (!update_put(client, out, 4 * shape->part.width))
			return false;
	}
	return true;
}

static bool put_colours(rfbClientPtr client, const struct shape *shape)
{
	uint32_t in[FRAME_CURSOR_SIDE], out[FRAME_CURSOR_SIDE];
	size_t each = client->format.bitsPerPixel / 8, width = shape->part.width;

	for (uint32_t y = 0; y < shape->part.height; y++) {
		const uint32_t *row = row_of(shape, y);

		for (uint32_t x = 0; x < width; x++)
			in[x] = alpha_of(row[x]) < OPAQUE ? 0 : unpremultiplied(row[x]);
		client->translateFn(client->translateLookupTable, &client->screen->serverFormat,
			&client->format, (char *)in, (char *)out, 4 * width, width, 1);
		if (!update_put(client, out, each * width))
			return false;
	}
	return true;
}

/* @dark: only the dark ones of the opaque pixels. */
static bool put_bits(rfbClientPtr client, const struct shape *shape, bool dark)
{
	for (uint32_t y = 0; y < shape->part.height; y++) {
		uint8_t out[FRAME_CURSOR_SIDE / 8] = {0};
		const uint32_t *row = row_of(shape, y);

		for (uint32_t x = 0; x < shape->part.width; x++)
			if (alpha_of(row[x]) >= OPAQUE &&
				(!dark || is_dark(unpremultiplied(row[x]))))
				out[x / 8] |= 0x80 >> x % 8;
		if (!update_put(client, out, DIV_ROUND_UP(shape->part.width, 8u)))
			return false;
	}
	return true;
}

bool shape_write(rfbClientPtr client, enum shape_kind kind, const struct frame_cursor *cursor,
	const uint32_t *image)
{
	static const uint32_t encodings[] = {
		0, ENCODING_XCURSOR, ENCODING_CURSOR, ENCODING_CURSOR_ALPHA};
	static const uint8_t black_and_white[6] = {0, 0, 0, 255, 255, 255};
	static const uint32_t nothing = 0;
	static const struct frame_cursor hidden = {.width = 1, .height = 1};
	struct shape shape;
	uint8_t head[12];

	if (!cursor->visible) {
		cursor = &hidden;
		image = &nothing;
	}
	shape.image = image;
	shape.stride = cursor->width;
	shape.part = visible_part(cursor, image, kind == SHAPE_ALPHA ? 1 : OPAQUE);
	wire_put_u16(head, cursor->hot_x - shape.part.x);
	wire_put_u16(head + 2, cursor->hot_y - shape.part.y);
	wire_put_u16(head + 4, shape.part.width);
	wire_put_u16(head + 6, shape.part.height);
	wire_put_u32(head + 8, encodings[kind]);
	if (!update_put(client, head, sizeof(head)))
		return false;
	if (kind == SHAPE_ALPHA)
		return put_alpha(client, &shape);
	if (kind == SHAPE_MASKED)
		return put_colours(client, &shape) && put_bits(client, &shape, false);
	return update_put(client, black_and_white, sizeof(black_and_white)) &&
	       put_bits(client, &shape, true) && put_bits(client, &shape, false);
}
