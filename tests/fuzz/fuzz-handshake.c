/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What comes before authentication. Nobody is let in without having chosen the type that was offered, and where there is a password,
 * nobody at all: the challenge is random, so no input knows the answer. First byte: bit 0: password; the rest: piece size.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"
#include "rfb/handshake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool truth)
{
	if (!truth)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum handshake_verdict verdict = HANDSHAKE_MORE;
	struct handshake handshake;
	size_t eaten, piece;
	bool password;

	if (!size || vncauth_open() < 0)
		return 0;
	password = data[0] & 1;
	piece = data[0] / 2 + 1;
	handshake_init(&handshake, password ? HANDSHAKE_VNCAUTH : HANDSHAKE_NONE, "secret");
	for (size_t at = 1; at < size; at += eaten) {
		verdict = handshake_eat(&handshake, data + at, MIN(piece, size - at), &eaten);
		expect(handshake.out_size <= HANDSHAKE_OUT && eaten <= MIN(piece, size - at));
		handshake.out_size = 0;
		if (verdict != HANDSHAKE_MORE && verdict != HANDSHAKE_ASK)
			break;
	}
	expect(verdict != HANDSHAKE_DONE || (handshake.authenticated && !password));
	expect(verdict != HANDSHAKE_DENIED || (!handshake.authenticated && password));
	if (verdict == HANDSHAKE_DENIED)
		handshake_deny(&handshake);
	expect(verdict != HANDSHAKE_FAILED || handshake.reason);
	return 0;
}
