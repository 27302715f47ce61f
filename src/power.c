/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "power.h"

#include <errno.h>

#include "base/mem.h"

struct power_listener {
	TAILQ_ENTRY(power_listener) link; /* power::listeners */
	display_power_fn fn;
	void *arg;
};

void power_init(struct power *power)
{
	TAILQ_INIT(&power->listeners);
}

void power_finish(struct power *power)
{
	struct power_listener *listener;

	while ((listener = TAILQ_FIRST(&power->listeners))) {
		TAILQ_REMOVE(&power->listeners, listener, link);
		free(listener);
	}
}

int power_add(struct power *power, display_power_fn fn, void *arg)
{
	struct power_listener *listener = new0(struct power_listener);

	if (!listener)
		return -ENOMEM;
	listener->fn = fn;
	listener->arg = arg;
	TAILQ_INSERT_TAIL(&power->listeners, listener, link);
	return 0;
}

void power_remove(struct power *power, display_power_fn fn, void *arg)
{
	struct power_listener *listener;

	TAILQ_FOREACH (listener, &power->listeners, link) {
		if (listener->fn != fn || listener->arg != arg)
			continue;
		TAILQ_REMOVE(&power->listeners, listener, link);
		free(listener);
		return;
	}
}

bool power_heard(const struct power *power)
{
	return !TAILQ_EMPTY(&power->listeners);
}

bool power_tell(const struct power *power, enum display_power action, const char *viewer)
{
	const struct power_listener *listener;

	TAILQ_FOREACH (listener, &power->listeners, link)
		listener->fn(listener->arg, action, viewer);
	return power_heard(power);
}
