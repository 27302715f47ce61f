/* SPDX-License-Identifier: GPL-2.0-or-later */
/* aside.h - the worker's next message from its viewer: for LibVNCServer, or one of those that it must not hear of.
 *
 * Fences and continuous updates come in the viewer's own order with SetPixelFormat, SetEncodings and requests, through the same
 * socket: what came before has been done, and what comes after has not begun. A viewer may switch its pixel format at our
 * EndOfContinuousUpdates, or at the answer to its fence (rfbproto.rst, SyncNext), so nothing else would do.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <rfb/rfb.h>

#include "damage/rects.h"
#include "rfb/encodings.h"

/* Called from inside aside_next(), that is between two messages to the viewer: what they write with rfb/notices.h is whole. */
struct aside_hooks {
	/* A fence of the viewer's is to be answered now. @flags: to be answered as they are. @size: up to FENCE_PAYLOAD. */
	void (*fence)(void *arg, uint32_t flags, const uint8_t *payload, size_t size);
	/* The answer to a fence of ours, or what the viewer takes for one. */
	void (*pong)(void *arg, const uint8_t *payload, size_t size);
	/* @area: inside the screen that the door knows, which may be a newer one than the worker's; empty (width or height 0): none. */
	void (*continuous)(void *arg, bool on, const struct rect *area);
	/* LibVNCServer is about to read a request that is not incremental. @area: likewise. */
	void (*asked)(void *arg, const struct rect *area);
	/* LibVNCServer has read SetEncodings: its levels (tightCompressLevel, turboQualityLevel, turboSubsampLevel) are the viewer's wish. */
	void (*encodings)(void *arg);
};

struct aside {
	const struct aside_hooks *hooks; /* borrowed */
	void *arg;
	/* A fence with SyncNext: answered when the next message has come, right before that is done, with no update in between. */
	bool sync;
	uint32_t flags;
	uint8_t size, payload[FENCE_PAYLOAD];
	unsigned int answers; /* to fences, since the viewer's queue was last low */
};

/* What to poll the socket for. @low: is the viewer's queue? A viewer that asks for LIMIT_FENCES answers and does not take them is not heard
 * until it does, so that they do not pile up; that it has gone is. */
short aside_events(struct aside *aside, bool low);

/* When the socket is readable. The door sends whole messages that it has checked. */
void aside_next(struct aside *aside, rfbClientPtr client);
