/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cursor.h - the guest's cursor plane as one viewer gets it: as a shape (RFB 7.8.1 Cursor, XCursor) or drawn into the picture.
 *
 * One worker's. No allocation.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <rfb/rfb.h>

#include "damage/rects.h"
#include "frame/frame.h"

/* The largest shape sent. LibVNCServer 0.9.14 builds it in its 32 KiB update buffer and breaks the stream above 88x88 at
 * 32 bits. What does not fit is drawn. */
#define CURSOR_SHAPE_SIDE 64

struct cursor {
	struct frame_cursor live; /* checked copy of the last cursor_look() */
	bool fits;		  /* as a shape */
	rfbCursor shape;	  /* never absent: nothing to show is 1x1, transparent */
	struct rect drawn;	  /* on the viewer's picture; width 0: nowhere */
	uint8_t source[CURSOR_SHAPE_SIDE * CURSOR_SHAPE_SIDE / 8];
	uint8_t mask[CURSOR_SHAPE_SIDE * CURSOR_SHAPE_SIDE / 8];
	uint32_t colours[CURSOR_SHAPE_SIDE * CURSOR_SHAPE_SIDE];
};

enum cursor_news { CURSOR_MOVED = 1, CURSOR_RESHAPED = 2 };

void cursor_init(struct cursor *cursor);
/* Reads the cursor of @frame, which must be at rest; what is out of range counts as hidden. Returns enum cursor_news. */
unsigned int cursor_look(struct cursor *cursor, const struct frame *frame);
/* Where the image lies on @frame, clipped to it; width 0: hidden or outside. */
struct rect cursor_place(const struct cursor *cursor, const struct frame *frame);
/* Blends the image into @frame, mapped writable_private, at cursor_place(). */
void cursor_draw(const struct cursor *cursor, struct frame *frame);
/* Gives the private pages under @area back: the shared picture shows again. -errno of madvise(2). */
int cursor_erase(struct frame *frame, const struct rect *area);
