/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "rfb/security.h"

/* What one offer alone is on each channel: type and subtype; 0: not offered. */
static const struct {
	enum link_offer offer;
	bool certificate, rsa_key; /* needs one */
	bool vnc, text;		   /* needs something that can be right */
	struct {
		unsigned int type, subtype;
	} on[3];
} table[] = {
	{LINK_OFFER_NONE, .on = {{1, 0}, {1, 0}, {1, 0}}},
	{LINK_OFFER_VNCAUTH, .vnc = true, .on = {{2, 0}, {2, 0}, {2, 0}}},
	{LINK_OFFER_TLS_NONE, .on = {{19, 257}}},
	{LINK_OFFER_TLS_VNC, .vnc = true, .on = {{19, 258}}},
	{LINK_OFFER_TLS_PLAIN, .text = true, .on = {{19, 259}}},
	{LINK_OFFER_X509_NONE, .certificate = true, .on = {{19, 260}, {0, 0}, {1, 0}}},
	{LINK_OFFER_X509_VNC, .certificate = true, .vnc = true, .on = {{19, 261}, {0, 0}, {2, 0}}},
	{LINK_OFFER_X509_PLAIN, .certificate = true, .text = true,
		.on = {{19, 262}, {0, 0}, {19, 256}}},
	{LINK_OFFER_RSA_AES, .rsa_key = true, .text = true, .on = {{5, 0}, {5, 0}, {5, 0}}},
	{LINK_OFFER_RSA_AES_256, .rsa_key = true, .text = true,
		.on = {{129, 0}, {129, 0}, {129, 0}}},
};

static bool expected(
	size_t row, const struct link_listener *listener, const struct security_place *place)
{
	bool login = listener->login, ticket = listener->tickets || listener->password[0];
	bool secure = place->channel == CHANNEL_SECURE_WEBSOCKET;

	if (!table[row].on[place->channel].type)
		return false;
	if (table[row].on[0].subtype && !secure && !place->tls)
		return false;
	if (table[row].certificate && !secure && !place->certificate)
		return false;
	if (table[row].offer == LINK_OFFER_X509_NONE && secure &&
		place->needs_proof_by_certificate && !place->proven)
		return false;
	if (table[row].rsa_key && !place->rsa_key)
		return false;
	return (!table[row].vnc || ticket) && (!table[row].text || ticket || login);
}

static struct link_listener listener_of(unsigned int bits)
{
	return (struct link_listener){
		.mode = LINK_MODE_CONTROL,
		.transports = LINK_TRANSPORT_ALL,
		.tickets = bits & 1,
		.login = bits >> 1 & 1,
		.password = {bits & 4 ? 'x' : 0},
	};
}

static struct security_place place_of(unsigned int bits)
{
	return (struct security_place){
		.certificate = bits & 1,
		.rsa_key = bits & 2,
		.needs_proof_by_certificate = bits & 4,
		.proven = bits & 8,
		.tls = bits & 16,
		.channel = bits >> 5,
	};
}

static void one_offer_alone(void **state)
{
	for (size_t row = 0; row < ARRAY_SIZE(table); row++)
		for (unsigned int bits = 0; bits < 8 * 96; bits++) {
			struct link_listener listener = listener_of(bits % 8);
			struct security_place place = place_of(bits / 8);
			struct security list[SECURITY_MAX];

			listener.offers = table[row].offer;
			assert_int_equal(security_list(&listener, &place, list),
				expected(row, &listener, &place));
			if (!expected(row, &listener, &place))
				continue;
			assert_int_equal(list[0].type, table[row].on[place.channel].type);
			assert_int_equal(list[0].subtype, table[row].on[place.channel].subtype);
			/* Inside TLS no second one is begun. */
			if (place.channel != CHANNEL_WIRE)
				assert_int_equal(list[0].layer, LAYER_NOTHING);
		}
}

/* Any set of offers gives what each of them gives alone, each thing once. */
static void any_set_is_the_sum(void **state)
{
	for (unsigned int offers = 1; offers <= LINK_OFFER_ALL; offers++)
		for (unsigned int channel = 0; channel < 3; channel++) {
			struct link_listener listener = listener_of(offers % 8 | 1);
			struct security_place place = place_of(3 | 16 | channel << 5);
			struct security list[SECURITY_MAX];
			size_t count;

			listener.offers = offers;
			count = security_list(&listener, &place, list);
			for (size_t row = 0; row < ARRAY_SIZE(table); row++) {
				size_t found = 0;

				for (size_t i = 0; i < count; i++)
					found += list[i].type == table[row].on[channel].type &&
						 list[i].subtype == table[row].on[channel].subtype;
				if (offers & table[row].offer)
					assert_int_equal(found, table[row].on[channel].type != 0);
				else
					assert_true(found <= 1);
			}
		}
}

static void the_order_asks_for_no_user_in_vain(void **state)
{
	struct link_listener listener = {
		.offers = LINK_OFFER_X509_PLAIN | LINK_OFFER_X509_VNC | LINK_OFFER_TLS_PLAIN,
		.tickets = 1,
	};
	struct security_place place = {.tls = true, .certificate = true};
	struct security list[SECURITY_MAX];

	assert_int_equal(security_list(&listener, &place, list), 3);
	assert_int_equal(list[0].subtype, 261);
	assert_int_equal(list[1].subtype, 262);
	assert_int_equal(list[2].subtype, 259);
	listener.login = 1;
	assert_int_equal(security_list(&listener, &place, list), 3);
	assert_int_equal(list[0].subtype, 262);
	listener = (struct link_listener){
		.offers = listener.offers, .tickets = 1, .password = "secret"};
	assert_int_equal(security_list(&listener, &place, list), 3);
	assert_int_equal(list[0].subtype, 262); /* a ticket answers no VncAuth here */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_offer_alone),
		cmocka_unit_test(any_set_is_the_sum),
		cmocka_unit_test(the_order_asks_for_no_user_in_vain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
