/* SPDX-License-Identifier: GPL-2.0-or-later */
/* host.h - what all callers of a display share (rfb/caller.h): what they meet there, and whom they ask and tell. It is the door's. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "frame/link.h"
#include "rfb/facts.h"
#include "rfb/suspects.h"
#include "rfb/wish.h"

struct caller;
struct loop;
struct picture;
struct rsaaes_key;
struct tls;

/* Kept by the door, as long as there are callers. The functions are called from the loop; a caller must not be ended inside them. */
struct caller_host {
	struct loop *loop;	 /* borrowed, as all here */
	struct picture *picture;
	const char *id, *name;
	uint32_t frames_maximum, stall_ms;
	uint32_t width, height;	 /* of the current frame; 0: none yet */
	struct facts facts;	 /* of the display */
	uint32_t wisher;	 /* the viewer that wanted this size; 0: the guest did */
	/* For who comes from now on. */
	struct tls *tls;	     /* NULL: no TLS */
	struct rsaaes_key *rsa_key;  /* NULL: no RSA-AES */
	uint8_t challenge[LINK_CHALLENGE]; /* that tickets answer */
	bool gate; /* viewers are passed on to their displays: each is CHECKed */
	/* Kept by the callers. */
	uint64_t suspect_until;	 /* somebody has guessed a password */
	struct suspects suspects;
	/* Its version is known. NULL: may come in; else static text for the viewer: why not. */
	const char *(*admit)(struct caller_host *host, struct caller *caller);
	/* ClientInit has come: may it be a viewer? Others may be ended inside. As above. */
	const char *(*seated)(struct caller_host *host, struct caller *caller);
	/* Sends the CHECK; caller_verdict() answers it, not before this has returned. -EAGAIN: too many are under way. */
	int (*check)(struct caller_host *host, const struct link_message *check);
	void (*joined)(struct caller_host *host, struct caller *caller); /* past the handshake: wants pictures */
	void (*moved)(struct caller_host *host, struct caller *caller);	 /* bytes went to it */
	/* SetDesktopSize: what it is to be told. */
	enum size_status (*asked)(struct caller_host *host, struct caller *caller, const struct wish_asked *asked);
	/* It wishes for a shutdown, reboot or reset. False: that comes to nothing. */
	bool (*power)(struct caller_host *host, struct caller *caller, enum link_power action);
	/* LINK_INPUT of a caller that may control. False: not now; caller_type() is called when it may go. */
	bool (*input)(struct caller_host *host, const struct link_message *message);
	/* Its connection is closed. */
	void (*left)(struct caller_host *host, struct caller *caller, const char *reason);
	/* Its worker has ended too: take it off the list. It is freed then. */
	void (*released)(struct caller_host *host, struct caller *caller);
};
