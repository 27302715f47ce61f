/* SPDX-License-Identifier: GPL-2.0-or-later */
/* canvas.h - what one viewer's screen shows and how it is sent: the viewer's own mapping of the frame, the cursor in it, what of it the
 * viewer has not got yet, or not exactly; LibVNCServer's screen and client.
 *
 * One worker's. canvas_follow(), canvas_draw() and canvas_refresh() need the frame at rest.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <rfb/rfb.h>

#include "base/limits.h"
#include "damage/move.h"
#include "rfb/cursor.h"
#include "rfb/film.h"
#include "rfb/quality.h"
#include "rfb/refresh.h"
#include "rfb/update.h"

struct notices;
struct outlet;
struct reader;
struct studio;

struct canvas {
	rfbScreenInfo screen;
	rfbClientPtr client;	 /* owned; its sock is negative after LibVNCServer has closed it */
	struct frame *frame;	 /* owned: a private mapping */
	struct notices *notices; /* borrowed */
	bool view_only;
	struct cursor cursor;
	struct refresh refresh;
	struct quality quality;
	struct move moves[LIMIT_MOVES_WAITING]; /* that the next update begins with */
	size_t move_count;
	struct studio *studio;	 /* borrowed; NULL: LibVNCServer encodes everything */
	const struct outlet *outlet; /* borrowed; NULL: none */
	struct update_way way;	     /* the client's */
	struct reader *reader; /* borrowed, the viewer's */
	struct film *film;	       /* borrowed; NULL: there is none */
	struct film_place place;       /* the viewer's in it */
	bool audience;		       /* can be sent one, and the film knows */
	bool filming;		       /* was sent one in the last update */
	bool anew;		       /* its decoder begins again */
	struct rect film_area;
	const struct shot *shots[FILM_BATCH]; /* held: that the next update begins with, after moves */
	size_t shot_count;
	uint32_t exact_cost; /* bytes for 1024 pixels without loss, lately */
};

/* @name, @notices: borrowed. canvas_finish() leaves the client to its owner. */
void canvas_init(struct canvas *canvas, const char *name, struct notices *notices, bool view_only);
void canvas_finish(struct canvas *canvas);
/* The first frame. -ENOMEM and errors of mmap(2). */
int canvas_show(struct canvas *canvas, const struct frame *shared);
/* Can the viewer make moves now? */
bool canvas_copies(const struct canvas *canvas);
/* Moves that come before what canvas_follow() is to be told, just before it. What the viewer had not got, or not exactly, goes along, and so do the
 * remains of a cursor that is drawn into its picture. They are the next update's first rectangles. */
void canvas_move(struct canvas *canvas, const struct move *moves, size_t count);
/* Everything that the frame has become. @damage: as from reader_begin(), and @within what of it is new. NULL, or static text: why the viewer must end. */
const char *canvas_follow(struct canvas *canvas, const struct frame *shared, const uint64_t *damage, const struct rect *within);
/* Has the viewer asked for something that is not at it? But for the damage that was not followed yet. */
bool canvas_wanted(const struct canvas *canvas);
/* Has it asked for anything? */
bool canvas_asked(const struct canvas *canvas);
/* It asks for what changes in @area; width 0: it does not. */
void canvas_ask(struct canvas *canvas, const struct rect *area);
/* Nothing would be wanted, now or later, whatever it asked for, before a publish or other news. */
bool canvas_still(struct canvas *canvas);
/* The encoding of the next update: static text. */
const char *canvas_encoding(const struct canvas *canvas);
/* One update: notices and pixels. Result as of canvas_follow(); the connection's end is no reason. */
const char *canvas_draw(struct canvas *canvas, uint64_t now);
/* When something that went out with loss may go again: as refresh_due(). */
uint64_t canvas_refresh_due(struct canvas *canvas, uint64_t now);
/* The viewer's decoder may have forgotten what it was sent. */
void canvas_forget_film(struct canvas *canvas);
/* An update of such areas alone, of about @bytes. False: there is none that the viewer has asked for. */
bool canvas_refresh(struct canvas *canvas, uint64_t now, uint64_t bytes, const char **ret_reason);
/* Bytes that have gone to the viewer; wraps. But for a message's head; LibVNCServer counts up to a sixth too much for Hextile. */
uint32_t canvas_bytes(const struct canvas *canvas);
