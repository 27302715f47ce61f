/* SPDX-License-Identifier: GPL-2.0-or-later */
/* view.h - pixels that may be read now. Borrowed from a capture between capture_begin() and capture_end().
 *
 * The memory may change under the reader and may raise SIGBUS: read it only inside capture_guard(). Rows below
 * `rows_readable` must not be touched (a dma-buf maps whole pages only: the end of the last rows can be out of reach).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* One row of @pixels pixels to XRGB8888 with X = 0. @src has no alignment. */
typedef void (*convert_fn)(uint32_t *dst, const uint8_t *src, size_t pixels);

struct view {
	const uint8_t *pixels;
	uint32_t width, height; /* pixels */
	uint32_t stride;	/* bytes */
	uint32_t rows_readable; /* <= height */
	uint8_t bytes;		/* for each source pixel: 2, 3, 4 */
	convert_fn convert;	/* never NULL */
};
