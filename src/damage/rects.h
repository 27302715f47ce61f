/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rects.h - a bitmap of blocks as few rectangles. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct rect {
	uint32_t x, y, width, height; /* pixels, inside the frame */
};

/* Covers every set bit of @bitmap (layout: damage/tiles.h) exactly with at most @max rectangles, clipped to @width x @height;
 * when more are needed, neighbours are joined until they fit (then they cover more). Returns the number, <= @max. @max >= 1. */
size_t rects_from_bitmap(
	const uint64_t *bitmap, uint32_t width, uint32_t height, struct rect *rects, size_t max);
