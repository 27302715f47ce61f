/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rfb/ask.h"

void ask_init(struct ask *ask)
{
	*ask = (struct ask){0};
	pthread_mutex_init(&ask->lock, NULL);
}

void ask_finish(struct ask *ask)
{
	pthread_mutex_destroy(&ask->lock);
}

void ask_heard(struct ask *ask, uint64_t messages)
{
	atomic_store(&ask->heard, messages);
}

static bool covers(const struct rect *outer, const struct rect *inner)
{
	return inner->x >= outer->x && inner->y >= outer->y &&
	       inner->x + inner->width <= outer->x + outer->width &&
	       inner->y + inner->height <= outer->y + outer->height;
}

bool ask_leave(struct ask *ask, uint64_t before, const struct rect *area)
{
	bool left;

	if (!area->width || !area->height || atomic_load(&ask->heard) != before)
		return false;
	pthread_mutex_lock(&ask->lock);
	left = !ask->area.width || covers(area, &ask->area);
	if (left)
		ask->area = *area;
	pthread_mutex_unlock(&ask->lock);
	return left;
}

struct rect ask_take(struct ask *ask)
{
	struct rect area;

	pthread_mutex_lock(&ask->lock);
	area = ask->area;
	ask->area = (struct rect){0};
	pthread_mutex_unlock(&ask->lock);
	return area;
}
