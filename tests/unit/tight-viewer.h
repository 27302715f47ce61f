/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tight-viewer.h - a viewer's end of Tight, from rfbproto's text alone: strict, in that whatever is not used is refused. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <zlib.h>

struct tight_viewer {
	z_stream streams[4];
	unsigned int started; /* a bit for each stream */
};

enum { TIGHT_VIEWER_JPEG = 1 };

void tight_viewer_init(struct tight_viewer *viewer);
void tight_viewer_finish(struct tight_viewer *viewer);
/* Decodes what follows a rectangle's head into @ret: XRGB8888 with X 0, @width pixels a row. *ret_used: how many of @size bytes it
 * had. 0, TIGHT_VIEWER_JPEG, -EBADMSG. Where there is no libjpeg, JPEG leaves @ret alone. */
int tight_viewer_decode(struct tight_viewer *viewer, const uint8_t *bytes, size_t size,
	uint32_t width, uint32_t height, uint32_t *ret, size_t *ret_used);
