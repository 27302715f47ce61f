/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tidings.h - what a viewer is told of the extensions that are neither picture nor cursor: that we know them (Fence, ContinuousUpdates, xvp,
 * extended keys and buttons), the desktop's name, the keyboard's LEDs, how the pointer is to move; and our own messages for fences.
 *
 * Each is either a fact, of which only the newest counts, or said once for a connection, so that nothing here grows. Kept inside
 * struct notices, under whose lock tidings_tell(), tidings_deny() and tidings_take() are called; the rest is the worker's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <rfb/rfb.h>

#include "rfb/facts.h"

#define TIDINGS_DENIALS 16 /* wishes for power whose refusal waits; more are refused in silence */

struct tidings {
	struct {
		struct facts facts;
		uint8_t denials;
	} mail;

	/* The worker's. */
	struct facts facts;
	unsigned int extras;
	unsigned int said; /* of the extras, what has been said to be there */
	uint8_t denials;
	char name[LIMIT_NAME_CHARS + 1]; /* what the viewer knows */
	int leds;
	int relative; /* -1: not told */
};

/* @name: as in ServerInit. */
void tidings_init(struct tidings *tidings, const char *name);
/* Door's thread. */
void tidings_tell(struct tidings *tidings, const struct facts *facts);
void tidings_deny(struct tidings *tidings); /* a wish for power comes to nothing */

/* Worker. @extras: what the viewer can now; @dropped: what it could not for a while. */
void tidings_take(struct tidings *tidings, unsigned int extras, unsigned int dropped);
/* Messages of their own, at any time between two others. False: the connection is gone. */
bool tidings_speak(struct tidings *tidings, rfbClientPtr client);
/* How many rectangles are due; writes them into an update that has begun. */
unsigned int tidings_due(const struct tidings *tidings);
bool tidings_write(struct tidings *tidings, rfbClientPtr client);

/* ServerFence: @flags is sent as it is, with FENCE_REQUEST for one of ours. @size: up to FENCE_PAYLOAD. */
bool tidings_fence(rfbClientPtr client, uint32_t flags, const void *payload, size_t size);
/* EndOfContinuousUpdates. */
bool tidings_end_continuous(rfbClientPtr client);
