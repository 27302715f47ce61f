/* SPDX-License-Identifier: GPL-2.0-or-later */
/* picture.h - the frame on this side of the wall, shared by the main thread (the link) and the viewers' workers.
 *
 * Here is the side of the one writer, the broker. Readers (rfb/reader.h) hold the picture at rest while they are inside; when the broker
 * wants to write, no new one begins and the last one out fires `idle`. Its states are in picture.c. It owns its frames.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "damage/move.h"
#include "frame/frame.h"

struct picture;
struct film;
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

bool picture_encoding(struct picture *picture); /* the broker waits for readers that are inside */
