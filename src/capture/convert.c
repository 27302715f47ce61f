/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/convert.h"

#include <endian.h>
#include <string.h>
#include <drm_fourcc.h>

#include "base/mem.h"
#include "capture/convert_x86.h"

static void convert_xrgb8888(uint32_t *dst, const uint8_t *src, size_t pixels)
{
	for (size_t i = 0; i < pixels; i++) {
		uint32_t v;

		memcpy(&v, src + 4 * i, sizeof(v));
		dst[i] = le32toh(v) & 0x00ffffffu;
	}
}

static void convert_xbgr8888(uint32_t *dst, const uint8_t *src, size_t pixels)
{
	for (size_t i = 0; i < pixels; i++, src += 4)
		dst[i] = (uint32_t)src[0] << 16 | (uint32_t)src[1] << 8 | src[2];
}

static void convert_rgb888(uint32_t *dst, const uint8_t *src, size_t pixels)
{
	for (size_t i = 0; i < pixels; i++, src += 3)
		dst[i] = (uint32_t)src[2] << 16 | (uint32_t)src[1] << 8 | src[0];
}

/* The high bits are repeated below, so that full intensity stays full. */
static void convert_rgb565(uint32_t *dst, const uint8_t *src, size_t pixels)
{
	for (size_t i = 0; i < pixels; i++, src += 2) {
		uint32_t v = (uint32_t)src[1] << 8 | src[0];
		uint32_t r = v >> 11, g = v >> 5 & 0x3f, b = v & 0x1f;

		dst[i] = (r << 3 | r >> 2) << 16 | (g << 2 | g >> 4) << 8 | (b << 3 | b >> 2);
	}
}

static const struct {
	uint32_t fourcc;
	convert_fn convert;
} scalar[] = {
	{DRM_FORMAT_XRGB8888, convert_xrgb8888},
	{DRM_FORMAT_ARGB8888, convert_xrgb8888},
	{DRM_FORMAT_XBGR8888, convert_xbgr8888},
	{DRM_FORMAT_ABGR8888, convert_xbgr8888},
	{DRM_FORMAT_RGB565, convert_rgb565},
	{DRM_FORMAT_RGB888, convert_rgb888},
};

convert_fn convert_find_scalar(uint32_t fourcc)
{
	for (size_t i = 0; i < ARRAY_SIZE(scalar); i++)
		if (scalar[i].fourcc == fourcc)
			return scalar[i].convert;
	return NULL;
}

convert_fn convert_find(uint32_t fourcc)
{
	convert_fn simd = convert_x86_find(fourcc);

	return simd ? simd : convert_find_scalar(fourcc);
}
