/* SPDX-License-Identifier: GPL-2.0-or-later */
/* convert.h - rows of every supported format to XRGB8888 with X = 0. Scalar twins and SIMD, chosen once at run time. */
#pragma once

#include <stdint.h>

#include "capture/view.h"

/* NULL: no such format. The fastest that this CPU has. */
convert_fn convert_find(uint32_t fourcc);
/* The scalar twin; a test holds the two equal. */
convert_fn convert_find_scalar(uint32_t fourcc);

/* YUV is BT.709 in the limited range, luma 16..235 and colour 16..240: what i915 means by default for every plane (its
 * drm_plane_create_color_properties() call), and VFIO's plane information has no field to say otherwise. Factors of
 * 1 / 2^CONVERT_YUV_BITS, from Kr = 0.2126 and Kb = 0.0722; they fit 16 bits, so both twins calculate alike. */
#define CONVERT_YUV_BITS 13
#define CONVERT_YUV_HALF (1 << (CONVERT_YUV_BITS - 1))
#define CONVERT_YUV_Y	 9539  /* 255 / 219 */
#define CONVERT_YUV_RV	 14686 /* 2 (1 - Kr) 255 / 224 */
#define CONVERT_YUV_GU	 -1747 /* -2 Kb (1 - Kb) / Kg 255 / 224 */
#define CONVERT_YUV_GV	 -4366 /* -2 Kr (1 - Kr) / Kg 255 / 224 */
#define CONVERT_YUV_BU	 17305 /* 2 (1 - Kb) 255 / 224 */
