/* SPDX-License-Identifier: GPL-2.0-or-later */
/* knock.h - one connection until it is let in: the handshake (rfb/handshake.h) between a relay and its transport, with TLS and seals put on
 * where it says so, what is asked of the broker, and how long a wrong answer waits.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "frame/link.h"

struct caller;
struct caller_host;
struct caller_options;
struct knock;
struct relay;
struct transport;

enum knock_state {
	KNOCK_WAITS,   /* for bytes, the network, time or a verdict */
	KNOCK_IN,      /* ClientInit has come */
	KNOCK_REFUSED, /* let what is queued go out, then close; see knock_reason() */
};

/* @host, @relay: borrowed. @caller: for host->admit(). @options: copied. -ENOMEM. */
int knock_create(struct caller_host *host, struct caller *caller, struct relay *relay, const struct caller_options *options, struct knock **ret);
/* Takes NULL. Leaves no secret behind. */
void knock_destroy(struct knock *knock);

/* What kinds of connection there may be (enum link_transport): of an address that is refused, only what costs nothing. */
unsigned int knock_transports(const struct knock *knock);
/* As far as it goes now: after input, after output, at knock_due(). Returns enum knock_state; -errno: close at once, see knock_reason();
 * -ETIMEDOUT: all of it took too long, LIMIT_REFUSAL_MS or LIMIT_HANDSHAKE_MS. Somebody who is to type a password has LIMIT_PERSON_MS for that, and
 * LIMIT_HANDSHAKE_MS for the rest. */
int knock_step(struct knock *knock, struct transport *network);
/* The broker's answer to the CHECK; knock_step() is next. False: nobody has asked. */
bool knock_verdict(struct knock *knock, bool allowed, enum link_mode mode);
/* Does it wait for the network to be writable? */
bool knock_wants_write(const struct knock *knock, const struct transport *network);
/* When knock_step() has something to do by time alone, in ms of the loop's clock. */
uint64_t knock_due(const struct knock *knock);
const char *knock_reason(const struct knock *knock); /* lives as long as the program */
/* Once it is in. */
enum link_mode knock_mode(const struct knock *knock);
bool knock_shared(const struct knock *knock);
