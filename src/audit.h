/* SPDX-License-Identifier: GPL-2.0-or-later */
/* audit.h - who did what, for the journal: a line for people, with a MESSAGE_ID and fields for programs. Main thread.
 *
 * Each kind has its MESSAGE_ID for good; data/vfio-displayd.catalog explains it, vfio-displayd(8) lists kinds and fields. Where there is
 * no journal the line alone goes where other lines go. What a peer can cause is bounded (LIMIT_AUDIT_LINES, LIMIT_VIEWER_LINES). No ticket, no password and
 * no keystroke comes here.
 */
#pragma once

#include <stddef.h>

#include "rights.h"

struct varlink_peer;

enum audit_kind {
	AUDIT_REGISTERED,    /* a display is there */
	AUDIT_UNREGISTERED,  /* all that was its is let go */
	AUDIT_ENDED,	     /* Unregister */
	AUDIT_UPDATED,	     /* Update, SetInput */
	AUDIT_ATTACHED,	     /* Attach */
	AUDIT_VIEWER_IN,     /* a viewer is authenticated and sees the display */
	AUDIT_VIEWER_OUT,
	AUDIT_DETACHED,	     /* Detach */
	AUDIT_TICKET_ISSUED, /* IssueTicket */
	AUDIT_TICKET_USED,
	AUDIT_LOGGED_IN, /* a user with a password */
	AUDIT_REFUSED,	 /* a viewer showed what does not let it in */
	AUDIT_DENIED,	 /* a call without the right */
	AUDIT_POLICY,	 /* a policy is in force */
	AUDIT_POLICY_KEPT, /* a reload has failed: what was in force stays */
	AUDIT_KINDS
};

/* What is not known is left NULL or RIGHT_NONE. All borrowed. */
struct audit {
	const char *display;		 /* VFIO_DISPLAY: its id */
	const char *machine;		 /* VFIO_MACHINE */
	const char *viewer;		 /* VFIO_VIEWER: its name */
	const char *address;		 /* VFIO_ADDRESS: where a viewer comes from */
	const char *mode;		 /* VFIO_MODE: the most that a viewer may do */
	const char *label;		 /* VFIO_LABEL: what was said about a viewer, or its user */
	const char *reason;		 /* VFIO_REASON */
	enum right right;		 /* VFIO_RIGHT */
	const struct varlink_peer *peer; /* PEER_UID, PEER_GID, PEER_PID, PEER_PIDFDID: who called */
	const uid_t *owner;		 /* no field: for whom the line is counted where nobody called; NULL: for the display */
};

void audit(enum audit_kind kind, const struct audit *fields, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* 32 hexadecimal digits. For the test that holds the catalog to them; NULL: past the end. */
const char *audit_message_id(size_t kind);

/* audit_events.c: what bulletin.h tells of, from now on. */
void audit_begin(void);
void audit_end(void); /* also where it has not begun */
