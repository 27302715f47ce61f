/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "restore.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/config.h"
#include "base/discard.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "control/control.h"
#include "credentials.h"
#include "entrance.h"
#include "handover/address.h"
#include "handover/lease.h"
#include "keep.h"
#include "registry.h"
#include "state/store.h"

void restore_tickets(struct credentials *credentials, struct store *store)
{
	char name[STORE_NAME] = "", kept[STORE_NAME] = "";
	int r;

	while (store_next(store, STORE_TICKETS, name)) {
		int fd = kept[0] ? -ENOENT : store_claim(store, name, STORE_TICKETS);

		if (fd < 0)
			continue;
		memcpy(kept, name, sizeof(kept));
		r = credentials_resume(credentials, fd);
		if (r < 0) {
			log_warn(NULL, "the tickets of before are void: %s",
				r == -EPROTONOSUPPORT ? "they were kept by another version"
						      : strerror(-r));
			store_drop(store, kept);
			break;
		}
	}
	if (kept[0])
		return;
	r = store_put(store, STORE_TICKETS, credentials_tickets(credentials), kept);
	if (r < 0)
		log_warn(NULL, "tickets will not outlive a restart: %s", strerror(-r));
}

struct restoring {
	struct registry *registry;
	struct store *store;
	struct varlink_server *server;
	struct manager *manager;
	unsigned int restored, ended;
};

/* Nobody is to come through them any more. */
static void close_sockets(struct keep *keep, struct handover *h)
{
	int own = keep_take_own(keep);
	char where[128];

	fd_closep(&h->call);
	entrance_abandon(h->listeners, h->listeners_used);
	if (own < 0)
		return;
	address_describe(own, where);
	if (address_path(where))
		unlink(address_path(where));
	fd_close(own);
}

static void forget(struct keep *keep, struct handover *h)
{
	close_sockets(keep, h);
	handover_finish(h);
	keep_drop(keep);
	keep_destroy(keep);
}

/* Viewers may wait for the guest, as they would have if we had been there. */
static void let_go(struct restoring *restoring, struct keep *keep, struct handover *h)
{
	struct handover rest;

	restoring->ended++;
	if (!keep_has_viewers(keep) || !restoring->registry->config->linger_seconds ||
		registry_find(restoring->registry, h->context.id))
		return forget(keep, h);
	close_sockets(keep, h);
	rest = *h;
	handover_init(h);
	rest.device = fd_discard(rest.device);
	rest.change = fd_discard(rest.change);
	rest.lease = fd_discard(rest.lease);
	rest.render = fd_discard(rest.render);
	for (size_t i = 0; i < rest.inputs_used; i++)
		fd_discardp(&rest.inputs[i].fd);
	rest.inputs_used = 0;
	registry_haunt(restoring->registry, &rest, keep);
}

/* Whose owner died while no daemon ran. */
static bool lease_has_ended(const struct handover *h)
{
	struct pollfd call = {.fd = h->call};

	if (h->lease >= 0)
		return lease_is_over(h->lease);
	return h->call < 0 || (poll(&call, 1, 0) == 1 && call.revents & (POLLHUP | POLLERR));
}

static int resume_call(struct restoring *restoring, struct handover *h, display_ready_fn *ret_ready,
	void **ret_arg)
{
	int call = take_fd(&h->call);

	if (call < 0)
		return -ENOENT;
	return control_resume(restoring->server, restoring->manager, call, h->context.id,
		h->lease < 0, h->answered, ret_ready, ret_arg);
}

static void on_no_call(void *arg, struct display *display, int error, const char *reason)
{
}

static void restore(struct restoring *restoring, struct keep *keep, struct handover *h)
{
	char id[sizeof(h->context.id)];
	display_ready_fn ready = on_no_call, resumed;
	const bool answered = h->answered;
	const char *reason = "";
	void *arg = NULL;
	int r;

	memcpy(id, h->context.id, sizeof(id));
	if (lease_has_ended(h)) {
		log_notice(id, "its lease ended while no daemon ran, the device is let go");
		return let_go(restoring, keep, h);
	}
	r = resume_call(restoring, h, &ready, &arg);
	if (r < 0 && h->lease < 0) {
		log_err(id,
			"its registrant's connection cannot be taken over, the device is let "
			"go: %s",
			strerror(-r));
		return forget(keep, h);
	}
	/* Who was told "registered" hears all that happens from now on; who was not is told when it is ready. */
	resumed = answered ? ready : on_no_call;
	r = registry_restore(
		restoring->registry, h, keep, answered ? on_no_call : ready, arg, &reason);
	if (r == 0) {
		restoring->restored++;
		resumed(arg, registry_find(restoring->registry, id), 0, "");
		return;
	}
	log_err(id, "it cannot be restored, the device is let go: %s", reason);
	ready(arg, NULL, r, reason);
}

static void restore_named(struct restoring *restoring, const char *name)
{
	struct handover h;
	struct keep *keep = NULL;
	int r;

	r = keep_open(restoring->store, name, &keep, &h);
	if (r == 0)
		return restore(restoring, keep, &h);
	/* Who ended it was told so. */
	if (r == -ESTALE)
		log_notice(NULL, "%s had ended, systemd was not told in time", name);
	else
		log_err(NULL, "%s cannot be restored and is let go: %s", name,
			r == -EPROTONOSUPPORT ? "it was kept by another version"
			: r == -EBADMSG	      ? "its record is damaged"
			: r == -ENOENT	      ? "a descriptor of it was not kept"
					      : strerror(-r));
	if (keep)
		forget(keep, &h);
}

void restore_displays(struct registry *registry, struct store *store, struct varlink_server *server,
	struct manager *manager)
{
	struct restoring restoring = {
		.registry = registry, .store = store, .server = server, .manager = manager};
	uint64_t began = loop_now_ms();
	char name[STORE_NAME] = "", next[STORE_NAME] = "";
	bool more;

	/* A name that was dropped is no place to go on from. */
	for (more = store_next(store, STORE_STATE, next); more;) {
		memcpy(name, next, sizeof(name));
		more = store_next(store, STORE_STATE, next);
		restore_named(&restoring, name);
	}
	credentials_revoke_orphans(registry->credentials);
	if (restoring.restored || restoring.ended)
		log_info(NULL, "%u displays are back, %u have ended meanwhile, in %llu ms",
			restoring.restored, restoring.ended,
			(unsigned long long)(loop_now_ms() - began));
}

void restore_settle(struct store *store)
{
	unsigned int removed = store_settle(store);

	if (removed)
		log_info(NULL, "%u descriptors that nobody knows are closed", removed);
}
