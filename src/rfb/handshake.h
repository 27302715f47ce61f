/* SPDX-License-Identifier: GPL-2.0-or-later */
/* handshake.h - ProtocolVersion, security and ClientInit of one viewer (RFB 7.1 to 7.3.1; rfbproto, "VeNCrypt", "RSA-AES Security
 * Type"). Sans I/O.
 *
 * Versions: we say 3.8. "003.007" is 3.7; 3.8 and whatever is above (Apple's 003.889) is 3.8; below 3.7, and numbers that were
 * never published such as 3.5, are 3.3 (RFB 7.1.1), and are given None or VncAuth where these are offered. Another major version is
 * refused.
 * What security_list() says is offered; any other answer ends the connection.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/vncauth.h"
#include "rfb/rsaaes.h"
#include "rfb/security.h"

#define HANDSHAKE_OUT (RSAAES_PUBLIC_MAX + 128) /* no more than so much comes out at once */
#define HANDSHAKE_IN  RSAAES_PUBLIC_MAX		/* no more than so much is gathered */

enum handshake_verdict {
	HANDSHAKE_MORE,	  /* give more bytes */
	HANDSHAKE_ASK,	  /* the version is known: call handshake_refuse() or go on with handshake_eat() */
	HANDSHAKE_TLS,	  /* out is the last in plain; bytes that are here already end the connection. Then handshake_secured() */
	HANDSHAKE_SEAL,	  /* out is the last in plain; what is here already is sealed. Take the seals, then handshake_eat() */
	HANDSHAKE_SAY,	  /* send out, where seals are as one message; then go on with handshake_eat(), without more bytes too */
	HANDSHAKE_CHECK,  /* ask the broker for what `claim` says, then handshake_judge() */
	HANDSHAKE_DENIED, /* wrong password: after a delay call handshake_deny(), then close */
	HANDSHAKE_DONE,	  /* ClientInit has come; what follows is for the parser */
	HANDSHAKE_FAILED, /* send what is in out, then close; see reason */
};

enum handshake_state {
	HANDSHAKE_VERSION,
	HANDSHAKE_ADMISSION,
	HANDSHAKE_SECURITY,
	HANDSHAKE_VENCRYPT_VERSION,
	HANDSHAKE_VENCRYPT_SUBTYPE,
	HANDSHAKE_SECURING, /* for handshake_secured() */
	HANDSHAKE_RESPONSE,
	HANDSHAKE_PLAIN_SIZES,
	HANDSHAKE_PLAIN,
	HANDSHAKE_RSA_LENGTH,
	HANDSHAKE_RSA_KEY,
	HANDSHAKE_RSA_RANDOM,
	HANDSHAKE_RSA_SEALED,
	HANDSHAKE_RSA_HASH,
	HANDSHAKE_RSA_USER_SIZE,
	HANDSHAKE_RSA_USER,
	HANDSHAKE_RSA_PASSWORD_SIZE,
	HANDSHAKE_RSA_PASSWORD,
	HANDSHAKE_JUDGING, /* for handshake_judge() */
	HANDSHAKE_INIT,
	HANDSHAKE_OVER,
};

struct handshake_options {
	const struct link_listener *listener; /* copied */
	struct security_place place;
	struct rsaaes_key *rsa_key; /* as place.rsa_key; a reference is taken */
	uint8_t challenge[LINK_CHALLENGE]; /* that tickets answer */
	bool gate; /* the broker is asked about everybody: it gives the place at a display */
};

struct claim {
	enum link_check_kind kind;
	uint8_t digest[LINK_DIGEST];
	char user[LIMIT_USER_CHARS + 1];
	char secret[LIMIT_SECRET_CHARS + 1];
};

struct handshake {
	enum handshake_state state;
	struct link_listener listener;
	struct security_place place;
	struct rsaaes_key *rsa_key; /* a reference */
	struct security list[SECURITY_MAX]; /* what is offered */
	size_t list_used;
	struct security chosen;
	unsigned int minor; /* 3, 7 or 8 */
	bool gate, doubted, authenticated;
	enum link_mode mode; /* once authenticated */
	bool shared;	     /* ClientInit's flag */
	const char *reason;  /* static text, after HANDSHAKE_DENIED or HANDSHAKE_FAILED */
	struct claim claim;
	struct rsaaes *rsaaes; /* owned */
	size_t have, want, user_size;
	uint8_t challenge[VNCAUTH_CHALLENGE];
	uint8_t in[HANDSHAKE_IN];
	uint8_t out[HANDSHAKE_OUT]; /* to be sent and then emptied by the caller */
	size_t out_size;
};

/* out holds the version afterwards. */
void handshake_init(struct handshake *handshake, const struct handshake_options *options);
/* Leaves no secret behind. */
void handshake_finish(struct handshake *handshake);
/* *ret_eaten: bytes of @data that belonged to the handshake. Stops at each verdict but HANDSHAKE_MORE. */
enum handshake_verdict handshake_eat(struct handshake *handshake, const uint8_t *data, size_t size, size_t *ret_eaten);
/* After HANDSHAKE_TLS: it is there. @proven: the viewer has shown a certificate of the authorities. Go on with handshake_eat(). */
enum handshake_verdict handshake_secured(struct handshake *handshake, bool proven);
/* After HANDSHAKE_CHECK. @mode: if @allowed, the most that it gets. HANDSHAKE_CHECK again: something else may be right. */
enum handshake_verdict handshake_judge(struct handshake *handshake, bool allowed, enum link_mode mode);
/* Whatever comes as proof is wrong: nobody looks, and nobody can tell. */
void handshake_doubt(struct handshake *handshake);
/* Are the next bytes an attempt to be let in? */
bool handshake_awaits_proof(const struct handshake *handshake);
/* May the viewer be asking somebody now: for a password, whether our key or certificate is the right one? */
bool handshake_awaits_person(const struct handshake *handshake);
/* Says no in the words of the viewer's version, where it has any at this point. Then close. @reason: static text. */
void handshake_refuse(struct handshake *handshake, const char *reason);
void handshake_deny(struct handshake *handshake);
