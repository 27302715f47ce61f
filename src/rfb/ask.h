/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ask.h - a viewer's request for what is new, left by the door for its worker, which takes it when it wakes up for another reason. Any thread. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "damage/rects.h"

struct ask {
	pthread_mutex_t lock;
	struct rect area; /* width 0: nothing is left; under lock */
	_Atomic uint64_t heard; /* messages that the worker has done with */
};

void ask_init(struct ask *ask);
void ask_finish(struct ask *ask);
/* The worker has done with so many messages. */
void ask_heard(struct ask *ask, uint64_t messages);
/* Behind @before messages. False: not all of those are done with, @area is empty, or something else is left that it does not cover. */
bool ask_leave(struct ask *ask, uint64_t before, const struct rect *area);
/* What was left; width 0: nothing. */
struct rect ask_take(struct ask *ask);
