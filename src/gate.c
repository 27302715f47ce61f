/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * The gate's program is what the network can reach, and what it says is believed no further than this: a ticket or a password is looked
 * at by the broker itself, as for a display. Only where a listener of the gate has a proof of its own, which the program alone has seen (a client's
 * certificate, the fixed password, or none at all), can it let somebody in by the name of a display (LINK_CHECK_NAME).
 *
 * Which display: "ID" has been asked for by a WebSocket's path, and is the one or none. "@NAME" is a TLS server name, which viewers send
 * whether they mean a display by it or not: if the whole or its first label is the id of a display, it is the one, else nothing was
 * chosen. A ticket says which, too, and must agree with what was chosen.
 *
 * Who may not come in is told the same whatever the reason.
 */
#include "gate.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/config.h"
#include "base/discard.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "credentials.h"
#include "display.h"
#include "entrance.h"
#include "frame/wall.h"
#include "gate_keep.h"
#include "handover/address.h"
#include "state/store.h"

#define GATE_ID "gate" /* in the log */

/* Somebody whose credentials are being looked at. */
struct gate_peer {
	uint64_t check;
	char peer[sizeof(((struct link_message *)0)->check.peer)];
};

struct gate {
	struct gate_options options;
	struct wall *wall;
	struct gate_keep *keep;
	bool names; /* a listener has a proof of its own */
	struct gate_peer peers[LIMIT_KNOCKING];
	size_t peers_used;
};

/* What was chosen, to @ret: an id, or empty. */
static void resolve(const struct gate *gate, const char *chosen, char ret[LIMIT_ID_CHARS + 1])
{
	size_t label;

	if (chosen[0] != '@') {
		snprintf(ret, LIMIT_ID_CHARS + 1, "%s", chosen);
		return;
	}
	snprintf(ret, LIMIT_ID_CHARS + 1, "%s", chosen + 1);
	if (gate->options.find(gate->options.arg, ret))
		return;
	label = strcspn(ret, ".");
	ret[label] = '\0';
	if (!gate->options.find(gate->options.arg, ret))
		ret[0] = '\0';
}

static void refuse(struct gate *gate, uint64_t check)
{
	wall_verdict(gate->wall, check, 0, NULL, -EBADF);
}

static void admit(struct gate *gate, uint64_t check, const char *id, uint32_t mode,
	const char *label, const char *peer)
{
	struct display *display = gate->options.find(gate->options.arg, id);
	_cleanup_fd_ int ours = -EBADF;
	char name[24];
	int pair[2], r;

	if (!display || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
		refuse(gate, check);
		return;
	}
	ours = pair[0];
	r = wall_attach(display_wall(display), pair[1], (enum link_mode)mode, label, peer, name);
	if (r < 0) {
		log_notice(id, "viewer from %s, through the gate, refused: %s", peer,
			r == -ENOSPC  ? "the display has as many viewers as it may have"
			: r == -EBUSY ? "a viewer is there that must be alone"
				      : "no program for its viewers could be started");
		refuse(gate, check);
		return;
	}
	log_info(id, "viewer %s from %s came through the gate%s%s", name, peer,
		label[0] ? ": " : "", label);
	wall_verdict(gate->wall, check, mode, label, ours);
}

/* ---- credentials ---- */

static struct gate_peer *find_peer(struct gate *gate, uint64_t check)
{
	for (size_t i = 0; i < gate->peers_used; i++)
		if (gate->peers[i].check == check)
			return &gate->peers[i];
	return NULL;
}

static void on_answer(void *arg, const struct credentials_answer *answer)
{
	struct gate *gate = arg;
	struct gate_peer *found = find_peer(gate, answer->check);
	struct gate_peer peer;

	if (!found)
		return; /* its program is gone */
	peer = *found;
	*found = gate->peers[--gate->peers_used];
	if (answer->mode)
		admit(gate, answer->check, answer->id, answer->mode, answer->label, peer.peer);
	else
		refuse(gate, answer->check);
}

static void on_check(void *arg, uint64_t check, const struct link_message *message)
{
	struct gate *gate = arg;
	struct link_message resolved = *message;
	struct gate_peer *peer;

	if (gate->peers_used == ARRAY_SIZE(gate->peers) ||
		(message->check.kind == LINK_CHECK_NAME && !gate->names)) {
		refuse(gate, check);
		return;
	}
	peer = &gate->peers[gate->peers_used++];
	peer->check = check;
	memcpy(peer->peer, message->check.peer, sizeof(peer->peer));
	resolve(gate, message->check.display, resolved.check.display);
	resolved.check.mode = MIN(resolved.check.mode, gate->options.config->gate_mode);
	credentials_check(gate->options.credentials, NULL, check, &resolved, on_answer, gate);
	explicit_bzero(&resolved, sizeof(resolved));
}

/* ---- the wall's ---- */

static void on_ended(void *arg)
{
	struct gate *gate = arg;

	credentials_cancel(gate->options.credentials, gate);
	gate->peers_used = 0;
}

/* It has no picture. */
static void on_number(void *arg, uint32_t generation)
{
}

static void on_watch(void *arg, unsigned int watchers)
{
}

/* Where somebody was let in by less than a ticket or a password of a user. */
static bool has_own_proof(const struct link_listener *policy)
{
	const uint32_t open = LINK_OFFER_NONE | LINK_OFFER_TLS_NONE | LINK_OFFER_X509_NONE;

	return policy->offers & open || policy->password[0];
}

/* @fd is consumed. */
static int listen_on(struct gate *gate, int fd, bool ours, const char *path)
{
	const struct policy_wish wish = {.gate = true, .mode = gate->options.config->gate_mode};
	struct link_listener policy;
	const char *reason;
	char endpoint[128];
	int r;

	address_describe(fd, endpoint);
	r = entrance_decide(gate->options.entrance, fd, &wish, &policy, &reason);
	if (r < 0) {
		log_err(GATE_ID, "%s: %s", endpoint, reason);
		fd_discard(fd);
		if (path)
			unlink(path);
		return r;
	}
	gate->names |= has_own_proof(&policy);
	r = wall_listen(gate->wall, fd, &policy, endpoint, ours, path);
	explicit_bzero(&policy, sizeof(policy));
	if (r < 0)
		log_err(GATE_ID, "%s: %s", endpoint, strerror(-r));
	else
		log_info(GATE_ID, "viewers of all displays are welcome at %s", endpoint);
	return r;
}

/* Where an earlier daemon listened already, viewers may be waiting. */
static int open_address(struct gate *gate, const char *address, int *ret_fd)
{
	int r;

	*ret_fd = gate_keep_take(gate->keep, address);
	if (*ret_fd >= 0)
		return 0;
	r = address_listen(address, ret_fd);
	if (r == 0)
		gate_keep_put(gate->keep, *ret_fd, address);
	return r;
}

static int open_addresses(struct gate *gate)
{
	_cleanup_free_ char *list = strdup(gate->options.config->gate_listen ?: "");
	char *rest = NULL;
	int fd, r = 0;

	if (!list)
		return -ENOMEM;
	for (char *each = strtok_r(list, " ", &rest); each && r == 0;
		each = strtok_r(NULL, " ", &rest)) {
		r = open_address(gate, each, &fd);
		if (r < 0)
			log_err(GATE_ID, "listen %s: %s", each,
				r == -EINVAL ? "is not HOST:PORT, [HOST]:PORT, *:PORT or unix:/PATH"
					     : strerror(-r));
		else
			r = listen_on(gate, fd, true, address_path(each));
	}
	return r;
}

static int raise_wall(struct gate *gate)
{
	static const struct wall_events events = {
		.watch = on_watch,
		.may_write = on_number,
		.busy = on_number,
		.taken = on_number,
		.check = on_check,
		.ended = on_ended,
	};
	const struct config *config = gate->options.config;
	const struct wall_options options = {
		.program = config->rfb_program,
		.id = GATE_ID,
		.name = GATE_ID,
		.role = LINK_ROLE_GATE,
		.policy = {.viewers_maximum = LIMIT_VIEWERS_MAX,
			.frames_maximum = config->frames_maximum},
		.grace_ms = config->grace_seconds * 1000,
		.stall_ms = config->stall_seconds * 1000,
	};
	int r = wall_create(gate->options.loop, &options, &events, gate, &gate->wall);

	if (r == 0)
		wall_challenge(gate->wall, credentials_challenge(gate->options.credentials));
	return r;
}

int gate_create(const struct gate_options *options, struct gate **ret)
{
	int inherited = entrance_gate_socket(options->entrance);
	struct gate *gate;
	int r;

	if (inherited < 0 && !options->config->gate_listen) {
		*ret = NULL;
		return 0;
	}
	gate = new0(struct gate);
	if (!gate) {
		fd_discard(inherited);
		return -ENOMEM;
	}
	gate->options = *options;
	r = gate_keep_create(options->store, &gate->keep);
	if (r == 0)
		r = raise_wall(gate);
	for (; inherited >= 0; inherited = entrance_gate_socket(options->entrance)) {
		if (r == 0)
			r = listen_on(gate, inherited, false, NULL);
		else
			fd_discard(inherited);
	}
	if (r == 0)
		r = open_addresses(gate);
	if (r < 0) {
		gate_destroy(gate);
		return r;
	}
	gate_renew(gate);
	gate_keep_begin(gate->keep, gate->wall);
	*ret = gate;
	return 0;
}

void gate_renew(struct gate *gate)
{
	if (gate)
		entrance_secrets(gate->options.entrance, gate->wall);
}

void gate_log_level(struct gate *gate)
{
	if (gate)
		wall_log_level(gate->wall);
}

void gate_destroy(struct gate *gate)
{
	if (!gate)
		return;
	if (gate->keep)
		gate_keep_end(gate->keep);
	if (gate->wall && store_is_open(gate->options.store))
		wall_abandon(gate->wall);
	wall_destroy(gate->wall);
	gate_keep_destroy(gate->keep);
	free(gate);
}
