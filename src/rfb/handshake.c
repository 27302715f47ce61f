/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rfb/handshake.h"

#include <string.h>

#include "base/mem.h"
#include "rfb/wire.h"

#define VERSION_SIZE 12

static void say(struct handshake *handshake, const void *data, size_t size)
{
	size = MIN(size, sizeof(handshake->out) - handshake->out_size);
	memcpy(handshake->out + handshake->out_size, data, size);
	handshake->out_size += size;
}

static void say_u32(struct handshake *handshake, uint32_t value)
{
	uint8_t bytes[4];

	wire_put_u32(bytes, value);
	say(handshake, bytes, sizeof(bytes));
}

static void say_text(struct handshake *handshake, const char *text)
{
	size_t size = MIN(strlen(text), (size_t)HANDSHAKE_OUT / 2);

	say_u32(handshake, size);
	say(handshake, text, size);
}

void handshake_init(struct handshake *handshake, enum handshake_security security, const char *password)
{
	*handshake = (struct handshake){
		.state = HANDSHAKE_VERSION,
		.security = security,
		.password = password,
		.minor = 3,
	};
	say(handshake, "RFB 003.008\n", VERSION_SIZE);
}

static enum handshake_verdict fail(struct handshake *handshake, const char *reason)
{
	handshake->state = HANDSHAKE_OVER;
	handshake->reason = reason;
	return HANDSHAKE_FAILED;
}

void handshake_refuse(struct handshake *handshake, const char *reason)
{
	if (handshake->state == HANDSHAKE_ADMISSION) {
		/* RFB 7.1.2: no security types, then why. 3.3 has a type 0 for that. */
		if (handshake->minor == 3)
			say_u32(handshake, 0);
		else
			say(handshake, "\0", 1);
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
	handshake->state = HANDSHAKE_ADMISSION;
	if (major != 3) {
		handshake_refuse(handshake, "this server speaks RFB 3.3, 3.7 and 3.8");
		return HANDSHAKE_FAILED;
	}
	handshake->minor = minor < 7 ? 3 : minor == 7 ? 7 : 8;
	return HANDSHAKE_ASK;
}

static enum handshake_verdict begin_security(struct handshake *handshake)
{
	if (handshake->security == HANDSHAKE_VNCAUTH) {
		if (vncauth_challenge(handshake->challenge) < 0)
			return fail(handshake, "no random numbers");
		say(handshake, handshake->challenge, VNCAUTH_CHALLENGE);
		handshake->state = HANDSHAKE_RESPONSE;
		return HANDSHAKE_MORE;
	}
	if (handshake->minor >= 8)
		say_u32(handshake, 0);
	handshake->authenticated = true;
	handshake->state = HANDSHAKE_INIT;
	return HANDSHAKE_MORE;
}

/* Admitted: nobody called handshake_refuse(). */
static enum handshake_verdict offer(struct handshake *handshake)
{
	uint8_t list[2] = {1, handshake->security};

	if (handshake->minor == 3) {
		say_u32(handshake, handshake->security);
		return begin_security(handshake);
	}
	say(handshake, list, sizeof(list));
	handshake->state = HANDSHAKE_SECURITY;
	return HANDSHAKE_MORE;
}

static enum handshake_verdict got_security(struct handshake *handshake)
{
	if (handshake->in[0] != handshake->security)
		return fail(handshake, "chose a security type that was not offered");
	return begin_security(handshake);
}

static enum handshake_verdict got_response(struct handshake *handshake)
{
	if (!vncauth_check(handshake->password, handshake->challenge, handshake->in)) {
		handshake->state = HANDSHAKE_OVER;
		handshake->reason = "wrong password";
		return HANDSHAKE_DENIED;
	}
	say_u32(handshake, 0);
	handshake->authenticated = true;
	handshake->state = HANDSHAKE_INIT;
	return HANDSHAKE_MORE;
}

static enum handshake_verdict got_init(struct handshake *handshake)
{
	handshake->shared = handshake->in[0];
	handshake->state = HANDSHAKE_OVER;
	return handshake->authenticated ? HANDSHAKE_DONE : fail(handshake, "not authenticated");
}

static const struct {
	size_t size;
	enum handshake_verdict (*got)(struct handshake *handshake);
} steps[] = {
	[HANDSHAKE_VERSION] = {VERSION_SIZE, got_version},
	[HANDSHAKE_ADMISSION] = {0, offer},
	[HANDSHAKE_SECURITY] = {1, got_security},
	[HANDSHAKE_RESPONSE] = {VNCAUTH_CHALLENGE, got_response},
	[HANDSHAKE_INIT] = {1, got_init},
};

enum handshake_verdict handshake_eat(
	struct handshake *handshake, const uint8_t *data, size_t size, size_t *ret_eaten)
{
	enum handshake_verdict verdict = HANDSHAKE_MORE;
	size_t at = 0, n, want;

	while (verdict == HANDSHAKE_MORE && handshake->state != HANDSHAKE_OVER) {
		want = steps[handshake->state].size;
		n = MIN(want - handshake->have, size - at);
		if (n)
			memcpy(handshake->in + handshake->have, data + at, n);
		handshake->have += n;
		at += n;
		if (handshake->have < want)
			break;
		handshake->have = 0;
		verdict = steps[handshake->state].got(handshake);
	}
	*ret_eaten = at;
	return verdict;
}
