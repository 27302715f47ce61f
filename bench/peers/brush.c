/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "peers/brush.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "frame/font.h"

enum {
	FIRST = 33,
	GLYPHS = 94,
	PHASES = 3,
	WIDE = 8, /* columns of a smooth letter */
	HIGH = 15,
	TEXTURE = 512,
};

static uint8_t cover[GLYPHS][PHASES][HIGH][WIDE][3]; /* of red, green, blue: 255 is ink */
static uint8_t advance[GLYPHS];			     /* thirds of a pixel */
static uint32_t texture[TEXTURE][TEXTURE];
static pthread_once_t once = PTHREAD_ONCE_INIT;

uint32_t brush_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return (z ^ z >> 31) >> 32;
}

uint32_t brush_below(uint64_t *state, uint32_t limit)
{
	return (uint64_t)brush_random(state) * limit >> 32;
}

/* ---- What is made once ---- */

/* How much ink there is in a box one pixel wide around a third of a pixel; letters are 7/8 as large as the font's. */
static uint8_t ink(char c, int thirds, int y)
{
	int count = 0;

	for (int i = 0; i < 6; i++) {
		for (int j = 0; j < 4; j++) {
			int x = (2 * (thirds - 1) + i) * 8 / (6 * 7),
			    row = (4 * y + j) * 8 / (4 * 7);

			if (2 * (thirds - 1) + i >= 0 && x < TEXT_GLYPH_WIDTH &&
				row < TEXT_GLYPH_HEIGHT)
				count += font_pixel(c, x, row);
		}
	}
	return count * 255 / 24;
}

static void make_letters(void)
{
	for (int g = 0; g < GLYPHS; g++) {
		char c = FIRST + g;

		advance[g] = strchr("iljtf.,:;'!|", c) ? 13 : strchr("mwMW@", c) ? 23 : 20;
		for (int phase = 0; phase < PHASES; phase++)
			for (int y = 0; y < HIGH; y++)
				for (int x = 0; x < WIDE; x++)
					for (int k = 0; k < 3; k++)
						cover[g][phase][y][x][k] =
							ink(c, 3 * x + k - phase, y);
	}
}

/* Random values at the corners of a grid, smooth between them. */
static int value_noise(uint32_t seed, uint32_t x, uint32_t y, uint32_t cell)
{
	uint32_t cells = TEXTURE / cell, corner[2][2], fx = x % cell, fy = y % cell, top, bottom;

	for (uint32_t j = 0; j < 2; j++) {
		for (uint32_t i = 0; i < 2; i++) {
			uint64_t state = ((uint64_t)seed << 40) + (y / cell + j) % cells * cells +
					 (x / cell + i) % cells;

			corner[j][i] = brush_random(&state) >> 24;
		}
	}
	top = corner[0][0] * (cell - fx) + corner[0][1] * fx;
	bottom = corner[1][0] * (cell - fx) + corner[1][1] * fx;
	return (top * (cell - fy) + bottom * fy) / (cell * cell) - 128;
}

static uint32_t clamp(int value)
{
	return value < 0 ? 0 : value > 255 ? 255 : value;
}

static void make_texture(void)
{
	for (uint32_t y = 0; y < TEXTURE; y++) {
		for (uint32_t x = 0; x < TEXTURE; x++) {
			int light = value_noise(1, x, y, 128) + value_noise(2, x, y, 32) / 2 +
				    value_noise(3, x, y, 8) / 6 + value_noise(4, x, y, 2) / 24;
			int warm = value_noise(5, x, y, 128) / 2 + value_noise(6, x, y, 16) / 8;

			texture[y][x] = clamp(125 + light + warm) << 16 | clamp(120 + light) << 8 |
					clamp(115 + light - warm);
		}
	}
}

static void make(void)
{
	make_letters();
	make_texture();
}

/* ---- Drawing ---- */

void brush_box(const struct sheet *sheet, int32_t x, int32_t y, int32_t width, int32_t height,
	uint32_t colour)
{
	int32_t x_end = x + width, y_end = y + height;

	x = x < 0 ? 0 : x;
	y = y < 0 ? 0 : y;
	x_end = x_end > (int32_t)sheet->width ? (int32_t)sheet->width : x_end;
	y_end = y_end > (int32_t)sheet->height ? (int32_t)sheet->height : y_end;
	for (; y < y_end; y++)
		for (int32_t i = x; i < x_end; i++)
			sheet->pixels[(size_t)y * sheet->width + i] = colour;
}

static uint32_t blend(uint32_t ground, uint32_t colour, const uint8_t part[3])
{
	uint32_t out = 0;

	for (int k = 0; k < 3; k++) {
		int shift = 16 - 8 * k, a = ground >> shift & 255, b = colour >> shift & 255;

		out |= (uint32_t)(a + (b - a) * part[k] / 255) << shift;
	}
	return out;
}

static void smooth_letter(
	const struct sheet *sheet, int32_t x, int32_t y, int g, int phase, uint32_t colour)
{
	for (int32_t j = 0; j < HIGH; j++) {
		if (y + j < 0 || y + j >= (int32_t)sheet->height)
			continue;
		for (int32_t i = 0; i < WIDE; i++) {
			uint32_t *pixel = &sheet->pixels[(size_t)(y + j) * sheet->width + x + i];
			const uint8_t *part = cover[g][phase][j][i];

			if (x + i >= 0 && x + i < (int32_t)sheet->width &&
				(part[0] | part[1] | part[2]))
				*pixel = blend(*pixel, colour, part);
		}
	}
}

int32_t brush_smooth(
	const struct sheet *sheet, int32_t x_thirds, int32_t y, const char *text, uint32_t colour)
{
	pthread_once(&once, make);
	for (; *text; text++) {
		int g = *text - FIRST;

		if (g < 0 || g >= GLYPHS) {
			x_thirds += 11;
			continue;
		}
		smooth_letter(sheet, x_thirds / 3, y, g, x_thirds % 3, colour);
		x_thirds += advance[g];
	}
	return x_thirds;
}

void brush_sharp(const struct sheet *sheet, int32_t x, int32_t y, const char *text,
	uint32_t ink_colour, uint32_t ground)
{
	for (; *text; text++, x += TEXT_GLYPH_WIDTH)
		for (int32_t j = 0; j < TEXT_GLYPH_HEIGHT; j++)
			for (int32_t i = 0; i < TEXT_GLYPH_WIDTH; i++)
				if (x + i >= 0 && x + i < (int32_t)sheet->width && y + j >= 0 &&
					y + j < (int32_t)sheet->height)
					sheet->pixels[(size_t)(y + j) * sheet->width + x + i] =
						font_pixel(*text, i, j) ? ink_colour : ground;
}

void brush_words(uint64_t *random, char *text, size_t size)
{
	static const char *const words[] = {"the", "of", "and", "a", "picture", "window", "changed",
		"in", "that", "rows", "with", "guest", "screen", "to", "is", "shown", "when",
		"nobody", "looks", "for", "at", "once", "memory", "display", "from", "Linux",
		"kernel", "driver", "device", "it", "as", "well", "(see", "above)", "however,",
		"viewers", "on", "network", "time.", "The", "next", "frame", "by", "default",
		"only", "every", "second", "3.14", "1920x1080", "letters", "small", "quite",
		"measured", "again", "then", "copy", "queue", "no", "buffer", "line"};
	size_t used = 0;

	text[0] = 0;
	for (;;) {
		const char *word = words[brush_below(random, sizeof(words) / sizeof(words[0]))];
		size_t length = strlen(word);

		if (used + length + 2 > size)
			return;
		memcpy(text + used, word, length);
		used += length;
		text[used++] = ' ';
		text[used] = 0;
	}
}

/* Between two colours, @part of 256 of the second; two channels at once. */
static uint32_t mix(uint32_t a, uint32_t b, uint32_t part)
{
	uint32_t red_blue = ((a & 0xff00ff) * (256 - part) + (b & 0xff00ff) * part) >> 8 & 0xff00ff;
	uint32_t green = ((a & 0xff00) * (256 - part) + (b & 0xff00) * part) >> 8 & 0xff00;

	return red_blue | green;
}

static uint32_t texel(uint32_t u, uint32_t v)
{
	uint32_t x = u >> 16, y = v >> 16, fx = u >> 8 & 255, fy = v >> 8 & 255;
	const uint32_t *row = texture[y % TEXTURE], *next = texture[(y + 1) % TEXTURE];
	uint32_t top = mix(row[x % TEXTURE], row[(x + 1) % TEXTURE], fx);
	uint32_t bottom = mix(next[x % TEXTURE], next[(x + 1) % TEXTURE], fx);

	return mix(top, bottom, fy);
}

static uint32_t grainy(uint32_t colour, uint32_t add)
{
	return clamp((colour >> 16 & 255) + add) << 16 | clamp((colour >> 8 & 255) + add) << 8 |
	       clamp((colour & 255) + add);
}

void brush_photo(const struct sheet *sheet, int32_t x, int32_t y, int32_t width, int32_t height,
	const struct brush_view *view)
{
	uint64_t random = view->random;

	pthread_once(&once, make);
	for (int32_t j = 0; j < height; j++) {
		uint32_t u = view->u + (uint32_t)(j * view->u_y),
			 v = view->v + (uint32_t)(j * view->v_y), noise = 0;

		for (int32_t i = 0; i < width; i++, u += view->u_x, v += view->v_x) {
			uint32_t colour;

			if (x + i < 0 || x + i >= (int32_t)sheet->width || y + j < 0 ||
				y + j >= (int32_t)sheet->height)
				continue;
			colour = texel(u, v);
			if (view->grain) {
				noise = i % 8 ? noise >> 4 : brush_random(&random);
				colour = grainy(colour, (noise & 15) * (view->grain + 1) / 16);
			}
			sheet->pixels[(size_t)(y + j) * sheet->width + x + i] = colour;
		}
	}
}
