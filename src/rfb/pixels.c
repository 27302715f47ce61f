/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rfb/pixels.h"

#include "base/mem.h"
#include "rfb/palette.h"

static bool usable_anywhere(void)
{
	return true;
}

static size_t run_scalar(const uint32_t *row, size_t width, uint32_t colour)
{
	size_t i = 0;

	while (i < width && !((row[i] ^ colour) & PIXEL_MASK))
		i++;
	return i;
}

static bool mono_scalar(
	const uint32_t *row, size_t width, uint32_t first, uint32_t second, uint8_t *ret)
{
	memset(ret, 0, DIV_ROUND_UP(width, 8));
	for (size_t i = 0; i < width; i++) {
		if (!((row[i] ^ second) & PIXEL_MASK))
			ret[i / 8] |= 0x80 >> i % 8;
		else if ((row[i] ^ first) & PIXEL_MASK)
			return false;
	}
	return true;
}

static void pack_scalar(const uint32_t *row, size_t width, uint8_t *ret)
{
	for (size_t i = 0; i < width; i++) {
		ret[3 * i] = row[i] >> 16;
		ret[3 * i + 1] = row[i] >> 8;
		ret[3 * i + 2] = row[i];
	}
}

static const struct pixels_kernel scalar = {
	"scalar", usable_anywhere, run_scalar, mono_scalar, palette_index, pack_scalar};

const struct pixels_kernel *const pixels_kernels[] = {&scalar, &pixels_avx2};
const size_t pixels_kernels_used = ARRAY_SIZE(pixels_kernels);

const struct pixels_kernel *pixels_kernel(void)
{
	for (size_t i = pixels_kernels_used; i-- > 1;) {
		if (pixels_kernels[i]->usable())
			return pixels_kernels[i];
	}
	return pixels_kernels[0];
}
