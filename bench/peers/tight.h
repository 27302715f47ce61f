/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tight.h - the viewer's decoder of Tight rectangles, and what it reads with. */
#pragma once

#include "peers/viewer.h"

/* Exactly @size bytes; -ECONNRESET at the end. */
int viewer_read(struct viewer *viewer, void *data, size_t size);
/* Room for @size bytes at scratch + @at; what was there may be gone. */
int viewer_room(struct viewer *viewer, size_t size);

/* One rectangle, inside the picture. */
int tight_decode(struct viewer *viewer, uint32_t x, uint32_t y, uint32_t width, uint32_t height);
void tight_finish(struct viewer *viewer);
