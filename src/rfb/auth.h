/* SPDX-License-Identifier: GPL-2.0-or-later */
/* auth.h - VNC Authentication (RFB 7.2.2): 16 random bytes, encrypted with DES under the password.
 *
 * The password's first 8 bytes are the key, padded with zeros; the bits of each byte are mirrored (RFB 7.2.2, "the
 * lowest bit of each byte is the first").
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define AUTH_CHALLENGE 16

/* Once, before the sandbox: libcrypto reads its configuration now, and a wrong build shows itself. -EIO. */
int auth_open(void);
/* -EIO: no random bytes. */
int auth_challenge(uint8_t challenge[AUTH_CHALLENGE]);
/* What a viewer that knows @password answers. -EIO. */
int auth_response(const char *password, const uint8_t challenge[AUTH_CHALLENGE],
	uint8_t ret[AUTH_CHALLENGE]);
/* In constant time. False on any error. */
bool auth_check(const char *password, const uint8_t challenge[AUTH_CHALLENGE],
	const uint8_t response[AUTH_CHALLENGE]);
