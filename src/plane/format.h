/* SPDX-License-Identifier: GPL-2.0-or-later */
/* format.h - the pixel formats that can be shown.
 *
 * A fourcc names byte order in memory, little endian (drm_fourcc.h): XRGB8888 is B,G,R,X.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct format {
	uint32_t fourcc;
	uint8_t bytes; /* for each pixel */
};

/* NULL: not supported. */
const struct format *format_find(uint32_t fourcc);
/* "XRGB8888", or the four characters, or "0x..." for what is no fourcc. @name has room for 16 bytes. Returns @name. */
const char *format_name(uint32_t fourcc, char name[16]);
/* libdrm's name with the vendor's before it, "INTEL_X_TILED"; "LINEAR"; "INVALID"; "0x..." for what libdrm does not know. @name
 * has room for 64 bytes, longer ones are cut off. Returns @name. Allocates: not for each frame. */
const char *modifier_name(uint64_t modifier, char name[64]);
