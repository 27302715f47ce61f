/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plane/format.h"

#include <inttypes.h>
#include <stdio.h>
#include <drm_fourcc.h>
#include <xf86drm.h>

#include "base/mem.h"

static const struct format formats[] = {
	{DRM_FORMAT_XRGB8888, 4, 1},
	{DRM_FORMAT_ARGB8888, 4, 1},
	{DRM_FORMAT_XBGR8888, 4, 1},
	{DRM_FORMAT_ABGR8888, 4, 1},
	{DRM_FORMAT_RGB565, 2, 1},
	{DRM_FORMAT_RGB888, 3, 1},
	{DRM_FORMAT_XRGB2101010, 4, 1},
	{DRM_FORMAT_ARGB2101010, 4, 1},
	{DRM_FORMAT_XBGR2101010, 4, 1},
	{DRM_FORMAT_ABGR2101010, 4, 1},
	{DRM_FORMAT_C8, 1, 1},
	{DRM_FORMAT_YUYV, 2, 2},
	{DRM_FORMAT_YVYU, 2, 2},
	{DRM_FORMAT_UYVY, 2, 2},
	{DRM_FORMAT_VYUY, 2, 2},
};

/* libdrm's own drmGetFormatName() gives the four characters back. */
#define NAMED(format) \
	{ \
		DRM_FORMAT_##format, #format \
	}

/* clang-format off */
static const struct {
	uint32_t fourcc;
	const char *name;
} names[] = {
	NAMED(C8), NAMED(R8), NAMED(R16), NAMED(RG88), NAMED(GR88), NAMED(RGB332), NAMED(BGR233),
	NAMED(XRGB4444), NAMED(XBGR4444), NAMED(RGBX4444), NAMED(BGRX4444), NAMED(ARGB4444),
	NAMED(ABGR4444), NAMED(RGBA4444), NAMED(BGRA4444), NAMED(XRGB1555), NAMED(XBGR1555),
	NAMED(RGBX5551), NAMED(BGRX5551), NAMED(ARGB1555), NAMED(ABGR1555), NAMED(RGBA5551),
	NAMED(BGRA5551), NAMED(RGB565), NAMED(BGR565), NAMED(RGB888), NAMED(BGR888),
	NAMED(XRGB8888), NAMED(XBGR8888), NAMED(RGBX8888), NAMED(BGRX8888), NAMED(ARGB8888),
	NAMED(ABGR8888), NAMED(RGBA8888), NAMED(BGRA8888), NAMED(XRGB2101010), NAMED(XBGR2101010),
	NAMED(RGBX1010102), NAMED(BGRX1010102), NAMED(ARGB2101010), NAMED(ABGR2101010),
	NAMED(RGBA1010102), NAMED(BGRA1010102), NAMED(XRGB16161616F), NAMED(XBGR16161616F),
	NAMED(ARGB16161616F), NAMED(ABGR16161616F), NAMED(YUYV), NAMED(YVYU), NAMED(UYVY),
	NAMED(VYUY), NAMED(AYUV), NAMED(XYUV8888), NAMED(VUY888), NAMED(VUY101010), NAMED(Y210),
	NAMED(Y212), NAMED(Y216), NAMED(Y410), NAMED(Y412), NAMED(Y416), NAMED(XVYU2101010),
	NAMED(P010), NAMED(P012), NAMED(P016), NAMED(P210), NAMED(NV15), NAMED(NV12), NAMED(NV21),
	NAMED(NV16), NAMED(NV61), NAMED(NV24), NAMED(NV42), NAMED(YUV410), NAMED(YVU410), NAMED(YUV411), NAMED(YVU411), NAMED(YUV420),
	NAMED(YVU420), NAMED(YUV422), NAMED(YVU422), NAMED(YUV444), NAMED(YVU444),
};
/* clang-format on */

const struct format *format_find(uint32_t fourcc)
{
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
		if (formats[i].fourcc == fourcc)
			return &formats[i];
	return NULL;
}

const char *format_name(uint32_t fourcc, char name[16])
{
	char letters[5] = {0};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (names[i].fourcc == fourcc) {
			snprintf(name, 16, "%s", names[i].name);
			return name;
		}
	}
	for (unsigned int i = 0; i < 4; i++) {
		letters[i] = (char)(fourcc >> (8 * i));
		if (letters[i] <= ' ' || letters[i] > '~') {
			snprintf(name, 16, "0x%08x", fourcc);
			return name;
		}
	}
	snprintf(name, 16, "%s", letters);
	return name;
}

const char *modifier_name(uint64_t modifier, char name[64])
{
	_cleanup_free_ char *vendor = drmGetFormatModifierVendor(modifier);
	_cleanup_free_ char *known = drmGetFormatModifierName(modifier);

	/* LINEAR and INVALID are nobody's. */
	if (known && (!vendor || fourcc_mod_get_vendor(modifier) == DRM_FORMAT_MOD_VENDOR_NONE))
		snprintf(name, 64, "%s", known);
	else if (known)
		snprintf(name, 64, "%s_%s", vendor, known);
	else
		snprintf(name, 64, "0x%" PRIx64, modifier);
	return name;
}
