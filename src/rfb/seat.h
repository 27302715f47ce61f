/* SPDX-License-Identifier: GPL-2.0-or-later */
/* seat.h - a viewer's place at the display: its worker (rfb/viewer.h), the socket to that, and what the parser finds for it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"
#include "rfb/parse.h"
#include "rfb/viewer.h"
#include "rfb/wish.h"

/* Called from inside parse(). Of a viewer that may only look nothing but `asked` is called, which hears its mode. */
struct seat_events {
	/* It asks for a size: what it is to be told. */
	enum size_status (*asked)(void *arg, const struct wish_asked *asked);
	/* It wishes for a shutdown, reboot or reset (xvp). False: that comes to nothing. */
	bool (*power)(void *arg, enum link_power action);
	/* Input, as in struct parse_hooks; NULL: nobody takes any. */
	void (*key)(void *arg, bool down, uint32_t keysym, uint32_t keycode);
	void (*pointer)(void *arg, const struct parse_pointer *pointer);
};

struct seat {
	uint32_t number; /* of the viewer, and what it may do */
	enum link_mode mode;
	struct viewer *viewer; /* owned; NULL: nobody sits here */
	int inner;	       /* owned, from viewer_create() */
	struct loop_source *source; /* owned */
	bool allowed;
	struct parse_hooks hooks; /* for the parser, while there is a viewer */
	bool power; /* the viewer may wish for a shutdown, and somebody hears it */
	const struct seat_events *events;
	void *arg;
};

/* @events: borrowed. */
void seat_init(struct seat *seat, uint32_t number, enum link_mode mode, const struct seat_events *events, void *arg);
/* @on_inner: the worker has written, or ended. Errors of viewer_create() and loop_fd_add(); seat_clear() is needed all the same. */
int seat_take(struct seat *seat, struct loop *loop, struct picture *picture, uint32_t frames_maximum, const char *name,
	const struct outlet *outlet, loop_fd_fn on_inner, void *arg);
/* What is true of the display now. */
void seat_tell(struct seat *seat, const struct facts *facts);
/* May the worker start an update? */
void seat_allow(struct seat *seat, bool allow);
/* The worker is to end, some time; on_inner hears of it. */
void seat_dismiss(struct seat *seat);
/* Waits for the worker if it has not ended. */
void seat_clear(struct seat *seat);
