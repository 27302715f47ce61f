/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stage.h - what viewers of one display are being shown: the frame, its tiles, its cursor, and whose turn it is to touch them.
 *
 * One thread at a time: the capture thread, or who stands in for it while it waits for a driver (duty.c). Borrows the wall. A frame that was never published may be written freely; later writes need the
 * grant of frame/link.h. -EAGAIN means that the grant has been asked for and nothing was written: look again when stage_granted()
 * was called, or that new frames wait for the RFB program to take the last ones: look again when stage_taken() says so. A switch between picture and placard is a new frame, so that words never wait for a viewer.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "capture/view.h"
#include "plane/plane.h"

struct stage;
struct wall;

int stage_create(struct wall *wall, struct stage **ret);
void stage_destroy(struct stage *stage); /* takes NULL */
/* The RFB program is gone: the frame goes too. */
void stage_strike(struct stage *stage);

/* Asks for the grant before it is needed. True: it is there. */
bool stage_ask(struct stage *stage);
void stage_granted(struct stage *stage, uint32_t generation);
/* It says that it works on it. */
void stage_busy(struct stage *stage, uint32_t generation);
/* It has the frames up to this one. True: a picture or placard was waiting for that. */
bool stage_taken(struct stage *stage, uint32_t generation);
/* Milliseconds that the RFB program has left to answer; -1: nothing was asked. At 0 it is ended. */
int stage_patience(struct stage *stage, uint64_t now);
/* Nobody counted until now. */
void stage_patience_anew(struct stage *stage, uint64_t now);

/* Brings the frame up to date with @view. Number of changed blocks; -EAGAIN; -EFAULT (SIGBUS): nothing is published before a
 * picture or placard is whole; -ENOMEM. */
int stage_picture(struct stage *stage, const struct view *view);
/* Whether @view differs from the frame, by one row of eight, or fewer (damage/tiles.h), after a stage_picture() that was well: an enum tiles_doubt;
 * -EFAULT. */
int stage_probe(struct stage *stage, const struct view *view, bool sparse);
/* As stage_picture(), but where the last probe found it may be enough, if that said TILES_NEAR. */
int stage_picture_near(struct stage *stage, const struct view *view);
/* As stage_picture(), but only where little has changed lately, and if what is new there ends there (tiles_look_warm()): 0: nothing, or it does not, or there is
 * no whole picture yet. */
int stage_picture_warm(struct stage *stage, const struct view *view);
/* That would have found what the last look found (tiles_found_warm()). */
bool stage_found_warm(const struct stage *stage);
/* Nothing has changed for a while (tiles_rest()). */
void stage_rest(struct stage *stage);
/* @plane: of the cursor, NULL hides it. @view: its ARGB8888 pixels. 1: changed, 0: the same or no picture
 * to be on, -EAGAIN, -EFAULT, -ENOMEM. */
int stage_cursor(struct stage *stage, const struct plane *plane, const struct view *view);
/* Words instead of a picture, in the size of the last one. @passing: who comes may wait for the picture (FRAME_PASSING_WORDS). 1: changed, 0:
 * stands already, -EAGAIN. */
int stage_placard(struct stage *stage, bool passing, const char *title, const char *reason);
/* The same at once and in a size that costs little, whatever the last picture's. 1, 0, -EAGAIN, -ENOMEM. */
int stage_excuse(struct stage *stage, const char *title, const char *reason);
bool stage_shows_picture(const struct stage *stage);
/* When what is to be published was first looked at (base/measure.h); 0: not known. */
void stage_noticed(struct stage *stage, uint64_t ns);
/* Publishes what changed, for who watched when it was looked at (wall_audience()), and gives the grant back. 1: viewers see something new; 0: they may go on; -EAGAIN: nothing was sent,
 * the frame is not ours, or nothing whole is in it yet. */
int stage_publish(struct stage *stage, uint64_t audience);
