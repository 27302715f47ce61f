/* SPDX-License-Identifier: GPL-2.0-or-later */
/* seal.h - one direction of an RSA-AES connection once both sides have the keys (rfbproto, "RSA-AES Security Type"). Sans I/O.
 *
 * On the wire:	u16 size, big-endian | size bytes, encrypted | 16 bytes EAX tag
 * The size field is the tag's head too. The nonce is the number of the message in its direction, from 0, 16 bytes
 * little-endian, never sent. A message is no RFB message: where one begins and ends means nothing to what is above, as in TLS;
 * but some viewers want each piece of the handshake in a message of its own.
 */
#pragma once

#include "rfb/eax.h"

#define SEAL_HEAD    2u
#define SEAL_EXTRA   (SEAL_HEAD + EAX_BLOCK) /* bytes that a message is longer than what is in it */
#define SEAL_MAXIMUM 65535u		     /* bytes that a message can hold */
#define SEAL_SENT    8192u		     /* bytes that we put into one: what all viewers take */

struct seal {
	struct eax eax;
	uint8_t number[EAX_BLOCK]; /* of the next message */
};

/* As eax_init() and eax_finish(). */
int seal_init(struct seal *seal, const uint8_t *key, size_t key_size);
void seal_finish(struct seal *seal);
/* Writes SEAL_EXTRA + @size bytes to @ret. -EMSGSIZE: more than SEAL_SENT; -EIO. */
int seal_close(struct seal *seal, const uint8_t *data, size_t size, uint8_t *ret);
/* The message that @data begins with, if all of it is there: returns how many bytes it took there, 0: it is not. @ret: room for *ret_size
 * bytes, which are at most @maximum; it may be @data + SEAL_HEAD. -EMSGSIZE: it holds more than @maximum, known from its first two bytes on;
 * -EBADMSG: forged, or out of order. */
int seal_open(struct seal *seal, const uint8_t *data, size_t size, size_t maximum, uint8_t *ret, size_t *ret_size);
