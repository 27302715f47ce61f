/* SPDX-License-Identifier: GPL-2.0-or-later */
/* update.h - what the worker writes itself, through the library's buffer, which is empty between the library's updates: so whole messages
 * come out in the order of the calls. False: the connection is gone.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>
#include <rfb/rfb.h>

struct outlet;

/* Where all of a client's bytes go, the library's too: its clientData. NULL: to its socket. */
#define UPDATE_HELD 4096
struct update_way {
	const struct outlet *outlet; /* borrowed; NULL: the socket */
	uint8_t *held;		     /* borrowed; NULL: nothing is held back */
	size_t held_used;
	bool called; /* rfbSendUpdateBuf() was, which is ours then */
};
/* Finds out whether the library's own bytes go that way. Once, before there are clients; until then nothing is held back. -ENOMEM. */
int update_learn(void);
/* From here on, what is put little by little waits in @held, of UPDATE_HELD bytes, for more. Not where the library's bytes go another way. */
void update_hold(rfbClientPtr client, uint8_t *held);
/* It goes out, and so does what comes. */
bool update_release(rfbClientPtr client);

/* Appends to the client's update buffer, which goes out when it is full. */
bool update_put(rfbClientPtr client, const void *data, size_t size);
/* A FramebufferUpdate with so many rectangles begins; a rectangle's head. */
bool update_put_head(rfbClientPtr client, unsigned int rects);
bool update_put_rect(rfbClientPtr client, uint16_t x, uint16_t y, uint16_t width, uint16_t height, uint32_t encoding);
/* Goes out at once, behind what was put before, without a copy; by @outlet, if not NULL. @count: at most UPDATE_PARTS. */
#define UPDATE_PARTS 256
bool update_put_parts(rfbClientPtr client, const struct outlet *outlet, const struct iovec *parts, size_t count);
/* The rest goes out. */
bool update_flush(rfbClientPtr client);
