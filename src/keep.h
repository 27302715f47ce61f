/* SPDX-License-Identifier: GPL-2.0-or-later */
/* keep.h - what systemd keeps of one display (state/store.h): its descriptors, and a record that says what they are. Main thread.
 *
 * The record is put last and dropped first. So there is either a whole display for the next daemon, or some descriptors that nobody
 * claims, which it removes.
 */
#pragma once

#include <stdbool.h>

#include "handover/context.h"

struct display;
struct keep;
struct store;

/* Keeps the descriptors of a hand-over that was accepted. Where that cannot be done it is logged, and nothing of this display is kept. -ENOMEM. */
int keep_create(struct store *store, const struct handover *handover, struct keep **ret);
/* One that came back: the record of this name. *ret is there in any case but -ENOMEM, for keep_drop(). *ret_handover: as from a registrant,
 * the caller's; its `call` is owned. Errors as memo_read()'s, and -EPROTONOSUPPORT, -EBADMSG as record_open()'s. */
int keep_open(struct store *store, const char *name, struct keep **ret, struct handover *ret_handover);
/* A listener of one that came back could not be used. To be called before the hand-over's others move up. */
void keep_lose_listener(struct keep *keep, size_t index);
/* Its own socket, of one that came back: the caller's; -EBADF: there is none. Once. */
int keep_take_own(struct keep *keep);

/* @display is there, with its wall and listeners; borrowed until keep_destroy(). From now on the record follows it. */
void keep_begin(struct keep *keep, struct display *display);
/* Lets the RFB program of one that came back go on, or end. After keep_begin(). */
void keep_resume(struct keep *keep);

/* One that came back has a program with viewers. */
bool keep_has_viewers(const struct keep *keep);
/* They are to be @ghost's (display_create_ghost()), which nobody keeps: as keep_drop() in any case. As wall_adopt(). */
int keep_haunt(struct keep *keep, struct display *ghost);

/* Nothing is left of it in the store. It stays a keep, of nothing. */
void keep_drop(struct keep *keep);
/* What is in the store stays there. Takes NULL. */
void keep_destroy(struct keep *keep);
