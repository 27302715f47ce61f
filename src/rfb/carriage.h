/* SPDX-License-Identifier: GPL-2.0-or-later */
/* carriage.h - a gate's viewer after its handshake: a passage (rfb/passage.h) between its connection and its display, with events.
 *
 * What comes from the network is in the relay's input, as it is for viewers of a display.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct carriage;
struct loop;
struct relay;
struct transport;

/* @place is consumed in every case. @fn: carriage_step() has something to do; the carriage may be destroyed inside. -ENOMEM, -EMFILE. */
int carriage_create(struct loop *loop, int place, bool shared, struct relay *relay, void (*fn)(void *arg), void *arg,
	struct carriage **ret);
void carriage_destroy(struct carriage *carriage); /* takes NULL */

/* Passes on what can be, both ways; what is in the relay's queue already, of the handshake, goes first. 0; 1: the display has closed it, and what it
 * said last is in the relay's queue; -errno: close at once. See carriage_reason(). */
int carriage_step(struct carriage *carriage, struct transport *network);
/* Waits for what can be done next on the display's side. Returns what to wait for on the network's (LOOP_READ, LOOP_WRITE). */
unsigned int carriage_watch(struct carriage *carriage);
/* When carriage_check() may find something; UINT64_MAX: nothing is late. */
uint64_t carriage_due(const struct carriage *carriage, uint32_t stall_ms);
/* -ETIMEDOUT: the display has not let it in for LIMIT_HANDSHAKE_MS, or the viewer has taken nothing of what waits for it for @stall_ms. */
int carriage_check(struct carriage *carriage, uint64_t now, uint32_t stall_ms);
const char *carriage_reason(const struct carriage *carriage); /* static text */
