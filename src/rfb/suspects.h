/* SPDX-License-Identifier: GPL-2.0-or-later */
/* suspects.h - who has guessed wrong, and how often: a table of fixed size, the one used longest ago makes room.
 *
 * An IPv4 address is one suspect, an IPv6 network of 64 bits is one (a host has as many addresses there as it likes), and all who come over
 * Unix sockets are one. After LIMIT_SUSPECT_FAILURES wrong answers its new connections are refused for LIMIT_SUSPECT_MS, and after each
 * further one twice as long, up to LIMIT_SUSPECT_MAX_MS. A right answer clears it; so does LIMIT_SUSPECT_FORGET_MS without a wrong one.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"

struct suspect {
	uint8_t network[8]; /* the first 64 bits of an IPv6 address, or an IPv4 address and zeros */
	uint8_t family;	    /* 4, 6, 1: Unix; 0: a free place */
	uint32_t failures;
	uint64_t failed_ms; /* the last time */
};

struct suspects {
	struct suspect table[LIMIT_SUSPECTS];
};

/* Whom a peer counts as: without failures. */
struct suspect suspects_named(const char *peer);
bool suspects_same(const struct suspect *a, const struct suspect *b);

/* @peer: as in LINK_VIEWER_ADDED: "192.0.2.1:5900", "[2001:db8::1]:5900"; whatever is no address counts as Unix. @now: in ms. */
/* How long its connections are still refused: in ms, 0: they are not. */
uint64_t suspects_refused_ms(const struct suspects *suspects, const char *peer, uint64_t now);
void suspects_failed(struct suspects *suspects, const char *peer, uint64_t now);
void suspects_cleared(struct suspects *suspects, const char *peer);
