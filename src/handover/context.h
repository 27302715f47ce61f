/* SPDX-License-Identifier: GPL-2.0-or-later */
/* context.h - what the registrant decides about a display, and the descriptors that came with it.
 *
 * A struct handover owns its descriptors until display_create() takes them one by one with take_fd().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/limits.h"

/* Numbers of frame/link.h: enum link_mode, enum link_sharing. */
enum view_mode { VIEW_MODE_VIEW = 1, VIEW_MODE_CONTROL = 2, VIEW_MODE_EXCLUSIVE = 3 };
enum sharing { SHARING_IGNORE, SHARING_ALLOW_EXCLUSIVE, SHARING_FORCE_SHARED };

struct label {
	char *key, *value; /* owned */
};

struct context {
	char id[LIMIT_ID_CHARS + 1];	 /* never empty once registered */
	char name[LIMIT_NAME_CHARS + 1]; /* shown by viewers; empty: the id */
	char machine[LIMIT_NAME_CHARS + 1];
	bool has_head;
	int64_t head;
	struct label labels[LIMIT_LABELS];
	size_t labels_used;
	uint32_t frames_maximum;  /* for each second and viewer; 0: the daemon's default */
	uint32_t bytes_maximum;	  /* likewise; 0: the daemon's default */
	uint32_t viewers_maximum; /* 0: the daemon's default */
	bool has_sharing;	  /* false: the daemon's default */
	enum sharing sharing;
	bool view_only; /* nobody gets control */
	char layout[LIMIT_LAYOUT_CHARS + 1]; /* of the guest's keyboard (input/layout.h); empty: the daemon's default */
	bool has_input_exclusive;	     /* false: the daemon's default */
	uint32_t input_exclusive_seconds;    /* keyboard and pointer are one viewer's until it did nothing for so long; 0: shared */
};

enum source_kind { SOURCE_VFIO, SOURCE_SURFACE };

struct handover_listener {
	int fd; /* owned; or -EBADF and address */
	bool ours; /* the daemon listens at @address */
	bool made; /* the daemon has made its file, at @address's path */
	enum view_mode mode;
	uint32_t security;   /* bits of enum link_offer; 0: as the daemon does for such a place */
	uint32_t transports; /* bits of enum link_transport; 0: likewise */
	char origins[256];   /* of WebSockets: words with a space between, "*": all; empty: as the daemon does */
	char address[128];   /* "127.0.0.1:5900", "[::1]:5900", "unix:/path"; empty with fd */
};

/* Numbers of input_kind_name(). A display has one of each at most. */
enum input_kind { INPUT_KEYBOARD, INPUT_ABSOLUTE_POINTER, INPUT_RELATIVE_POINTER, INPUT_TOUCH };

/* A way to the guest: a connected stream socket to its VMM (input/sink.h). */
struct handover_input {
	int fd; /* owned */
	enum input_kind kind;
	uint32_t x_maximum, y_maximum; /* absolute places go from 0 to these, where the kind has any */
};

/* A hand-over's descriptors by number, for errors that say which one was not fit. */
enum handover_place {
	HANDOVER_DEVICE,
	HANDOVER_CHANGE,
	HANDOVER_LEASE,
	HANDOVER_RENDER,
	HANDOVER_LISTENERS, /* the first of them */
	HANDOVER_INPUTS = HANDOVER_LISTENERS + LIMIT_LISTENERS, /* likewise */
	HANDOVER_PLACES = HANDOVER_INPUTS + LIMIT_INPUTS
};

struct handover {
	struct context context;
	enum source_kind source;
	int device; /* owned: VFIO device or surface memfd */
	int change; /* owned, -EBADF: none. eventfd */
	int render; /* owned, -EBADF: none. DRM node that can import the device's dma-bufs */
	int lease;  /* owned, -EBADF: the connection is the lease */
	int call;   /* borrowed: the connection on which the registrant waits for events; -EBADF: it does not */
	bool answered; /* there it was told "registered", by an earlier daemon */
	struct handover_listener listeners[LIMIT_LISTENERS];
	size_t listeners_used;
	struct handover_input inputs[LIMIT_INPUTS];
	size_t inputs_used;
	bool display_interrupt; /* the registrant's leave to take the device's display interrupt */
	bool owns_edid;		/* and to write the device's EDID, which nobody else then does */
	uid_t uid; /* the registrant, from SO_PEERCRED */
	gid_t gid;
	pid_t pid;
};

/* [A-Za-z0-9._-]{1,64}, and neither "." nor "..". */
bool context_id_valid(const char *id);
void context_finish(struct context *context);
void handover_init(struct handover *handover);
/* Closes what nobody took. */
void handover_finish(struct handover *handover);
