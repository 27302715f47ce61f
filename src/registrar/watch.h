/* SPDX-License-Identifier: GPL-2.0-or-later */
/* watch.h - the daemon's displays, kept in a catalogue by its events (Subscribe).
 *
 * A daemon that is away for as long as its records may outlive it leaves an empty catalogue; one that restarts sooner changes nothing.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct catalogue;
struct settings;
struct varlink_client;

struct watch {
	const struct settings *settings;
	struct catalogue *catalogue;
	struct varlink_client *client; /* NULL: not connected */
	json_t *gathered;	       /* until "ready": id and what was told of it; NULL: the catalogue is true */
	bool told;		       /* that it is away */
	uint64_t due;		       /* when it is tried again, or given up waiting for "ready" */
	uint64_t away_since;	       /* UINT64_MAX: it is there */
};

void watch_init(struct watch *watch, const struct settings *settings, struct catalogue *catalogue);
void watch_finish(struct watch *watch);
/* For poll; -1: none. What comes there wants a turn. */
int watch_fd(const struct watch *watch);
/* In milliseconds of loop_now_ms(), when it wants its turn anyway. */
uint64_t watch_due(const struct watch *watch);
/* Takes what has come, connects where it is time to. */
void watch_turn(struct watch *watch);
