/* SPDX-License-Identifier: GPL-2.0-or-later */
/* spectator.h - one viewer at a film (rfb/film.h): may it be sent one, what of it has it got, and the shots that its next update begins with.
 *
 *	not in the audience <--spectator_follow()--> in it --spectator_take()--> holds shots --spectator_drop()--> in it
 *
 * One worker's. No allocation, no errors: who gets no shots is sent pixels. It holds its shots until they are dropped.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <rfb/rfb.h>

#include "rfb/film.h"

struct reader;

struct spectator {
	struct film *film;	 /* borrowed; NULL: there is none */
	struct film_place place; /* the viewer's in it */
	bool audience;		 /* can be sent one, and the film knows */
	bool filming;		 /* was sent one in the last update */
	bool anew;		 /* its decoder begins again */
	struct rect area;
	const struct shot *shots[FILM_BATCH]; /* held */
	size_t shot_count;
};

void spectator_finish(struct spectator *spectator); /* holds no shots */
/* The viewer's decoder may have forgotten what it was sent. */
void spectator_forget(struct spectator *spectator);
/* Before each update. @extras: what the viewer can (rfb/encodings.h). Is it in the audience? */
bool spectator_follow(struct spectator *spectator, const struct _rfbClientRec *client, unsigned int extras);
/* Inside the picture, of the audience. True: it holds shots, after which the viewer's picture of `area` is what they have made of the frame. */
bool spectator_take(struct spectator *spectator, const struct reader *reader, unsigned int step, uint64_t now_ns);
/* The shots as rectangles of an update. False: the connection is gone. */
bool spectator_put(const struct spectator *spectator, rfbClientPtr client);
void spectator_drop(struct spectator *spectator); /* them, if there are any */
