/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bulletin.h - what happens, in the order in which it happens: whoever makes it so says it here once, whoever wants to know listens.
 *
 * Events have numbers, from 1 on and without gaps while the daemon runs. One of them for the whole process; main thread only. Saying
 * something while nobody listens costs a function call. What an event points to is borrowed, for the time of the call.
 */
#pragma once

#include <stdint.h>
#include <sys/queue.h>

#include "display.h"

struct wall_viewer;

enum bulletin_kind {
	BULLETIN_DISPLAY_REGISTERED, /* List has it from now on */
	BULLETIN_DISPLAY_STATE,	     /* state or reason is another */
	BULLETIN_DISPLAY_RESIZED,    /* the picture has another size */
	BULLETIN_DISPLAY_UPDATED,    /* its context is another */
	BULLETIN_DISPLAY_UNREGISTERED, /* all is released; List has it no more */
	BULLETIN_VIEWER_ATTACHED,
	BULLETIN_VIEWER_AUTHENTICATED,
	BULLETIN_VIEWER_DETACHED,
	BULLETIN_TICKET_USED,
	BULLETIN_INPUT_LOST,
	BULLETIN_POWER_REQUESTED,
	BULLETIN_RELOADING,
	BULLETIN_STOPPING,
	BULLETIN_KINDS
};

struct bulletin_event {
	enum bulletin_kind kind;
	uint64_t sequence;
	const char *id;		      /* the display's; NULL: reloading and stopping */
	const struct handover *owner; /* who registered it; NULL: not known */
	struct display *display;      /* NULL: reloading, stopping, ticketUsed */
	const struct wall_viewer *viewer; /* viewer... and powerRequested: who; NULL with others */
	const char *reason;	      /* viewerDetached, inputLost: words; else NULL */
	const char *label, *peer;     /* ticketUsed: the ticket's label, may be empty; where from */
	enum display_power action;    /* powerRequested */
	const char *input;	      /* inputLost: which kind of sink, as in the interface */
};

/* ---- Who says it ---- */

void bulletin_display(enum bulletin_kind kind, struct display *display);
/* @reason: NULL but for viewerDetached. */
void bulletin_viewer(enum bulletin_kind kind, struct display *display, const struct wall_viewer *viewer, const char *reason);
void bulletin_ticket_used(const char *id, const char *label, const char *peer);
void bulletin_input_lost(struct display *display, const char *input, const char *reason);
void bulletin_power(struct display *display, enum display_power action, const struct wall_viewer *viewer);
/* reloading, stopping. */
void bulletin_daemon(enum bulletin_kind kind);

/* ---- Who hears it ---- */

struct bulletin_listener {
	LIST_ENTRY(bulletin_listener) link;
	/* Inside what happens: it may neither say anything itself nor change a display. */
	void (*fn)(void *arg, const struct bulletin_event *event);
	void *arg;
};

/* @listener is the caller's, until it is taken back. */
void bulletin_listen(struct bulletin_listener *listener);
void bulletin_unlisten(struct bulletin_listener *listener);
/* The number of the last event; 0: there was none. */
uint64_t bulletin_sequence(void);
