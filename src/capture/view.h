/* SPDX-License-Identifier: GPL-2.0-or-later */
/* view.h - pixels that may be read now. Borrowed from a capture between capture_begin() and capture_end().
 *
 * The memory may change under the reader and may raise SIGBUS: read it only inside capture_guard(). Rows below
 * `rows_readable` must not be touched (a dma-buf maps whole pages only: the end of the last rows can be out of reach).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tiling;

/* Pixels side by side to XRGB8888 with X = 0; the first begins a unit. @src has no alignment; of the last unit all is read. */
typedef void (*convert_fn)(uint32_t *dst, const uint8_t *src, size_t pixels);

struct view {
	const uint8_t *pixels;
	uint32_t width, height;	     /* pixels */
	uint32_t stride;	     /* bytes */
	uint32_t rows_readable;	     /* <= height */
	uint8_t bytes;		     /* for each source pixel: 1, 2, 3, 4 */
	uint8_t unit;		     /* source pixels that share bytes: 1, 2; 0 is 1 */
	convert_fn convert;	     /* never NULL */
	bool slow; /* to read (stream.h): each byte is to be read once, and in its order */
	const struct tiling *tiling; /* NULL: rows lie one after the other, else see detile.h */
};

/* Of the first @pixels of a row. */
static inline size_t view_row_bytes(const struct view *view, size_t pixels)
{
	return (view->unit == 2 ? (pixels + 1) / 2 * 2 : pixels) * view->bytes;
}
