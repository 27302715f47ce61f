/* SPDX-License-Identifier: GPL-2.0-or-later */
/* shots.h - one viewer's update out of the film (rfb/film.h): Open H.264 rectangles (rfbproto.rst, "Open H.264 Encoding"). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <rfb/rfb.h>

#include "damage/rects.h"

struct shot;

#define SHOTS_RESET	1u /* flags: the decoder of this rectangle begins again ... */
#define SHOTS_RESET_ALL 2u /* ... and all others are not needed any more */

/* @count rectangles into an update that has begun, @count shots of @area. @anew: as from film_take(). False: the connection is gone. */
bool shots_put(rfbClientPtr client, const struct rect *area, const struct shot *const *shots,
	size_t count, bool anew);
