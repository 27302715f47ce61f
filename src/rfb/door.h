/* SPDX-License-Identifier: GPL-2.0-or-later */
/* door.h - who comes in: listeners, how many may knock and look, who is told about it. The only place that accepts.
 *
 * One loop's thread. Nothing here blocks but door_destroy(). It owns the listeners and the callers (rfb/callers.h).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "frame/link.h"
#include "rfb/facts.h"

struct door;
struct door_events;
struct loop;
struct picture;
struct tls;

struct door_options {
	const char *id, *name; /* borrowed */
	struct link_policy policy;    /* at first */
	uint32_t grace_ms, stall_ms;
	const uint8_t *challenge; /* LINK_CHALLENGE bytes that tickets answer; copied */
	bool gate; /* see caller_host */
};

int door_create(struct loop *loop, struct picture *picture, const struct door_options *options,
	const struct door_events *events, void *arg, struct door **ret);
void door_destroy(struct door *door); /* everybody is thrown out, without events; takes NULL */

void door_tls(struct door *door, struct tls *tls); /* certificate and keys for who comes from now on; a reference is taken */
void door_policy(struct door *door, const struct link_policy *policy); /* who is in stays, also over a lower maximum */
/* Nobody new comes through a listener until there is another. Who is in stays; who knocks, and lives by its listener's rules, goes. */
void door_unlisten(struct door *door);
/* Another broker (LINK_RESUME): listeners are closed, others will come, and nobody goes for it; nor may a size be
 * asked for until door_sizes(). The rest of @hello is as in the options. The state of each viewer is told again. */
void door_resume(struct door *door, const struct link_message *hello);
/* Calls @fn for each viewer that is in, and for each of door_attach() that may yet be. */
void door_here(struct door *door, void (*fn)(void *arg, const struct link_message *here), void *arg);
/* @fd is consumed in every case. -EINVAL: not a listening stream socket; -ENOSPC: LIMIT_LISTENERS. */
int door_listen(struct door *door, int fd, const struct link_listener *policy);
/* @fd, a connected stream socket, is consumed in every case; its viewer needs no authentication. @peer: empty, it is the caller's of Attach.
 * On an error `gone` has been called. */
void door_attach(struct door *door, int fd, uint32_t viewer, enum link_mode mode, const char *peer);
void door_detach(struct door *door, uint32_t viewer, const char *reason);
/* The answer to a `check`; its viewer may be gone. @place: consumed in every case; see caller_verdict(). */
void door_verdict(struct door *door, uint32_t viewer, bool allowed, enum link_mode mode, int place);

void door_sizes(struct door *door, uint32_t width, uint32_t height); /* the largest that viewers may ask for; 0, as at first: none */
/* What is true of the display now. Before the first: its name is that of the options, and no more is known. */
void door_tell(struct door *door, const struct facts *facts);
/* The broker takes what was typed, of all viewers by turns, as much as there is or as goes. */
void door_type(struct door *door);
/* A new frame has come, and is not yet published; its picture has its first publish. */
void door_resize(struct door *door, uint32_t width, uint32_t height);
void door_picture(struct door *door);
/* Accepts nobody more, lets what is queued go out for at most a second, then calls stopped. */
void door_stop(struct door *door);
