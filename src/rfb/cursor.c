/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * Viewers with a cursor encoding get the image as a shape and move it themselves. RFB's mask has one bit for each pixel, so
 * half-transparent pixels become opaque or nothing, and the premultiplied colours are divided by their alpha again. A cursor plane
 * is often much larger than the arrow in it; the shape is cut to the visible part and the hot spot.
 *
 * For the others it is blended into the frame. Their mapping of the frame is MAP_PRIVATE: drawing copies the touched pages, and
 * madvise(MADV_DONTNEED) after the encode throws these copies away, so that the next read sees the broker's pixels again. Nothing
 * but the cursor is ever written there, hence nothing is lost, and there is no second copy of the screen.
 */
#include "rfb/cursor.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"

#define OPAQUE 128 /* alpha from here on is opaque in a mask of one bit */

static uint32_t alpha_of(uint32_t pixel)
{
	return pixel >> 24;
}

static void shape_hide(struct cursor *cursor)
{
	cursor->mask[0] = cursor->source[0] = 0;
	cursor->colours[0] = 0;
	cursor->shape.width = cursor->shape.height = 1;
	cursor->shape.xhot = cursor->shape.yhot = 0;
}

void cursor_init(struct cursor *cursor)
{
	memset(cursor, 0, sizeof(*cursor));
	cursor->shape.source = cursor->source;
	cursor->shape.mask = cursor->mask;
	cursor->shape.richSource = (unsigned char *)cursor->colours;
	/* XCursor: dark pixels are foreground. */
	cursor->shape.backRed = cursor->shape.backGreen = cursor->shape.backBlue = 0xffff;
	cursor->fits = true;
	shape_hide(cursor);
}

/* The smallest part of the image with the hot spot and every pixel that a mask shows. */
static struct rect visible_part(const struct frame_cursor *live, const uint32_t *image)
{
	uint32_t left = live->hot_x, right = left, top = live->hot_y, bottom = top;

	for (uint32_t y = 0; y < live->height; y++)
		for (uint32_t x = 0; x < live->width; x++) {
			if (alpha_of(image[y * live->width + x]) < OPAQUE)
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

static void shape_build(struct cursor *cursor, const uint32_t *image)
{
	struct rect part = visible_part(&cursor->live, image);
	size_t row_bytes = DIV_ROUND_UP(part.width, 8u);

	cursor->fits = part.width <= CURSOR_SHAPE_SIDE && part.height <= CURSOR_SHAPE_SIDE;
	if (!cursor->fits) {
		shape_hide(cursor);
		return;
	}
	memset(cursor->mask, 0, sizeof(cursor->mask));
	memset(cursor->source, 0, sizeof(cursor->source));
	for (uint32_t y = 0; y < part.height; y++)
		for (uint32_t x = 0; x < part.width; x++) {
			uint32_t pixel = image[(part.y + y) * cursor->live.width + part.x + x];
			uint32_t *colour = &cursor->colours[y * part.width + x];
			uint8_t bit = 0x80 >> x % 8;

			*colour = alpha_of(pixel) < OPAQUE ? 0 : unpremultiplied(pixel);
			if (alpha_of(pixel) < OPAQUE)
				continue;
			cursor->mask[y * row_bytes + x / 8] |= bit;
			if (is_dark(*colour))
				cursor->source[y * row_bytes + x / 8] |= bit;
		}
	cursor->shape.width = part.width;
	cursor->shape.height = part.height;
	cursor->shape.xhot = cursor->live.hot_x - part.x;
	cursor->shape.yhot = cursor->live.hot_y - part.y;
}

unsigned int cursor_look(struct cursor *cursor, const struct frame *frame)
{
	struct frame_cursor old = cursor->live, now = frame_live(frame)->cursor;
	unsigned int news = 0;

	if (!now.width || !now.height || now.width > FRAME_CURSOR_SIDE ||
		now.height > FRAME_CURSOR_SIDE)
		now.visible = 0;
	now.visible = !!now.visible;
	if (now.visible) {
		now.hot_x = MIN(now.hot_x, now.width - 1);
		now.hot_y = MIN(now.hot_y, now.height - 1);
	}
	cursor->live = now;
	if (now.x != old.x || now.y != old.y)
		news |= CURSOR_MOVED;
	if (now.visible == old.visible && now.serial == old.serial && now.width == old.width &&
		now.height == old.height && now.hot_x == old.hot_x && now.hot_y == old.hot_y)
		return news;
	if (now.visible) {
		shape_build(cursor, frame_cursor_pixels(frame));
	} else {
		cursor->fits = true;
		shape_hide(cursor);
	}
	return news | CURSOR_RESHAPED;
}

/* [*at, *at + *length) cut to [0, @end). */
static void clip(int64_t *at, int64_t *length, int64_t end)
{
	int64_t last = MIN(*at + *length, end);

	*at = MAX(*at, (int64_t)0);
	*length = MAX(last - *at, (int64_t)0);
}

struct rect cursor_place(const struct cursor *cursor, const struct frame *frame)
{
	int64_t x = cursor->live.x, y = cursor->live.y;
	int64_t width = cursor->live.width, height = cursor->live.height;

	clip(&x, &width, frame->header.width);
	clip(&y, &height, frame->header.height);
	if (!cursor->live.visible || !width || !height)
		return (struct rect){0};
	return (struct rect){x, y, width, height};
}

static uint32_t blended(uint32_t over, uint32_t under)
{
	uint32_t rest = 255 - alpha_of(over), out = 0;

	for (unsigned int shift = 0; shift < 24; shift += 8) {
		uint32_t value = (under >> shift & 0xff) * rest + 127;

		value = (over >> shift & 0xff) + value / 255;
		out |= MIN(value, 255u) << shift;
	}
	return out;
}

void cursor_draw(const struct cursor *cursor, struct frame *frame)
{
	const uint32_t *image = frame_cursor_pixels(frame);
	struct rect area = cursor_place(cursor, frame);

	for (uint32_t y = area.y; y < area.y + area.height; y++) {
		uint32_t *row = frame_pixels(frame) + (size_t)y * frame->header.stride / 4;
		/* area lies inside the image, so the differences are not negative. */
		const uint32_t *from = image + (size_t)(y - cursor->live.y) * cursor->live.width;

		for (uint32_t x = area.x; x < area.x + area.width; x++) {
			uint32_t pixel = from[x - cursor->live.x];

			if (alpha_of(pixel) || (pixel & 0xffffff))
				row[x] = blended(pixel, row[x]);
		}
	}
}

int cursor_erase(struct frame *frame, const struct rect *area)
{
	size_t page = sysconf(_SC_PAGESIZE);
	size_t stride = frame->header.stride;
	size_t from = frame->header.pixels_offset + area->y * stride + area->x * 4;
	size_t end = frame->header.pixels_offset + (area->y + area->height - 1) * stride +
		     (area->x + area->width) * 4;

	if (!area->width)
		return 0;
	from = from / page * page;
	return madvise(frame->map + from, end - from, MADV_DONTNEED) < 0 ? -errno : 0;
}
