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

/* The upper 8 of each 10 bits. */
static void convert_xrgb2101010(uint32_t *dst, const uint8_t *src, size_t pixels)
{
	for (size_t i = 0; i < pixels; i++) {
		uint32_t v;

		memcpy(&v, src + 4 * i, sizeof(v));
		v = le32toh(v);
		dst[i] = (v >> 22 & 0xff) << 16 | (v >> 12 & 0xff) << 8 | (v >> 2 & 0xff);
	}
}

static void convert_xbgr2101010(uint32_t *dst, const uint8_t *src, size_t pixels)
{
	for (size_t i = 0; i < pixels; i++) {
		uint32_t v;

		memcpy(&v, src + 4 * i, sizeof(v));
		v = le32toh(v);
		dst[i] = (v >> 2 & 0xff) << 16 | (v >> 12 & 0xff) << 8 | (v >> 22 & 0xff);
	}
}

/* No driver tells its palette. */
static void convert_c8(uint32_t *dst, const uint8_t *src, size_t pixels)
{
	for (size_t i = 0; i < pixels; i++)
		dst[i] = src[i] * 0x010101u;
}

static uint32_t narrow(int32_t value)
{
	value >>= CONVERT_YUV_BITS;
	return value < 0 ? 0 : value > 255 ? 255 : (uint32_t)value;
}

static uint32_t from_yuv(uint8_t luma, uint8_t blue, uint8_t red)
{
	int32_t y = CONVERT_YUV_Y * (luma - 16) + CONVERT_YUV_HALF, u = blue - 128, v = red - 128;

	return narrow(y + CONVERT_YUV_RV * v) << 16 |
	       narrow(y + CONVERT_YUV_GU * u + CONVERT_YUV_GV * v) << 8 |
	       narrow(y + CONVERT_YUV_BU * u);
}

/* @y, @u, @v: where they are among the four bytes of two pixels; the second one's luma is two bytes on. */
static inline void convert_pairs(uint32_t *dst, const uint8_t *src, size_t pixels, unsigned int y,
	unsigned int u, unsigned int v)
{
	for (size_t i = 0; i < pixels; i++) {
		const uint8_t *pair = src + i / 2 * 4;

		dst[i] = from_yuv(pair[y + i % 2 * 2], pair[u], pair[v]);
	}
}

static void convert_yuyv(uint32_t *dst, const uint8_t *src, size_t pixels)
{
	convert_pairs(dst, src, pixels, 0, 1, 3);
}

static void convert_yvyu(uint32_t *dst, const uint8_t *src, size_t pixels)
{
	convert_pairs(dst, src, pixels, 0, 3, 1);
}

static void convert_uyvy(uint32_t *dst, const uint8_t *src, size_t pixels)
{
	convert_pairs(dst, src, pixels, 1, 0, 2);
}

static void convert_vyuy(uint32_t *dst, const uint8_t *src, size_t pixels)
{
	convert_pairs(dst, src, pixels, 1, 2, 0);
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
	{DRM_FORMAT_XRGB2101010, convert_xrgb2101010},
	{DRM_FORMAT_ARGB2101010, convert_xrgb2101010},
	{DRM_FORMAT_XBGR2101010, convert_xbgr2101010},
	{DRM_FORMAT_ABGR2101010, convert_xbgr2101010},
	{DRM_FORMAT_C8, convert_c8},
	{DRM_FORMAT_YUYV, convert_yuyv},
	{DRM_FORMAT_YVYU, convert_yvyu},
	{DRM_FORMAT_UYVY, convert_uyvy},
	{DRM_FORMAT_VYUY, convert_vyuy},
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
