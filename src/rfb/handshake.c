/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation: a state waits for `want` bytes; when they are in `in` its function looks at them, says something, and enters
 * the next state. `authenticated` is set in one place, accept_viewer(), and ClientInit is looked at by no other way.
 *
 * A text can be right in three ways, tried in this order: it is the listener's own password, which is checked here; it is a
 * ticket; it is a user's password. The last two the broker checks. What answers VncAuth is one of the first two, never both: a
 * listener with a password draws a new challenge for each viewer, and tickets answer only the daemon's own.
 */
#include "rfb/handshake.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <string.h>

#include "base/mem.h"
#include "rfb/wire.h"

#define VERSION_SIZE 12
#define REASON_MAX   96

/* ---- what we say ---- */

static void say(struct handshake *handshake, const void *data, size_t size)
{
	size = MIN(size, sizeof(handshake->out) - handshake->out_size);
	memcpy(handshake->out + handshake->out_size, data, size);
	handshake->out_size += size;
}

static void say_byte(struct handshake *handshake, uint8_t value)
{
	say(handshake, &value, 1);
}

static void say_u32(struct handshake *handshake, uint32_t value)
{
	uint8_t bytes[4];

	wire_put_u32(bytes, value);
	say(handshake, bytes, sizeof(bytes));
}

static void say_text(struct handshake *handshake, const char *text)
{
	size_t size = MIN(strlen(text), (size_t)REASON_MAX);

	say_u32(handshake, size);
	say(handshake, text, size);
}

/* ---- how it goes on ---- */

static enum handshake_verdict enter(
	struct handshake *handshake, enum handshake_state state, size_t want)
{
	handshake->state = state;
	handshake->want = want;
	return HANDSHAKE_MORE;
}

/* The caller looks at the time, even if all that follows is here already. */
static enum handshake_verdict await_proof(
	struct handshake *handshake, enum handshake_state state, size_t want)
{
	enter(handshake, state, want);
	return HANDSHAKE_SAY;
}

static enum handshake_verdict end(
	struct handshake *handshake, enum handshake_verdict verdict, const char *reason)
{
	handshake->reason = reason;
	enter(handshake, HANDSHAKE_OVER, 0);
	return verdict;
}

static enum handshake_verdict fail(struct handshake *handshake, const char *reason)
{
	return end(handshake, HANDSHAKE_FAILED, reason);
}

void handshake_refuse(struct handshake *handshake, const char *reason)
{
	if (handshake->state == HANDSHAKE_ADMISSION) {
		/* RFB 7.1.2: no security types, then why. 3.3 has a type 0 for that. */
		if (handshake->minor == 3)
			say_u32(handshake, 0);
		else
			say_byte(handshake, 0);
		say_text(handshake, reason);
	}
	fail(handshake, reason);
}

void handshake_deny(struct handshake *handshake)
{
	say_u32(handshake, 1);
	if (handshake->minor >= 8)
		say_text(handshake, handshake->reason);
}

/* One word for all that can be wrong. */
static enum handshake_verdict deny(struct handshake *handshake)
{
	return end(handshake, HANDSHAKE_DENIED, "wrong password");
}

static enum handshake_verdict accept_viewer(struct handshake *handshake, enum link_mode mode)
{
	/* None alone has no SecurityResult before 3.8; VeNCrypt's None types have one (rfbproto). */
	if (handshake->chosen.type != SECURITY_NONE || handshake->minor >= 8)
		say_u32(handshake, 0);
	handshake->mode = MIN(mode, (enum link_mode)handshake->listener.mode);
	handshake->authenticated = true;
	explicit_bzero(&handshake->claim, sizeof(handshake->claim));
	enter(handshake, HANDSHAKE_INIT, 1);
	return HANDSHAKE_SAY;
}

static enum handshake_verdict ask_broker(struct handshake *handshake, enum link_check_kind kind)
{
	handshake->claim.kind = kind;
	enter(handshake, HANDSHAKE_JUDGING, 0);
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
		return fail(handshake, "a verdict that nobody asked for");
	if (allowed)
		return accept_viewer(handshake, mode);
	if (handshake->claim.kind == LINK_CHECK_TICKET && handshake->listener.login)
		return ask_broker(handshake, LINK_CHECK_LOGIN);
	explicit_bzero(&handshake->claim, sizeof(handshake->claim));
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
		return fail(handshake, "out of memory");
	key = rsaaes_public(handshake->rsaaes, &size);
	say(handshake, key, size);
	return enter(handshake, HANDSHAKE_RSA_LENGTH, 4);
}

static enum handshake_verdict got_rsa_length(struct handshake *handshake)
{
	size_t size = rsaaes_viewer_key_size(handshake->in);

	if (!size)
		return fail(handshake, "an RSA key of a size that is not taken");
	handshake->have = 4; /* its first bytes stay */
	return enter(handshake, HANDSHAKE_RSA_KEY, size);
}

static enum handshake_verdict got_rsa_key(struct handshake *handshake)
{
	uint8_t line[2 + RSAAES_BITS_MAX / 8];
	size_t size;

	if (rsaaes_viewer_key(handshake->rsaaes, handshake->in, handshake->want, line, &size) < 0)
		return fail(handshake, "not an RSA key");
	say(handshake, line, size);
	return enter(handshake, HANDSHAKE_RSA_RANDOM, rsaaes_random_size(handshake->rsaaes));
}

static enum handshake_verdict got_rsa_random(struct handshake *handshake)
{
	if (rsaaes_viewer_random(handshake->rsaaes, handshake->in) < 0)
		return fail(handshake, "not random bytes under our RSA key");
	enter(handshake, HANDSHAKE_RSA_SEALED, 0);
	return HANDSHAKE_SEAL;
}

static enum handshake_verdict begin_sealed(struct handshake *handshake)
{
	uint8_t hash[RSAAES_HASH_MAX];

	rsaaes_our_hash(handshake->rsaaes, hash);
	say(handshake, hash, rsaaes_hash_size(handshake->rsaaes));
	enter(handshake, HANDSHAKE_RSA_HASH, rsaaes_hash_size(handshake->rsaaes));
	return HANDSHAKE_SAY;
}

static enum handshake_verdict got_rsa_hash(struct handshake *handshake)
{
	if (!rsaaes_viewer_hash_is(handshake->rsaaes, handshake->in))
		return fail(handshake, "another RSA key was seen than the one that was sent");
	rsaaes_destroy(take_ptr(handshake->rsaaes));
	/* A user is asked for only where one means something. */
	say_byte(handshake, handshake->listener.login ? 1 : 2);
	return await_proof(handshake, HANDSHAKE_RSA_USER_SIZE, 1);
}

static enum handshake_verdict got_rsa_user_size(struct handshake *handshake)
{
	return enter(handshake, HANDSHAKE_RSA_USER, handshake->in[0]);
}

static enum handshake_verdict got_rsa_user(struct handshake *handshake)
{
	if (!take_user(handshake, handshake->in, handshake->want))
		return fail(handshake, "a user name that is none");
	return enter(handshake, HANDSHAKE_RSA_PASSWORD_SIZE, 1);
}

static enum handshake_verdict got_rsa_password_size(struct handshake *handshake)
{
	return enter(handshake, HANDSHAKE_RSA_PASSWORD, handshake->in[0]);
}

static enum handshake_verdict got_rsa_password(struct handshake *handshake)
{
	if (!take_secret(handshake, handshake->in, handshake->want))
		return fail(handshake, "a password that is none");
	return check_text(handshake);
}

/* ---- Plain ---- */

static enum handshake_verdict got_plain_sizes(struct handshake *handshake)
{
	uint32_t user = wire_u32(handshake->in), secret = wire_u32(handshake->in + 4);

	if (user > LIMIT_USER_CHARS || secret > LIMIT_SECRET_CHARS)
		return fail(handshake, "a user name or password that is too long");
	handshake->user_size = user;
	return enter(handshake, HANDSHAKE_PLAIN, user + secret);
}

static enum handshake_verdict got_plain(struct handshake *handshake)
{
	size_t user = handshake->user_size;

	if (!take_user(handshake, handshake->in, user) ||
		!take_secret(handshake, handshake->in + user, handshake->want - user))
		return fail(handshake, "a user name or password that is none");
	return check_text(handshake);
}

/* ---- the choice ---- */

static enum handshake_verdict begin_vncauth(struct handshake *handshake)
{
	/* Else it stays the daemon's own, which was given. */
	if (handshake->listener.password[0] && vncauth_challenge(handshake->challenge) < 0)
		return fail(handshake, "no random numbers");
	say(handshake, handshake->challenge, VNCAUTH_CHALLENGE);
	return await_proof(handshake, HANDSHAKE_RESPONSE, VNCAUTH_CHALLENGE);
}

static enum handshake_verdict begin_proof(struct handshake *handshake)
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
	return fail(handshake, "no such proof");
}

static enum handshake_verdict begin_vencrypt(struct handshake *handshake)
{
	say(handshake, "\0\2", 2);
	return enter(handshake, HANDSHAKE_VENCRYPT_VERSION, 2);
}

static enum handshake_verdict got_vencrypt_version(struct handshake *handshake)
{
	uint8_t count = 0;

	if (handshake->in[0] != 0 || handshake->in[1] != 2) {
		say_byte(handshake, 1);
		return fail(handshake, "another version of VeNCrypt than 0.2");
	}
	say_byte(handshake, 0);
	for (size_t i = 0; i < handshake->list_used; i++)
		count += handshake->list[i].type == SECURITY_VENCRYPT;
	say_byte(handshake, count);
	for (size_t i = 0; i < handshake->list_used; i++)
		if (handshake->list[i].type == SECURITY_VENCRYPT)
			say_u32(handshake, handshake->list[i].subtype);
	return enter(handshake, HANDSHAKE_VENCRYPT_SUBTYPE, 4);
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
		return fail(handshake, "chose a VeNCrypt subtype that was not offered");
	if (handshake->chosen.layer == LAYER_NOTHING)
		return begin_proof(handshake);
	say_byte(handshake, 1);
	enter(handshake, HANDSHAKE_SECURING, 0);
	return HANDSHAKE_TLS;
}

enum handshake_verdict handshake_secured(struct handshake *handshake, bool proven)
{
	const struct security *chosen = &handshake->chosen;

	if (handshake->state != HANDSHAKE_SECURING)
		return fail(handshake, "TLS that nobody asked for");
	if (chosen->layer == LAYER_CERTIFICATE && chosen->proof == PROOF_NONE &&
		handshake->place.needs_proof_by_certificate && !proven)
		return fail(handshake, "the viewer has shown no certificate");
	return begin_proof(handshake);
}

static enum handshake_verdict got_security(struct handshake *handshake)
{
	uint8_t type = handshake->in[0];

	if (type == SECURITY_VENCRYPT && offers_type(handshake, type))
		return begin_vencrypt(handshake);
	if (!choose(handshake, type, 0))
		return fail(handshake, "chose a security type that was not offered");
	return begin_proof(handshake);
}

/* 3.3: the server decides, and knows of two. */
static enum handshake_verdict decide(struct handshake *handshake)
{
	if (!choose(handshake, SECURITY_NONE, 0) && !choose(handshake, SECURITY_VNCAUTH, 0)) {
		handshake_refuse(handshake, "this display asks for a viewer of RFB 3.7 or later");
		return HANDSHAKE_FAILED;
	}
	say_u32(handshake, handshake->chosen.type);
	return begin_proof(handshake);
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
	say_byte(handshake, count);
	say(handshake, types, count);
	return enter(handshake, HANDSHAKE_SECURITY, 1);
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
		return fail(handshake, "not an RFB viewer");
	enter(handshake, HANDSHAKE_ADMISSION, 0);
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
	enter(handshake, HANDSHAKE_OVER, 0);
	return handshake->authenticated ? HANDSHAKE_DONE : fail(handshake, "not authenticated");
}

static enum handshake_verdict (*const got[])(struct handshake *handshake) = {
	[HANDSHAKE_VERSION] = got_version,
	[HANDSHAKE_ADMISSION] = offer,
	[HANDSHAKE_SECURITY] = got_security,
	[HANDSHAKE_VENCRYPT_VERSION] = got_vencrypt_version,
	[HANDSHAKE_VENCRYPT_SUBTYPE] = got_vencrypt_subtype,
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

void handshake_doubt(struct handshake *handshake)
{
	handshake->doubted = true;
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
	enter(handshake, HANDSHAKE_VERSION, VERSION_SIZE);
	say(handshake, "RFB 003.008\n", VERSION_SIZE);
}

void handshake_finish(struct handshake *handshake)
{
	rsaaes_destroy(handshake->rsaaes);
	rsaaes_key_unref(handshake->rsa_key);
	explicit_bzero(handshake, sizeof(*handshake));
}
