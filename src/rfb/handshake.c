/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation: a state waits for `want` bytes; when they are in `in` its function looks at them, says something, and enters
 * the next state. Those of who proves who it is are in proof.c. ClientInit is looked at after that and by no other way.
 */
#include "rfb/handshake.h"

#include <string.h>

#include "base/mem.h"
#include "rfb/proof.h"
#include "rfb/wire.h"

#define VERSION_SIZE 12
#define REASON_MAX   96

/* ---- what we say ---- */

void handshake_say(struct handshake *handshake, const void *data, size_t size)
{
	size = MIN(size, sizeof(handshake->out) - handshake->out_size);
	memcpy(handshake->out + handshake->out_size, data, size);
	handshake->out_size += size;
}

void handshake_say_byte(struct handshake *handshake, uint8_t value)
{
	handshake_say(handshake, &value, 1);
}

void handshake_say_u32(struct handshake *handshake, uint32_t value)
{
	uint8_t bytes[4];

	wire_put_u32(bytes, value);
	handshake_say(handshake, bytes, sizeof(bytes));
}

static void say_text(struct handshake *handshake, const char *text)
{
	size_t size = MIN(strlen(text), (size_t)REASON_MAX);

	handshake_say_u32(handshake, size);
	handshake_say(handshake, text, size);
}

/* ---- how it goes on ---- */

enum handshake_verdict handshake_enter(
	struct handshake *handshake, enum handshake_state state, size_t want)
{
	handshake->state = state;
	handshake->want = want;
	return HANDSHAKE_MORE;
}

enum handshake_verdict handshake_end(
	struct handshake *handshake, enum handshake_verdict verdict, const char *reason)
{
	handshake->reason = reason;
	handshake_enter(handshake, HANDSHAKE_OVER, 0);
	return verdict;
}

enum handshake_verdict handshake_fail(struct handshake *handshake, const char *reason)
{
	return handshake_end(handshake, HANDSHAKE_FAILED, reason);
}

void handshake_refuse(struct handshake *handshake, const char *reason)
{
	if (handshake->state == HANDSHAKE_ADMISSION) {
		/* RFB 7.1.2: no security types, then why. 3.3 has a type 0 for that. */
		if (handshake->minor == 3)
			handshake_say_u32(handshake, 0);
		else
			handshake_say_byte(handshake, 0);
		say_text(handshake, reason);
	}
	handshake_fail(handshake, reason);
}

void handshake_deny(struct handshake *handshake)
{
	handshake_say_u32(handshake, 1);
	if (handshake->minor >= 8)
		say_text(handshake, handshake->reason);
}

/* ---- the choice ---- */

static enum handshake_verdict begin_vencrypt(struct handshake *handshake)
{
	handshake_say(handshake, "\0\2", 2);
	return handshake_enter(handshake, HANDSHAKE_VENCRYPT_VERSION, 2);
}

static enum handshake_verdict got_vencrypt_version(struct handshake *handshake)
{
	uint8_t count = 0;

	if (handshake->in[0] != 0 || handshake->in[1] != 2) {
		handshake_say_byte(handshake, 1);
		return handshake_fail(handshake, "another version of VeNCrypt than 0.2");
	}
	handshake_say_byte(handshake, 0);
	for (size_t i = 0; i < handshake->list_used; i++)
		count += handshake->list[i].type == SECURITY_VENCRYPT;
	handshake_say_byte(handshake, count);
	for (size_t i = 0; i < handshake->list_used; i++)
		if (handshake->list[i].type == SECURITY_VENCRYPT)
			handshake_say_u32(handshake, handshake->list[i].subtype);
	return handshake_enter(handshake, HANDSHAKE_VENCRYPT_SUBTYPE, 4);
}

/* Only what is on the list can be chosen. @subtype: 0 for all types but VeNCrypt. */
static bool choose(struct handshake *handshake, uint8_t type, uint32_t subtype)
{
	for (size_t i = 0; i < handshake->list_used; i++) {
		const struct security *security = &handshake->list[i];

		if (security->type != type || security->subtype != subtype)
			continue;
		handshake->chosen = *security;
		return true;
	}
	return false;
}

static bool offers_type(const struct handshake *handshake, uint8_t type)
{
	for (size_t i = 0; i < handshake->list_used; i++)
		if (handshake->list[i].type == type)
			return true;
	return false;
}

static enum handshake_verdict got_vencrypt_subtype(struct handshake *handshake)
{
	uint32_t subtype = wire_u32(handshake->in);

	if (!subtype || !choose(handshake, SECURITY_VENCRYPT, subtype))
		return handshake_fail(handshake, "chose a VeNCrypt subtype that was not offered");
	if (handshake->chosen.layer == LAYER_NOTHING)
		return proof_begin(handshake);
	handshake_say_byte(handshake, 1);
	handshake_enter(handshake, HANDSHAKE_SECURING, 0);
	return HANDSHAKE_TLS;
}

enum handshake_verdict handshake_secured(struct handshake *handshake, bool proven)
{
	const struct security *chosen = &handshake->chosen;

	if (handshake->state != HANDSHAKE_SECURING)
		return handshake_fail(handshake, "TLS that nobody asked for");
	if (chosen->layer == LAYER_CERTIFICATE && chosen->proof == PROOF_NONE &&
		handshake->place.needs_proof_by_certificate && !proven)
		return handshake_fail(handshake, "the viewer has shown no certificate");
	return proof_begin(handshake);
}

static enum handshake_verdict got_security(struct handshake *handshake)
{
	uint8_t type = handshake->in[0];

	if (type == SECURITY_VENCRYPT && offers_type(handshake, type))
		return begin_vencrypt(handshake);
	if (!choose(handshake, type, 0))
		return handshake_fail(handshake, "chose a security type that was not offered");
	return proof_begin(handshake);
}

/* 3.3: the server decides, and knows of two. */
static enum handshake_verdict decide(struct handshake *handshake)
{
	if (!choose(handshake, SECURITY_NONE, 0) && !choose(handshake, SECURITY_VNCAUTH, 0)) {
		handshake_refuse(handshake, "this display asks for a viewer of RFB 3.7 or later");
		return HANDSHAKE_FAILED;
	}
	handshake_say_u32(handshake, handshake->chosen.type);
	return proof_begin(handshake);
}

/* Admitted: nobody called handshake_refuse(). */
static enum handshake_verdict offer(struct handshake *handshake)
{
	uint8_t types[SECURITY_MAX];
	size_t count = 0;

	if (!handshake->list_used) {
		handshake_refuse(handshake, "nobody can come in this way: try an encrypted one");
		return HANDSHAKE_FAILED;
	}
	if (handshake->minor == 3)
		return decide(handshake);
	for (size_t i = 0; i < handshake->list_used; i++)
		if (!memchr(types, handshake->list[i].type, count))
			types[count++] = handshake->list[i].type;
	handshake_say_byte(handshake, count);
	handshake_say(handshake, types, count);
	return handshake_enter(handshake, HANDSHAKE_SECURITY, 1);
}

/* ---- the version ---- */

static int digits(const uint8_t *text)
{
	int value = 0;

	for (int i = 0; i < 3; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -1;
		value = value * 10 + (text[i] - '0');
	}
	return value;
}

static enum handshake_verdict got_version(struct handshake *handshake)
{
	int major = digits(handshake->in + 4), minor = digits(handshake->in + 8);

	if (memcmp(handshake->in, "RFB ", 4) != 0 || handshake->in[7] != '.' ||
		handshake->in[11] != '\n' || major < 0 || minor < 0)
		return handshake_fail(handshake, "not an RFB viewer");
	handshake_enter(handshake, HANDSHAKE_ADMISSION, 0);
	if (major != 3) {
		handshake_refuse(handshake, "this server speaks RFB 3.3, 3.7 and 3.8");
		return HANDSHAKE_FAILED;
	}
	handshake->minor = minor < 7 ? 3 : minor == 7 ? 7 : 8;
	return HANDSHAKE_ASK;
}

static enum handshake_verdict got_init(struct handshake *handshake)
{
	handshake->shared = handshake->in[0];
	handshake_enter(handshake, HANDSHAKE_OVER, 0);
	return handshake->authenticated ? HANDSHAKE_DONE
					: handshake_fail(handshake, "not authenticated");
}

static enum handshake_verdict (*const got[])(struct handshake *handshake) = {
	[HANDSHAKE_VERSION] = got_version,
	[HANDSHAKE_ADMISSION] = offer,
	[HANDSHAKE_SECURITY] = got_security,
	[HANDSHAKE_VENCRYPT_VERSION] = got_vencrypt_version,
	[HANDSHAKE_VENCRYPT_SUBTYPE] = got_vencrypt_subtype,
	[HANDSHAKE_RESPONSE] = proof_step,
	[HANDSHAKE_PLAIN_SIZES] = proof_step,
	[HANDSHAKE_PLAIN] = proof_step,
	[HANDSHAKE_RSA_LENGTH] = proof_step,
	[HANDSHAKE_RSA_KEY] = proof_step,
	[HANDSHAKE_RSA_RANDOM] = proof_step,
	[HANDSHAKE_RSA_SEALED] = proof_step,
	[HANDSHAKE_RSA_HASH] = proof_step,
	[HANDSHAKE_RSA_USER_SIZE] = proof_step,
	[HANDSHAKE_RSA_USER] = proof_step,
	[HANDSHAKE_RSA_PASSWORD_SIZE] = proof_step,
	[HANDSHAKE_RSA_PASSWORD] = proof_step,
	[HANDSHAKE_INIT] = got_init,
	[HANDSHAKE_OVER] = NULL,
};

/* NULL: these wait for something else than bytes. */
static bool takes_bytes(const struct handshake *handshake)
{
	return got[handshake->state] != NULL;
}

enum handshake_verdict handshake_eat(
	struct handshake *handshake, const uint8_t *data, size_t size, size_t *ret_eaten)
{
	enum handshake_verdict verdict = HANDSHAKE_MORE;
	size_t at = 0, n;

	while (verdict == HANDSHAKE_MORE && takes_bytes(handshake)) {
		n = MIN(handshake->want - handshake->have, size - at);
		if (n)
			memcpy(handshake->in + handshake->have, data + at, n);
		handshake->have += n;
		at += n;
		if (handshake->have < handshake->want)
			break;
		handshake->have = 0;
		verdict = got[handshake->state](handshake);
	}
	*ret_eaten = at;
	return verdict;
}

/* ---- life ---- */

void handshake_init(struct handshake *handshake, const struct handshake_options *options)
{
	*handshake = (struct handshake){
		.listener = *options->listener,
		.place = options->place,
		.gate = options->gate,
		.minor = 3,
	};
	handshake->place.rsa_key = options->rsa_key != NULL;
	if (options->rsa_key)
		handshake->rsa_key = rsaaes_key_ref(options->rsa_key);
	memcpy(handshake->challenge, options->challenge, VNCAUTH_CHALLENGE);
	handshake->list_used =
		security_list(&handshake->listener, &handshake->place, handshake->list);
	handshake_enter(handshake, HANDSHAKE_VERSION, VERSION_SIZE);
	handshake_say(handshake, "RFB 003.008\n", VERSION_SIZE);
}

void handshake_finish(struct handshake *handshake)
{
	rsaaes_destroy(handshake->rsaaes);
	rsaaes_key_unref(handshake->rsa_key);
	explicit_bzero(handshake, sizeof(*handshake));
}
