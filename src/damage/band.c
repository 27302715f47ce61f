/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "damage/band.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "capture/stream.h"
#include "damage/hash.h"
#include "plane/tiling.h"

static uint32_t rows_of(const struct view *view)
{
	return view->tiling ? MAX((uint32_t)view->tiling->height, (uint32_t)HASH_ROWS) : HASH_ROWS;
}

/* Bytes from row to row. */
static uint32_t stride_of(const struct view *view)
{
	return view->tiling ? view->stride
			    : (uint32_t)ALIGN_UP(view_row_bytes(view, view->width), 64u);
}

int band_make_room(struct band *band, const struct view *view)
{
	size_t room = (size_t)rows_of(view) * stride_of(view);

	if (room <= band->room)
		return 0;
	band_finish(band);
	band->bytes = aligned_alloc(64, ALIGN_UP(room, (size_t)64));
	if (!band->bytes)
		return -ENOMEM;
	band->room = room;
	return 0;
}

void band_finish(struct band *band)
{
	free(band->bytes);
	*band = (struct band){0};
}

uint32_t band_row(const struct band *band, uint32_t y)
{
	return y % band->rows;
}

/* Rows of tiles are whole as far as they can be read (capture.c). */
static void copy_tiles(struct band *band, const struct view *view, uint32_t y)
{
	uint32_t end = ALIGN_UP(view->rows_readable, (uint32_t)view->tiling->height);
	size_t rows = MIN(band->rows, end - y);

	stream_copy(band->bytes, view->pixels + (size_t)y * view->stride, rows * view->stride);
}

const struct view *band_fill(
	struct band *band, const struct view *view, uint32_t y, unsigned int rows)
{
	const uint8_t *from = view->pixels + (size_t)y * view->stride;

	band->rows = rows_of(view);
	if (band_row(band, y) > 0)
		return &band->view; /* came with the rows above */
	band->view = *view;
	band->view.pixels = band->bytes;
	band->view.stride = stride_of(view);
	if (view->tiling) {
		copy_tiles(band, view, y);
		return &band->view;
	}
	for (unsigned int i = 0; i < rows; i++)
		stream_copy(band->bytes + i * (size_t)band->view.stride,
			from + i * (size_t)view->stride, view_row_bytes(view, view->width));
	return &band->view;
}
