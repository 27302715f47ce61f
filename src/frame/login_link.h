/* SPDX-License-Identifier: GPL-2.0-or-later */
/* login_link.h - messages between vfio-displayd and vfio-displayd-login, which knows users and their passwords.
 *
 * One SOCK_SEQPACKET pair; each message is one struct login_message, without descriptors. The program says READY first; then it gets
 * one ASK at a time and says ANSWER. Both ends check type, strings and ranges; a lie ends the program.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"

#define LOGIN_VERSION 1u

enum login_type { LOGIN_ASK = 1, LOGIN_READY = 64, LOGIN_ANSWER };

struct login_message {
	uint32_t type;
	union {
		struct {
			uint32_t number;
			char user[LIMIT_USER_CHARS + 1]; /* not empty, as secret is not */
			char secret[LIMIT_SECRET_CHARS + 1];
			char display[LIMIT_ID_CHARS + 1];
			char peer[64];
		} ask;
		struct {
			uint32_t number; /* the question's */
			uint32_t mode;	 /* enum link_mode: the most that this user gets; 0: refused */
		} answer;
		struct {
			uint32_t version;
		} ready;
		uint8_t pad[380];
	};
};

_Static_assert(sizeof(struct login_message) == 384, "wall ABI");

/* Never blocks. -EAGAIN: queue full; -EPIPE: the peer is gone. */
int login_send(int link, const struct login_message *message);
/* Never blocks. -EAGAIN; -EPIPE; -EPROTO: the peer lied. @from_broker: which way. */
int login_receive(int link, bool from_broker, struct login_message *ret);
/* The checks alone. 0 or -EPROTO. */
int login_check(const struct login_message *message, bool from_broker);
