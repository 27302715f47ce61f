/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vncauth.h - VNC Authentication (RFB 7.2.2): 16 random bytes, encrypted with DES under the password.
 *
 * The password's first 8 bytes are the key, padded with zeros; the bits of each byte are mirrored (RFB 7.2.2, "the
 * lowest bit of each byte is the first").
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define VNCAUTH_CHALLENGE 16

/* Before the others are called, again or not: a wrong build shows itself. libcrypto reads its configuration, unless it has: it must have in a
 * sandbox. -EIO. */
int vncauth_open(void);
/* -EIO: no random bytes. */
int vncauth_challenge(uint8_t challenge[VNCAUTH_CHALLENGE]);
/* What a viewer that knows @password answers. -EIO. */
int vncauth_response(const char *password, const uint8_t challenge[VNCAUTH_CHALLENGE],
	uint8_t ret[VNCAUTH_CHALLENGE]);
/* In constant time. False on any error. */
bool vncauth_check(const char *password, const uint8_t challenge[VNCAUTH_CHALLENGE],
	const uint8_t response[VNCAUTH_CHALLENGE]);
