/* SPDX-License-Identifier: GPL-2.0-or-later */
/* viewer.h - one viewer behind the door: a worker thread with its own LibVNCServer screen on a socketpair.
 *
 * The network socket never gets here. The door has done version and security with the viewer; it hands over the ServerInit side:
 * what LibVNCServer writes after the handshake comes out of the socketpair's other end, and only complete messages that rfb/parse.h lets
 * through go in. The inner hop speaks RFB 3.3 without authentication.
 * The door reads its end whenever it is readable: LibVNCServer's writes block, and while an update is being written the broker
 * may not write the frame (LIMIT_GRANT_MS). A queue that would go over its bound ends the viewer instead.
 * Encodings that encoding_permitted() does not permit come by viewer_extras() only. The worker itself hears fences (rfb/aside.h).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "rfb/encodings.h"
#include "rfb/facts.h"
#include "rfb/outlet.h"

struct picture;
struct rect;
struct viewer;

struct viewer_options {
	uint32_t number;
	bool view_only;		 /* follows the guest's pointer where the viewer can (PointerPos) */
	uint32_t frames_maximum; /* updates for each second at most, not 0 */
	uint32_t bytes_maximum;	 /* likewise; 0: as many as the network takes */
	const struct outlet *outlet; /* copied; its arg outlives the viewer. NULL: all goes by *ret_fd */
	const char *name;	 /* desktop name, copied; ServerInit has its first 127 bytes, DesktopName all */
};

/* Makes LibVNCServer's process-wide state, once; call it at start, before the sandbox. viewer_create() does it too. -ENOMEM. */
int viewer_prepare(void);
/* Main thread. Does the inner handshake, then starts the worker. *ret_fd: the door's end, non-blocking, the receiver's. The first
 * bytes out of it are ServerInit. End of file there: the worker has ended, call viewer_destroy(). Updates are not allowed yet.
 * -ENODATA: the picture has no frame; -ENOMEM, -EMFILE (no number below FD_SETSIZE is free), -EAGAIN. */
int viewer_create(struct picture *picture, const struct viewer_options *options, struct viewer **ret, int *ret_fd);
/* Ends and joins the worker, in any state of the door's end. Bounded: its writes fail then. Takes NULL. */
void viewer_destroy(struct viewer *viewer);

/* All of these are the door thread's. May the worker start an update? Kept by the door from the length of its queue (low: true). Wakes the worker. */
void viewer_allow(struct viewer *viewer, bool allow);
void viewer_wake(struct viewer *viewer); /* it may start again now that the outlet is not full any more */
/* An incremental FramebufferUpdateRequest, cut to the screen, behind @before messages that have gone to *ret_fd. False: it is to
 * go there, too. Wakes the worker only if there is something for it to send. */
bool viewer_ask(struct viewer *viewer, uint64_t before, const struct rect *area);
void viewer_limits(struct viewer *viewer, uint32_t frames_maximum, uint32_t bytes_maximum); /* of what is sent from now on */
/* See rfb/notices.h. They wake the worker, but for the reason, which is to be told before the new frame's first publish. */
void viewer_extras(struct viewer *viewer, unsigned int extras);
void viewer_layout(struct viewer *viewer);
void viewer_answer(struct viewer *viewer, enum size_status status);
void viewer_resized(struct viewer *viewer, enum size_reason reason);
void viewer_tell(struct viewer *viewer, const struct facts *facts);
void viewer_deny(struct viewer *viewer);
/* Why the worker ended by itself: static text for viewer_gone's reason; NULL: it did not, or the viewer just went away. */
const char *viewer_end_reason(const struct viewer *viewer);
uint32_t viewer_frames_behind(const struct viewer *viewer); /* as in ListViewers */
const char *viewer_encoding(const struct viewer *viewer); /* static text, RFB 7.7 in small letters; "" before the first update */
