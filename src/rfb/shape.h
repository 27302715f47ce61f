/* SPDX-License-Identifier: GPL-2.0-or-later */
/* shape.h - the cursor's image for viewers that draw it themselves: one rectangle of Cursor With Alpha, Cursor or XCursor, up to
 * FRAME_CURSOR_SIDE square.
 *
 * LibVNCServer 0.9.14 builds a shape in its 32 KiB buffer and breaks the stream above 88x88, and knows no alpha: it is not asked.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <rfb/rfb.h>

#include "frame/frame.h"

enum shape_kind { SHAPE_NONE, SHAPE_TWO_COLOURS, SHAPE_MASKED, SHAPE_ALPHA };

/* The best that a viewer with these extras (rfb/encodings.h) can draw. SHAPE_NONE: the cursor belongs into its picture. */
enum shape_kind shape_kind(unsigned int extras);
/* One rectangle to the client's update buffer. @cursor was checked by cursor_look(), @image is its pixels. Nothing to be seen is
 * 1x1, transparent: some viewers ignore 0x0. False: the connection is gone. */
bool shape_write(rfbClientPtr client, enum shape_kind kind, const struct frame_cursor *cursor, const uint32_t *image);
