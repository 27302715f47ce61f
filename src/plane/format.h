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
	uint8_t unit;  /* pixels that share bytes: 1, or 2 side by side; a row has whole units */
};

/* NULL: not supported. */
const struct format *format_find(uint32_t fourcc);
/* Of @pixels from a row's beginning on. */
static inline uint64_t format_row_bytes(const struct format *format, uint32_t pixels)
{
	return ((uint64_t)pixels + format->unit - 1) / format->unit * format->unit * format->bytes;
}
/* "XRGB8888", or the four characters, or "0x..." for what is no fourcc. @name has room for 16 bytes. Returns @name. */
const char *format_name(uint32_t fourcc, char name[16]);
/* libdrm's name with the vendor's before it, "INTEL_X_TILED"; "LINEAR"; "INVALID"; "0x..." for what libdrm does not know. @name
 * has room for 64 bytes, longer ones are cut off. Returns @name. Allocates: not for each frame. */
const char *modifier_name(uint64_t modifier, char name[64]);
