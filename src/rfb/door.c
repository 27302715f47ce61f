/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rfb/door.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "rfb/caller.h"
#include "rfb/picture.h"

#define TICK_MS	       1000  /* between two states of one viewer */
#define ACCEPT_REST_MS 200   /* after accept ran out of something */
#define IDLE_REST_MS   2000u /* for the answer to `idle` */
#define IDLE_FIRST_MS \
	1000u	       /* the connection that this program was started for may not have come yet */
#define ACCEPT_PASS 16 /* connections before others get their turn */

struct listener {
	struct door *door;
	int fd; /* owned */
	struct loop_source *source;
	bool dead; /* whoever gave it has shut it down: readable for ever, and nobody comes */
	struct link_listener policy;
};

struct door {
	struct caller_host host;
	struct door_options options;
	const struct door_events *events;
	void *arg;
	struct listener listeners[LIMIT_LISTENERS];
	unsigned int listener_count;
	TAILQ_HEAD(, caller_entry) callers; /* the oldest first */
	unsigned int knocking, viewers;	    /* callers without and with entry::joined */
	unsigned int watching;		    /* viewers whose connection is open */
	uint32_t next_number;		    /* odd */
	bool stopping;
	uint64_t power_ms; /* when a viewer's wish for power was last heard */
	struct wish wish;
	struct loop_source *tick, *idle, *rest;
	bool ticking;
};

/* ---- accepting ---- */

static void accept_again(void *arg)
{
	struct door *door = arg;

	for (unsigned int i = 0; i < door->listener_count; i++)
		loop_fd_events(door->listeners[i].source,
			door->stopping || door->listeners[i].dead ? 0 : LOOP_READ);
}

static void accept_rest(struct door *door, uint64_t ms)
{
	for (unsigned int i = 0; i < door->listener_count; i++)
		loop_fd_events(door->listeners[i].source, 0);
	loop_timer_once(door->rest, ms);
}

static void on_idle(void *arg)
{
	struct door *door = arg;

	if (!TAILQ_EMPTY(&door->callers) || door->stopping)
		return;
	/* Who comes now stays in the listener's backlog: the broker accepts it again, in this program or in the next one. */
	accept_rest(door, IDLE_REST_MS);
	door->events->idle(door->arg);
	loop_timer_once(door->idle, MAX(door->options.grace_ms, 2 * IDLE_REST_MS));
}

static void check_empty(struct door *door)
{
	if (!TAILQ_EMPTY(&door->callers))
		return;
	if (door->stopping)
		door->events->stopped(door->arg);
	else
		loop_timer_once(door->idle, door->options.grace_ms);
}

static void format_peer(const struct sockaddr_storage *address, char *ret, size_t size)
{
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;
	const struct sockaddr_in *in = (const struct sockaddr_in *)address;
	char text[INET6_ADDRSTRLEN];

	if (address->ss_family == AF_INET) {
		inet_ntop(AF_INET, &in->sin_addr, text, sizeof(text));
		snprintf(ret, size, "%s:%u", text, ntohs(in->sin_port));
	} else if (address->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
		inet_ntop(AF_INET, &in6->sin6_addr.s6_addr[12], text, sizeof(text));
		snprintf(ret, size, "%s:%u", text, ntohs(in6->sin6_port));
	} else if (address->ss_family == AF_INET6) {
		inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof(text));
		snprintf(ret, size, "[%s]:%u", text, ntohs(in6->sin6_port));
	} else {
		snprintf(ret, size, "unix");
	}
}

static int enter(struct door *door, int fd, const struct caller_options *options)
{
	struct caller_entry *entry;
	struct caller *caller;
	int r;

	r = caller_create(&door->host, fd, options, &caller);
	if (r < 0)
		return r;
	entry = caller_entry(caller);
	TAILQ_INSERT_TAIL(&door->callers, entry, link);
	door->knocking++;
	loop_timer_stop(door->idle);
	return 0;
}

/* The oldest of those who knock makes room: a real viewer is through in milliseconds, those who keep silent are not. */
static void make_room(struct door *door)
{
	struct caller_entry *entry;

	if (door->knocking < LIMIT_KNOCKING)
		return;
	TAILQ_FOREACH (entry, &door->callers, link) {
		if (entry->joined)
			continue;
		caller_end(entry->caller, "too many knock", false);
		return;
	}
}

/* accept() says EINVAL or EAGAIN, by family. */
static bool is_shut_down(int listener)
{
	struct pollfd poll_fd = {.fd = listener, .events = POLLIN};

	return poll(&poll_fd, 1, 0) > 0 && poll_fd.revents & (POLLHUP | POLLERR);
}

static void on_listener(int fd, unsigned int events, void *arg)
{
	struct listener *listener = arg;
	struct door *door = listener->door;
	struct sockaddr_storage address;
	char peer[64];

	for (int i = 0; i < ACCEPT_PASS; i++) {
		socklen_t size = sizeof(address);
		struct caller_options options = {
			.number = door->next_number,
			.mode = listener->policy.mode,
			.security = listener->policy.offers & LINK_OFFER_VNCAUTH ? HANDSHAKE_VNCAUTH
										 : HANDSHAKE_NONE,
			.password = listener->policy.password,
			.peer = peer,
		};
		int network;

		address.ss_family = AF_UNSPEC;
		network = accept4(fd, (struct sockaddr *)&address, &size, SOCK_CLOEXEC);
		if (network < 0) {
			if (errno == EMFILE || errno == ENFILE || errno == ENOMEM ||
				errno == ENOBUFS)
				accept_rest(door, ACCEPT_REST_MS);
			listener->dead = is_shut_down(fd);
			if (listener->dead)
				loop_fd_events(listener->source, 0);
			return;
		}
		format_peer(&address, peer, sizeof(peer));
		make_room(door);
		if (enter(door, network, &options) == 0)
			door->next_number += 2;
	}
}

static bool socket_is(int fd, bool listening)
{
	int type = 0, domain = 0, accepts = 0;
	socklen_t size = sizeof(int);

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM &&
	       getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 &&
	       (domain == AF_UNIX || domain == AF_INET || domain == AF_INET6) &&
	       getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &size) == 0 &&
	       !!accepts == listening;
}

int door_listen(struct door *door, int fd, const struct link_listener *policy)
{
	struct listener *listener = &door->listeners[door->listener_count];
	int r = -EINVAL;

	if (door->listener_count == LIMIT_LISTENERS)
		r = -ENOSPC;
	else if (socket_is(fd, true) && fcntl(fd, F_SETFL, O_NONBLOCK) == 0)
		r = 0;
	if (r < 0) {
		fd_close(fd);
		return r;
	}
	*listener = (struct listener){
		.door = door,
		.fd = fd_move_high(fd),
		.policy = *policy,
	};
	if (listener->fd < 0)
		return listener->fd;
	r = loop_fd_add(
		door->host.loop, listener->fd, LOOP_READ, on_listener, listener, &listener->source);
	if (r < 0) {
		fd_close(listener->fd);
		return r;
	}
	door->listener_count++;
	return 0;
}

void door_policy(struct door *door, const struct link_policy *policy)
{
	door->options.viewers_maximum = policy->viewers_maximum;
	door->host.frames_maximum = policy->frames_maximum;
}

void door_attach(struct door *door, int fd, uint32_t viewer, enum link_mode mode)
{
	struct caller_options options = {
		.number = viewer,
		.mode = mode,
		.security = HANDSHAKE_NONE,
		.peer = "attached",
	};
	const char *why = "no resources";

	if (door->stopping || !socket_is(fd, false)) {
		why = door->stopping ? "the display is stopping" : "not a connected stream socket";
		fd_close(fd);
	} else if (enter(door, fd, &options) == 0) {
		return;
	}
	door->events->gone(door->arg, viewer, mode, options.peer, why);
}

/* ---- callers ---- */

static struct door *door_of(struct caller_host *host)
{
	return container_of(host, struct door, host);
}

static const char *admit(struct caller_host *host, struct caller *caller)
{
	struct door *door = door_of(host);

	if (door->stopping)
		return "the display is stopping";
	if (door->viewers >= door->options.viewers_maximum)
		return "this display has as many viewers as it may have";
	if (door->events->congested(door->arg))
		return "this display is busy, try again";
	return NULL;
}

static void joined(struct caller_host *host, struct caller *caller)
{
	struct door *door = door_of(host);

	caller_entry(caller)->joined = true;
	door->knocking--;
	door->viewers++;
	door->watching++;
	log_debug(host->id, "viewer %u from %s", caller_number(caller), caller_peer(caller));
	door->events->added(
		door->arg, caller_number(caller), caller_mode(caller), caller_peer(caller));
	door->events->watch(door->arg, door->watching);
}

static void left(struct caller_host *host, struct caller *caller, const char *reason)
{
	struct door *door = door_of(host);
	bool was_viewer = caller_entry(caller)->joined;

	/* The broker logs those that were let in. */
	log_debug(host->id, "viewer %u from %s is gone: %s", caller_number(caller),
		caller_peer(caller), reason);
	/* Even: the broker waits to hear of it, however far it came. */
	if (was_viewer || caller_number(caller) % 2 == 0)
		door->events->gone(door->arg, caller_number(caller), caller_mode(caller),
			caller_peer(caller), reason);
	if (!was_viewer)
		return;
	wish_forget(&door->wish, caller_number(caller));
	if (--door->watching == 0)
		picture_unwatched(host->picture);
	door->events->watch(door->arg, door->watching);
}

static enum size_status asked(
	struct caller_host *host, struct caller *caller, const struct wish_asked *size)
{
	struct door *door = door_of(host);

	log_debug(host->id, "viewer %u asks for %ux%u", size->viewer, size->width, size->height);
	return wish_ask(&door->wish, size, host->width, host->height);
}

static bool power(struct caller_host *host, struct caller *caller, enum link_power action)
{
	struct door *door = door_of(host);
	uint64_t now = loop_now_ms();

	if ((door->power_ms && now - door->power_ms < LIMIT_POWER_MS) ||
		!door->events->power(door->arg, caller_number(caller), action))
		return false;
	door->power_ms = now;
	return true;
}

static void forward_wish(void *arg, uint32_t viewer, uint32_t width, uint32_t height)
{
	struct door *door = arg;

	door->events->wish(door->arg, viewer, width, height);
}

static void released(struct caller_host *host, struct caller *caller)
{
	struct door *door = door_of(host);
	struct caller_entry *entry = caller_entry(caller);

	TAILQ_REMOVE(&door->callers, entry, link);
	if (entry->joined)
		door->viewers--;
	else
		door->knocking--;
	check_empty(door);
}

static void moved(struct caller_host *host, struct caller *caller)
{
	struct door *door = door_of(host);

	if (door->ticking || !caller_entry(caller)->joined)
		return;
	door->ticking = loop_timer_once(door->tick, TICK_MS) == 0;
}

static bool tell_state(struct door *door, struct caller_entry *entry)
{
	uint64_t bytes = caller_bytes_sent(entry->caller);
	uint32_t behind = caller_frames_behind(entry->caller);
	const char *encoding = caller_encoding(entry->caller);

	if (bytes == entry->told_bytes && behind == entry->told_behind &&
		encoding == entry->told_encoding)
		return false;
	if (door->events->state(door->arg, caller_number(entry->caller), behind, bytes, encoding)) {
		entry->told_bytes = bytes;
		entry->told_behind = behind;
		entry->told_encoding = encoding;
	}
	return true;
}

/* Runs only while something changes: a second without news ends it, and the next bytes start it again. */
static void on_tick(void *arg)
{
	struct door *door = arg;
	struct caller_entry *entry;
	bool news = false;

	TAILQ_FOREACH (entry, &door->callers, link)
		if (entry->joined && !caller_closed(entry->caller))
			news |= tell_state(door, entry);
	door->ticking = news && loop_timer_once(door->tick, TICK_MS) == 0;
}

void door_detach(struct door *door, uint32_t viewer, const char *reason)
{
	struct caller_entry *entry;

	TAILQ_FOREACH (entry, &door->callers, link)
		if (caller_number(entry->caller) == viewer && !caller_closed(entry->caller)) {
			caller_end(entry->caller, reason[0] ? reason : "detached", false);
			return;
		}
}

/* Calls @fn for each caller, any of which may leave meanwhile. */
static void each(struct door *door, void (*fn)(struct caller *caller))
{
	struct caller_entry *entry, *next;

	for (entry = TAILQ_FIRST(&door->callers); entry; entry = next) {
		next = TAILQ_NEXT(entry, link);
		fn(entry->caller);
	}
}

static void send_away(struct caller *caller)
{
	if (!caller_entry(caller)->joined && caller_number(caller) % 2)
		caller_end(caller, "its listener is closed", false);
}

void door_unlisten(struct door *door)
{
	each(door, send_away);
	for (unsigned int i = 0; i < door->listener_count; i++) {
		loop_source_free(door->listeners[i].source);
		fd_close(door->listeners[i].fd);
	}
	explicit_bzero(door->listeners, sizeof(door->listeners));
	door->listener_count = 0;
}

void door_sizes(struct door *door, uint32_t width, uint32_t height)
{
	wish_sizes(&door->wish, width, height);
}

void door_tell(struct door *door, const struct facts *facts)
{
	door->host.facts = *facts;
	each(door, caller_tell);
}

void door_resize(struct door *door, uint32_t width, uint32_t height)
{
	if (width == door->host.width && height == door->host.height)
		return;
	door->host.width = width;
	door->host.height = height;
	door->host.wisher = wish_come_true(&door->wish, width, height);
	each(door, caller_resized);
}

void door_picture(struct door *door)
{
	each(door, caller_start);
}

static void send_off(struct caller *caller)
{
	caller_end(caller, "the display is stopping", true);
}

void door_stop(struct door *door)
{
	if (door->stopping)
		return;
	door->stopping = true;
	accept_again(door);
	loop_timer_stop(door->idle);
	loop_timer_stop(door->rest);
	if (TAILQ_EMPTY(&door->callers))
		door->events->stopped(door->arg);
	else
		each(door, send_off);
}

/* ---- life ---- */

int door_create(struct loop *loop, struct picture *picture, const struct door_options *options,
	const struct door_events *events, void *arg, struct door **ret)
{
	struct door *door = new0(struct door);
	int r;

	if (!door)
		return -ENOMEM;
	TAILQ_INIT(&door->callers);
	door->options = *options;
	door->events = events;
	door->arg = arg;
	door->next_number = 1;
	door->host = (struct caller_host){
		.loop = loop,
		.picture = picture,
		.id = options->id,
		.name = door->host.facts.name,
		.facts.leds = LEDS_UNKNOWN,
		.frames_maximum = options->frames_maximum,
		.stall_ms = options->stall_ms,
		.admit = admit,
		.joined = joined,
		.moved = moved,
		.asked = asked,
		.power = power,
		.left = left,
		.released = released,
	};
	snprintf(door->host.facts.name, sizeof(door->host.facts.name), "%s", options->name);
	r = wish_init(&door->wish, loop, forward_wish, door);
	if (r == 0)
		r = loop_timer_add(loop, on_tick, door, &door->tick);
	if (r == 0)
		r = loop_timer_add(loop, on_idle, door, &door->idle);
	if (r == 0)
		r = loop_timer_add(loop, accept_again, door, &door->rest);
	if (r == 0)
		r = loop_timer_once(door->idle, MAX(options->grace_ms, IDLE_FIRST_MS));
	if (r < 0) {
		door_destroy(door);
		return r;
	}
	*ret = door;
	return 0;
}

void door_destroy(struct door *door)
{
	struct caller_entry *entry;

	if (!door)
		return;
	while ((entry = TAILQ_FIRST(&door->callers))) {
		TAILQ_REMOVE(&door->callers, entry, link);
		caller_destroy(entry->caller);
	}
	for (unsigned int i = 0; i < door->listener_count; i++) {
		loop_source_free(door->listeners[i].source);
		fd_close(door->listeners[i].fd);
		explicit_bzero(&door->listeners[i].policy, sizeof(door->listeners[i].policy));
	}
	wish_finish(&door->wish);
	loop_source_free(door->tick);
	loop_source_free(door->idle);
	loop_source_free(door->rest);
	free(door);
}
