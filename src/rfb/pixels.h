/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pixels.h - what is done with every pixel before it is encoded, row by row. Private to tight.c and palette.c.
 *
 * Pixels are XRGB8888; what X is does not matter.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PIXEL_MASK 0xffffffu

struct palette;

struct pixels_kernel {
	const char *name;
	bool (*usable)(void);
	/* The number of pixels at the row's start that are of @colour. */
	size_t (*run)(const uint32_t *row, size_t width, uint32_t colour);
	/* A bit for each pixel, the first in the top bit of a byte: is it @second? False: there is one that is neither, and @ret is
	 * garbage. Writes (@width + 7) / 8 bytes. */
	bool (*mono)(
		const uint32_t *row, size_t width, uint32_t first, uint32_t second, uint8_t *ret);
	/* As palette_index(). */
	bool (*index)(struct palette *palette, const uint32_t *row, size_t width, uint8_t *ret);
	/* Red, green and blue of each pixel. Writes 3 * @width bytes. */
	void (*pack)(const uint32_t *row, size_t width, uint8_t *ret);
};

/* The fastest last, and the first one for every machine. */
extern const struct pixels_kernel *const pixels_kernels[];
extern const size_t pixels_kernels_used;

extern const struct pixels_kernel pixels_avx2;

/* The one to use. */
const struct pixels_kernel *pixels_kernel(void);
