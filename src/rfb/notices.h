/* SPDX-License-Identifier: GPL-2.0-or-later */
/* notices.h - what one viewer is told beside pixels: sizes, the pointer's place, the cursor's shape, tidings (enum encoding_extra).
 *
 * The door's thread says what the viewer can and what it has asked for; the worker takes that and writes whole FramebufferUpdates
 * of its own between those of LibVNCServer, when the viewer has asked for an update. Its request stands: the pixels still come. What
 * is no FramebufferUpdate waits for no request (notices_speak()).
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <rfb/rfb.h>

#include "rfb/cursor.h"
#include "rfb/encodings.h"
#include "rfb/shape.h"
#include "rfb/tidings.h"

#define NOTICES_ANSWERS 16 /* that wait for one viewer; more are left out */

struct notices {
	pthread_mutex_t lock;
	struct {
		unsigned int extras;
		unsigned int dropped; /* at any time since the worker looked */
		bool layout;
		enum size_reason reason;
		uint8_t answers[NOTICES_ANSWERS], answer_count;
	} mail; /* under lock */
	struct tidings tidings;

	/* The worker's. */
	unsigned int extras;
	bool layout, resized, shape, pointer; /* are to be told */
	enum size_reason reason;
	uint8_t answers[NOTICES_ANSWERS], answer_count;
	bool pointed;
	uint16_t pointer_x, pointer_y; /* where it is, once `pointed` */
};

/* @name: the desktop's, as in ServerInit. */
void notices_init(struct notices *notices, const char *name);
void notices_finish(struct notices *notices);

/* Door's thread. */
void notices_extras(struct notices *notices, unsigned int extras);	 /* SetEncodings */
void notices_layout(struct notices *notices);				 /* a request was not incremental */
void notices_answer(struct notices *notices, enum size_status status); /* to SetDesktopSize */
void notices_reason(struct notices *notices, enum size_reason reason); /* of the size that the next frame has */

void notices_tell(struct notices *notices, const struct facts *facts); /* the newest */
void notices_deny(struct notices *notices);				 /* xvp: no */

/* Worker. Takes what has come; the rest of the functions see it. */
void notices_take(struct notices *notices);
/* Writes what needs no request, between two messages. False: the connection is gone. */
bool notices_speak(struct notices *notices, rfbClientPtr client);
bool notices_due(const struct notices *notices); /* for notices_write() */
void notices_resized(struct notices *notices);
void notices_reshaped(struct notices *notices);
/* Where the pointer is: told if that is news. */
void notices_point(struct notices *notices, uint16_t x, uint16_t y);
/* Writes all that is due. @cursor and @frame at rest. False: the connection is gone. */
bool notices_write(struct notices *notices, rfbClientPtr client, const struct cursor *cursor, const struct frame *frame);
