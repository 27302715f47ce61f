/* SPDX-License-Identifier: GPL-2.0-or-later */
/* continuous.h - EnableContinuousUpdates (rfbproto.rst) at one viewer: the worker's.
 *
 * With continuous updates a viewer has always asked, for an area. What it has asked for itself meanwhile, by requests that are not
 * incremental, is kept apart: that is still owed to it when continuous updates end before it was sent.
 */
#pragma once

#include <stdbool.h>
#include <rfb/rfb.h>

#include "damage/rects.h"

struct continuous {
	bool on;
	struct rect area;   /* may reach over the screen's edges */
	sraRegionPtr asked; /* owned: by the viewer itself, while on */
};

/* -ENOMEM. */
int continuous_init(struct continuous *continuous);
void continuous_finish(struct continuous *continuous);
/* The viewer's message. @area: empty: none. */
void continuous_switch(struct continuous *continuous, rfbClientPtr client, bool on, const struct rect *area);
/* Before an update: the viewer has asked for its area. */
void continuous_follow(struct continuous *continuous, rfbClientPtr client);
/* The viewer asks for all of @area, whether it has changed or not. */
void continuous_asked(struct continuous *continuous, const struct rect *area);
/* After an update. */
void continuous_sent(struct continuous *continuous, rfbClientPtr client);
