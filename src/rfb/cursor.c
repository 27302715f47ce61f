/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * A viewer's mapping of the frame is MAP_PRIVATE: drawing copies the touched pages, and madvise(MADV_DONTNEED) after the encode
 * throws these copies away, so that the next read sees the broker's pixels again. Nothing but the cursor is ever written there, hence
 * nothing is lost, and there is no second copy of the screen.
 */
#include "rfb/cursor.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "rfb/region.h"

static uint32_t alpha_of(uint32_t pixel)
{
	return pixel >> 24;
}

unsigned int cursor_look(struct cursor *cursor, const struct frame *frame)
{
	struct frame_cursor old = cursor->live, now = frame_live(frame)->cursor;
	unsigned int news = 0;

	if (!now.width || !now.height || now.width > FRAME_CURSOR_SIDE ||
		now.height > FRAME_CURSOR_SIDE)
		now.visible = 0;
	now.visible = !!now.visible;
	if (now.hot_x >= now.width || now.hot_y >= now.height)
		now.hot_x = now.hot_y = 0;
	cursor->live = now;
	if (now.x != old.x || now.y != old.y)
		news |= CURSOR_MOVED;
	if (now.visible == old.visible && now.serial == old.serial && now.width == old.width &&
		now.height == old.height && now.hot_x == old.hot_x && now.hot_y == old.hot_y)
		return news;
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

static int clamped(int64_t value, uint32_t end)
{
	return value < 0 ? 0 : MIN(value, (int64_t)end - 1);
}

void cursor_point(
	const struct cursor *cursor, const struct frame *frame, uint16_t *ret_x, uint16_t *ret_y)
{
	const struct frame_cursor *live = &cursor->live;

	*ret_x = clamped((int64_t)live->x + live->hot_x, frame->header.width);
	*ret_y = clamped((int64_t)live->y + live->hot_y, frame->header.height);
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

void cursor_moved(
	const struct cursor *cursor, sraRegionPtr modified, const struct move *moves, size_t count)
{
	const struct rect *drawn = &cursor->drawn;
	sraRegionPtr remains = region_of(drawn);
	bool met = false;

	for (size_t i = 0; i < count; i++) {
		struct rect end = move_to(&moves[i]);

		met |= rects_meet(&moves[i].from, drawn) || rects_meet(&end, drawn);
		region_move(remains, &moves[i]);
	}
	if (met) {
		sraRgnOr(modified, remains);
		region_add(modified, drawn);
	}
	sraRgnDestroy(remains);
}
