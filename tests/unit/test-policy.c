/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "policy.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/config.h"
#include "base/mem.h"

enum {
	NONE = LINK_OFFER_NONE,
	VNC = LINK_OFFER_VNCAUTH,
	TN = LINK_OFFER_TLS_NONE,
	TV = LINK_OFFER_TLS_VNC,
	TP = LINK_OFFER_TLS_PLAIN,
	XN = LINK_OFFER_X509_NONE,
	XV = LINK_OFFER_X509_VNC,
	XP = LINK_OFFER_X509_PLAIN,
	RSA = LINK_OFFER_RSA_AES | LINK_OFFER_RSA_AES_256,
	RFB = LINK_TRANSPORT_RFB,
	WS = LINK_TRANSPORT_WEBSOCKET,
	WSS = LINK_TRANSPORT_SECURE_WEBSOCKET,
	UNIX = LOCALITY_UNIX,
	LOOP = LOCALITY_LOOPBACK,
	FAR = LOCALITY_OUTSIDE,
	CERT = 1,
	CA = 2,
	PASSWORD = 4,
	INSECURE = 8,
	GATE = 16,
	LOGINS = 32,
};

/* One row: what there is, the configuration's three lists, the listener's own; what comes of it. */
static const struct row {
	uint32_t facts, outside, local, gate;
	uint32_t where, asked, transports;
	int result;
	uint32_t offers;
} rows[] = {
	/* By default. */
	{0, 0, 0, 0, UNIX, 0, 0, 0, NONE},
	{PASSWORD, 0, 0, 0, UNIX, 0, 0, 0, NONE},
	{0, 0, 0, 0, LOOP, 0, 0, 0, NONE},
	{PASSWORD, 0, 0, 0, LOOP, 0, 0, 0, VNC},
	{0, 0, 0, 0, FAR, 0, 0, 0, TP | TV | RSA},
	{PASSWORD, 0, 0, 0, FAR, 0, 0, 0, TP | TV | RSA},
	{CERT, 0, 0, 0, FAR, 0, 0, 0, XP | XV | RSA},
	{CERT | CA, 0, 0, 0, FAR, 0, 0, 0, XP | XV | RSA},
	{INSECURE, 0, 0, 0, FAR, 0, 0, 0, TP | TV | RSA},
	/* As configured; a listener's own list is more important. */
	{0, TP, VNC, 0, FAR, 0, 0, 0, TP},
	{0, TP, VNC, 0, LOOP, 0, 0, 0, VNC},
	{PASSWORD, TP, TV, 0, UNIX, 0, 0, 0, TV},
	{0, TP, VNC, 0, FAR, RSA, 0, 0, RSA},
	{0, TP, VNC, 0, UNIX, NONE, 0, 0, NONE},
	/* The gate. */
	{GATE, 0, 0, 0, FAR, 0, 0, 0, TP | TV | RSA},
	{GATE | CERT, 0, 0, 0, FAR, 0, 0, 0, XP | XV | RSA},
	{GATE, 0, 0, 0, UNIX, 0, 0, 0, TP | TV | RSA | VNC},
	{GATE | CERT, 0, 0, 0, LOOP, 0, 0, 0, XP | XV | RSA | VNC},
	{GATE, TP, 0, 0, FAR, 0, 0, 0, TP},
	{GATE, TP, 0, TV, FAR, 0, 0, 0, TV},
	{GATE | CERT | CA, 0, 0, XN, FAR, 0, 0, 0, XN},
	{GATE | CERT, 0, 0, XN, FAR, 0, 0, -EACCES, 0},
	{GATE, 0, 0, NONE, FAR, 0, 0, -EACCES, 0},
	{GATE, 0, 0, NONE, LOOP, 0, 0, 0, NONE},
	/* Not encrypted, or no proof: not outside. */
	{0, NONE, 0, 0, FAR, 0, 0, -EACCES, 0},
	{0, 0, 0, 0, FAR, NONE, 0, -EACCES, 0},
	{CERT, 0, 0, 0, FAR, XP | NONE, 0, -EACCES, 0},
	{PASSWORD, 0, 0, 0, FAR, VNC, 0, -EACCES, 0},
	{0, 0, 0, 0, FAR, TN, 0, -EACCES, 0},
	{CERT, 0, 0, 0, FAR, XN, 0, -EACCES, 0},
	{CERT | CA, 0, 0, 0, FAR, XN, 0, 0, XN},
	{INSECURE, 0, 0, 0, FAR, NONE, 0, 0, NONE},
	{INSECURE, 0, 0, 0, FAR, VNC, 0, 0, VNC},
	{INSECURE, 0, 0, 0, FAR, TN, 0, 0, TN},
	{INSECURE | CERT, 0, 0, 0, FAR, XN, 0, 0, XN},
	{0, 0, 0, 0, LOOP, TN, 0, 0, TN},
	{0, 0, 0, 0, UNIX, VNC, 0, 0, VNC},
	/* What cannot work. */
	{0, 0, 0, 0, FAR, XP, 0, -EINVAL, 0},
	{INSECURE, 0, 0, 0, UNIX, XN, 0, -EINVAL, 0},
	{CERT, 0, 0, 0, UNIX, NONE, WSS, -EINVAL, 0},
	{CERT, 0, 0, 0, UNIX, XP, WSS | WS, 0, XP},
	{CERT, 0, 0, 0, FAR, 0, WSS | RFB, 0, XP | XV | RSA},
	{0, 0, 0, 0, FAR, 0, WSS, -EINVAL, 0},
};

static int decide(const struct row *row, struct link_listener *ret, const char **ret_reason)
{
	const struct config config = {
		.security = row->outside,
		.security_local = row->local,
		.gate_security = row->gate,
		.insecure = row->facts & INSECURE,
	};
	const struct policy_facts facts = {
		.config = &config,
		.certificate = row->facts & CERT,
		.authorities = row->facts & CA,
		.logins = row->facts & LOGINS,
		.password = row->facts & PASSWORD ? "secret12" : "",
	};
	const struct policy_wish wish = {
		.gate = row->facts & GATE,
		.mode = LINK_MODE_CONTROL,
		.security = row->asked,
		.transports = row->transports,
	};

	return policy_decide(&facts, row->where, &wish, ret, ret_reason);
}

static void table_of_offers(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct link_message message = {.type = LINK_LISTENER};
		const char *reason = NULL;
		int r = decide(&rows[i], &message.listener, &reason);

		if (r != rows[i].result)
			fail_msg("row %zu: %d (%s), not %d", i, r, reason ? reason : "",
				rows[i].result);
		if (r < 0) {
			assert_non_null(reason);
			continue;
		}
		assert_null(reason);
		if (message.listener.offers != rows[i].offers)
			fail_msg("row %zu: offers %x, not %x", i, message.listener.offers,
				rows[i].offers);
		assert_int_equal(
			message.listener.transports, rows[i].transports ? rows[i].transports : RFB);
		assert_int_equal(link_check(&message, true, true), 0);
	}
}

/* The configuration's transports are for whoever can use them. */
static void own_security_narrows_the_transports(void **state)
{
	struct config config = {.transports = RFB | WSS};
	const struct policy_facts facts = {.config = &config, .certificate = true, .password = ""};
	struct policy_wish wish = {.mode = LINK_MODE_CONTROL, .security = RSA};
	struct link_listener listener;
	const char *reason;

	assert_int_equal(policy_decide(&facts, LOCALITY_OUTSIDE, &wish, &listener, &reason), 0);
	assert_int_equal(listener.transports, RFB);
	wish.security = RSA | XP;
	assert_int_equal(policy_decide(&facts, LOCALITY_OUTSIDE, &wish, &listener, &reason), 0);
	assert_int_equal(listener.transports, RFB | WSS);
	wish.security = NONE;
	assert_int_equal(
		policy_decide(&facts, LOCALITY_OUTSIDE, &wish, &listener, &reason), -EACCES);
	assert_non_null(strstr(reason, "insecure"));
	/* Nothing is left of what was chosen. */
	config.transports = WSS;
	wish.security = RSA;
	assert_int_equal(policy_decide(&facts, LOCALITY_OUTSIDE, &wish, &listener, &reason), 0);
	assert_int_equal(listener.transports, RFB);
}

/* Whatever there is, and whatever is asked for: nothing outside is open unless the configuration says so. */
static void outside_nothing_is_open(void **state)
{
	for (uint32_t facts = 0; facts < 64; facts++)
		for (uint32_t asked = 0; asked <= LINK_OFFER_ALL; asked++) {
			struct row row = {.facts = facts & ~INSECURE, .where = FAR, .asked = asked};
			struct link_listener listener;
			const char *reason;

			if (decide(&row, &listener, &reason) < 0)
				continue;
			assert_true(listener.offers);
			assert_false(listener.offers & (NONE | VNC | TN));
			if (!(facts & CA))
				assert_false(listener.offers & XN);
			if (!(facts & CERT))
				assert_false(listener.offers & (XN | XV | XP));
		}
}

static void credentials_follow_offers(void **state)
{
	struct row row = {.facts = PASSWORD | LOGINS, .where = UNIX, .asked = NONE};
	struct link_listener listener;
	const char *reason;

	assert_int_equal(decide(&row, &listener, &reason), 0);
	assert_string_equal(listener.password, "");
	assert_int_equal(listener.tickets, 0);
	assert_int_equal(listener.login, 0);
	row.asked = VNC;
	assert_int_equal(decide(&row, &listener, &reason), 0);
	assert_string_equal(listener.password, "secret12");
	assert_int_equal(listener.tickets, 1);
	assert_int_equal(listener.login, 0);
	row.asked = VNC | TP;
	assert_int_equal(decide(&row, &listener, &reason), 0);
	assert_int_equal(listener.login, 1);
	row.facts = 0;
	assert_int_equal(decide(&row, &listener, &reason), 0);
	assert_string_equal(listener.password, "");
	assert_int_equal(listener.login, 0);
}

static void configuration_alone(void **state)
{
	struct config config = {.security = NONE};
	struct policy_facts facts = {.config = &config, .password = ""};
	const char *reason = NULL;

	assert_int_equal(policy_check(&facts, &reason), -EACCES);
	assert_non_null(strstr(reason, "insecure"));
	config.insecure = true;
	assert_int_equal(policy_check(&facts, &reason), 0);
	config = (struct config){.security_local = XP};
	assert_int_equal(policy_check(&facts, &reason), -EINVAL);
	facts.certificate = true;
	assert_int_equal(policy_check(&facts, &reason), 0);
}

static void transports_of_the_configuration(void **state)
{
	const struct {
		uint32_t configured, where, certificate, expected; /* 0: refused */
	} cases[] = {
		{0, FAR, 0, RFB},
		{RFB | WS, UNIX, 0, RFB | WS},
		{RFB | WSS, UNIX, 1, RFB},
		{WSS, LOOP, 1, RFB},
		{WSS | WS, FAR, 1, WSS | WS},
		{WSS | WS, FAR, 0, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct config config = {.transports = cases[i].configured};
		const struct policy_facts facts = {
			.config = &config,
			.certificate = cases[i].certificate,
			.password = "",
		};
		const struct policy_wish wish = {.mode = LINK_MODE_VIEW};
		struct link_listener listener = {0};
		const char *reason;
		int r = policy_decide(&facts, cases[i].where, &wish, &listener, &reason);

		assert_int_equal(r, cases[i].expected ? 0 : -EINVAL);
		assert_int_equal(listener.transports, cases[i].expected);
	}
}

static void words_are_the_bits(void **state)
{
	size_t n;

	for (n = 0; config_offer(n); n++)
		;
	assert_int_equal((1u << n) - 1, LINK_OFFER_ALL);
	assert_string_equal(config_offer(__builtin_ctz(LINK_OFFER_TLS_PLAIN)), "tlsPlain");
	assert_string_equal(config_offer(__builtin_ctz(LINK_OFFER_X509_NONE)), "x509None");
	assert_string_equal(config_offer(__builtin_ctz(LINK_OFFER_RSA_AES_256)), "rsaAes256");
	for (n = 0; config_transport(n); n++)
		;
	assert_int_equal((1u << n) - 1, LINK_TRANSPORT_ALL);
	assert_string_equal(config_transport(__builtin_ctz(WSS)), "secureWebsocket");
	assert_int_equal((int)CONFIG_SHARED_FORCE, (int)LINK_SHARING_FORCE_SHARED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_of_offers),
		cmocka_unit_test(own_security_narrows_the_transports),
		cmocka_unit_test(outside_nothing_is_open),
		cmocka_unit_test(credentials_follow_offers),
		cmocka_unit_test(configuration_alone),
		cmocka_unit_test(transports_of_the_configuration),
		cmocka_unit_test(words_are_the_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
