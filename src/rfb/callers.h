/* SPDX-License-Identifier: GPL-2.0-or-later */
/* callers.h - everybody whom the door has accepted, the oldest first: how many they are, and who among them is meant.
 *
 *	callers_add(): knocks --callers_joined()--> a viewer, until callers_remove(), or callers_remove() before that
 *
 * Owns the callers that are on the list. What ends a caller may take it off the list before it returns, and no other. One loop's thread.
 * Nothing here fails.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "frame/link.h"
#include "rfb/entry.h"

struct callers {
	TAILQ_HEAD(, caller_entry) all;
	unsigned int knocking, viewers; /* without and with entry::joined */
	uint32_t typed;			/* the viewer whose turn it was last */
};

void callers_init(struct callers *callers);
void callers_finish(struct callers *callers); /* destroys them all, without a word */
void callers_add(struct callers *callers, struct caller_entry *entry);
void callers_joined(struct callers *callers, struct caller_entry *entry);
void callers_remove(struct callers *callers, struct caller_entry *entry);
/* Where LIMIT_KNOCKING do, one of those who knock is ended. */
void callers_make_room(struct callers *callers);
/* Whose connection is open; NULL: nobody. */
struct caller_entry *callers_find(const struct callers *callers, uint32_t number);
/* @fn may end its caller. */
void callers_each(struct callers *callers, void (*fn)(struct caller *caller));
/* The highest rank of viewers whose connection is open (rfb/sharing.h). */
int callers_rank(const struct callers *callers);
/* All viewers' connections are closed now. */
void callers_end(struct callers *callers, const char *reason);
/* Passes on what was typed, of all by turns, as much as there is or as goes. */
void callers_type(struct callers *callers);
/* Calls @fn for each viewer of which something has changed since that last returned true. Returns whether there was one. */
bool callers_tell(struct callers *callers,
	bool (*fn)(void *arg, const struct caller_entry *entry, const struct caller_count *now), void *arg);
void callers_untold(struct callers *callers); /* all of that is to be told again */
void callers_here(const struct callers *callers, void (*fn)(void *arg, const struct link_message *here), void *arg); /* as door_here() */
