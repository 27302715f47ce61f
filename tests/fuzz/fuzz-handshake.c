/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What comes before authentication, on every kind of listener. Nobody is let in who has not chosen what was offered, and where
 * something is to be proved, nobody but by the broker's word: challenges and keys are random, so no input knows the answer; the
 * fixed password has a byte that this never sends.
 *
 * First byte: how the listener is (bit 0: fixed password, 1: tickets, 2: login, 3: gate, 4: the viewer's certificate is known,
 * 5: the broker says yes, 6 and 7: the channel). Second and third: offers, and bit 14: sealed credentials follow the random at once,
 * since no input knows the hash. Fourth: bytes in one piece. Then the viewer's bytes.
 */
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"
#include "rfb/handshake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HEAD 4

static void expect(bool truth)
{
	if (!truth)
		abort();
}

static struct rsaaes_key *key(void)
{
	static struct rsaaes_key *made;
	EVP_PKEY *pair;

	if (made)
		return made;
	pair = EVP_RSA_gen(2048);
	expect(pair && rsaaes_key_create(pair, &made) == 0);
	EVP_PKEY_free(pair);
	return made;
}

/* What was chosen is on the list, and the list is what the listener offers. */
static bool is_offered(const struct handshake *handshake)
{
	for (size_t i = 0; i < handshake->list_used; i++)
		if (handshake->list[i].type == handshake->chosen.type &&
			handshake->list[i].subtype == handshake->chosen.subtype)
			return true;
	return false;
}

static enum handshake_verdict obey(
	struct handshake *handshake, enum handshake_verdict verdict, uint8_t how)
{
	handshake->out_size = 0;
	switch (verdict) {
	case HANDSHAKE_TLS:
		expect(handshake->chosen.layer != LAYER_NOTHING);
		return handshake_secured(handshake, how & 0x10);
	case HANDSHAKE_CHECK:
		return handshake_judge(handshake, how & 0x20, LINK_MODE_EXCLUSIVE);
	default:
		return HANDSHAKE_MORE;
	}
}

static bool goes_on(enum handshake_verdict verdict)
{
	return verdict != HANDSHAKE_DENIED && verdict != HANDSHAKE_DONE &&
	       verdict != HANDSHAKE_FAILED;
}

static void skip_hash(struct handshake *handshake)
{
	handshake->state = HANDSHAKE_RSA_USER_SIZE;
	handshake->want = 1;
}

static enum handshake_verdict shake(struct handshake *handshake, const uint8_t *data, size_t size,
	uint8_t how, bool skips_hash, size_t piece)
{
	enum handshake_verdict verdict = HANDSHAKE_MORE;
	size_t at = 0, eaten;

	while (goes_on(verdict)) {
		size_t n = MIN(piece, size - at);

		verdict = handshake_eat(handshake, data + at, n, &eaten);
		expect(handshake->out_size <= HANDSHAKE_OUT && eaten <= n);
		at += eaten;
		if (verdict == HANDSHAKE_MORE && (at == size || !eaten))
			break;
		if (verdict == HANDSHAKE_SEAL && skips_hash)
			skip_hash(handshake);
		while (verdict == HANDSHAKE_TLS || verdict == HANDSHAKE_CHECK)
			verdict = obey(handshake, verdict, how);
		if (goes_on(verdict))
			handshake->out_size = 0;
	}
	return verdict;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct handshake_options options = {.rsa_key = key()};
	struct link_listener listener = {.mode = LINK_MODE_CONTROL};
	static struct handshake handshake;
	enum handshake_verdict verdict;
	uint8_t how;

	if (size < HEAD || vncauth_open() < 0)
		return 0;
	how = data[0];
	listener.tickets = !!(how & 2);
	listener.login = !!(how & 4);
	listener.offers = (data[1] | data[2] << 8) & LINK_OFFER_ALL;
	if (how & 1)
		memcpy(listener.password, "\x01p@ss", 6);
	for (size_t i = HEAD; i < size; i++)
		if (how & 1 && size - i >= 5 && memcmp(data + i, "\x01p@ss", 5) == 0)
			return 0;
	options.listener = &listener;
	options.gate = how & 8;
	options.place = (struct security_place){
		.channel = (how >> 6) % 3,
		.tls = true,
		.certificate = true,
		.needs_proof_by_certificate = data[2] & 0x80,
		.proven = how & 0x10,
	};
	handshake_init(&handshake, &options);
	handshake.out_size = 0;
	verdict = shake(&handshake, data + HEAD, size - HEAD, how, data[2] & 0x40, data[3] + 1);
	expect(verdict != HANDSHAKE_FAILED || handshake.reason);
	expect(verdict != HANDSHAKE_DONE || (handshake.authenticated && is_offered(&handshake)));
	if (handshake.authenticated && handshake.chosen.proof != PROOF_NONE)
		expect(how & 0x20 && listener.tickets + listener.login + options.gate);
	if (handshake.authenticated && options.gate)
		expect(how & 0x20);
	expect(!handshake.authenticated || handshake.mode <= listener.mode);
	if (verdict == HANDSHAKE_DENIED)
		handshake_deny(&handshake);
	handshake_finish(&handshake);
	return 0;
}
