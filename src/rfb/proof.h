/* SPDX-License-Identifier: GPL-2.0-or-later */
/* proof.h - the steps of a handshake in which a viewer proves who it is: VncAuth, VeNCrypt's Plain, RSA-AES; and what it is then. Inside
 * of rfb/handshake.h: no one else's.
 */
#pragma once

#include "rfb/handshake.h"

/* By what was chosen. */
enum handshake_verdict proof_begin(struct handshake *handshake);
/* What the state waited for is in `in`. */
enum handshake_verdict proof_step(struct handshake *handshake);

/* From handshake.c: what all steps do. Nothing is said that does not fit HANDSHAKE_OUT. */
void handshake_say(struct handshake *handshake, const void *data, size_t size);
void handshake_say_byte(struct handshake *handshake, uint8_t value);
void handshake_say_u32(struct handshake *handshake, uint32_t value);
/* HANDSHAKE_MORE. */
enum handshake_verdict handshake_enter(struct handshake *handshake, enum handshake_state state, size_t want);
/* @reason: static text. Nothing is listened to any more. */
enum handshake_verdict handshake_end(struct handshake *handshake, enum handshake_verdict verdict, const char *reason);
enum handshake_verdict handshake_fail(struct handshake *handshake, const char *reason);
