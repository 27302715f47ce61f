/* SPDX-License-Identifier: GPL-2.0-or-later */
/* band.h - some rows of a source that is slow to read, copied to memory that stays in L2. Private to src/damage/.
 *
 * A look hashes, and what has changed it reads again. Here that is done with the copy, and each byte of the source is read once. A tiled
 * source is copied by whole rows of tiles, as they lie.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "capture/view.h"

struct band {
	uint8_t *bytes; /* owned, NULL: never needed */
	size_t room;
	uint32_t rows;	  /* of the source, at a time */
	struct view view; /* of the copy */
};

/* For any rows of @view. -ENOMEM. */
int band_make_room(struct band *band, const struct view *view);
void band_finish(struct band *band);
/* A view in which rows @y and on, @rows of them, are rows band_row() and on. @y is a multiple of 16, and grows from call to call of one look,
 * beginning at 0. Valid until the next call. */
const struct view *band_fill(
	struct band *band, const struct view *view, uint32_t y, unsigned int rows);
uint32_t band_row(const struct band *band, uint32_t y);
