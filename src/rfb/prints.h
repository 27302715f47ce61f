/* SPDX-License-Identifier: GPL-2.0-or-later */
/* prints.h - one viewer's update out of the studio: which of its region is there, which is to be made, and the message. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <rfb/rfb.h>
#include <rfb/rfbregion.h>

#include "frame/frame.h"
#include "rfb/mosaic.h"

struct outlet;
struct reader;
struct studio;

#define PRINTS_MANY 0xffff /* rectangles: LastRect ends them */

struct prints_order {
	struct studio *studio;
	const struct reader *reader; /* inside */
	const struct frame
		*own; /* the viewer's mapping of the same frame, with a cursor in it ... */
	const struct rect *drawn; /* ... here; width 0: nowhere */
	struct tight_wish wish; /* settled */
	/* Puts the head of an update of so many rectangles, or PRINTS_MANY; others may come first. False: the connection is gone. */
	bool (*head)(void *arg, unsigned int rectangles);
	void *head_arg;
	const struct outlet *outlet; /* NULL: none */
	/* What was sent. @lossy: a part of it that is not exact; width 0: none. */
	void (*sent)(void *arg, const struct rect *rect, const struct rect *lossy);
	void *arg;
};

/* Can @client take what a studio makes? It prefers Tight, and its pixels have 8 bits for each colour. */
bool prints_fit(const struct _rfbClientRec *client);
/* Sends what @region, not empty, shows. 0, too, when the connection is gone; -ENOMEM. */
int prints_send(const struct prints_order *order, rfbClientPtr client, sraRegionPtr region);
