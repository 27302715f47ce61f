/* SPDX-License-Identifier: GPL-2.0-or-later */
/* link.h - messages across the wall between vfio-displayd (broker) and vfio-displayd-rfb.
 *
 * One SOCK_SEQPACKET pair; each message is one struct link_message of fixed size with at most one fd. The first message each
 * way carries LINK_VERSION (HELLO, READY). Both ends check type, strings and ranges (link_check); a lie ends the RFB program,
 * never the broker.
 *
 * Writing the frame:  broker: WANT_WRITE -> rfb: MAY_WRITE, once no encode runs; none starts from then on
 *		       broker: writes changed tiles, bitmap, cursor, then PUBLISH -> rfb: encodes again.
 * A new FRAME needs no grant until its first PUBLISH: nobody reads it before. Grants of an older generation are void. The RFB
 * program answers each FRAME with TAKEN once it holds it; with LIMIT_FRAMES_UNTAKEN on their way the broker makes no more. While no
 * grant is there, the broker only hashes, and damage waits in the source: a slow viewer costs its own frame rate. While encodes
 * run that keep the grant back, the RFB program says BUSY each LIMIT_BUSY_MS. Neither that nor the grant for LIMIT_GRANT_MS, or no
 * grant for LIMIT_ENCODE_MS: it is stuck and is killed; its viewers may come back.
 *
 * Viewers: numbers are unique for the life of the broker's link. Even: given by the broker (VIEWER). Odd: given by the RFB
 * program to those that came through a LISTENER. VIEWER_ADDED when authenticated (both kinds), VIEWER_GONE at the end (also
 * for a VIEWER that never got so far). WATCH says how many viewers want pictures; at 0 the broker stops looking.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"

#define LINK_VERSION 2u

enum link_type {
	/* broker -> rfb */
	LINK_HELLO = 1,
	LINK_LISTENER, /* + fd: listening stream socket */
	LINK_VIEWER,   /* + fd: connected stream socket, the attach call was its authentication */
	LINK_FRAME,    /* + fd: the frame's memfd */
	LINK_WANT_WRITE,
	LINK_PUBLISH,
	LINK_DETACH,
	LINK_SIZES,    /* what viewers may ask for; before the first: nothing */
	LINK_STOP,     /* close viewers after what is queued (at most 1 s), then exit */
	/* rfb -> broker */
	LINK_READY = 64,
	LINK_MAY_WRITE,
	LINK_VIEWER_ADDED,
	LINK_VIEWER_STATE,
	LINK_VIEWER_GONE,
	LINK_WATCH,
	LINK_IDLE,     /* no viewer for the grace time: send me STOP if you agree */
	LINK_BUSY,     /* WANT_WRITE has come; encodes run still */
	LINK_TAKEN,    /* frames up to this generation have come */
	LINK_RESIZE,   /* a viewer that may control asks for another size, within the last SIZES */
};

enum link_security { LINK_SECURITY_NONE = 1, LINK_SECURITY_VNCAUTH = 2 }; /* RFB 7.2 numbers */
enum link_mode { LINK_MODE_VIEW = 1, LINK_MODE_CONTROL = 2 }; /* the larger, the more */

struct link_message {
	uint32_t type;
	union {
		struct {
			uint32_t version;
			uint32_t viewers_maximum;
			uint32_t frames_maximum; /* for each second and viewer */
			uint32_t grace_ms, stall_ms;
			uint32_t log_level;
			char id[LIMIT_ID_CHARS + 1];
			char name[LIMIT_NAME_CHARS + 1]; /* UTF-8 */
		} hello;
		struct {
			uint32_t security; /* enum link_security */
			uint32_t mode;	   /* enum link_mode: the most that its viewers get */
			char password[9];  /* for VNCAUTH: 1 to 8 bytes */
		} listener;
		struct {
			uint32_t viewer;
			uint32_t mode;
			char label[LIMIT_LABEL_CHARS + 1];
		} viewer;
		struct {
			uint32_t generation, width, height;
		} frame;
		struct {
			uint32_t generation;
			uint32_t damaged; /* 0: only the cursor or nothing */
		} publish; /* also want_write, may_write, busy and taken, which use generation alone */
		struct {
			uint32_t viewer;
			uint32_t mode;
			char peer[64]; /* "192.0.2.1:5900", "[::1]:5900", "unix", "attached" */
			char reason[64];
		} seen; /* viewer_added, viewer_gone, detach */
		struct {
			uint32_t viewer;
			uint32_t frames_behind;
			uint64_t bytes_sent;
			char encoding[16];
		} state; /* viewer_state: at most one a second and viewer, only when it changed */
		struct {
			uint32_t count;
		} watch;
		struct {
			uint32_t width, height; /* the largest; 0: sizes cannot be asked for */
		} sizes;
		struct {
			uint32_t viewer;
			uint32_t width, height;
		} resize;
		struct {
			uint32_t version;
		} ready;
		uint8_t pad[504];
	};
};

_Static_assert(sizeof(struct link_message) == 512, "wall ABI");

/* Sends without blocking. @fd stays the caller's; -1 or -EBADF: none. -EAGAIN: queue full; -EPIPE: the peer is gone.
 * Thread-safe. */
int link_send(int link, const struct link_message *message, int fd);
/* Receives without blocking. *ret_fd is the receiver's, -EBADF: none. -EAGAIN; -EPIPE: the peer is gone; -EPROTO: it lied
 * (size, type, strings without end, numbers out of range, an fd where none belongs or none where one does). @from_broker: which way. */
int link_receive(int link, bool from_broker, struct link_message *ret, int *ret_fd);
/* The checks alone, for tests and fuzzing. 0 or -EPROTO. */
int link_check(const struct link_message *message, bool from_broker, bool has_fd);
