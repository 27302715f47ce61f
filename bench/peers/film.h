/* SPDX-License-Identifier: GPL-2.0-or-later */
/* film.h - the viewer's decoder of Open H.264 rectangles (rfbproto.rst, "Open H.264 Encoding"), by FFmpeg's libavcodec. One film at a time,
 * which is all that vfio-displayd sends.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct viewer;

/* Was it built with libavcodec? */
bool film_there(void);
/* One rectangle, inside the picture. */
int film_decode(struct viewer *viewer, uint32_t x, uint32_t y, uint32_t width, uint32_t height);
void film_finish(struct viewer *viewer);
