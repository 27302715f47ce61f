/* SPDX-License-Identifier: GPL-2.0-or-later */
/* head.h - what a viewer's next update begins with: moves, in their order, and then the film, which covers what they carry there.
 *
 *	empty --head_move(), spectator_take()--> waits --head_put(), head_send(), head_drop()--> empty
 *
 * One worker's. No allocation. It holds its spectator's shots. False is said of a connection that is gone.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <rfb/rfb.h>

#include "base/limits.h"
#include "damage/move.h"
#include "rfb/spectator.h"

struct head {
	struct move moves[LIMIT_MOVES_WAITING];
	size_t move_count;
	struct spectator spectator;
};

void head_move(struct head *head, const struct move *move); /* LIMIT_MOVES_WAITING at most */
bool head_waits(const struct head *head);		    /* is there anything? */
/* Begins an update of so many rectangles behind these, or of PRINTS_MANY in all. */
bool head_put(struct head *head, rfbClientPtr client, unsigned int rectangles);
bool head_send(struct head *head, rfbClientPtr client); /* an update of these alone, if there are any */
void head_drop(struct head *head);
