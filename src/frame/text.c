/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "frame/text.h"

#include "base/mem.h"
#include "frame/font.h"

static void fill(const struct canvas *canvas, int64_t x, int64_t y, int64_t width, int64_t height,
	uint32_t colour)
{
	int64_t right = MIN(x + width, (int64_t)canvas->width);
	int64_t bottom = MIN(y + height, (int64_t)canvas->height);

	x = MAX(x, (int64_t)0);
	for (y = MAX(y, (int64_t)0); y < bottom; y++) {
		uint32_t *row =
			(uint32_t *)((uint8_t *)canvas->pixels + (size_t)y * canvas->stride);

		for (int64_t at = x; at < right; at++)
			row[at] = colour;
	}
}

void text_fill(const struct canvas *canvas, int32_t x, int32_t y, uint32_t width, uint32_t height,
	uint32_t colour)
{
	fill(canvas, x, y, width, height, colour);
}

/* Runs of ink are filled at once: letters are mostly bars. */
static void draw_glyph(
	const struct canvas *canvas, int64_t x, int64_t y, uint32_t scale, uint32_t colour, char c)
{
	for (unsigned int row = 0; row < TEXT_GLYPH_HEIGHT; row++)
		for (unsigned int from = 0, to; from < TEXT_GLYPH_WIDTH; from = to + 1) {
			for (to = from; to < TEXT_GLYPH_WIDTH && font_pixel(c, to, row); to++)
				;
			if (to > from)
				fill(canvas, x + (int64_t)from * scale, y + (int64_t)row * scale,
					(int64_t)(to - from) * scale, scale, colour);
		}
}

void text_draw(const struct canvas *canvas, int32_t x, int32_t y, uint32_t scale, uint32_t colour,
	const char *text)
{
	int64_t at = x;

	for (; *text && at < canvas->width; text++, at += (int64_t)TEXT_GLYPH_WIDTH * scale)
		draw_glyph(canvas, at, y, scale, colour, *text);
}
