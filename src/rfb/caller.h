/* SPDX-License-Identifier: GPL-2.0-or-later */
/* caller.h - one network connection, from accept to its end: handshake, wait for the first frame, then bytes both ways
 * between the network and the worker (rfb/viewer.h). Never blocks. One loop's thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "frame/link.h"
#include "rfb/facts.h"
#include "rfb/suspects.h"
#include "rfb/wish.h"

struct caller;
struct loop;
struct picture;
struct rsaaes_key;
struct tls;

/* What all callers of a display share; kept by the door. The functions are called from the loop; a caller must not be
 * ended inside them. */
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

struct caller_options {
	uint32_t number;
	const struct link_listener *listener; /* what it meets; copied */
	const char *peer; /* copied, at most 63 bytes */
};

struct caller_entry {
	TAILQ_ENTRY(caller_entry) link; /* door::callers */
	struct caller *caller;
	/* The door's notes. */
	struct suspect who; /* the address that it comes from */
	bool joined; /* a viewer; else somebody who knocks */
	int rank;    /* enum sharing_rank, if joined */
	uint64_t born_ms;
	uint64_t told_bytes;
	uint32_t told_behind;
	const char *told_encoding; /* static text */
};

/* @fd, a connected stream socket, is consumed in every case. Its flags are left alone: somebody else may hold it too. */
int caller_create(struct caller_host *host, int fd, const struct caller_options *options, struct caller **ret);
/* At once, waiting for the worker if there is one. Calls neither left nor released. */
void caller_destroy(struct caller *caller);
struct caller_entry *caller_entry(struct caller *caller);

/* Something was published: if it waits for that, it gets its worker. */
void caller_start(struct caller *caller);
/* host->width, height and wisher have changed. */
void caller_resized(struct caller *caller);
/* host->facts has changed. */
void caller_tell(struct caller *caller);
/* The broker takes something of what was typed, if anything waits: one message. False: nothing went. */
bool caller_type(struct caller *caller);
/* The broker's answer to a CHECK. @mode: if @allowed. @place: a gate's viewer's end of the way to its display, consumed in every case; -EBADF:
 * none. */
void caller_verdict(struct caller *caller, bool allowed, enum link_mode mode, int place);
/* Closes the connection now, or with @flush after what is queued, at most a second later. @reason: copied. left and released come
 * before or after this returns. */
void caller_end(struct caller *caller, const char *reason, bool flush);

uint32_t caller_number(const struct caller *caller);
enum link_mode caller_mode(const struct caller *caller); /* once it has joined; the listener's before */
bool caller_shared(const struct caller *caller);	 /* ClientInit's flag, once it has joined */
const char *caller_peer(const struct caller *caller);
bool caller_closed(const struct caller *caller);   /* the connection is; its worker may be ending still */
uint64_t caller_bytes_sent(struct caller *caller);
uint32_t caller_frames_behind(const struct caller *caller);
const char *caller_encoding(const struct caller *caller); /* static text */
