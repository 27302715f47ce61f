/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mosaic.h - a part of the picture as Tight rectangles that go well together: few, and each of the kind that suits its pixels. Rows are kept
 * together as long as they have few colours. Where they have many, squares that have few are told apart from those that have many, and
 * of the latter, neighbours that make a rectangle are one, in full colour or JPEG.
 *
 * Pure, like tight.h, and all rectangles stand alone.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "damage/rects.h"
#include "rfb/tight.h"

struct mosaic {
	uint32_t rectangles;
	struct rect lossy; /* around all that is JPEG; width 0: nothing is */
};

/* The most bytes that @rect can take. */
size_t mosaic_bound(const struct rect *rect);
/* Whole rectangles, with their heads. @pixels: of the whole frame, XRGB8888, @stride: pixels; @rect is of at most TIGHT_PIXELS_MAX
 * pixels, of any width. Returns bytes. */
size_t mosaic_make(struct tight *tight, const uint32_t *pixels, size_t stride,
	const struct rect *rect, const struct tight_wish *wish, uint8_t *ret,
	struct mosaic *ret_mosaic);
