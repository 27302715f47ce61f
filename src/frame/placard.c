/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "frame/placard.h"

#include <stdbool.h>

#include "base/mem.h"

#define GROUND_TOP    0x1b2230
#define GROUND_BOTTOM 0x0d1017
#define TITLE_COLOUR  0xf2f4f8
#define REASON_COLOUR 0xa9b4c6
#define ACCENT_COLOUR 0xf0a63a
#define LINE_CHARS    256

/* One line's worth of @text: at most @columns characters, broken between words where that is possible. Returns where the
 * next line begins, NULL at the end. */
static const char *wrap(const char *text, size_t columns, char line[LINE_CHARS])
{
	size_t length, cut;

	columns = MIN(columns, (size_t)LINE_CHARS - 1);
	text += strspn(text, " ");
	if (!*text || !columns)
		return NULL;
	length = strnlen(text, columns + 1);
	cut = length;
	if (length > columns) {
		while (cut > 0 && text[cut - 1] != ' ')
			cut--;
		cut = cut ? cut - 1 : columns;
	}
	memcpy(line, text, cut);
	line[cut] = '\0';
	return text + cut;
}

/* Draws centred lines from @y on, or only measures without @canvas->pixels. Returns the row below the last line. */
static int32_t draw_lines(
	const struct canvas *canvas, int32_t y, uint32_t scale, uint32_t colour, const char *text)
{
	size_t columns = canvas->width / (TEXT_GLYPH_WIDTH * scale);
	char line[LINE_CHARS];

	columns -= columns > 60 ? columns / 5 : MIN(columns, (size_t)2);
	while ((text = wrap(text, columns, line))) {
		uint32_t width = strlen(line) * TEXT_GLYPH_WIDTH * scale;

		if (canvas->pixels)
			text_draw(canvas, ((int32_t)canvas->width - (int32_t)width) / 2, y, scale,
				colour, line);
		y += (TEXT_GLYPH_HEIGHT + 2) * scale;
		if (y > (int32_t)canvas->height)
			break;
	}
	return y;
}

static void draw_ground(const struct canvas *canvas)
{
	for (uint32_t y = 0; y < canvas->height; y++) {
		uint32_t colour = 0;

		for (int shift = 0; shift < 24; shift += 8) {
			int top = GROUND_TOP >> shift & 0xff,
			    bottom = GROUND_BOTTOM >> shift & 0xff;

			colour |= (uint32_t)(top + (bottom - top) * (int64_t)y / canvas->height)
				  << shift;
		}
		text_fill(canvas, 0, y, canvas->width, 1, colour);
	}
}

/* A screen with nothing on it, 20 x 16 units. */
static void draw_screen(const struct canvas *canvas, int32_t x, int32_t y, int32_t unit)
{
	text_fill(canvas, x, y, 20 * unit, 13 * unit, REASON_COLOUR);
	text_fill(canvas, x + unit, y + unit, 18 * unit, 11 * unit, GROUND_BOTTOM);
	text_fill(canvas, x + 8 * unit, y + 13 * unit, 4 * unit, 2 * unit, REASON_COLOUR);
	text_fill(canvas, x + 5 * unit, y + 15 * unit, 10 * unit, unit, REASON_COLOUR);
	text_fill(canvas, x + 4 * unit, y + 6 * unit, 12 * unit, unit, ACCENT_COLOUR);
}

void placard_draw(const struct canvas *canvas, const char *title, const char *reason)
{
	struct canvas measure = *canvas;
	uint32_t fitting = MIN(canvas->width / 300, canvas->height / 180);
	uint32_t scale = MAX(fitting, 1u);
	uint32_t small = MAX((scale + 1) / 2, 1u);
	int32_t unit = scale * 2, height, y;

	/* A title on one line is worth a smaller letter. */
	while (scale > small && strlen(title) + 2 > canvas->width / (TEXT_GLYPH_WIDTH * scale))
		scale--;
	measure.pixels = NULL;
	height = draw_lines(&measure, 0, scale, 0, title) + unit +
		 draw_lines(&measure, 0, small, 0, reason);
	draw_ground(canvas);
	y = ((int32_t)canvas->height - height - 22 * unit) / 2;
	if (y >= unit) {
		draw_screen(canvas, (int32_t)canvas->width / 2 - 10 * unit, y, unit);
		y += 22 * unit;
	} else {
		y = MAX(((int32_t)canvas->height - height) / 2, 0);
	}
	y = draw_lines(canvas, y, scale, TITLE_COLOUR, title);
	draw_lines(canvas, y + unit, small, REASON_COLOUR, reason);
}
