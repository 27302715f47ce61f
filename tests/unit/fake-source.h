/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fake-source.h - a source of planes that follows a script, blocks where it is told to, and writes down what it was asked.
 *
 * It stands in for the real one: source_vfio_create() is defined here. One at a time. All of it may be used from any thread.
 */
#pragma once

#include <stdbool.h>

#include "plane/source.h"

enum fake_call {
	FAKE_PROBE,
	FAKE_QUERY,
	FAKE_QUERY_CURSOR,
	FAKE_BUFFER,
	FAKE_DESTROY,
	FAKE_ARM,
	FAKE_DISARM,
	FAKE_HEARD,
	FAKE_SIZE_LIMITS,
	FAKE_OFFER_SIZE,
	FAKE_LINK_UP,
	FAKE_CALLS,
};

/* A source that shows a picture of 320x240, all pixels 0x123456, without cursor, and refuses what is optional with -ENOTTY. */
void fake_source_reset(void);
void fake_source_result(enum fake_call call, int result); /* of each such call from now on */
void fake_source_plane(const struct plane *plane);	  /* what a query says, by plane->type */
struct plane fake_source_primary(void);
void fake_source_pixel(uint32_t pixel); /* fills the picture's memory with it */
/* A part of it, where it is as it was at the reset: 320x240. */
void fake_source_draw(unsigned int x, unsigned int y, unsigned int width, unsigned int height, uint32_t pixel);
void fake_source_truncate(bool truncate); /* all but 64 KiB is gone and raises SIGBUS; or is back, zero */
void fake_source_limits(uint32_t width, uint32_t height);

/* The next such call does not come back before fake_source_unblock(). */
void fake_source_block(enum fake_call call);
void fake_source_unblock(void);
bool fake_source_blocks(void); /* a call is there now */

unsigned int fake_source_calls(enum fake_call call);
/* The order of the calls is counted: 0: never called. */
unsigned int fake_source_last(enum fake_call call);
uint64_t fake_source_when(enum fake_call call); /* of the last one, in ms */
int fake_source_event(void);			/* what arm() was given, -EBADF: not armed */
uint64_t fake_source_heard(void);		/* the last count */
void fake_source_offered(uint32_t *ret_width, uint32_t *ret_height);
