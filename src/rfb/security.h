/* SPDX-License-Identifier: GPL-2.0-or-later */
/* security.h - which security types a listener's policy comes to, for one viewer: by the way it came, by what we have (certificate, RSA
 * key) and by what can be checked at all.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frame/link.h"

/* RFB 7.2 and IANA's list. */
enum security_type {
	SECURITY_NONE = 1,
	SECURITY_VNCAUTH = 2,
	SECURITY_RSA_AES = 5,
	SECURITY_VENCRYPT = 19,
	SECURITY_RSA_AES_256 = 129,
};

/* What proves who it is, once the layer is there. */
enum security_proof { PROOF_NONE, PROOF_VNC, PROOF_PLAIN, PROOF_RSA_AES };
/* What VeNCrypt puts on the connection before that. */
enum security_layer { LAYER_NOTHING, LAYER_ANONYMOUS, LAYER_CERTIFICATE };
enum security_channel {
	CHANNEL_WIRE,		  /* a socket */
	CHANNEL_WEBSOCKET,	  /* no TLS can be put inside one */
	CHANNEL_SECURE_WEBSOCKET, /* TLS with the certificate is there already */
};

struct security_place {
	enum security_channel channel;
	bool tls;	       /* it can be put on a CHANNEL_WIRE */
	bool certificate;      /* and there is one for it */
	bool rsa_key;	       /* for RSA-AES */
	bool needs_proof_by_certificate; /* authorities are known: X.509 without a password takes a viewer's certificate */
	bool proven;	       /* CHANNEL_SECURE_WEBSOCKET: it has shown one */
};

struct security {
	uint8_t type;	  /* enum security_type */
	uint32_t subtype; /* of VeNCrypt: 256 and up; 0: another type */
	enum security_layer layer;
	enum security_proof proof;
};

#define SECURITY_MAX 10

/* What is offered, the best first, since most viewers take the first that they know. Returns how many; 0: nobody can come in this way. */
size_t security_list(const struct link_listener *listener, const struct security_place *place,
	struct security ret[SECURITY_MAX]);
/* Can any text at all be right? Not where there is neither a fixed password nor tickets (for @by_text: nor logins). */
bool security_has_proof(const struct link_listener *listener, bool by_text);
