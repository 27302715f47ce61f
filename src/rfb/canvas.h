/* SPDX-License-Identifier: GPL-2.0-or-later */
/* canvas.h - what one viewer's screen shows and how it is sent: the viewer's own mapping of the frame, the cursor in it, what of it the
 * viewer has not got yet, or not exactly; LibVNCServer's screen and client.
 *
 * One worker's. Why the viewer must end is returned as static text. canvas_follow(), canvas_draw() and canvas_refresh() need the frame at rest.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <rfb/rfb.h>

#include "damage/move.h"
#include "rfb/cursor.h"
#include "rfb/head.h"
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
	struct head head; /* of the next update */
	struct studio *studio;	 /* borrowed; NULL: LibVNCServer encodes everything */
	const struct outlet *outlet; /* borrowed; NULL: none */
	struct update_way way;	     /* the client's */
	struct reader *reader; /* borrowed, the viewer's */
};

/* @name, @notices: borrowed. canvas_finish() leaves the client to its owner. */
void canvas_init(struct canvas *canvas, const char *name, struct notices *notices, bool view_only);
void canvas_finish(struct canvas *canvas);
int canvas_show(struct canvas *canvas, const struct frame *shared); /* the first frame; -ENOMEM and errors of mmap(2) */
/* Moves that come before what canvas_follow() is to be told, just before it. What the viewer had not got, or not exactly, goes along, and so do the
 * remains of a cursor that is drawn into its picture. They are the next update's first rectangles. */
void canvas_move(struct canvas *canvas, const struct move *moves, size_t count);
/* Everything that the frame has become. @damage: as from reader_begin(), and @within what of it is new. NULL, or static text: why the viewer must end. */
const char *canvas_follow(struct canvas *canvas, const struct frame *shared, const uint64_t *damage, const struct rect *within);
bool canvas_asked(const struct canvas *canvas);	 /* has the viewer asked for anything? */
bool canvas_wanted(const struct canvas *canvas); /* anything that is not at it, but for damage that was not followed yet? */
void canvas_ask(struct canvas *canvas, const struct rect *area); /* for what changes there; width 0: it does not */
bool canvas_still(struct canvas *canvas); /* nothing would be wanted, now or later, whatever it asked for, before a publish or other news */
const char *canvas_encoding(const struct canvas *canvas); /* of the next update: static text */
/* One update: notices and pixels. Result as of canvas_follow(); the connection's end is no reason. */
const char *canvas_draw(struct canvas *canvas, uint64_t now);
/* An update of such areas alone, of about @bytes. False: there is none that the viewer has asked for. */
bool canvas_refresh(struct canvas *canvas, uint64_t now, uint64_t bytes, const char **ret_reason);
uint32_t canvas_bytes(const struct canvas *canvas); /* gone to it, wraps; LibVNCServer counts up to a sixth too much for Hextile */
