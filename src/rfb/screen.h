/* SPDX-License-Identifier: GPL-2.0-or-later */
/* screen.h - one viewer's rfbScreenInfo: LibVNCServer's side of the world, tamed. */
#pragma once

#include <rfb/rfb.h>

#include "frame/frame.h"

/* Makes the template that all screens are cloned from, and the library's lazy globals. Once for the process. -ENOMEM. */
int screen_prepare(void);
#define SCREEN_NAME 127 /* bytes of a name that LibVNCServer's ServerInit has room for */

/* As much of @name, UTF-8, as there is room for: whole characters. */
void screen_name(char ret[SCREEN_NAME + 1], const char *name);
/* @name is borrowed until screen_finish(). After screen_prepare(). */
void screen_init(rfbScreenInfo *screen, const char *name);
void screen_finish(rfbScreenInfo *screen);
/* Geometry and pixels of @frame, borrowed. The pixel format never changes, so no client's translation does. */
void screen_show(rfbScreenInfo *screen, const struct frame *frame);
/* A socketpair with a client of LibVNCServer on one end, ready for messages. *ret_door: the other end, non-blocking, owned, with
 * ServerInit to be read. *ret_hangup: a dup of the library's end, owned, valid whatever the library does with its own. The client
 * is to be freed by rfbClientConnectionGone(), once. -EMFILE: no number below FD_SETSIZE is free; -ENOMEM, -EPROTO. */
int screen_connect(rfbScreenInfo *screen, rfbClientPtr *ret_client, int *ret_hangup, int *ret_door);
/* Static text for an encoding number, RFB 7.7. */
const char *screen_encoding(int number);
/* What @client is to be sent now: the encoding that it prefers, or Raw where LibVNCServer garbles that one in its pixel format. */
int screen_fit_encoding(const struct _rfbClientRec *client);
