/* SPDX-License-Identifier: GPL-2.0-or-later */
/* news.h - what stores to the frame have made of it, to the pixel, as long as that is little. Private to src/damage/. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "damage/rects.h"

struct news {
	struct rect around; /* all that is new; width 0: nothing yet */
	uint32_t pixels;    /* that were compared */
	bool unknown;
};

/* What is about to be stored. */
struct news_part {
	const uint8_t *frame; /* its first pixel there, XRGB8888 */
	size_t stride;	      /* bytes */
	struct rect where;
	uint8_t *room; /* idle until news_end() */
	size_t room_stride;
};

/* Before the store: keeps what is there. False: it does not fit, or there was too much already. Until news_end() nothing is known, for the store
 * may be left half way. */
bool news_begin(struct news *news, const struct news_part *part);
/* After it. */
void news_end(struct news *news, const struct news_part *part);
