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
/* Decodes what follows a rectangle's head, all of @size bytes, into @ret: XRGB8888 with X 0, @width pixels a row. TIGHT_VIEWER_JPEG:
 * *ret_jpeg is the picture's place in @bytes, *ret_jpeg_size its bytes. -EBADMSG. */
int tight_viewer_decode(struct tight_viewer *viewer, const uint8_t *bytes, size_t size,
	uint32_t width, uint32_t height, uint32_t *ret, const uint8_t **ret_jpeg,
	size_t *ret_jpeg_size);
