/* SPDX-License-Identifier: GPL-2.0-or-later */
/* planes.h - pixels as video has them: brightness, and colour of every second pixel of every second row (NV12). ITU-R BT.601, 16 to 235, which
 * is what viewers' decoders take for granted. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Pixels are XRGB8888; what X is does not matter. @width, @height: even. Strides: @stride in pixels, the others in bytes, at least
 * @width. Writes @height rows of @bright and @height / 2 rows of @colour, blue and red differences in turn. */
struct planes {
	const uint32_t *pixels;
	size_t stride;
	uint32_t width, height;
	uint8_t *bright, *colour;
	size_t bright_stride, colour_stride;
};

struct planes_kernel {
	const char *name;
	bool (*usable)(void);
	/* Two rows. @first, @second: of @width pixels. */
	void (*rows)(const struct planes *planes, const uint32_t *first, const uint32_t *second,
		uint8_t *bright, uint8_t *colour);
};

/* The fastest last, and the first one for every machine; all do the same. */
extern const struct planes_kernel planes_kernels[];
extern const size_t planes_kernels_used;

void planes_fill(const struct planes *planes);
