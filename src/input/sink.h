/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sink.h - one input device of a guest: a stream socket to its VMM, where events go and its LEDs come back. Main thread.
 *
 * Nothing blocks, and nothing is told of which key it was.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "input/event.h"

struct loop;
struct sink;
struct sink_seen;

/* From inside neither may the sink be destroyed. @why: static text. */
struct sink_events {
	void (*lost)(void *arg,
		const char *
			why); /* once, also from inside sink_send(); its descriptor is closed when it returns */
	void (*leds)(void *arg); /* they have changed */
};

/* @fd, a connected stream socket, is consumed on success only. -ENOMEM, -EINVAL. */
int sink_create(
	struct loop *loop, int fd, const struct sink_events *events, void *arg, struct sink **ret);
/* What waits is thrown away. Takes NULL. */
void sink_destroy(struct sink *sink);
/* Lets go of all keys and contacts, and destroys it; a VMM that does not read just now gets what waits a little later (parting.h). Takes NULL. */
void sink_part(struct sink *sink);

/* Events that belong together, @n at most LIMIT_INPUT_GROUP, without the EV_SYN that ends them. What a group says of contacts begins with
 * ABS_MT_SLOT. A VMM that does not read: the newest position takes an older one's place, steps add up, keys wait, and where there is no room
 * for them the group is dropped. False: it was. */
bool sink_send(struct sink *sink, const struct input_event *events, size_t n);
/* From now on that is noted in @seen, which may outlive this process; what is down there already, after another one has ended, is let go. NULL:
 * it is nobody's any more. Borrowed. */
void sink_note(struct sink *sink, struct sink_seen *seen);

bool sink_connected(const struct sink *sink);
/* For who keeps a copy of it; -EBADF once it is lost. */
int sink_fd(const struct sink *sink);
uint32_t sink_leds(const struct sink *sink); /* bit LED_...: it is lit */
uint64_t sink_sent(const struct sink *sink); /* events, EV_SYN not counted */
uint64_t sink_dropped(const struct sink *sink);
uint64_t sink_blocked(const struct sink *sink); /* how often its VMM stopped reading */
