/* SPDX-License-Identifier: GPL-2.0-or-later */
/* card.h - the picture of the test card: colour bars, ramps, fine lines, words, and three places where something moves.
 *
 * Pure: a canvas goes in, pixels come out, the same ones for the same size, rate and frame number. XRGB8888 with X = 0.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "frame/text.h"

#define CARD_WIDTH_MIN	320
#define CARD_WIDTH_MAX	7680
#define CARD_HEIGHT_MIN 200
#define CARD_HEIGHT_MAX 4320
#define CARD_RATE_MIN	1
#define CARD_RATE_MAX	120

enum { CARD_CLOCK, CARD_ARENA, CARD_DIAL, CARD_MOVING };

struct area {
	int32_t x, y;
	uint32_t width, height; /* pixels */
};

struct dial_pixel;

struct card {
	uint32_t width, height; /* pixels */
	uint32_t rate;		/* frames for each second */
	uint32_t unit;		/* pixels: everything that has a thickness is some of these */
	struct area bars, castles, ramps, columns, rainbow, gratings, panel;
	struct area moving[CARD_MOVING];
	struct dial_pixel *dial; /* owned; moving[CARD_DIAL] without its hand */
};

/* -EINVAL: outside the limits above; -ENOMEM. */
int card_init(struct card *card, uint32_t width, uint32_t height, uint32_t rate);
void card_finish(struct card *card);
/* Everything but the moving parts. @canvas has the card's size, here and below. */
void card_draw(const struct card *card, const struct canvas *canvas);
/* The moving parts at @frame: each pixel of card->moving[] and none outside. */
void card_move(const struct card *card, const struct canvas *canvas, uint64_t frame);
