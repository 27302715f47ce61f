/* SPDX-License-Identifier: GPL-2.0-or-later */
/* change.h - what a display's capture thread sleeps on: its inbox, and whatever says that the guest may have drawn.
 *
 * That is the registrant's eventfd, or the device's display interrupt where the registrant gave leave for it, or neither (a timer then).
 * Capture thread only, but for change_init() and change_finish().
 */
#pragma once

#include <stdbool.h>

struct source;

struct change {
	int epoll;     /* owned */
	int wake;      /* borrowed: the inbox's eventfd */
	int event;     /* owned, -EBADF: none. The registrant's eventfd, never read */
	int interrupt; /* owned, -EBADF: none. The eventfd that the device's display interrupt signals */
	bool listening;
	bool patient; /* the kernel may end this thread's sleep some milliseconds late */
};

/* @event is consumed in every case. -EMFILE, -ENOMEM. Finish it in every case. */
int change_init(struct change *change, int wake, int event);
void change_finish(struct change *change);

/* Takes the display interrupt. -ENOTTY: there is none. Others: the driver refused. */
int change_arm(struct change *change, struct source *source);
void change_disarm(struct change *change, struct source *source);

/* Whether to wake up for news. Nobody watches: no. */
void change_listen(struct change *change, bool listen);
/* Tells @source what its interrupt has counted, so that what it says next is no older. */
void change_hear(struct change *change, struct source *source);
/* Sleeps until there are orders, there is news or @ms are over (-1: never). True: news. @known: there is news already, so more
 * does not wake. */
bool change_wait(struct change *change, struct source *source, int ms, bool known);
