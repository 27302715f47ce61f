/* SPDX-License-Identifier: GPL-2.0-or-later */
/* policy.h - what a listener offers: from the configuration, what its registrant asks for, and where it is. No I/O.
 *
 *		  | [viewers] security or security-local set | not set
 *	Unix	  | that				     | none
 *	loopback  | that				     | vncauth with a password, none without
 *	outside	  | that				     | x509Plain x509Vnc with a certificate, tlsPlain tlsVnc without;
 *		  |					     | rsaAes256 rsaAes
 *	the gate  | [gate] security, then as above	     | outside's; on loopback and Unix vncauth too
 *
 * A registrant's own list replaces that. Outside, what is not encrypted or asks for nothing needs `insecure = yes`.
 */
#pragma once

#include <stdbool.h>

#include "frame/link.h"

struct config;

enum locality { LOCALITY_UNIX, LOCALITY_LOOPBACK, LOCALITY_OUTSIDE };

struct policy_facts {
	const struct config *config;
	bool certificate, authorities; /* there is one; viewers are asked for theirs */
	bool logins;		       /* users may log in (password file, PAM) */
	const char *password;	       /* of VncAuth; empty: none */
};

/* What somebody asks of one listener; 0 and "": as the configuration has it. */
struct policy_wish {
	bool gate;
	uint32_t mode; /* enum link_mode, not 0 */
	uint32_t security, transports;
	const char *origins;
};

/* -EACCES: too little for such a place; -EINVAL: something is missing. *ret_reason is set then: static text. */
int policy_decide(const struct policy_facts *facts, enum locality locality, const struct policy_wish *wish,
	struct link_listener *ret, const char **ret_reason);
/* What has the configuration to say that no listener could be made of, wherever it is? As above. */
int policy_check(const struct policy_facts *facts, const char **ret_reason);
