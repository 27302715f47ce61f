/* SPDX-License-Identifier: GPL-2.0-or-later */
/* times.h - what the broker is told of encoding (LINK_TIMES): how often, how long, and how much of it was for more than one viewer. */
#pragma once

#include "rfb/film.h"
#include "rfb/studio.h"

struct tidy;

/* What it has been told so far. At first zeroed; owns nothing. */
struct times {
	struct studio_counts studio;
	struct film_counts film;
};

/* Says what has happened since the last time, if anything was encoded. What cannot be sent to @link now is for the next time. */
void times_say(struct times *times, const struct tidy *tidy, int link);
