/* SPDX-License-Identifier: GPL-2.0-or-later */
/* brush.h - what scenes are drawn with: sharp and smooth letters, boxes, and a texture like a photo's. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { BRUSH_LINE = 20 /* pixels from one line of smooth text to the next */ };

/* Rows of @width pixels without gaps. */
struct sheet {
	uint32_t *pixels;
	uint32_t width, height;
};

/* Numbers that only look random, from a state of 64 bits. */
uint32_t brush_random(uint64_t *state);
uint32_t brush_below(uint64_t *state, uint32_t limit);

void brush_box(const struct sheet *sheet, int32_t x, int32_t y, int32_t width, int32_t height, uint32_t colour);
/* Smooth letters of different widths, a third of a pixel precise and with coloured edges, as desktops draw them.
 * Returns the place behind the last one, in thirds of a pixel from 0. */
int32_t brush_smooth(const struct sheet *sheet, int32_t x_thirds, int32_t y, const char *text, uint32_t colour);
/* Sharp letters of 8x16, as consoles draw them: ink and ground. */
void brush_sharp(
	const struct sheet *sheet, int32_t x, int32_t y, const char *text, uint32_t ink, uint32_t ground);
/* Words of prose, at most @size - 1 bytes. */
void brush_words(uint64_t *random, char *text, size_t size);
/* A smooth texture with some grain; @u and @v and their steps along x and y in 1/65536 of a texel, @grain at most so many
 * steps of brightness. */
struct brush_view {
	uint32_t u, v;
	int32_t u_x, v_x, u_y, v_y;
	uint32_t grain;
	uint64_t random;
};
void brush_photo(const struct sheet *sheet, int32_t x, int32_t y, int32_t width, int32_t height,
	const struct brush_view *view);
