/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The moving parts of the card. Positions are functions of the time alone, so that a frame can be skipped. */
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/mem.h"
#include "testcard/card.h"
#include "testcard/colour.h"
#include "testcard/dial.h"

#define CROSSING_MS 5000 /* the ball, from wall to wall */
#define BOUNCE_MS   1100
#define TURN_MS	    4000

static uint64_t frame_ms(const struct card *card, uint64_t frame)
{
	return frame * 1000 / card->rate;
}

static void draw_clock(const struct card *card, const struct canvas *canvas, uint64_t frame)
{
	const struct area *area = &card->moving[CARD_CLOCK];
	uint64_t ms = frame_ms(card, frame), seconds = ms / 1000;
	char text[32];

	/* No more than the area's 19 letters: hours wrap after four digits. */
	snprintf(text, sizeof(text), "%02" PRIu64 ":%02" PRIu64 ":%02" PRIu64 ".%02" PRIu64,
		seconds / 3600 % 10000, seconds / 60 % 60, seconds % 60, ms / 10 % 100);
	text_fill(canvas, area->x, area->y, area->width, area->height, COLOUR_PANEL);
	text_draw(canvas, area->x, area->y, card->unit, COLOUR_ACCENT, text);
}

static void draw_arena(const struct card *card, const struct canvas *canvas)
{
	const struct area *area = &card->moving[CARD_ARENA];
	uint32_t unit = card->unit, step = 8 * unit;

	text_fill(canvas, area->x, area->y, area->width, area->height, COLOUR_ARENA);
	for (uint32_t x = step; x < area->width; x += step)
		text_fill(
			canvas, area->x + x, area->y, MAX(unit / 4, 1u), area->height, COLOUR_GRID);
	for (uint32_t y = step; y < area->height; y += step)
		text_fill(
			canvas, area->x, area->y + y, area->width, MAX(unit / 4, 1u), COLOUR_GRID);
	text_fill(canvas, area->x, area->y + area->height - unit, area->width, unit, COLOUR_EDGE);
}

/* A round spot, flattened to @flat of its height, lit from the upper left if @lit. Clipped to @area. */
static void draw_spot(const struct canvas *canvas, const struct area *area, double cx, double cy,
	double radius, double flat, uint32_t colour, uint32_t opacity, bool lit)
{
	int32_t top = fmax(floor(cy - radius * flat), area->y);
	int32_t bottom = fmin(ceil(cy + radius * flat), area->y + area->height);
	int32_t left = fmax(floor(cx - radius), area->x);
	int32_t right = fmin(ceil(cx + radius), area->x + area->width);

	for (int32_t y = top; y < bottom; y++) {
		uint32_t *row =
			(uint32_t *)((uint8_t *)canvas->pixels + (size_t)y * canvas->stride);

		for (int32_t x = left; x < right; x++) {
			double dx = x + 0.5 - cx, dy = (y + 0.5 - cy) / flat;
			double inside = fmin(fmax((radius - hypot(dx, dy)) * flat, 0), 1);
			double light =
				hypot(dx + radius * 0.35, dy + radius * 0.4) / (radius * 1.6);
			uint32_t shade = colour;

			if (inside <= 0)
				continue;
			if (lit && light < 0.5)
				shade = colour_mix(colour, 0xffffff, 200 * (0.5 - light) * 2);
			else if (lit)
				shade = colour_mix(
					colour, 0x401000, 220 * fmin((light - 0.5) * 2, 1));
			row[x] = colour_mix(row[x], shade, opacity * inside);
		}
	}
}

static void draw_ball(const struct card *card, const struct canvas *canvas, uint64_t frame)
{
	const struct area *area = &card->moving[CARD_ARENA];
	uint64_t ms = frame_ms(card, frame), crossing = ms % (2 * CROSSING_MS);
	double radius = MIN(area->height, area->width) / 7.0,
	       floor_y = area->y + area->height - card->unit;
	double way = crossing < CROSSING_MS ? crossing : 2.0 * CROSSING_MS - crossing;
	double x = area->x + radius + 1 + (area->width - 2 * radius - 2) * way / CROSSING_MS;
	double phase = (double)(ms % BOUNCE_MS) / BOUNCE_MS, height = 4 * phase * (1 - phase);
	double y = floor_y - radius - height * (area->height - card->unit - 2 * radius - 2);

	draw_spot(canvas, area, x, floor_y, radius * (1 - height * 0.35), 0.08, 0,
		160 - 100 * height, false);
	draw_spot(canvas, area, x, y, radius, 1, COLOUR_ACCENT, 256, true);
}

void card_move(const struct card *card, const struct canvas *canvas, uint64_t frame)
{
	const struct area *dial = &card->moving[CARD_DIAL];
	uint64_t turn = frame_ms(card, frame) % TURN_MS * 65536 / TURN_MS;

	draw_clock(card, canvas, frame);
	draw_arena(card, canvas);
	draw_ball(card, canvas, frame);
	dial_draw(card->dial, dial->width, canvas, dial->x, dial->y, turn);
}
