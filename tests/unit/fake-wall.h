/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fake-wall.h - an RFB program that does what the test says: defines the functions of frame/wall.h that a display uses.
 *
 * Takes frames at once; grants when fake_wall_turn() is called, unless told not to. One at a time.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "frame/frame.h"

/* What viewers saw last. */
struct fake_seen {
	unsigned int publishes;
	uint32_t generation, width, height;
	uint64_t audience; /* the first is 1 */
	uint32_t placard; /* enum frame_placard */
	uint32_t pixel; /* the first */
	uint32_t last_pixel;
	bool damaged; /* pixels were told to be new */
	uint64_t noticed; /* measure_now() */
	struct frame_cursor cursor;
	uint32_t cursor_pixel;
};

void fake_wall_reset(void);
/* The main thread: as the RFB program's messages come. */
void fake_wall_watch(unsigned int watchers);
void fake_wall_resize(uint32_t width, uint32_t height);
void fake_wall_end_program(void);
void fake_wall_turn(void);
void fake_wall_grants(bool grants);
/* What the program has from an earlier broker. */
void fake_wall_before(uint32_t generation, uint32_t width, uint32_t height);

struct fake_seen fake_wall_seen(void);
#define FAKE_SEEN_KEPT 64u
struct fake_seen fake_wall_saw(unsigned int publish); /* after that one, from 1 on; of the last FAKE_SEEN_KEPT */
bool fake_wall_may_read(void); /* no grant is out or asked for */
bool fake_wall_asked(void);
bool fake_wall_closed(void);
void fake_wall_sizes(uint32_t *ret_width, uint32_t *ret_height);
