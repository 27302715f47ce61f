/* SPDX-License-Identifier: GPL-2.0-or-later */
/* questions.h - CHECKs (frame/link.h) without a VERDICT, to be asked of the next broker when this one ends. They hold passwords. */
#pragma once

#include <stddef.h>

#include "frame/link.h"

struct questions {
	size_t used;
	struct link_message
		*at; /* owned, LIMIT_KNOCKING: one for each who knocks; NULL while there are none */
};

/* In place of an earlier one of the same viewer. -EAGAIN: there is no room; -ENOMEM. */
int questions_note(struct questions *questions, const struct link_message *check);
/* It has been answered, or nobody wants to know any more. Harmless where there was none. */
void questions_forget(struct questions *questions, uint32_t viewer);
/* Forgets all. */
void questions_finish(struct questions *questions);
