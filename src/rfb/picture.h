/* SPDX-License-Identifier: GPL-2.0-or-later */
/* picture.h - the frame on this side of the wall, shared by the main thread (the link) and the viewers' workers.
 *
 * Readers and the one writer (the broker): picture_begin() holds the picture at rest until picture_end(); when the broker wants to
 * write, no new reader starts and the last one out fires `idle`. Nobody waits inside: a worker that may not read now is woken
 * through its own eventfd by the next picture_published(), or when it is its turn among those that wait for a processor.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "damage/move.h"
#include "frame/frame.h"

struct picture;
struct film;
struct picture_reader;
struct rect;
struct studio;

/* @idle is called from a reader's or the main thread when picture_granted() would answer true. It must only wake the main
 * thread. -ENOMEM. */
int picture_create(void (*idle)(void *arg), void *arg, struct picture **ret);
void picture_destroy(struct picture *picture); /* no reader left; takes NULL */

/* Main thread. @fd: a frame's memfd, consumed in every case. Until its first publish nobody reads; a reader inside keeps the
 * old frame. What was wanted or granted for an older one is void. -EINVAL: it lies; -ENOMEM: the old frame stays. */
int picture_frame(struct picture *picture, int fd);
/* Asks; picture_granted() may be true at once, of which `idle` says nothing. */
void picture_want_write(struct picture *picture);
/* True once after each want_write, when no reader is inside: answer MAY_WRITE now. */
bool picture_granted(struct picture *picture, uint32_t *ret_generation);
/* @damaged, @audience: as in the message. Not damaged: the frame's bitmap is old, only the cursor changed or nothing. Of an audience that has
 * gone: nobody reads it, before the next. */
void picture_published(struct picture *picture, bool damaged, uint32_t audience);
/* The next publish has these moves, as in the message. Where they do not fit the frame there are none: all that they spare is damage. */
void picture_moves(struct picture *picture, const struct move *moves, size_t count);
/* The next publish is of a change that was first looked at then (base/measure.h). */
void picture_noticed(struct picture *picture, uint64_t ns);
bool picture_ready(struct picture *picture); /* a first publish of the current frame has come */
/* These are words that a picture is likely to follow soon (FRAME_PASSING_WORDS). */
bool picture_passes(struct picture *picture);
/* Somebody looks, as nobody did before: nobody reads before a publish for this audience. Returns its number. */
uint32_t picture_watched(struct picture *picture);
/* The last one's number; 0: nobody has ever looked. */
uint32_t picture_audience(struct picture *picture);
/* Nobody looks any more, so the broker stops looking too: what is here grows old, and nobody reads it before the next publish. */
void picture_unwatched(struct picture *picture);
/* Another broker is there: what was wanted or granted is void, and so is the frame. Nobody reads before the next one's first publish. */
void picture_resume(struct picture *picture);
/* The current frame or NULL, valid until the next picture_frame(): its geometry and its fd, not its pixels. */
const struct frame *picture_current(struct picture *picture);

/* Main thread, before the first reader: who encodes for more than one of them. @studio: borrowed, outlives them; NULL, as at first: nobody. */
void picture_hire(struct picture *picture, struct studio *studio);
struct studio *picture_studio(const struct picture *picture);
/* Likewise: what is told of each frame and publish, to find what moves like a film. */
void picture_hire_film(struct picture *picture, struct film *film);
struct film *picture_film(const struct picture *picture);

/* @wake: eventfd of the worker, borrowed. The new reader's damage is the whole frame. -ENOMEM. */
int picture_join(struct picture *picture, int wake, struct picture_reader **ret);
void picture_leave(struct picture *picture, struct picture_reader *reader); /* not inside; takes NULL */
uint32_t picture_behind(struct picture *picture, const struct picture_reader *reader); /* publishes since its last begin */

/* The broker waits for readers that are inside. */
bool picture_encoding(struct picture *picture);

/* Worker. NULL: the broker writes or is about to, nothing was published yet, or others come first; the worker is woken to try
 * again, and waits for its turn until it does or calls picture_pass(). Else the frame, at rest until picture_end(), and
 * in *ret_damage (may be NULL) the blocks changed since this reader's last picture_begin(), layout damage/tiles.h, valid until its
 * next one: the whole frame after a new generation. */
const struct frame *picture_begin(struct picture *picture, struct picture_reader *reader, const uint64_t **ret_damage);
/* The same for something that can wait, in a short time and without taking anybody's turn: true only if nothing was published since
 * the last begin and the frame can be had at once. */
bool picture_glimpse(struct picture *picture, struct picture_reader *reader);
/* Does not want to begin now: others need not wait for it. @listening: it will when something new is published, and is counted
 * with those that wait then. */
void picture_pass(struct picture *picture, struct picture_reader *reader, bool listening);
/* After picture_pass(): it rests until something new is published. */
void picture_rest(struct picture *picture, struct picture_reader *reader);
/* It does not rest any more, and finds by itself what it is to do. */
void picture_stir(struct picture *picture, struct picture_reader *reader);
/* Any thread, in place of its worker, whose viewer has asked for something: as picture_pass() with @listening. False: it does not rest, or is behind
 * already, and must be woken. */
bool picture_listen(struct picture *picture, struct picture_reader *reader);
void picture_end(struct picture *picture, struct picture_reader *reader);
/* Worker: does its viewer know CopyRect? At first: no. */
void picture_copies(struct picture *picture, struct picture_reader *reader, bool copies);
/* Worker, between picture_begin() and picture_end(): moves that its viewer is to make, in this order, before it is sent what begin's damage
 * covers: that is what is wrong then. <= LIMIT_MOVES_WAITING, none where the viewer does not know CopyRect. */
size_t picture_reader_moves(const struct picture_reader *reader, const struct move **ret);
/* Likewise: a rectangle outside of which nothing of begin's damage is new. Width 0: nothing is. */
struct rect picture_reader_within(const struct picture_reader *reader);
/* Worker, inside: the frame at rest, and the number of the publish that last changed anything in @rect (rfb/serials.h): of this frame or any
 * other that this picture had. */
const struct frame *picture_inside(const struct picture_reader *reader);
uint64_t picture_serial(const struct picture_reader *reader, const struct rect *rect);
/* Worker: when the oldest change of its last picture_begin() was first looked at; 0: not known, there was none, or it has been asked. */
uint64_t picture_take_noticed(struct picture_reader *reader);
