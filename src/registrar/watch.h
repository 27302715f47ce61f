/* SPDX-License-Identifier: GPL-2.0-or-later */
/* watch.h - the daemon's displays, kept in a catalogue: List, and Subscribe to know when to ask again.
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
	struct varlink_client *calls;  /* NULL: not connected */
	struct varlink_client *events; /* NULL: the daemon has no Subscribe, List is asked by a timer */
	json_t *changed;	       /* ids of displays to ask about: keys */
	bool all;		       /* ask about all */
	bool told;		       /* that it is away */
	uint64_t list_due;	       /* when all are asked about anyway */
	uint64_t next;		       /* not before this: a retry, or events that are gathered */
	uint64_t away_since;	       /* UINT64_MAX: it is there */
};

int watch_init(struct watch *watch, const struct settings *settings, struct catalogue *catalogue);
void watch_finish(struct watch *watch);
/* For poll; -1: none. What comes there wants a turn. */
int watch_fd(const struct watch *watch);
/* In milliseconds of loop_now_ms(), when it wants its turn anyway. */
uint64_t watch_due(const struct watch *watch);
/* Does what is due; blocks for LIMIT_REGISTRAR_CALL_MS where the daemon does not answer. */
void watch_turn(struct watch *watch);
