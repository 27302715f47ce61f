/* SPDX-License-Identifier: GPL-2.0-or-later */
/* detile.h - parts of a view as plain rows, whether its plane is tiled or not. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "capture/view.h"
#include "plane/tiling.h"

#define DETILE_ROWS  16	   /* at a time */
#define DETILE_STEP  64	   /* bytes: what lies to the right is filled up to that */
#define DETILE_AHEAD 8192u /* bytes: two tiles */

/* Copies @bytes bytes from byte @x on of each of @rows rows from row @y on to @dst, rows @dst_stride apart. @x is a multiple of
 * DETILE_STEP, @y of DETILE_ROWS, @rows at most that, all of them readable. @dst has room for DETILE_ROWS rows of whole steps, of
 * which more can be written than was asked for: what a tile has there. */
void detile(const struct view *view, size_t x, uint32_t y, size_t bytes, unsigned int rows,
	uint8_t *dst, size_t dst_stride);
/* The scalar twin, writes no more than was asked for; a test holds the two equal. */
void detile_scalar(const struct view *view, size_t x, uint32_t y, size_t bytes, unsigned int rows,
	uint8_t *dst, size_t dst_stride);

/* All readable rows as XRGB8888, @dst_stride bytes apart. For one picture; what looks again and again keeps account of damage. */
void detile_picture(const struct view *view, uint32_t *dst, size_t dst_stride);

/* Before @bytes bytes from @x on of 16 rows from @y on are read: asks for what comes next. Tiles that are higher than 16 rows
 * are read in parts, each with holes, which memory answers at half its rate; so the first part fetches the others, in
 * the order of memory. */
static inline void detile_fetch(const struct view *view, size_t x, uint32_t y, size_t bytes)
{
	const size_t height = view->tiling->height;

	if (y % height)
		return;
	for (size_t row = y; row < y + DETILE_ROWS; row += height) {
		const uint8_t *at = view->pixels + row * view->stride + x * height + DETILE_AHEAD;

		for (size_t i = 0; i < bytes * height; i += 64)
			__builtin_prefetch(at + i, 0, 2);
	}
}
