/* SPDX-License-Identifier: GPL-2.0-or-later */
/* film.h - the one part of a display's picture that moves like a film (rfb/motion.h), encoded as such, once for all its viewers that
 * know H.264.
 *
 * A film is a row of shots, pictures of which each needs the one before, but for keys. Whoever wants a shot that is not there makes it, and
 * others wait for that. A viewer is sent every shot or begins again at a key: one that comes in the middle, or has missed too many.
 * Shots are kept in memory of fixed size (rfb/spool.h). As long as the area stays the same, it is one reel; nothing of one is of any use for another.
 *
 * What has rested for a second is no film any more, but a picture.
 *
 * It is one film for all, so its quality is what the fastest of those who are sent it can take: of the steps down (rfb/quality.h) that they want, the
 * least of the last second.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "damage/rects.h"

#define FILM_BATCH 12 /* shots that a viewer may be behind; of more it is sent none */

struct film;
struct shot;

/* How far one viewer is. All zero: has nothing. */
struct film_place {
	uint32_t reel;	  /* 0: of none */
	uint64_t shot;	  /* the last that it was sent */
	uint64_t serial;  /* which showed this */
	uint64_t back_ns; /* was too slow: gets none before then */
	unsigned int falls;
};

struct film_want {
	uint32_t reel;
	uint64_t serial; /* of the reel's area: reader_serial() */
	const uint32_t *pixels; /* of the whole frame, at rest until film_take() returns */
	size_t stride;		/* pixels */
	uint64_t now;		/* CLOCK_MONOTONIC, ns */
	unsigned int step;	/* quality: steps down that the viewer's line wants, at most H264_STEPS */
};

/* @filled: there is something to be tidied now, when there was nothing; from any thread. May be NULL. -ENOMEM. */
int film_create(void (*filled)(void *arg), void *arg, struct film **ret);
void film_destroy(struct film *film); /* no shot is held; takes NULL */
/* Off, there is none and none begins. At first: on, if h264_there(). */
void film_switch(struct film *film, bool on);
/* One viewer more that can be sent a film, or one less. While there is none nobody looks for motion, and there is no film. */
void film_audience(struct film *film, bool more);

/* Another frame. Without memory there is no film until the next one. */
void film_frame(struct film *film, uint32_t width, uint32_t height, uint32_t generation);
/* A publish in that frame: @bitmap, layout damage/tiles.h, changed. */
void film_published(struct film *film, const uint64_t *bitmap, uint64_t now);

/* Worker: the film in the frame of that generation. False: there is none. */
bool film_showing(struct film *film, uint32_t generation, struct rect *ret_area, uint32_t *ret_reel);
/* Worker: the shots, the oldest first, that bring the viewer at @place, which is moved on, to what @want says: at most FILM_BATCH, held until
 * film_drop(). 0: it has that already, or it gets none this time and is to be sent pixels. *ret_anew: its decoder begins again. */
size_t film_take(struct film *film, const struct film_want *want, struct film_place *place,
	const struct shot *ret[FILM_BATCH], bool *ret_anew);
void film_drop(struct film *film, const struct shot *const *shots, size_t count);

/* Gives back what no shot was made with since the last call, for somebody who calls now and then. False: nothing is left. */
bool film_tidy(struct film *film);

struct film_counts {
	uint64_t made, sent; /* shots: encoded; taken, each time */
	uint64_t late;	     /* viewers that fell behind, each time */
};
struct film_counts film_counts(struct film *film);
