/* SPDX-License-Identifier: GPL-2.0-or-later */
/* door_events.h - whom the door asks and tells (rfb/door.h): the broker's side of it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "frame/link.h"

/* Called from the loop. */
struct door_events {
	void (*added)(void *arg, uint32_t viewer, enum link_mode mode, const char *peer);
	void (*gone)(void *arg, uint32_t viewer, enum link_mode mode, const char *peer,
		const char *reason);
	/* False: not now, it is offered again. */
	bool (*state)(void *arg, uint32_t viewer, uint32_t behind, uint64_t bytes,
		const char *encoding);
	void (*wish)(void *arg, uint32_t viewer, uint32_t width, uint32_t height); /* it asks for that size */
	/* It wishes for a shutdown, reboot or reset. False: not now. */
	bool (*power)(void *arg, uint32_t viewer, enum link_power action);
	/* LINK_INPUT. False: not now; door_type() when it may go. */
	bool (*input)(void *arg, const struct link_message *message);
	int (*check)(void *arg, const struct link_message *check); /* -EAGAIN: not now; else door_verdict() answers */
	void (*unasked)(void *arg, uint32_t viewer); /* it left without having come in: what it asked by `check`, if at all, is of no interest */
	void (*watch)(void *arg, uint32_t count); /* viewers that want pictures */
	bool (*congested)(void *arg);		  /* nobody may be admitted now */
	void (*idle)(void *arg);		  /* nobody for the grace time; accepting rests for a while */
	void (*stopped)(void *arg);		  /* after door_stop(): everybody is gone */
};
