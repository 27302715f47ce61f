/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "rfb/handshake.h"
#include "rfb/wire.h"
#include "rsa-viewer.h"

#define PASSWORD "secret"

static const char *const versions[] = {"RFB 003.003\n", "RFB 003.007\n", "RFB 003.008\n"};
static struct rsaaes_key *server_key;

/* ---- talking to it ---- */

static struct handshake_options options_of(
	const struct link_listener *listener, enum security_channel channel)
{
	return (struct handshake_options){
		.listener = listener,
		.place = {.channel = channel, .tls = true, .certificate = true},
		.rsa_key = server_key,
		.challenge = "the challenge...",
	};
}

static void begin(struct handshake *handshake, const struct handshake_options *options)
{
	handshake_init(handshake, options);
	assert_int_equal(handshake->out_size, 12);
	assert_memory_equal(handshake->out, "RFB 003.008\n", 12);
	handshake->out_size = 0;
}

/* Goes on as long as it wants no more bytes. */
static enum handshake_verdict carry_on(struct handshake *handshake, enum handshake_verdict verdict)
{
	size_t eaten;

	while (verdict == HANDSHAKE_SAY)
		verdict = handshake_eat(handshake, NULL, 0, &eaten);
	return verdict;
}

/* Byte by byte, so that every step is seen to wait; all must be eaten up to the verdict. */
static enum handshake_verdict feed(struct handshake *handshake, const void *data, size_t size)
{
	enum handshake_verdict verdict = HANDSHAKE_MORE;
	size_t eaten;

	for (size_t i = 0; i < size; i++) {
		assert_int_equal(verdict, HANDSHAKE_MORE);
		verdict = handshake_eat(handshake, (const uint8_t *)data + i, 1, &eaten);
		assert_int_equal(eaten, 1);
		verdict = carry_on(handshake, verdict);
	}
	return verdict;
}

static void expect_out(struct handshake *handshake, const void *data, size_t size)
{
	assert_int_equal(handshake->out_size, size);
	assert_memory_equal(handshake->out, data, size);
	handshake->out_size = 0;
}

static enum handshake_verdict greet(
	struct handshake *handshake, const struct handshake_options *options, const char *version)
{
	size_t eaten;

	begin(handshake, options);
	assert_int_equal(feed(handshake, version, 12), HANDSHAKE_ASK);
	return carry_on(handshake, handshake_eat(handshake, NULL, 0, &eaten));
}

static struct link_listener listener_of(uint32_t offers)
{
	return (struct link_listener){
		.mode = LINK_MODE_CONTROL,
		.offers = offers,
		.transports = LINK_TRANSPORT_ALL,
	};
}

static enum handshake_verdict greet_for(
	struct handshake *handshake, uint32_t offers, const char *password, const char *version)
{
	struct link_listener listener = listener_of(offers);
	struct handshake_options options = options_of(&listener, CHANNEL_WIRE);

	snprintf(listener.password, sizeof(listener.password), "%s", password);
	return greet(handshake, &options, version);
}

/* ---- one viewer of each kind ---- */

static enum handshake_verdict prove_vnc(struct handshake *handshake, const char *password)
{
	uint8_t answer[VNCAUTH_CHALLENGE];

	assert_int_equal(handshake->out_size, VNCAUTH_CHALLENGE);
	assert_int_equal(vncauth_response(password, handshake->out, answer), 0);
	handshake->out_size = 0;
	assert_true(handshake_awaits_proof(handshake));
	return feed(handshake, answer, sizeof(answer));
}

static enum handshake_verdict prove_plain(
	struct handshake *handshake, const char *user, const char *password)
{
	uint8_t message[512];
	size_t size = 8;

	wire_put_u32(message, strlen(user));
	wire_put_u32(message + 4, strlen(password));
	memcpy(message + size, user, strlen(user));
	size += strlen(user);
	memcpy(message + size, password, strlen(password));
	size += strlen(password);
	assert_true(handshake_awaits_proof(handshake));
	return feed(handshake, message, size);
}

static enum handshake_verdict prove_sealed(
	struct handshake *handshake, const char *user, const char *password)
{
	uint8_t message[600];
	size_t users = strlen(user), passwords = strlen(password);

	message[0] = users;
	memcpy(message + 1, user, users);
	message[1 + users] = passwords;
	memcpy(message + 2 + users, password, passwords);
	assert_true(handshake_awaits_proof(handshake));
	return feed(handshake, message, 2 + users + passwords);
}

static void exchange_keys(struct handshake *handshake, struct rsa_viewer *viewer, bool strong)
{
	uint8_t line[2 + 1024], hash[32];
	size_t size;

	rsa_viewer_see_key(viewer, handshake->out, handshake->out_size);
	handshake->out_size = 0;
	assert_int_equal(feed(handshake, viewer->public, viewer->public_size), HANDSHAKE_MORE);
	rsa_viewer_see_random(viewer, strong, handshake->out, handshake->out_size);
	handshake->out_size = 0;
	size = rsa_viewer_random(viewer, strong, line);
	assert_int_equal(feed(handshake, line, size), HANDSHAKE_SEAL);
	expect_out(handshake, "", 0);
	assert_int_equal(carry_on(handshake, HANDSHAKE_SAY), HANDSHAKE_MORE);
	size = rsa_viewer_hash(viewer, strong, false, hash);
	expect_out(handshake, hash, size);
}

static enum handshake_verdict prove_rsa(
	struct handshake *handshake, bool strong, const char *user, const char *password)
{
	struct rsa_viewer viewer;
	uint8_t hash[32];
	size_t size;

	rsa_viewer_init(&viewer, strong ? 2048 : 1024);
	exchange_keys(handshake, &viewer, strong);
	size = rsa_viewer_hash(&viewer, strong, true, hash);
	assert_int_equal(feed(handshake, hash, size), HANDSHAKE_MORE);
	expect_out(handshake, handshake->listener.login ? "\1" : "\2", 1);
	rsa_viewer_finish(&viewer);
	return prove_sealed(handshake, user, password);
}

static enum handshake_verdict prove(
	struct handshake *handshake, const char *user, const char *password)
{
	switch (handshake->chosen.proof) {
	case PROOF_VNC:
		return prove_vnc(handshake, password);
	case PROOF_PLAIN:
		return prove_plain(handshake, user, password);
	case PROOF_RSA_AES:
		return prove_rsa(
			handshake, handshake->chosen.type == SECURITY_RSA_AES_256, user, password);
	default:
		return HANDSHAKE_MORE;
	}
}

static enum handshake_verdict choose_vencrypt(struct handshake *handshake, uint32_t subtype)
{
	enum handshake_verdict verdict;
	uint8_t message[4];

	assert_int_equal(feed(handshake, "\x13", 1), HANDSHAKE_MORE);
	expect_out(handshake, "\0\2", 2);
	assert_int_equal(feed(handshake, "\0\2", 2), HANDSHAKE_MORE);
	wire_put_u32(message, subtype);
	assert_int_equal(handshake->out_size, 6);
	assert_memory_equal(handshake->out, "\0\1", 2);
	assert_memory_equal(handshake->out + 2, message, 4);
	handshake->out_size = 0;
	verdict = feed(handshake, message, 4);
	if (subtype == 256)
		return verdict;
	assert_int_equal(verdict, HANDSHAKE_TLS);
	expect_out(handshake, "\1", 1);
	return carry_on(handshake, handshake_secured(handshake, false));
}

/* From the version to the proof, with the only type that is offered. */
static enum handshake_verdict choose(struct handshake *handshake, const struct security *only)
{
	uint8_t type = only->type, list[2] = {1, type}, word[4] = {0, 0, 0, type};

	if (handshake->minor == 3) {
		assert_true(handshake->out_size >= 4);
		assert_memory_equal(handshake->out, word, 4);
		handshake->out_size -= 4;
		memmove(handshake->out, handshake->out + 4, handshake->out_size);
		return HANDSHAKE_MORE;
	}
	expect_out(handshake, list, sizeof(list));
	return only->subtype ? choose_vencrypt(handshake, only->subtype)
			     : feed(handshake, &type, 1);
}

/* ---- the table ---- */

static void check_one(const struct handshake_options *options, const char *version, bool good)
{
	struct security list[SECURITY_MAX];
	struct handshake h;
	enum handshake_verdict verdict;
	bool old = version == versions[0];

	verdict = greet(&h, options, version);
	if (security_list(options->listener, &h.place, list) == 0) {
		assert_int_equal(verdict, HANDSHAKE_FAILED);
		assert_memory_equal(h.out, "\0\0\0\0", old ? 4 : 1);
		handshake_finish(&h);
		return;
	}
	if (old && list[0].type > SECURITY_VNCAUTH) {
		assert_int_equal(verdict, HANDSHAKE_FAILED);
		assert_memory_equal(h.out, "\0\0\0\0\0\0\0", 7);
		assert_true(h.out_size > 8);
		handshake_finish(&h);
		return;
	}
	assert_int_equal(verdict, HANDSHAKE_MORE);
	assert_int_equal(choose(&h, &list[0]), HANDSHAKE_MORE);
	verdict = prove(&h, "anybody", good ? PASSWORD : "Secret");
	if (h.chosen.proof != PROOF_NONE && !good) {
		assert_int_equal(verdict, HANDSHAKE_DENIED);
		assert_false(h.authenticated);
		expect_out(&h, "", 0);
		handshake_deny(&h);
		if (version == versions[2])
			expect_out(&h, "\0\0\0\1\0\0\0\16wrong password", 22);
		else
			expect_out(&h, "\0\0\0\1", 4);
		handshake_finish(&h);
		return;
	}
	assert_int_equal(verdict, HANDSHAKE_MORE);
	if (list[0].type == SECURITY_NONE && version != versions[2])
		expect_out(&h, "", 0);
	else
		expect_out(&h, "\0\0\0\0", 4);
	assert_int_equal(feed(&h, good ? "\1" : "\0", 1), HANDSHAKE_DONE);
	assert_true(h.authenticated);
	assert_int_equal(h.shared, good);
	assert_int_equal(h.mode, LINK_MODE_CONTROL);
	handshake_finish(&h);
}

static void types_by_version_by_transport(void **state)
{
	for (uint32_t offer = 1; offer <= LINK_OFFER_ALL; offer <<= 1)
		for (int channel = 0; channel < 3; channel++)
			for (size_t i = 0; i < ARRAY_SIZE(versions); i++)
				for (int good = 0; good < 2; good++) {
					struct link_listener listener = listener_of(offer);
					struct handshake_options options =
						options_of(&listener, channel);

					memcpy(listener.password, PASSWORD, sizeof(PASSWORD));
					check_one(&options, versions[i], good);
				}
}

static void odd_versions(void **state)
{
	static const struct {
		const char *version;
		unsigned int minor;
	} cases[] = {{"RFB 003.000\n", 3}, {"RFB 003.005\n", 3}, {"RFB 003.006\n", 3},
		{"RFB 003.009\n", 8}, {"RFB 003.889\n", 8}, {"RFB 003.999\n", 8}};
	static const char *const bad[] = {"RFB 003.00x\n", "RFB 003-008\n", "GET / HTTP/1",
		"RFB  3.008\n\n", "rfb 003.008\n", "RFB 003.0088"};
	struct link_listener listener = listener_of(LINK_OFFER_NONE);
	struct handshake_options options = options_of(&listener, CHANNEL_WIRE);
	struct handshake h;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		greet(&h, &options, cases[i].version);
		assert_int_equal(h.minor, cases[i].minor);
		handshake_finish(&h);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		begin(&h, &options);
		assert_int_equal(feed(&h, bad[i], 12), HANDSHAKE_FAILED);
		expect_out(&h, "", 0);
		handshake_finish(&h);
	}
	begin(&h, &options);
	assert_int_equal(feed(&h, "RFB 004.001\n", 12), HANDSHAKE_FAILED);
	assert_memory_equal(h.out, "\0\0\0\0", 4);
	handshake_finish(&h);
}

static void old_viewers_get_what_they_know(void **state)
{
	struct handshake h;

	assert_int_equal(greet_for(&h, LINK_OFFER_ALL, PASSWORD, versions[0]), HANDSHAKE_MORE);
	expect_out(&h, "\0\0\0\1", 4);
	handshake_finish(&h);
	assert_int_equal(greet_for(&h, LINK_OFFER_ALL & ~LINK_OFFER_NONE, PASSWORD, versions[0]),
		HANDSHAKE_MORE);
	assert_int_equal(h.out_size, 4 + VNCAUTH_CHALLENGE);
	assert_memory_equal(h.out, "\0\0\0\2", 4);
	handshake_finish(&h);
	assert_int_equal(
		greet_for(&h, LINK_OFFER_X509_NONE | LINK_OFFER_RSA_AES, PASSWORD, versions[0]),
		HANDSHAKE_FAILED);
	assert_memory_equal(h.out, "\0\0\0\0\0\0\0", 7);
	handshake_finish(&h);
}

static void the_list_is_what_is_offered(void **state)
{
	struct handshake h;

	greet_for(&h, LINK_OFFER_ALL, PASSWORD, versions[2]);
	expect_out(&h, "\5\x13\x81\5\1\2", 6);
	assert_int_equal(feed(&h, "\x13\0\2", 3), HANDSHAKE_MORE);
	assert_int_equal(h.out_size, 2 + 2 + 6 * 4);
	assert_memory_equal(h.out, "\0\2\0\6", 4);
	for (uint32_t subtype = 257; subtype <= 262; subtype++) {
		bool found = false;

		for (size_t i = 0; i < 6; i++)
			found |= wire_u32(h.out + 4 + 4 * i) == subtype;
		assert_true(found);
	}
	handshake_finish(&h);
}

/* ---- ways around it ---- */

static void expect_deaf(struct handshake *handshake)
{
	static const uint8_t more[] = {1, 1, 1};
	size_t eaten;

	assert_false(handshake->authenticated);
	assert_int_equal(handshake_eat(handshake, more, sizeof(more), &eaten), HANDSHAKE_MORE);
	assert_int_equal(eaten, 0);
	handshake_finish(handshake);
}

static void types_not_offered_fail(void **state)
{
	static const struct {
		uint32_t offer;
		int type;
	} cases[] = {{LINK_OFFER_NONE, 1}, {LINK_OFFER_VNCAUTH, 2}, {LINK_OFFER_TLS_NONE, 19},
		{LINK_OFFER_X509_PLAIN, 19}, {LINK_OFFER_RSA_AES, 5},
		{LINK_OFFER_RSA_AES_256, 129}};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		for (int type = 0; type < 256; type++) {
			uint8_t byte = type;
			struct handshake h;

			if (type == cases[i].type)
				continue;
			greet_for(&h, cases[i].offer, PASSWORD, versions[1 + type % 2]);
			h.out_size = 0;
			assert_int_equal(feed(&h, &byte, 1), HANDSHAKE_FAILED);
			expect_out(&h, "", 0);
			expect_deaf(&h);
		}
}

static void subtypes_not_offered_fail(void **state)
{
	static const uint32_t others[] = {0, 1, 2, 5, 19, 129, 255, 256, 257, 258, 259, 260, 261,
		262, 263, 264, 0x01000000, 0xffffffff};

	for (uint32_t offer = LINK_OFFER_TLS_NONE; offer <= LINK_OFFER_X509_PLAIN; offer <<= 1)
		for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
			struct handshake h;
			uint8_t word[4];

			greet_for(&h, offer | LINK_OFFER_VNCAUTH, PASSWORD, versions[2]);
			if (h.list[0].subtype == others[i]) {
				handshake_finish(&h);
				continue;
			}
			h.out_size = 0;
			assert_int_equal(feed(&h, "\x13\0\2", 3), HANDSHAKE_MORE);
			h.out_size = 0;
			wire_put_u32(word, others[i]);
			assert_int_equal(feed(&h, word, 4), HANDSHAKE_FAILED);
			expect_out(&h, "", 0);
			expect_deaf(&h);
		}
}

static void other_versions_of_vencrypt_fail(void **state)
{
	static const char *const cases[] = {"\0\0", "\0\1", "\0\3", "\1\2", "\0\xff"};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct handshake h;

		greet_for(&h, LINK_OFFER_TLS_NONE, "", versions[2]);
		h.out_size = 0;
		assert_int_equal(feed(&h, "\x13", 1), HANDSHAKE_MORE);
		h.out_size = 0;
		assert_int_equal(feed(&h, cases[i], 2), HANDSHAKE_FAILED);
		expect_out(&h, "\1", 1);
		expect_deaf(&h);
	}
}

/* The rest of a viewer that sends all at once is not eaten while TLS is not there. */
static void nothing_is_taken_before_tls(void **state)
{
	static const char early[] = "\x13\0\2\0\0\1\3\0\0\0\0\0\0\0\6secret\1";
	struct handshake h;
	size_t eaten;

	greet_for(&h, LINK_OFFER_TLS_PLAIN, PASSWORD, versions[2]);
	h.out_size = 0;
	assert_int_equal(handshake_eat(&h, (const uint8_t *)early, sizeof(early) - 1, &eaten),
		HANDSHAKE_TLS);
	assert_int_equal(eaten, 7);
	assert_int_equal(handshake_eat(&h, (const uint8_t *)early + 7, 8, &eaten), HANDSHAKE_MORE);
	assert_int_equal(eaten, 0);
	handshake_finish(&h);
	/* And TLS that nobody chose is no way in. */
	greet_for(&h, LINK_OFFER_TLS_NONE, "", versions[2]);
	assert_int_equal(handshake_secured(&h, true), HANDSHAKE_FAILED);
	h.out_size = 0;
	expect_deaf(&h);
}

static void x509_without_password_takes_a_certificate(void **state)
{
	for (int proven = 0; proven < 2; proven++) {
		struct link_listener listener = listener_of(LINK_OFFER_X509_NONE);
		struct handshake_options options = options_of(&listener, CHANNEL_WIRE);
		struct handshake h;

		options.place.needs_proof_by_certificate = true;
		greet(&h, &options, versions[2]);
		h.out_size = 0;
		assert_int_equal(feed(&h, "\x13\0\2\0\0\1\4", 7), HANDSHAKE_TLS);
		h.out_size = 0;
		if (proven) {
			assert_int_equal(carry_on(&h, handshake_secured(&h, true)), HANDSHAKE_MORE);
			assert_int_equal(feed(&h, "\1", 1), HANDSHAKE_DONE);
			handshake_finish(&h);
		} else {
			assert_int_equal(handshake_secured(&h, false), HANDSHAKE_FAILED);
			expect_deaf(&h);
		}
	}
}

static void begin_plain(struct handshake *handshake, struct link_listener *listener)
{
	struct handshake_options options = options_of(listener, CHANNEL_SECURE_WEBSOCKET);

	listener->offers = LINK_OFFER_X509_PLAIN;
	assert_int_equal(greet(handshake, &options, versions[2]), HANDSHAKE_MORE);
	handshake->out_size = 0;
	assert_int_equal(feed(handshake, "\x13\0\2\0\0\1\0", 7), HANDSHAKE_MORE);
	handshake->out_size = 0;
}

static void texts_too_long_or_with_a_zero_fail(void **state)
{
	static const struct {
		uint32_t user, password;
	} sizes[] = {{LIMIT_USER_CHARS + 1, 0}, {0, LIMIT_SECRET_CHARS + 1}, {0xffffffff, 0},
		{0, 0xffffffff}, {0xffffffff, 0xffffffff}, {0x80000000, 0x80000000}};
	struct link_listener listener = {.mode = 1, .tickets = 1, .login = 1};
	char user[LIMIT_USER_CHARS + 1] = {0}, secret[LIMIT_SECRET_CHARS + 1] = {0};
	struct handshake h;
	uint8_t head[8];

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		begin_plain(&h, &listener);
		wire_put_u32(head, sizes[i].user);
		wire_put_u32(head + 4, sizes[i].password);
		assert_int_equal(feed(&h, head, 8), HANDSHAKE_FAILED);
		expect_deaf(&h);
	}
	/* The longest are taken. */
	begin_plain(&h, &listener);
	memset(user, 'u', LIMIT_USER_CHARS);
	memset(secret, 's', LIMIT_SECRET_CHARS);
	assert_int_equal(prove_plain(&h, user, secret), HANDSHAKE_CHECK);
	assert_string_equal(h.claim.user, user);
	assert_string_equal(h.claim.secret, secret);
	handshake_finish(&h);
	begin_plain(&h, &listener);
	assert_int_equal(feed(&h, "\0\0\0\3\0\0\0\3a\0bsec", 14), HANDSHAKE_FAILED);
	expect_deaf(&h);
	begin_plain(&h, &listener);
	assert_int_equal(feed(&h, "\0\0\0\3\0\0\0\3abcse\0", 14), HANDSHAKE_FAILED);
	expect_deaf(&h);
}

static void an_empty_password_is_none(void **state)
{
	struct link_listener listener = {.mode = 1, .password = PASSWORD};
	struct handshake h;

	begin_plain(&h, &listener);
	assert_int_equal(prove_plain(&h, "", ""), HANDSHAKE_DENIED);
	expect_deaf(&h);
	/* Where there is no fixed password, an empty text is no way in either: the broker is asked. */
	listener = (struct link_listener){.mode = 1, .tickets = 1};
	begin_plain(&h, &listener);
	assert_int_equal(prove_plain(&h, "", ""), HANDSHAKE_CHECK);
	assert_int_equal(handshake_judge(&h, false, LINK_MODE_CONTROL), HANDSHAKE_DENIED);
	expect_deaf(&h);
}

static void two_listeners_keep_their_rules(void **state)
{
	struct link_listener open = listener_of(LINK_OFFER_NONE);
	struct link_listener locked = listener_of(LINK_OFFER_VNCAUTH);
	struct handshake_options options[] = {
		options_of(&open, CHANNEL_WIRE), options_of(&locked, CHANNEL_WIRE)};
	struct handshake a, b;

	memcpy(locked.password, PASSWORD, sizeof(PASSWORD));
	/* The second is begun while the first is under way, in both orders. */
	for (int order = 0; order < 2; order++) {
		greet(order ? &a : &b, &options[!order], versions[2]);
		greet(order ? &b : &a, &options[order], versions[2]);
		expect_out(&a, "\1\1", 2);
		expect_out(&b, "\1\2", 2);
		assert_int_equal(feed(&a, "\1", 1), HANDSHAKE_MORE);
		assert_int_equal(feed(&b, "\1", 1), HANDSHAKE_FAILED);
		assert_int_equal(feed(&a, "\1", 1), HANDSHAKE_DONE);
		handshake_finish(&a);
		expect_deaf(&b);
	}
}

/* ---- what the broker is asked ---- */

static void tickets_answer_the_daemons_challenge(void **state)
{
	uint8_t answer[VNCAUTH_CHALLENGE], digest[SHA256_DIGEST_LENGTH];
	struct link_listener listener = listener_of(LINK_OFFER_VNCAUTH);
	struct handshake_options options = options_of(&listener, CHANNEL_WIRE);
	struct handshake h;

	listener.tickets = 1;
	for (int allowed = 0; allowed < 2; allowed++) {
		greet(&h, &options, versions[2]);
		h.out_size = 0;
		assert_int_equal(feed(&h, "\2", 1), HANDSHAKE_MORE);
		assert_memory_equal(h.out, options.challenge, VNCAUTH_CHALLENGE);
		assert_int_equal(prove_vnc(&h, "TICKET12"), HANDSHAKE_CHECK);
		vncauth_response("TICKET12", options.challenge, answer);
		SHA256(answer, sizeof(answer), digest);
		assert_int_equal(h.claim.kind, LINK_CHECK_CHALLENGE);
		assert_memory_equal(h.claim.digest, digest, sizeof(digest));
		/* Nothing is let in before the verdict. */
		assert_false(h.authenticated);
		expect_out(&h, "", 0);
		if (!allowed) {
			assert_int_equal(
				handshake_judge(&h, false, LINK_MODE_CONTROL), HANDSHAKE_DENIED);
			expect_deaf(&h);
			continue;
		}
		assert_int_equal(
			carry_on(&h, handshake_judge(&h, true, LINK_MODE_VIEW)), HANDSHAKE_MORE);
		expect_out(&h, "\0\0\0\0", 4);
		assert_int_equal(h.mode, LINK_MODE_VIEW);
		/* Once. */
		assert_int_equal(handshake_judge(&h, true, LINK_MODE_CONTROL), HANDSHAKE_FAILED);
		handshake_finish(&h);
	}
}

static void a_fixed_password_has_a_challenge_of_its_own(void **state)
{
	struct link_listener listener = listener_of(LINK_OFFER_VNCAUTH);
	struct handshake_options options = options_of(&listener, CHANNEL_WIRE);
	uint8_t first[VNCAUTH_CHALLENGE];
	struct handshake h;

	listener.tickets = 1;
	memcpy(listener.password, PASSWORD, sizeof(PASSWORD));
	for (int i = 0; i < 2; i++) {
		greet(&h, &options, versions[2]);
		h.out_size = 0;
		feed(&h, "\2", 1);
		assert_memory_not_equal(h.out, options.challenge, VNCAUTH_CHALLENGE);
		if (i)
			assert_memory_not_equal(h.out, first, VNCAUTH_CHALLENGE);
		memcpy(first, h.out, VNCAUTH_CHALLENGE);
		assert_int_equal(prove_vnc(&h, i ? PASSWORD : "ticket12"),
			i ? HANDSHAKE_MORE : HANDSHAKE_DENIED);
		handshake_finish(&h);
	}
}

static void a_text_is_a_ticket_or_a_users_password(void **state)
{
	struct link_listener listener = {.mode = LINK_MODE_VIEW, .tickets = 1, .login = 1};
	uint8_t digest[SHA256_DIGEST_LENGTH];
	struct handshake h;

	begin_plain(&h, &listener);
	assert_int_equal(prove_plain(&h, "alice", "her password"), HANDSHAKE_CHECK);
	SHA256((const uint8_t *)"her password", 12, digest);
	assert_int_equal(h.claim.kind, LINK_CHECK_TICKET);
	assert_memory_equal(h.claim.digest, digest, sizeof(digest));
	assert_int_equal(handshake_judge(&h, false, 0), HANDSHAKE_CHECK);
	assert_int_equal(h.claim.kind, LINK_CHECK_LOGIN);
	assert_string_equal(h.claim.user, "alice");
	assert_string_equal(h.claim.secret, "her password");
	/* No more than the listener gives. */
	assert_int_equal(
		carry_on(&h, handshake_judge(&h, true, LINK_MODE_CONTROL)), HANDSHAKE_MORE);
	assert_int_equal(h.mode, LINK_MODE_VIEW);
	assert_int_equal(h.claim.secret[0], 0);
	handshake_finish(&h);
	begin_plain(&h, &listener);
	assert_int_equal(prove_plain(&h, "alice", "wrong"), HANDSHAKE_CHECK);
	assert_int_equal(handshake_judge(&h, false, 0), HANDSHAKE_CHECK);
	assert_int_equal(handshake_judge(&h, false, 0), HANDSHAKE_DENIED);
	assert_int_equal(h.claim.secret[0], 0);
	expect_deaf(&h);
}

static void a_gate_asks_about_everybody(void **state)
{
	struct link_listener listener = listener_of(LINK_OFFER_NONE | LINK_OFFER_VNCAUTH);
	struct handshake_options options = options_of(&listener, CHANNEL_WIRE);

	options.gate = true;
	memcpy(listener.password, PASSWORD, sizeof(PASSWORD));
	for (int type = 1; type <= 2; type++) {
		uint8_t byte = type;
		struct handshake h;

		greet(&h, &options, versions[2]);
		h.out_size = 0;
		if (type == 1) {
			assert_int_equal(feed(&h, &byte, 1), HANDSHAKE_CHECK);
		} else {
			assert_int_equal(feed(&h, &byte, 1), HANDSHAKE_MORE);
			assert_int_equal(prove_vnc(&h, PASSWORD), HANDSHAKE_CHECK);
		}
		assert_int_equal(h.claim.kind, LINK_CHECK_NAME);
		assert_int_equal(handshake_judge(&h, false, 0), HANDSHAKE_DENIED);
		expect_deaf(&h);
	}
}

static void who_is_doubted_is_wrong(void **state)
{
	struct link_listener listener = {.mode = 1, .tickets = 1, .password = PASSWORD};
	struct handshake h;

	begin_plain(&h, &listener);
	handshake_doubt(&h);
	assert_int_equal(prove_plain(&h, "", PASSWORD), HANDSHAKE_DENIED);
	expect_deaf(&h);
	greet_for(&h, LINK_OFFER_VNCAUTH, PASSWORD, versions[2]);
	h.out_size = 0;
	feed(&h, "\2", 1);
	handshake_doubt(&h);
	assert_int_equal(prove_vnc(&h, PASSWORD), HANDSHAKE_DENIED);
	expect_deaf(&h);
}

/* ---- RSA-AES ---- */

static void begin_rsa(struct handshake *handshake, bool strong)
{
	greet_for(handshake, strong ? LINK_OFFER_RSA_AES_256 : LINK_OFFER_RSA_AES, PASSWORD,
		versions[2]);
	handshake->out_size = 0;
	assert_int_equal(feed(handshake, strong ? "\x81" : "\5", 1), HANDSHAKE_MORE);
}

static void keys_of_odd_sizes(void **state)
{
	static const uint32_t bad[] = {0, 1, 512, 1023, 8193, 0x10000, 0xffffffff};
	struct handshake h;
	uint8_t word[4];

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		begin_rsa(&h, i % 2);
		h.out_size = 0;
		wire_put_u32(word, bad[i]);
		assert_int_equal(feed(&h, word, 4), HANDSHAKE_FAILED);
		expect_out(&h, "", 0);
		expect_deaf(&h);
	}
	for (unsigned int bits = 1024; bits <= 2048; bits += 1001) { /* 2025 is no multiple of 8 */
		struct rsa_viewer viewer;

		begin_rsa(&h, false);
		rsa_viewer_init(&viewer, bits);
		exchange_keys(&h, &viewer, false);
		rsa_viewer_finish(&viewer);
		handshake_finish(&h);
	}
}

static void keys_that_cost_too_much(void **state)
{
	struct rsa_viewer viewer;
	size_t bytes = 1024 / 8;

	rsa_viewer_init(&viewer, 1024);
	for (int i = 0; i < 6; i++) {
		uint8_t key[sizeof(viewer.public)];
		struct handshake h;

		memcpy(key, viewer.public, viewer.public_size);
		switch (i) {
		case 0: /* an exponent of 1024 bits */
			memcpy(key + 4 + bytes, key + 4, bytes);
			break;
		case 1: /* of 33 */
			key[4 + 2 * bytes - 5] = 1;
			break;
		case 2: /* 1 */
			memset(key + 4 + bytes, 0, bytes);
			key[4 + 2 * bytes - 1] = 1;
			break;
		case 3: /* 0 */
			memset(key + 4 + bytes, 0, bytes);
			break;
		case 4: /* a modulus of fewer bits than it says */
			key[4] = 0;
			break;
		case 5: /* an even one */
			key[4 + bytes - 1] &= 0xfe;
			break;
		}
		begin_rsa(&h, false);
		h.out_size = 0;
		assert_int_equal(feed(&h, key, viewer.public_size), HANDSHAKE_FAILED);
		expect_out(&h, "", 0);
		expect_deaf(&h);
	}
	rsa_viewer_finish(&viewer);
}

static void random_that_is_none(void **state)
{
	struct rsa_viewer viewer;
	uint8_t line[2 + 1024], hash[32];
	struct handshake h;
	size_t size;

	for (int i = 0; i < 3; i++) {
		begin_rsa(&h, true);
		rsa_viewer_init(&viewer, 1024);
		rsa_viewer_see_key(&viewer, h.out, h.out_size);
		h.out_size = 0;
		assert_int_equal(feed(&h, viewer.public, viewer.public_size), HANDSHAKE_MORE);
		size = rsa_viewer_random(&viewer, true, line);
		if (i == 0) { /* another size: no need to hide that */
			line[1]--;
			assert_int_equal(feed(&h, line, size), HANDSHAKE_FAILED);
		} else { /* padding that is wrong goes on as if it were not */
			line[size - i] ^= 1;
			assert_int_equal(feed(&h, line, size), HANDSHAKE_SEAL);
		}
		rsa_viewer_finish(&viewer);
		handshake_finish(&h);
	}
	/* A wrong hash is the end. */
	begin_rsa(&h, true);
	rsa_viewer_init(&viewer, 1024);
	exchange_keys(&h, &viewer, true);
	size = rsa_viewer_hash(&viewer, true, true, hash);
	hash[31] ^= 1;
	assert_int_equal(feed(&h, hash, size), HANDSHAKE_FAILED);
	rsa_viewer_finish(&viewer);
	expect_deaf(&h);
}

static void sealed_texts_too_long_fail(void **state)
{
	struct rsa_viewer viewer;
	char text[256] = {0};
	uint8_t hash[32];
	struct handshake h;
	size_t size;

	for (int i = 0; i < 2; i++) {
		begin_rsa(&h, false);
		rsa_viewer_init(&viewer, 1024);
		exchange_keys(&h, &viewer, false);
		size = rsa_viewer_hash(&viewer, false, true, hash);
		assert_int_equal(feed(&h, hash, size), HANDSHAKE_MORE);
		memset(text, 'x', sizeof(text) - 1);
		text[(i ? LIMIT_SECRET_CHARS : LIMIT_USER_CHARS) + 1] = 0;
		if (i) {
			assert_int_equal(prove_sealed(&h, "", text), HANDSHAKE_FAILED);
		} else {
			uint8_t count = strlen(text);

			assert_int_equal(feed(&h, &count, 1), HANDSHAKE_MORE);
			assert_int_equal(feed(&h, text, count), HANDSHAKE_FAILED);
		}
		rsa_viewer_finish(&viewer);
		handshake_finish(&h);
	}
}

/* ---- the rest ---- */

static void refusal_in_the_words_of_the_version(void **state)
{
	struct link_listener listener = listener_of(LINK_OFFER_NONE);
	struct handshake_options options = options_of(&listener, CHANNEL_WIRE);
	struct handshake h;

	begin(&h, &options);
	assert_int_equal(feed(&h, "RFB 003.003\n", 12), HANDSHAKE_ASK);
	handshake_refuse(&h, "full");
	expect_out(&h, "\0\0\0\0\0\0\0\4full", 12);
	handshake_finish(&h);
	begin(&h, &options);
	assert_int_equal(feed(&h, "RFB 003.008\n", 12), HANDSHAKE_ASK);
	handshake_refuse(&h, "full");
	expect_out(&h, "\0\0\0\0\4full", 9);
	handshake_finish(&h);
}

static void what_follows_is_not_eaten(void **state)
{
	static const uint8_t rest[] = {1, 1, 0xaa, 0xbb};
	struct handshake h;
	size_t eaten;

	greet_for(&h, LINK_OFFER_NONE, "", versions[2]);
	assert_int_equal(handshake_eat(&h, rest, sizeof(rest), &eaten), HANDSHAKE_SAY);
	assert_int_equal(eaten, 1);
	assert_int_equal(handshake_eat(&h, rest + 1, 3, &eaten), HANDSHAKE_DONE);
	assert_int_equal(eaten, 1);
	handshake_finish(&h);
}

static int setup(void **state)
{
	EVP_PKEY *pair = rsa_viewer_make_key(2048);
	int r = rsaaes_key_create(pair, &server_key);

	EVP_PKEY_free(pair);
	return r < 0 ? r : vncauth_open();
}

static int teardown(void **state)
{
	rsaaes_key_unref(server_key);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(types_by_version_by_transport),
		cmocka_unit_test(odd_versions),
		cmocka_unit_test(old_viewers_get_what_they_know),
		cmocka_unit_test(the_list_is_what_is_offered),
		cmocka_unit_test(types_not_offered_fail),
		cmocka_unit_test(subtypes_not_offered_fail),
		cmocka_unit_test(other_versions_of_vencrypt_fail),
		cmocka_unit_test(nothing_is_taken_before_tls),
		cmocka_unit_test(x509_without_password_takes_a_certificate),
		cmocka_unit_test(texts_too_long_or_with_a_zero_fail),
		cmocka_unit_test(an_empty_password_is_none),
		cmocka_unit_test(two_listeners_keep_their_rules),
		cmocka_unit_test(tickets_answer_the_daemons_challenge),
		cmocka_unit_test(a_fixed_password_has_a_challenge_of_its_own),
		cmocka_unit_test(a_text_is_a_ticket_or_a_users_password),
		cmocka_unit_test(a_gate_asks_about_everybody),
		cmocka_unit_test(who_is_doubted_is_wrong),
		cmocka_unit_test(keys_of_odd_sizes),
		cmocka_unit_test(keys_that_cost_too_much),
		cmocka_unit_test(random_that_is_none),
		cmocka_unit_test(sealed_texts_too_long_fail),
		cmocka_unit_test(refusal_in_the_words_of_the_version),
		cmocka_unit_test(what_follows_is_not_eaten),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
