/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "policy.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/config.h"

#define TLS_OFFERS  (LINK_OFFER_TLS_NONE | LINK_OFFER_TLS_VNC | LINK_OFFER_TLS_PLAIN)
#define X509_OFFERS (LINK_OFFER_X509_NONE | LINK_OFFER_X509_VNC | LINK_OFFER_X509_PLAIN)
#define RSA_OFFERS  (LINK_OFFER_RSA_AES | LINK_OFFER_RSA_AES_256)
#define OPEN_OFFERS (LINK_OFFER_NONE | LINK_OFFER_TLS_NONE | LINK_OFFER_X509_NONE)
#define TEXT_OFFERS \
	(LINK_OFFER_TLS_PLAIN | LINK_OFFER_X509_PLAIN | \
		RSA_OFFERS) /* a text of any length, or a user's */

_Static_assert((TLS_OFFERS | X509_OFFERS | RSA_OFFERS | LINK_OFFER_NONE | LINK_OFFER_VNCAUTH) ==
		       LINK_OFFER_ALL,
	"every offer is known here");

static uint32_t default_offers(
	const struct policy_facts *facts, enum locality locality, const struct policy_wish *wish)
{
	const struct config *config = facts->config;
	bool outside = locality == LOCALITY_OUTSIDE;
	uint32_t safe = RSA_OFFERS | (facts->certificate ? X509_OFFERS & ~OPEN_OFFERS
							 : TLS_OFFERS & ~OPEN_OFFERS);

	if (wish->security)
		return wish->security;
	if (wish->gate && config->gate_security)
		return config->gate_security;
	if (outside && config->security)
		return config->security;
	if (!outside && config->security_local)
		return config->security_local;
	if (outside)
		return safe;
	if (wish->gate)
		return safe | LINK_OFFER_VNCAUTH;
	return locality == LOCALITY_LOOPBACK && facts->password[0] ? LINK_OFFER_VNCAUTH
								   : LINK_OFFER_NONE;
}

/* The configuration's list is for all listeners: those of this host, and those that chose their security themselves, leave out what
 * needs a certificate where they have none. */
static uint32_t default_transports(const struct config *config, enum locality locality,
	const struct policy_wish *wish, uint32_t offers)
{
	uint32_t transports = config->transports;

	if ((locality != LOCALITY_OUTSIDE || wish->security) && !(offers & X509_OFFERS))
		transports &= ~LINK_TRANSPORT_SECURE_WEBSOCKET;
	return transports ? transports : LINK_TRANSPORT_RFB;
}

/* Outside this host: who can read along, and who is let in without a proof. */
static const char *too_little(const struct policy_facts *facts, uint32_t offers)
{
	if (offers & LINK_OFFER_NONE)
		return "outside loopback security \"none\" needs insecure = yes";
	if (offers & LINK_OFFER_VNCAUTH)
		return "outside loopback security \"vncauth\", which encrypts nothing, needs "
		       "insecure = yes";
	if (offers & LINK_OFFER_TLS_NONE)
		return "outside loopback security \"tlsNone\" needs insecure = yes";
	if (offers & LINK_OFFER_X509_NONE && !facts->authorities)
		return "outside loopback security \"x509None\" needs client-ca or insecure = yes";
	return NULL;
}

static const char *missing(const struct policy_facts *facts, uint32_t offers, uint32_t transports)
{
	if (offers & X509_OFFERS && !facts->certificate)
		return "security \"x509...\" needs a certificate";
	if (transports & LINK_TRANSPORT_SECURE_WEBSOCKET && !(offers & X509_OFFERS))
		return "transport \"secureWebsocket\" needs security \"x509...\"";
	return NULL;
}

int policy_decide(const struct policy_facts *facts, enum locality locality,
	const struct policy_wish *wish, struct link_listener *ret, const char **ret_reason)
{
	const struct config *config = facts->config;
	const char *origins = wish->origins && wish->origins[0] ? wish->origins : config->origins;
	uint32_t offers = default_offers(facts, locality, wish);
	uint32_t transports = wish->transports ? wish->transports
					       : default_transports(config, locality, wish, offers);

	*ret_reason = missing(facts, offers, transports);
	if (*ret_reason)
		return -EINVAL;
	if (locality == LOCALITY_OUTSIDE && !config->insecure) {
		*ret_reason = too_little(facts, offers);
		if (*ret_reason)
			return -EACCES;
	}
	*ret = (struct link_listener){
		.mode = wish->mode,
		.offers = offers,
		.transports = transports,
		.tickets = (offers & ~OPEN_OFFERS) != 0,
		.login = facts->logins && offers & TEXT_OFFERS,
	};
	if (offers & ~OPEN_OFFERS)
		snprintf(ret->password, sizeof(ret->password), "%s", facts->password);
	snprintf(ret->origins, sizeof(ret->origins), "%s", origins ? origins : "");
	return 0;
}

int policy_check(const struct policy_facts *facts, const char **ret_reason)
{
	static const enum locality where[] = {LOCALITY_UNIX, LOCALITY_LOOPBACK, LOCALITY_OUTSIDE};
	const struct policy_wish wish = {.mode = LINK_MODE_CONTROL};
	struct link_listener listener;
	int r = 0;

	for (size_t i = 0; i < sizeof(where) / sizeof(where[0]) && r == 0; i++)
		r = policy_decide(facts, where[i], &wish, &listener, ret_reason);
	explicit_bzero(&listener, sizeof(listener));
	return r;
}
