/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cursor.h - the guest's cursor plane as one viewer gets it: drawn into the picture, or kept out of it when the viewer draws a shape
 * (rfb/shape.h) itself.
 *
 * One worker's. No allocation, but for regions.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <rfb/rfb.h>
#include <rfb/rfbregion.h>

#include "damage/move.h"
#include "damage/rects.h"
#include "frame/frame.h"

struct cursor {
	struct frame_cursor live; /* checked copy of the last cursor_look(): width and height are right where it is visible */
	struct rect drawn;	  /* on the viewer's picture; width 0: nowhere */
};

enum cursor_news { CURSOR_MOVED = 1, CURSOR_RESHAPED = 2 };

/* Reads the cursor of @frame, which must be at rest; what is out of range counts as hidden, a hot spot outside the image as 0, 0. Returns
 * enum cursor_news. A move alone is no new shape. */
unsigned int cursor_look(struct cursor *cursor, const struct frame *frame);
/* Where the image lies on @frame, clipped to it; width 0: hidden or outside. */
struct rect cursor_place(const struct cursor *cursor, const struct frame *frame);
/* Where its hot spot is, moved into @frame. */
void cursor_point(const struct cursor *cursor, const struct frame *frame, uint16_t *ret_x, uint16_t *ret_y);
/* Blends the image into @frame, mapped writable_private, at cursor_place(). */
void cursor_draw(const struct cursor *cursor, struct frame *frame);
/* Gives the private pages under @area back: the shared picture shows again. -errno of madvise(2). */
int cursor_erase(struct frame *frame, const struct rect *area);
/* A viewer makes these moves in its picture: copies of a cursor that is drawn in, and what is left of it, are modified then. */
void cursor_moved(const struct cursor *cursor, sraRegionPtr modified, const struct move *moves, size_t count);
