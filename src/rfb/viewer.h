/* SPDX-License-Identifier: GPL-2.0-or-later */
/* viewer.h - one viewer behind the door: a worker thread with its own LibVNCServer screen on a socketpair.
 *
 * The network socket never gets here. The door has done version and security with the viewer; it hands over the ServerInit side:
 * what LibVNCServer writes after the handshake comes out of the socketpair's other end, and only complete, permitted client
 * messages go in. The inner hop speaks RFB 3.3 without authentication (facts: rfb.md 2.9).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct picture;
struct viewer;

struct viewer_options {
	uint32_t number;
	bool view_only;
	uint32_t frames_maximum; /* updates for each second at most */
	const char *name;	 /* desktop name */
};

/* Starts the worker. *ret_fd: the door's end, non-blocking, the receiver's. The first bytes out of it are ServerInit (the 3.3
 * preamble is already eaten). The picture must have a frame. -ENOMEM, -EMFILE, -EAGAIN. */
int viewer_create(struct picture *picture, const struct viewer_options *options, struct viewer **ret, int *ret_fd);
/* Ends and joins the worker: the door has closed its end before. Bounded: the worker's writes fail then. */
void viewer_destroy(struct viewer *viewer);

/* Door thread: may the worker start an update? Kept by the door from the length of its queue (low: true). Wakes the worker. */
void viewer_allow(struct viewer *viewer, bool allow);
/* What goes into ListViewers. */
uint32_t viewer_frames_behind(const struct viewer *viewer);
const char *viewer_encoding(const struct viewer *viewer); /* static text */
