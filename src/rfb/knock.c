/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation: nothing is eaten before all that was said is out. So what is last in plain is out before a layer comes
 * on top, each sealed piece of the handshake is a message of its own, and who does not read is not spoken to.
 *
 * A wrong password is answered late, but who guesses need not wait for that: no answer at once is an answer, and another
 * connection is quickly made. So for LIMIT_AUTH_SUSPECT_MS after one wrong password answers are looked at LIMIT_AUTH_DELAY_MS after
 * they were asked for, right or wrong: LIMIT_KNOCKING guesses in that time, however many connections are made, from however many
 * addresses. Besides, each address is counted (suspects.h), a guess that goes to the broker before its answer: to hang up
 * saves nobody from being counted. What is under way when an address becomes one too many is not looked at.
 *
 * A denial goes out a whole number of LIMIT_AUTH_DELAY_MS after the proof came, so that its time does not tell what was
 * looked at.
 */
#include "rfb/knock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/loop.h"
#include "base/mem.h"
#include "rfb/caller.h"
#include "rfb/choice.h"
#include "rfb/envelope.h"
#include "rfb/handshake.h"
#include "rfb/host.h"
#include "rfb/relay.h"
#include "rfb/rsaaes.h"
#include "rfb/tls.h"
#include "rfb/transport.h"

#define REFUSED "too many wrong passwords from this address, try again later"

struct knock {
	struct caller_host *host;
	struct caller *caller;
	struct relay *relay;
	uint32_t number;
	struct link_listener listener;
	char peer[64];
	bool refused; /* its address is */
	bool begun;   /* the transport is ready, handshake_init() was called */
	bool counted; /* as a guess */
	bool cleared;
	bool person;	      /* somebody may be asked for a password */
	uint64_t deadline;    /* of all of it, until there is `answer_at` */
	uint64_t answer_at;   /* when a wrong proof is answered; 0: none has come */
	bool judged, allowed; /* the verdict has come, and what it is */
	enum link_mode mode;
	uint64_t challenged; /* when a proof was asked for; 0: none is awaited */
	uint64_t proved;     /* when it came */
	const char *reason;
	struct handshake handshake;
};

static int give_up(struct knock *knock, int error, const char *reason)
{
	knock->reason = reason;
	return error;
}

static bool is_guessable(const struct link_listener *listener)
{
	return listener->offers & ~(LINK_OFFER_NONE | LINK_OFFER_TLS_NONE | LINK_OFFER_X509_NONE);
}

int knock_create(struct caller_host *host, struct caller *caller, struct relay *relay,
	const struct caller_options *options, struct knock **ret)
{
	struct knock *knock = new0(struct knock);
	uint64_t now = loop_now_ms();

	if (!knock)
		return -ENOMEM;
	knock->host = host;
	knock->caller = caller;
	knock->relay = relay;
	knock->number = options->number;
	knock->listener = *options->listener;
	snprintf(knock->peer, sizeof(knock->peer), "%s", options->peer);
	knock->refused = is_guessable(&knock->listener) &&
			 suspects_refused_ms(&host->suspects, knock->peer, now);
	knock->deadline = now + (knock->refused ? LIMIT_REFUSAL_MS : LIMIT_HANDSHAKE_MS);
	*ret = knock;
	return 0;
}

void knock_destroy(struct knock *knock)
{
	if (!knock)
		return;
	if (knock->begun)
		handshake_finish(&knock->handshake);
	explicit_bzero(knock, sizeof(*knock));
	free(knock);
}

static bool has_certificate(const struct caller_host *host)
{
	return host->tls && tls_has_certificate(host->tls);
}

unsigned int knock_transports(const struct knock *knock)
{
	return knock->refused ? LINK_TRANSPORT_RFB : knock->listener.transports;
}

/* ---- who is counted ---- */

static void count_guess(struct knock *knock)
{
	struct caller_host *host = knock->host;

	if (!knock->counted)
		suspects_failed(&host->suspects, knock->peer, loop_now_ms());
	knock->counted = true;
}

static void note_denial(struct knock *knock)
{
	/* Nobody has looked: it was no guess, and may be somebody who knows the password. */
	if (knock->handshake.doubted)
		return;
	count_guess(knock);
	knock->host->suspect_until = loop_now_ms() + LIMIT_AUTH_SUSPECT_MS;
}

/* Who proved nothing is not cleared of anything. */
static void note_success(struct knock *knock)
{
	if (!knock->handshake.authenticated || knock->cleared)
		return;
	knock->cleared = true;
	if (knock->handshake.chosen.proof != PROOF_NONE)
		suspects_cleared(&knock->host->suspects, knock->peer);
}

/* Is there an answer to the challenge that must wait? */
static bool too_early(const struct knock *knock)
{
	uint64_t now = loop_now_ms();

	return knock->challenged && now < knock->host->suspect_until &&
	       now < knock->challenged + LIMIT_AUTH_DELAY_MS;
}

uint64_t knock_due(const struct knock *knock)
{
	if (knock->answer_at)
		return knock->answer_at;
	return too_early(knock) ? MIN(knock->deadline, knock->challenged + LIMIT_AUTH_DELAY_MS)
				: knock->deadline;
}

/* Late by whole steps: how long somebody has looked at the proof is not to be seen. */
static void note_answer(struct knock *knock)
{
	uint64_t took = loop_now_ms() - knock->proved;

	knock->answer_at = knock->proved + (took / LIMIT_AUTH_DELAY_MS + 1) * LIMIT_AUTH_DELAY_MS;
}

/* ---- the steps ---- */

static int begin(struct knock *knock, const struct transport *network)
{
	struct caller_host *host = knock->host;
	struct handshake_options options = {
		.listener = &knock->listener,
		.rsa_key = host->rsa_key,
		.gate = host->gate,
	};
	struct security_place *place = &options.place;

	place->channel = !transport_websocket(network)	? CHANNEL_WIRE
			 : transport_encrypted(network) ? CHANNEL_SECURE_WEBSOCKET
							: CHANNEL_WEBSOCKET;
	place->tls = host->tls && transport_may_start_tls(network);
	place->certificate = has_certificate(host);
	place->needs_proof_by_certificate = host->tls && tls_asks_clients(host->tls);
	place->proven = transport_client_verified(network);
	memcpy(options.challenge, host->challenge, sizeof(options.challenge));
	handshake_init(&knock->handshake, &options);
	knock->begun = true;
	return 0;
}

static int queue_words(struct knock *knock)
{
	struct handshake *handshake = &knock->handshake;
	int r = queue_append(&knock->relay->queue, handshake->out, handshake->out_size);

	explicit_bzero(handshake->out, handshake->out_size);
	handshake->out_size = 0;
	return r < 0 ? give_up(knock, r, "out of memory") : 0;
}

static int send_queued(struct knock *knock, struct transport *network)
{
	struct relay *relay = knock->relay;
	int r = relay_send(relay, network);

	return r < 0 ? give_up(knock, r, relay->reason) : 0;
}

static enum handshake_verdict eat(struct knock *knock)
{
	struct relay *relay = knock->relay;
	enum handshake_verdict verdict;
	size_t size, eaten;
	const uint8_t *input = relay_input(relay, &size);

	verdict = handshake_eat(&knock->handshake, input, size, &eaten);
	relay_use_input(relay, eaten);
	return verdict;
}

/* What came early would count as if it had come encrypted. */
static int start_tls(struct knock *knock, struct transport *network)
{
	struct handshake *handshake = &knock->handshake;
	bool x509 = handshake->chosen.layer == LAYER_CERTIFICATE;
	size_t size;
	int r;

	relay_input(knock->relay, &size);
	if (size)
		return give_up(knock, -EPROTO, "sent something before TLS was there");
	r = transport_start_tls(
		network, knock->host->tls, x509, handshake->out, handshake->out_size);
	handshake->out_size = 0;
	return r < 0 ? give_up(knock, r,
			       r == -EPROTO ? "sent something before TLS was there" : "no TLS")
		     : 0;
}

static int push_seals(struct knock *knock, struct transport *network)
{
	struct relay *relay = knock->relay;
	struct envelope *envelope;
	const uint8_t *early;
	size_t size;
	int r;

	r = envelope_create(knock->handshake.rsaaes, &envelope);
	if (r < 0)
		return give_up(knock, r, "out of memory");
	early = relay_input(relay, &size);
	r = transport_push(network, &envelope_ops, envelope, early, size);
	if (r < 0)
		return give_up(knock, r, "no room for seals");
	relay_use_input(relay, size);
	return 0;
}

static int ask(struct knock *knock, const struct transport *network)
{
	const struct claim *claim = &knock->handshake.claim;
	struct caller_host *host = knock->host;
	struct link_message message = {.type = LINK_CHECK};
	int r;

	message.check.viewer = knock->number;
	message.check.kind = claim->kind;
	message.check.mode = knock->listener.mode;
	memcpy(message.check.digest, claim->digest, sizeof(message.check.digest));
	snprintf(message.check.peer, sizeof(message.check.peer), "%s", knock->peer);
	if (host->gate)
		choice_make(transport_path(network), transport_server_name(network),
			message.check.display);
	if (claim->kind == LINK_CHECK_LOGIN) {
		memcpy(message.check.user, claim->user, sizeof(message.check.user));
		memcpy(message.check.secret, claim->secret, sizeof(message.check.secret));
	}
	if (claim->kind != LINK_CHECK_NAME)
		count_guess(knock);
	r = host->check(host, &message);
	explicit_bzero(&message, sizeof(message));
	return r < 0 ? give_up(knock, r, "too many are being looked at") : 0;
}

static enum handshake_verdict ask_door(struct knock *knock)
{
	struct caller_host *host = knock->host;
	const char *why = knock->refused ? REFUSED : host->admit(host, knock->caller);

	if (!why)
		return HANDSHAKE_SAY;
	handshake_refuse(&knock->handshake, why);
	return HANDSHAKE_FAILED;
}

/* A proof is waited for from the first moment on, and has come when none is waited for any more. */
static void note_time(struct knock *knock)
{
	bool awaited = handshake_awaits_proof(&knock->handshake);
	uint64_t now = loop_now_ms();

	if (awaited && !knock->challenged)
		knock->challenged = now;
	if (!awaited && knock->challenged) {
		knock->challenged = 0;
		knock->proved = now;
	}
}

/* Returns enum knock_state, -errno, or -EAGAIN to go on. */
static int obey(struct knock *knock, struct transport *network, enum handshake_verdict verdict)
{
	int r = 0;

	if (verdict == HANDSHAKE_ASK)
		verdict = ask_door(knock);
	note_time(knock);
	note_success(knock);
	if (verdict == HANDSHAKE_TLS)
		r = start_tls(knock, network);
	else if (verdict == HANDSHAKE_CHECK)
		r = ask(knock, network);
	if (r == 0)
		r = queue_words(knock);
	if (r == 0)
		r = send_queued(knock, network);
	if (r < 0)
		return r == -EAGAIN ? -EBUSY : r;
	switch (verdict) {
	case HANDSHAKE_DONE:
		return KNOCK_IN;
	case HANDSHAKE_DENIED:
		note_denial(knock);
		note_answer(knock);
		return give_up(knock, KNOCK_WAITS, knock->handshake.reason);
	case HANDSHAKE_FAILED:
		return give_up(knock, KNOCK_REFUSED, knock->handshake.reason);
	case HANDSHAKE_MORE: /* without its bytes, or for a verdict */
	case HANDSHAKE_CHECK:
		return KNOCK_WAITS;
	default:
		return -EAGAIN;
	}
}

static enum handshake_verdict next(struct knock *knock, const struct transport *network)
{
	struct suspects *suspects = &knock->host->suspects;

	if (knock->judged) {
		knock->judged = false;
		return handshake_judge(&knock->handshake, knock->allowed, knock->mode);
	}
	if (knock->handshake.state == HANDSHAKE_SECURING)
		return handshake_secured(&knock->handshake, transport_client_verified(network));
	if (knock->challenged && suspects_refused_ms(suspects, knock->peer, loop_now_ms()))
		handshake_doubt(&knock->handshake);
	return eat(knock);
}

/* A wrong proof has come: nothing that is said now counts. */
static int wait_denied(struct knock *knock, struct transport *network)
{
	size_t size;
	int r = send_queued(knock, network);

	relay_input(knock->relay, &size);
	relay_use_input(knock->relay, size);
	if (r < 0 || loop_now_ms() < knock->answer_at)
		return r < 0 ? r : KNOCK_WAITS;
	handshake_deny(&knock->handshake);
	r = queue_words(knock);
	return r < 0 ? r : KNOCK_REFUSED;
}

static int step(struct knock *knock, struct transport *network)
{
	int r = -EAGAIN;

	if (!transport_ready(network))
		return KNOCK_WAITS;
	if (!knock->begun) {
		begin(knock, network);
		r = queue_words(knock);
		if (r < 0)
			return r;
		r = -EAGAIN;
	}
	while (r == -EAGAIN) {
		r = send_queued(knock, network);
		if (r < 0)
			return r;
		if (knock->relay->queue.size || too_early(knock) || !transport_ready(network))
			return KNOCK_WAITS;
		if (knock->handshake.state == HANDSHAKE_RSA_SEALED) {
			r = push_seals(knock, network);
			if (r < 0)
				return r;
		}
		r = obey(knock, network, next(knock, network));
	}
	return r;
}

/* States only go on, so that this is no way to stay. */
static void give_time(struct knock *knock)
{
	uint64_t now = loop_now_ms();
	bool person = knock->begun && handshake_awaits_person(&knock->handshake);

	if (person && !knock->person)
		knock->deadline = now + LIMIT_PERSON_MS;
	else if (knock->person && !person)
		knock->deadline = MIN(knock->deadline, now + LIMIT_HANDSHAKE_MS);
	knock->person = person;
}

int knock_step(struct knock *knock, struct transport *network)
{
	int r;

	if (knock->answer_at)
		return wait_denied(knock, network);
	if (loop_now_ms() >= knock->deadline)
		return give_up(knock, -ETIMEDOUT, "handshake took too long");
	r = step(knock, network);
	if (r == KNOCK_WAITS)
		give_time(knock);
	return r;
}

bool knock_verdict(struct knock *knock, bool allowed, enum link_mode mode)
{
	if (!knock->begun || knock->handshake.state != HANDSHAKE_JUDGING || knock->judged)
		return false;
	knock->judged = true;
	knock->allowed = allowed;
	knock->mode = mode;
	return true;
}

bool knock_wants_write(const struct knock *knock, const struct transport *network)
{
	return !knock->begun || !transport_ready(network);
}

const char *knock_reason(const struct knock *knock)
{
	return knock->reason;
}

enum link_mode knock_mode(const struct knock *knock)
{
	return knock->begun ? knock->handshake.mode : (enum link_mode)knock->listener.mode;
}

bool knock_shared(const struct knock *knock)
{
	return knock->handshake.shared;
}
