/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation: `authenticated` is set in one place, accept_viewer(), which three lead to: a type that asks for nothing, the
 * listener's own password, and a verdict.
 *
 * A text can be right in three ways, tried in this order: it is the listener's own password, which is checked here; it is a
 * ticket; it is a user's password. The last two the broker checks. What answers VncAuth is one of the first two, never both: a
 * listener with a password draws a new challenge for each viewer, and tickets answer only the daemon's own.
 */
#include "rfb/proof.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <string.h>

#include "base/mem.h"
#include "rfb/wire.h"

/* The caller looks at the time, even if all that follows is here already. */
static enum handshake_verdict await_proof(
	struct handshake *handshake, enum handshake_state state, size_t want)
{
	handshake_enter(handshake, state, want);
	return HANDSHAKE_SAY;
}

/* One word for all that can be wrong. */
static enum handshake_verdict deny(struct handshake *handshake)
{
	return handshake_end(handshake, HANDSHAKE_DENIED, "wrong password");
}

static void forget(struct claim *claim)
{
	explicit_bzero(claim->digest, sizeof(claim->digest));
	explicit_bzero(claim->user, sizeof(claim->user));
	explicit_bzero(claim->secret, sizeof(claim->secret));
}

static enum handshake_verdict accept_viewer(struct handshake *handshake, enum link_mode mode)
{
	/* None alone has no SecurityResult before 3.8; VeNCrypt's None types have one (rfbproto). */
	if (handshake->chosen.type != SECURITY_NONE || handshake->minor >= 8)
		handshake_say_u32(handshake, 0);
	handshake->mode = MIN(mode, (enum link_mode)handshake->listener.mode);
	handshake->authenticated = true;
	forget(&handshake->claim);
	handshake_enter(handshake, HANDSHAKE_INIT, 1);
	return HANDSHAKE_SAY;
}

static enum handshake_verdict ask_broker(struct handshake *handshake, enum link_check_kind kind)
{
	handshake->claim.kind = kind;
	handshake_enter(handshake, HANDSHAKE_JUDGING, 0);
	return HANDSHAKE_CHECK;
}

/* Nothing more is to be proved; but a gate asks where its viewer belongs. */
static enum handshake_verdict proved(struct handshake *handshake)
{
	if (handshake->gate)
		return ask_broker(handshake, LINK_CHECK_NAME);
	return accept_viewer(handshake, handshake->listener.mode);
}

enum handshake_verdict handshake_judge(
	struct handshake *handshake, bool allowed, enum link_mode mode)
{
	if (handshake->state != HANDSHAKE_JUDGING)
		return handshake_fail(handshake, "a verdict that nobody asked for");
	if (allowed)
		return accept_viewer(handshake, mode);
	if (handshake->claim.kind == LINK_CHECK_TICKET && handshake->listener.login)
		return ask_broker(handshake, LINK_CHECK_LOGIN);
	forget(&handshake->claim);
	return deny(handshake);
}

/* ---- passwords ---- */

static bool is_listeners_password(const struct handshake *handshake)
{
	char expected[sizeof(handshake->claim.secret)] = {0};

	memcpy(expected, handshake->listener.password, sizeof(handshake->listener.password));
	return (CRYPTO_memcmp(expected, handshake->claim.secret, sizeof(expected)) == 0) &
	       (handshake->listener.password[0] != 0);
}

/* claim.user and claim.secret are there, padded with zeros. */
static enum handshake_verdict check_text(struct handshake *handshake)
{
	struct claim *claim = &handshake->claim;

	if (handshake->doubted)
		return deny(handshake);
	if (is_listeners_password(handshake))
		return proved(handshake);
	SHA256((const uint8_t *)claim->secret, strlen(claim->secret), claim->digest);
	if (handshake->listener.tickets)
		return ask_broker(handshake, LINK_CHECK_TICKET);
	if (handshake->listener.login)
		return ask_broker(handshake, LINK_CHECK_LOGIN);
	return deny(handshake);
}

static enum handshake_verdict got_response(struct handshake *handshake)
{
	if (handshake->doubted)
		return deny(handshake);
	if (!handshake->listener.password[0]) {
		SHA256(handshake->in, VNCAUTH_CHALLENGE, handshake->claim.digest);
		return ask_broker(handshake, LINK_CHECK_CHALLENGE);
	}
	if (vncauth_check(handshake->listener.password, handshake->challenge, handshake->in))
		return proved(handshake);
	return deny(handshake);
}

/* A text of the viewer's as a string; false: it cannot be one. */
static bool take_text(char *ret, size_t room, const uint8_t *text, size_t size)
{
	if (size >= room || memchr(text, 0, size))
		return false;
	memset(ret, 0, room);
	memcpy(ret, text, size);
	return true;
}

static bool take_user(struct handshake *handshake, const uint8_t *text, size_t size)
{
	return take_text(handshake->claim.user, sizeof(handshake->claim.user), text, size);
}

static bool take_secret(struct handshake *handshake, const uint8_t *text, size_t size)
{
	return take_text(handshake->claim.secret, sizeof(handshake->claim.secret), text, size);
}

/* ---- RSA-AES ---- */

static enum handshake_verdict begin_rsa(struct handshake *handshake)
{
	bool strong = handshake->chosen.type == SECURITY_RSA_AES_256;
	const uint8_t *key;
	size_t size;

	if (rsaaes_create(handshake->rsa_key, strong, &handshake->rsaaes) < 0)
		return handshake_fail(handshake, "out of memory");
	key = rsaaes_public(handshake->rsaaes, &size);
	handshake_say(handshake, key, size);
	return handshake_enter(handshake, HANDSHAKE_RSA_LENGTH, 4);
}

static enum handshake_verdict got_rsa_length(struct handshake *handshake)
{
	size_t size = rsaaes_viewer_key_size(handshake->in);

	if (!size)
		return handshake_fail(handshake, "an RSA key of a size that is not taken");
	handshake->have = 4; /* its first bytes stay */
	return handshake_enter(handshake, HANDSHAKE_RSA_KEY, size);
}

static enum handshake_verdict got_rsa_key(struct handshake *handshake)
{
	uint8_t line[2 + RSAAES_BITS_MAX / 8];
	size_t size;

	if (rsaaes_viewer_key(handshake->rsaaes, handshake->in, handshake->want, line, &size) < 0)
		return handshake_fail(handshake, "not an RSA key");
	handshake_say(handshake, line, size);
	return handshake_enter(
		handshake, HANDSHAKE_RSA_RANDOM, rsaaes_random_size(handshake->rsaaes));
}

static enum handshake_verdict got_rsa_random(struct handshake *handshake)
{
	if (rsaaes_viewer_random(handshake->rsaaes, handshake->in) < 0)
		return handshake_fail(handshake, "not random bytes under our RSA key");
	handshake_enter(handshake, HANDSHAKE_RSA_SEALED, 0);
	return HANDSHAKE_SEAL;
}

static enum handshake_verdict begin_sealed(struct handshake *handshake)
{
	uint8_t hash[RSAAES_HASH_MAX];

	rsaaes_our_hash(handshake->rsaaes, hash);
	handshake_say(handshake, hash, rsaaes_hash_size(handshake->rsaaes));
	handshake_enter(handshake, HANDSHAKE_RSA_HASH, rsaaes_hash_size(handshake->rsaaes));
	return HANDSHAKE_SAY;
}

static enum handshake_verdict got_rsa_hash(struct handshake *handshake)
{
	if (!rsaaes_viewer_hash_is(handshake->rsaaes, handshake->in))
		return handshake_fail(
			handshake, "another RSA key was seen than the one that was sent");
	rsaaes_destroy(take_ptr(handshake->rsaaes));
	/* A user is asked for only where one means something. */
	handshake_say_byte(handshake, handshake->listener.login ? 1 : 2);
	return await_proof(handshake, HANDSHAKE_RSA_USER_SIZE, 1);
}

static enum handshake_verdict got_rsa_user_size(struct handshake *handshake)
{
	return handshake_enter(handshake, HANDSHAKE_RSA_USER, handshake->in[0]);
}

static enum handshake_verdict got_rsa_user(struct handshake *handshake)
{
	if (!take_user(handshake, handshake->in, handshake->want))
		return handshake_fail(handshake, "a user name that is none");
	return handshake_enter(handshake, HANDSHAKE_RSA_PASSWORD_SIZE, 1);
}

static enum handshake_verdict got_rsa_password_size(struct handshake *handshake)
{
	return handshake_enter(handshake, HANDSHAKE_RSA_PASSWORD, handshake->in[0]);
}

static enum handshake_verdict got_rsa_password(struct handshake *handshake)
{
	if (!take_secret(handshake, handshake->in, handshake->want))
		return handshake_fail(handshake, "a password that is none");
	return check_text(handshake);
}

/* ---- Plain ---- */

static enum handshake_verdict got_plain_sizes(struct handshake *handshake)
{
	uint32_t user = wire_u32(handshake->in), secret = wire_u32(handshake->in + 4);

	if (user > LIMIT_USER_CHARS || secret > LIMIT_SECRET_CHARS)
		return handshake_fail(handshake, "a user name or password that is too long");
	handshake->user_size = user;
	return handshake_enter(handshake, HANDSHAKE_PLAIN, user + secret);
}

static enum handshake_verdict got_plain(struct handshake *handshake)
{
	size_t user = handshake->user_size;

	if (!take_user(handshake, handshake->in, user) ||
		!take_secret(handshake, handshake->in + user, handshake->want - user))
		return handshake_fail(handshake, "a user name or password that is none");
	return check_text(handshake);
}

/* ---- steps ---- */

static enum handshake_verdict begin_vncauth(struct handshake *handshake)
{
	/* Else it stays the daemon's own, which was given. */
	if (handshake->listener.password[0] && vncauth_challenge(handshake->challenge) < 0)
		return handshake_fail(handshake, "no random numbers");
	handshake_say(handshake, handshake->challenge, VNCAUTH_CHALLENGE);
	return await_proof(handshake, HANDSHAKE_RESPONSE, VNCAUTH_CHALLENGE);
}

enum handshake_verdict proof_begin(struct handshake *handshake)
{
	switch (handshake->chosen.proof) {
	case PROOF_NONE:
		return proved(handshake);
	case PROOF_VNC:
		return begin_vncauth(handshake);
	case PROOF_PLAIN:
		return await_proof(handshake, HANDSHAKE_PLAIN_SIZES, 8);
	case PROOF_RSA_AES:
		return begin_rsa(handshake);
	}
	return handshake_fail(handshake, "no such proof");
}

static enum handshake_verdict (*const got[])(struct handshake *handshake) = {
	[HANDSHAKE_RESPONSE] = got_response,
	[HANDSHAKE_PLAIN_SIZES] = got_plain_sizes,
	[HANDSHAKE_PLAIN] = got_plain,
	[HANDSHAKE_RSA_LENGTH] = got_rsa_length,
	[HANDSHAKE_RSA_KEY] = got_rsa_key,
	[HANDSHAKE_RSA_RANDOM] = got_rsa_random,
	[HANDSHAKE_RSA_SEALED] = begin_sealed,
	[HANDSHAKE_RSA_HASH] = got_rsa_hash,
	[HANDSHAKE_RSA_USER_SIZE] = got_rsa_user_size,
	[HANDSHAKE_RSA_USER] = got_rsa_user,
	[HANDSHAKE_RSA_PASSWORD_SIZE] = got_rsa_password_size,
	[HANDSHAKE_RSA_PASSWORD] = got_rsa_password,
};

enum handshake_verdict proof_step(struct handshake *handshake)
{
	return got[handshake->state](handshake);
}

void handshake_doubt(struct handshake *handshake)
{
	handshake->doubted = true;
}

bool handshake_awaits_person(const struct handshake *handshake)
{
	const struct security *chosen = &handshake->chosen;

	if (handshake->state == HANDSHAKE_INIT)
		return chosen->proof == PROOF_NONE && chosen->layer != LAYER_NOTHING;
	return handshake->state == HANDSHAKE_RSA_LENGTH || handshake_awaits_proof(handshake);
}

bool handshake_awaits_proof(const struct handshake *handshake)
{
	switch (handshake->state) {
	case HANDSHAKE_RESPONSE:
	case HANDSHAKE_PLAIN_SIZES:
	case HANDSHAKE_PLAIN:
	case HANDSHAKE_RSA_USER_SIZE:
	case HANDSHAKE_RSA_USER:
	case HANDSHAKE_RSA_PASSWORD_SIZE:
	case HANDSHAKE_RSA_PASSWORD:
		return true;
	default:
		return false;
	}
}
