/* SPDX-License-Identifier: GPL-2.0-or-later */
/* seat.h - a viewer's place at the display: its worker (rfb/viewer.h), the socket to that, and what the parser finds for it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"
#include "rfb/parse.h"
#include "rfb/viewer.h"
#include "rfb/wish.h"

struct seat {
	uint32_t number; /* of the viewer, and what it may do */
	enum link_mode mode;
	struct viewer *viewer; /* owned; NULL: nobody sits here */
	int inner;	       /* owned, from viewer_create() */
	struct loop_source *source; /* owned */
	bool allowed;
	struct parse_hooks hooks; /* for the parser, while there is a viewer */
	enum size_status (*asked)(void *arg, const struct wish_asked *asked);
	void *arg;
};

/* @asked: what a viewer that asks for a size is to be told. */
void seat_init(struct seat *seat, uint32_t number, enum link_mode mode,
	enum size_status (*asked)(void *arg, const struct wish_asked *asked), void *arg);
/* @on_inner: the worker has written, or ended. Errors of viewer_create() and loop_fd_add(); seat_clear() is needed all the same. */
int seat_take(struct seat *seat, struct loop *loop, struct picture *picture, uint32_t frames_maximum, const char *name,
	loop_fd_fn on_inner, void *arg);
/* May the worker start an update? */
void seat_allow(struct seat *seat, bool allow);
/* The worker is to end, some time; on_inner hears of it. */
void seat_dismiss(struct seat *seat);
/* Waits for the worker if it has not ended. */
void seat_clear(struct seat *seat);
