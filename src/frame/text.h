/* SPDX-License-Identifier: GPL-2.0-or-later */
/* text.h - letters in a picture: a small bitmap font of our own, printable ASCII, for placards and the test card. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define TEXT_GLYPH_WIDTH  8  /* pixels at scale 1, spacing included */
#define TEXT_GLYPH_HEIGHT 16

/* A target of 32-bit pixels; everything is clipped to it. */
struct canvas {
	uint32_t *pixels;
	uint32_t width, height;
	uint32_t stride; /* bytes */
};

/* Draws one line of @text (bytes outside printable ASCII as '?'), each font pixel @scale pixels wide and high. */
void text_draw(const struct canvas *canvas, int32_t x, int32_t y, uint32_t scale, uint32_t colour, const char *text);
/* A filled rectangle. */
void text_fill(const struct canvas *canvas, int32_t x, int32_t y, uint32_t width, uint32_t height, uint32_t colour);
