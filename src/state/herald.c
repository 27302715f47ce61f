/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "state/herald.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "base/log.h"
#include "base/mem.h"

enum { RETRY_MS = 100 };

void herald_init(struct herald *herald)
{
	uint64_t watchdog_us = 0;
	int r;

	*herald = (struct herald){0};
	r = messenger_init(&herald->messenger);
	if (r < 0)
		log_warn(NULL, "cannot tell systemd anything: %s", strerror(-r));
	if (sd_watchdog_enabled(0, &watchdog_us) > 0)
		herald->watchdog_ms = MAX(watchdog_us / 1000, (uint64_t)3);
}

void herald_finish(struct herald *herald)
{
	messenger_finish(&herald->messenger);
}

/* False: not now. */
static bool say(struct herald *herald, const char *text)
{
	int r = messenger_send(&herald->messenger, text, strlen(text), -EBADF);

	return r != -EAGAIN && r != -ENOBUFS;
}

static void say_what_waits(struct herald *herald)
{
	if (herald->state[0] && say(herald, herald->state))
		herald->state[0] = '\0';
	/* One after the other: a queue that is full has room for neither. */
	if (!herald->state[0] && herald->status[0] && say(herald, herald->status))
		herald->status[0] = '\0';
}

static void become(struct herald *herald, const char *state)
{
	snprintf(herald->state, sizeof(herald->state), "%s", state);
	say_what_waits(herald);
}

void herald_ready(struct herald *herald)
{
	become(herald, "READY=1");
}

void herald_stopping(struct herald *herald)
{
	become(herald, "STOPPING=1");
}

void herald_status(struct herald *herald, const char *format, ...)
{
	static const char key[] = "STATUS=";
	va_list args;

	memcpy(herald->status, key, sizeof(key));
	va_start(args, format);
	vsnprintf(herald->status + sizeof(key) - 1, sizeof(herald->status) - sizeof(key) + 1,
		format, args);
	va_end(args);
	say_what_waits(herald);
}

void herald_turn(struct herald *herald)
{
	say_what_waits(herald);
	/* Not kept where it cannot be said: the next one comes. */
	if (herald->watchdog_ms)
		say(herald, "WATCHDOG=1");
}

uint64_t herald_rest(const struct herald *herald)
{
	uint64_t rest = herald->watchdog_ms ? herald->watchdog_ms / 3 : UINT64_MAX;

	return herald->state[0] || herald->status[0] ? MIN(rest, (uint64_t)RETRY_MS) : rest;
}
