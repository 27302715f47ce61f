/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tight.h - pixels to Tight rectangles (encoding 7, rfbproto "Tight Encoding") that stand alone: the zlib stream that one uses
 * is reset by it, and its data end at a byte, by a sync flush. So it may be made once and sent to any viewer, in any order,
 * more than once. Stream 3 is the only one used, because LibVNCServer uses all but that: its own rectangles and these can follow one
 * another at the same viewer.
 *
 * The bytes are those for viewers with 32 bits for a pixel, depth 24 and 8 bits for each colour: such a viewer gets red, green and
 * blue as bytes in this order, wherever its pixels have them.
 *
 * Pure: no I/O, no threads. One context belongs to one thread; all its memory is there from the start, but for what libjpeg takes
 * from malloc() for each picture and gives back.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TIGHT_WIDTH_MAX	 2048	      /* pixels: what viewers take */
#define TIGHT_PIXELS_MAX (128u << 10) /* of one rectangle */

enum tight_kind { TIGHT_SOLID, TIGHT_MONO, TIGHT_PALETTE, TIGHT_FULL, TIGHT_JPEG };

struct tight_wish {
	int quality;	 /* of JPEG: 1 to 100; -1: no JPEG, without loss */
	int subsampling; /* as LibVNCServer's: 0 none, 1 4:2:0, 2 4:2:2, 3 grey */
	int compression; /* RFB's level, 0 to 9 */
};

struct tight;

/* -ENOMEM. */
int tight_create(struct tight **ret);
void tight_destroy(struct tight *tight);
/* The most bytes that a rectangle can take. */
size_t tight_bound(uint32_t width, uint32_t height);
/* Makes wishes equal that lead to the same bytes. */
void tight_settle(struct tight_wish *wish);
/* What follows the rectangle's head of 12 bytes: the number of bytes, at most tight_bound(). @pixels: XRGB8888, whatever X is, @stride:
 * pixels; they must not change meanwhile. @width is 1 to TIGHT_WIDTH_MAX, @width * @height 1 to TIGHT_PIXELS_MAX. Only TIGHT_JPEG loses
 * anything, and pixels of at most 256 colours are never that. */
size_t tight_encode(struct tight *tight, const uint32_t *pixels, size_t stride, uint32_t width,
	uint32_t height, const struct tight_wish *wish, uint8_t *ret, enum tight_kind *ret_kind);
/* The same for as many of the first rows as go well together: the next ones have too many colours for a palette, or would spoil one
 * colour or two. *ret_rows: 1 to @height. Who goes on with the rest gets fewer bytes in less time than with one rectangle for
 * all. 0 bytes: no rows did, for even the first have many colours. */
size_t tight_encode_rows(struct tight *tight, const uint32_t *pixels, size_t stride, uint32_t width,
	uint32_t height, const struct tight_wish *wish, uint8_t *ret, enum tight_kind *ret_kind,
	uint32_t *ret_rows);
/* Has it more colours than a palette? */
bool tight_has_many(struct tight *tight, const uint32_t *pixels, size_t stride, uint32_t width,
	uint32_t height);
/* Like tight_encode(), for pixels that are known to have many colours: TIGHT_FULL or TIGHT_JPEG. */
size_t tight_encode_many(struct tight *tight, const uint32_t *pixels, size_t stride, uint32_t width,
	uint32_t height, const struct tight_wish *wish, uint8_t *ret, enum tight_kind *ret_kind);
