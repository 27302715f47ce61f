/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rfb/security.h"

#include "base/mem.h"

/* VeNCrypt 0.2's numbers. */
enum {
	PLAIN = 256,
	TLS_NONE,
	TLS_VNC,
	TLS_PLAIN,
	X509_NONE,
	X509_VNC,
	X509_PLAIN,
};

/* The strongest first. */
static const struct {
	enum link_offer offer;
	struct security security;
} rows[] = {
	{LINK_OFFER_X509_PLAIN, {SECURITY_VENCRYPT, X509_PLAIN, LAYER_CERTIFICATE, PROOF_PLAIN}},
	{LINK_OFFER_X509_VNC, {SECURITY_VENCRYPT, X509_VNC, LAYER_CERTIFICATE, PROOF_VNC}},
	{LINK_OFFER_X509_NONE, {SECURITY_VENCRYPT, X509_NONE, LAYER_CERTIFICATE, PROOF_NONE}},
	{LINK_OFFER_TLS_PLAIN, {SECURITY_VENCRYPT, TLS_PLAIN, LAYER_ANONYMOUS, PROOF_PLAIN}},
	{LINK_OFFER_TLS_VNC, {SECURITY_VENCRYPT, TLS_VNC, LAYER_ANONYMOUS, PROOF_VNC}},
	{LINK_OFFER_TLS_NONE, {SECURITY_VENCRYPT, TLS_NONE, LAYER_ANONYMOUS, PROOF_NONE}},
	{LINK_OFFER_RSA_AES_256, {SECURITY_RSA_AES_256, 0, LAYER_NOTHING, PROOF_RSA_AES}},
	{LINK_OFFER_RSA_AES, {SECURITY_RSA_AES, 0, LAYER_NOTHING, PROOF_RSA_AES}},
	{LINK_OFFER_NONE, {SECURITY_NONE, 0, LAYER_NOTHING, PROOF_NONE}},
	{LINK_OFFER_VNCAUTH, {SECURITY_VNCAUTH, 0, LAYER_NOTHING, PROOF_VNC}},
};

_Static_assert(ARRAY_SIZE(rows) == SECURITY_MAX, "one row for each bit of enum link_offer");

bool security_has_proof(const struct link_listener *listener, bool by_text)
{
	return listener->password[0] || listener->tickets || (by_text && listener->login);
}

/* X.509's types as they are called inside the TLS that is there already. */
static struct security inside_tls(struct security row)
{
	static const struct security inside[] = {
		[PROOF_NONE] = {SECURITY_NONE, 0, LAYER_NOTHING, PROOF_NONE},
		[PROOF_VNC] = {SECURITY_VNCAUTH, 0, LAYER_NOTHING, PROOF_VNC},
		[PROOF_PLAIN] = {SECURITY_VENCRYPT, PLAIN, LAYER_NOTHING, PROOF_PLAIN},
	};

	return row.layer == LAYER_CERTIFICATE ? inside[row.proof] : row;
}

static bool possible(const struct security *row, const struct security_place *place)
{
	bool secure = place->channel == CHANNEL_SECURE_WEBSOCKET;

	if (row->proof == PROOF_RSA_AES)
		return place->rsa_key;
	if (row->layer == LAYER_NOTHING)
		return true;
	if (row->layer == LAYER_CERTIFICATE && secure)
		return row->proof != PROOF_NONE || !place->needs_proof_by_certificate ||
		       place->proven;
	return place->channel == CHANNEL_WIRE && place->tls &&
	       (row->layer == LAYER_ANONYMOUS || place->certificate);
}

static bool provable(const struct security *row, const struct link_listener *listener)
{
	return row->proof == PROOF_NONE || security_has_proof(listener, row->proof != PROOF_VNC);
}

static bool listed(const struct security *list, size_t count, const struct security *row)
{
	for (size_t i = 0; i < count; i++)
		if (list[i].type == row->type && list[i].subtype == row->subtype)
			return true;
	return false;
}

/* A viewer asks for a user name where Plain comes first. Where one means nothing, and a password for VncAuth is as good as any, it
 * need not. */
static void ask_for_no_user(struct security *list, size_t count)
{
	for (size_t i = 0; i + 1 < count; i++) {
		struct security first = list[i];

		if (first.proof != PROOF_PLAIN || list[i + 1].proof != PROOF_VNC ||
			first.layer != list[i + 1].layer)
			continue;
		list[i] = list[i + 1];
		list[i + 1] = first;
	}
}

size_t security_list(const struct link_listener *listener, const struct security_place *place,
	struct security ret[SECURITY_MAX])
{
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct security row = rows[i].security;

		if (!(listener->offers & rows[i].offer) || !possible(&row, place) ||
			!provable(&row, listener))
			continue;
		if (place->channel == CHANNEL_SECURE_WEBSOCKET)
			row = inside_tls(row);
		if (!listed(ret, count, &row))
			ret[count++] = row;
	}
	if (!listener->login && !(listener->password[0] && listener->tickets))
		ask_for_no_user(ret, count);
	return count;
}
