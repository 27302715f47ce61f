/* SPDX-License-Identifier: GPL-2.0-or-later */
/* handshake.h - ProtocolVersion, security and ClientInit of one viewer (RFB 7.1 to 7.3.1). Sans I/O.
 *
 * Versions: we say 3.8. "003.007" is 3.7; 3.8 and whatever is above (Apple's 003.889) is 3.8; below 3.7, and numbers that were
 * never published such as 3.5, are 3.3 (RFB 7.1.1). Another major version is refused.
 * Exactly one security type is offered; any other answer ends the connection.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/vncauth.h"
#include "frame/link.h"

#define HANDSHAKE_OUT 128 /* no more than so much comes out at once */

enum handshake_security { HANDSHAKE_NONE = 1, HANDSHAKE_VNCAUTH = 2 }; /* RFB 7.2 numbers */

enum handshake_verdict {
	HANDSHAKE_MORE,	  /* give more bytes */
	HANDSHAKE_ASK,	  /* the version is known: call handshake_refuse() or go on with handshake_eat() */
	HANDSHAKE_DENIED, /* wrong password: after a delay call handshake_deny(), then close */
	HANDSHAKE_DONE,	  /* ClientInit has come; what follows is for the parser */
	HANDSHAKE_FAILED, /* send what is in out, then close; see reason */
};

enum handshake_state {
	HANDSHAKE_VERSION,
	HANDSHAKE_ADMISSION,
	HANDSHAKE_SECURITY,
	HANDSHAKE_RESPONSE,
	HANDSHAKE_INIT,
	HANDSHAKE_OVER,
};

struct handshake {
	enum handshake_state state;
	enum handshake_security security;
	const char *password; /* borrowed */
	unsigned int minor;   /* 3, 7 or 8 */
	bool authenticated;
	bool shared; /* ClientInit's flag */
	const char *reason; /* static text, after HANDSHAKE_DENIED or HANDSHAKE_FAILED */
	uint8_t have;
	uint8_t in[VNCAUTH_CHALLENGE];
	uint8_t challenge[VNCAUTH_CHALLENGE];
	uint8_t out[HANDSHAKE_OUT]; /* to be sent and then emptied by the caller */
	size_t out_size;
};

/* out holds the version afterwards. @password: for HANDSHAKE_VNCAUTH. */
void handshake_init(struct handshake *handshake, enum handshake_security security, const char *password);
/* *ret_eaten: bytes of @data that belonged to the handshake. Stops at each verdict but HANDSHAKE_MORE. */
enum handshake_verdict handshake_eat(struct handshake *handshake, const uint8_t *data, size_t size,
	size_t *ret_eaten);
/* Says no in the words of the viewer's version, where it has any at this point. Then close. @reason: static text. */
void handshake_refuse(struct handshake *handshake, const char *reason);
void handshake_deny(struct handshake *handshake);
