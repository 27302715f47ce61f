/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "testcard/card.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/mem.h"
#include "testcard/colour.h"
#include "testcard/dial.h"

#define CARD_LINES 3 /* of words in the panel; the last one is the clock */

static const uint32_t primaries[] = {0xff0000, 0x00ff00, 0x0000ff, 0xffffff};

static struct area area_between(
	const struct card *card, uint32_t left, uint32_t top, uint32_t right, uint32_t bottom)
{
	/* In thousandths of the card. Shared edges come out equal, so nothing is left between two areas. */
	uint32_t x = card->width * left / 1000, y = card->height * top / 1000;

	return (struct area){
		x, y, card->width * right / 1000 - x, card->height * bottom / 1000 - y};
}

/* The panel at the foot: words, then the arena, then a square for the dial. */
static void lay_out_panel(struct card *card)
{
	const struct area *panel = &card->panel;
	uint32_t pad = 3 * card->unit, height = panel->height - 2 * pad;
	uint32_t side = MIN(height, card->width / 4);
	uint32_t words = 19 * TEXT_GLYPH_WIDTH * card->unit;
	int32_t top = panel->y + pad;
	int32_t line = panel->y + (panel->height - CARD_LINES * TEXT_GLYPH_HEIGHT * card->unit) / 2;

	card->moving[CARD_CLOCK] = (struct area){2 * pad, line + 2 * TEXT_GLYPH_HEIGHT * card->unit,
		words, TEXT_GLYPH_HEIGHT * card->unit};
	card->moving[CARD_ARENA] =
		(struct area){words + 2 * pad, top, card->width - words - side - 4 * pad, height};
	card->moving[CARD_DIAL] = (struct area){card->width - side - pad, top, side, side};
}

int card_init(struct card *card, uint32_t width, uint32_t height, uint32_t rate)
{
	if (width < CARD_WIDTH_MIN || width > CARD_WIDTH_MAX || height < CARD_HEIGHT_MIN ||
		height > CARD_HEIGHT_MAX || rate < CARD_RATE_MIN || rate > CARD_RATE_MAX)
		return -EINVAL;
	*card = (struct card){.width = width, .height = height, .rate = rate};
	card->unit = MIN(width / 320, height / 200);
	card->bars = area_between(card, 0, 0, 1000, 410);
	card->castles = area_between(card, 0, 410, 1000, 455);
	card->ramps = area_between(card, 0, 455, 500, 680);
	card->columns = area_between(card, 500, 455, 750, 680);
	card->rainbow = area_between(card, 750, 455, 1000, 680);
	card->gratings = area_between(card, 0, 680, 1000, 725);
	card->panel = area_between(card, 0, 725, 1000, 1000);
	lay_out_panel(card);
	card->dial = dial_create(card->moving[CARD_DIAL].width);
	return card->dial ? 0 : -ENOMEM;
}

void card_finish(struct card *card)
{
	free(card->dial);
	card->dial = NULL;
}

static uint32_t *row_at(const struct canvas *canvas, uint32_t y)
{
	return (uint32_t *)((uint8_t *)canvas->pixels + (size_t)y * canvas->stride);
}

static void fill(const struct canvas *canvas, const struct area *area, uint32_t colour)
{
	text_fill(canvas, area->x, area->y, area->width, area->height, colour);
}

/* Side by side, as wide as each other. */
static void draw_strip(const struct canvas *canvas, const struct area *area,
	const uint32_t *colours, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		uint32_t from = area->width * i / count, to = area->width * (i + 1) / count;

		text_fill(canvas, area->x + from, area->y, to - from, area->height, colours[i]);
	}
}

/* The seven bars at three quarters of full brightness, and below them the same in another order, between blacks. */
static void draw_bars(const struct card *card, const struct canvas *canvas)
{
	static const uint32_t bars[] = {
		0xc0c0c0, 0xc0c000, 0x00c0c0, 0x00c000, 0xc000c0, 0xc00000, 0x0000c0};
	static const uint32_t castles[] = {
		0x0000c0, 0x131313, 0xc000c0, 0x131313, 0x00c0c0, 0x131313, 0xc0c0c0};

	draw_strip(canvas, &card->bars, bars, ARRAY_SIZE(bars));
	draw_strip(canvas, &card->castles, castles, ARRAY_SIZE(castles));
}

/* Four ramps from black: to red, green, blue and white. Left to right, each in its row. */
static void draw_ramps(const struct card *card, const struct canvas *canvas)
{
	const struct area *area = &card->ramps;

	for (uint32_t y = 0; y < area->height; y++) {
		uint32_t *row = row_at(canvas, area->y + y) + area->x;
		uint32_t colour = primaries[y * 4 / area->height];

		for (uint32_t x = 0; x < area->width; x++)
			row[x] = colour_mix(0, colour, x * 256 / (area->width - 1));
	}
}

/* The same from top to bottom, each in its column. */
static void draw_columns(const struct card *card, const struct canvas *canvas)
{
	const struct area *area = &card->columns;

	for (uint32_t y = 0; y < area->height; y++) {
		uint32_t *row = row_at(canvas, area->y + y) + area->x;
		uint32_t weight = 256 - y * 256 / (area->height - 1);

		for (uint32_t x = 0; x < area->width; x++)
			row[x] = colour_mix(0, primaries[x * 4 / area->width], weight);
	}
}

/* Every hue from left to right, from white through the pure colour to black. */
static void draw_rainbow(const struct card *card, const struct canvas *canvas)
{
	static const uint32_t hues[] = {
		0xff0000, 0xffff00, 0x00ff00, 0x00ffff, 0x0000ff, 0xff00ff, 0xff0000};
	const struct area *area = &card->rainbow;

	for (uint32_t y = 0; y < area->height; y++) {
		uint32_t *row = row_at(canvas, area->y + y) + area->x;
		uint32_t light = y * 512 / (area->height - 1);

		for (uint32_t x = 0; x < area->width; x++) {
			uint32_t at = x * 6 * 256 / area->width;
			uint32_t hue = colour_mix(hues[at / 256], hues[at / 256 + 1], at % 256);

			row[x] = light < 256 ? colour_mix(0xffffff, hue, light)
					     : colour_mix(hue, 0, light - 256);
		}
	}
}

/* Line pairs: one, two, three and four pixels, upright, lying and checked. Scaling or loss shows here first. */
static void draw_gratings(const struct card *card, const struct canvas *canvas)
{
	const struct area *area = &card->gratings;

	for (uint32_t y = 0; y < area->height; y++) {
		uint32_t *row = row_at(canvas, area->y + y) + area->x;

		for (uint32_t x = 0; x < area->width; x++) {
			uint32_t field = x * 12 / area->width, size = field % 4 + 1;
			uint32_t across = x / size, down = y / size;
			uint32_t odd = field < 4 ? across : field < 8 ? across + down : down;

			row[x] = odd % 2 ? 0xffffff : 0;
		}
	}
}

static void draw_panel(const struct card *card, const struct canvas *canvas)
{
	uint32_t unit = card->unit, line = TEXT_GLYPH_HEIGHT * unit;
	int32_t x = card->moving[CARD_CLOCK].x, y = card->moving[CARD_CLOCK].y - 2 * line;
	char text[64];

	fill(canvas, &card->panel, COLOUR_PANEL);
	text_fill(canvas, 0, card->panel.y, card->width, MAX(unit / 2, 1u), COLOUR_ACCENT);
	text_draw(canvas, x, y, unit, COLOUR_WORDS, "vfio-displayd");
	snprintf(text, sizeof(text), "%" PRIu32 "x%" PRIu32 " %" PRIu32 " fps", card->width,
		card->height, card->rate);
	text_draw(canvas, x, y + line, unit, COLOUR_QUIET, text);
}

/* The outermost pixels are white: a viewer that cuts one off shows it. */
static void draw_edge(const struct card *card, const struct canvas *canvas)
{
	text_fill(canvas, 0, 0, card->width, 1, 0xffffff);
	text_fill(canvas, 0, card->height - 1, card->width, 1, 0xffffff);
	text_fill(canvas, 0, 0, 1, card->height, 0xffffff);
	text_fill(canvas, card->width - 1, 0, 1, card->height, 0xffffff);
}

void card_draw(const struct card *card, const struct canvas *canvas)
{
	draw_bars(card, canvas);
	draw_ramps(card, canvas);
	draw_columns(card, canvas);
	draw_rainbow(card, canvas);
	draw_gratings(card, canvas);
	draw_panel(card, canvas);
	draw_edge(card, canvas);
}
