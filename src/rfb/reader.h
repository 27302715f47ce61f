/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reader.h - one viewer's place at the picture: when it may look, what has changed since it last did, and what it looks at.
 *
 * Nobody waits inside: a worker that may not begin now is woken through its own eventfd by the next picture_published(), or when it is
 * its turn among those that wait for a processor (rfb/turns.h).
 *
 *	joined --reader_begin(), reader_glimpse()--> inside --reader_end()--> joined
 *
 * A reader is its viewer's; the picture outlives it. Only reader_create() fails. Each function is the worker's but where it says otherwise.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "damage/move.h"
#include "frame/frame.h"

struct picture;
struct reader;

/* Main thread, both. @wake: eventfd of the worker, borrowed. The new reader's damage is the whole frame. -ENOMEM. */
int reader_create(struct picture *picture, int wake, struct reader **ret);
void reader_destroy(struct reader *reader); /* not inside; takes NULL */
uint32_t reader_behind(const struct reader *reader); /* any thread: publishes since its last begin */

/* NULL: the broker writes or is about to, nothing was published yet, or others come first; the worker is woken to try
 * again, and waits for its turn until it does or calls reader_pass(). Else the frame, at rest until reader_end(), and
 * in *ret_damage (may be NULL) the blocks changed since this reader's last reader_begin(), layout damage/tiles.h, valid until its
 * next one: the whole frame after a new generation. */
const struct frame *reader_begin(struct reader *reader, const uint64_t **ret_damage);
/* The same for something that can wait, in a short time and without taking anybody's turn: true only if nothing was published since
 * the last begin and the frame can be had at once. */
bool reader_glimpse(struct reader *reader);
void reader_end(struct reader *reader);

/* Does not want to begin now: others need not wait for it. @listening: it will when something new is published, and is counted
 * with those that wait then. */
void reader_pass(struct reader *reader, bool listening);
void reader_rest(struct reader *reader);  /* after reader_pass(): it rests until something new is published */
void reader_stir(struct reader *reader);  /* it does not any more, and finds by itself what it is to do */
/* Any thread, in place of its worker, whose viewer has asked for something: as reader_pass() with @listening. False: it does not rest, or is behind
 * already, and must be woken. */
bool reader_listen(struct reader *reader);

void reader_copies(struct reader *reader, bool copies); /* does its viewer know CopyRect? At first: no */
/* Inside by reader_begin(): moves that its viewer is to make, in this order, before it is sent what begin's damage covers: that is what is wrong
 * then. <= LIMIT_MOVES_WAITING, none where the viewer does not know CopyRect. */
size_t reader_moves(const struct reader *reader, const struct move **ret);
struct rect reader_within(const struct reader *reader); /* likewise: outside of it nothing of that damage is new; width 0: nothing is */
const struct frame *reader_frame(const struct reader *reader); /* inside: the frame at rest */
/* Inside: the number of the publish that last changed anything in @rect (rfb/serials.h), of this frame or any other of the picture's. */
uint64_t reader_serial(const struct reader *reader, const struct rect *rect);
/* When the oldest change of its last reader_begin() was first looked at; 0: not known, there was none, or it has been asked. */
uint64_t reader_take_noticed(struct reader *reader);
