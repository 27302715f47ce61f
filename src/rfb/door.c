/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rfb/door.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/vncauth.h"
#include "rfb/caller.h"
#include "rfb/callers.h"
#include "rfb/door_events.h"
#include "rfb/entrance.h"
#include "rfb/entry.h"
#include "rfb/host.h"
#include "rfb/picture.h"
#include "rfb/queue.h"
#include "rfb/rsaaes.h"
#include "rfb/sharing.h"
#include "rfb/tls.h"

#define TICK_MS	      1000  /* between two states of one viewer */
#define IDLE_REST_MS  2000u /* for the answer to `idle` */
#define IDLE_FIRST_MS 1000u /* whom this program was started for may not have come yet */

struct door {
	struct caller_host host;
	struct door_options options;
	const struct door_events *events;
	void *arg;
	struct entrance entrance;
	struct callers callers;
	unsigned int watching; /* viewers whose connection is open */
	uint32_t next_number;  /* odd */
	bool stopping;
	uint64_t power_ms[LINK_POWER_RESET + 1]; /* when a viewer's wish for it was last heard */
	struct wish wish;
	struct loop_source *tick, *idle;
	bool ticking;
};

#define BUSY "this display is busy, try again"
#define FULL "this display has as many viewers as it may have"

static void on_idle(void *arg)
{
	struct door *door = arg;

	if (!TAILQ_EMPTY(&door->callers.all) || door->stopping)
		return;
	/* Who comes now stays in the listener's backlog: the broker accepts it again, in this program or in the next one. */
	entrance_rest(&door->entrance, IDLE_REST_MS);
	door->events->idle(door->arg);
	loop_timer_once(door->idle, MAX(door->options.grace_ms, 2 * IDLE_REST_MS));
}

static void check_empty(struct door *door)
{
	if (!TAILQ_EMPTY(&door->callers.all))
		return;
	if (door->stopping)
		door->events->stopped(door->arg);
	else
		loop_timer_once(door->idle, door->options.grace_ms);
}

static int enter(struct door *door, int fd, const struct caller_options *options)
{
	struct caller *caller;
	int r = caller_create(&door->host, fd, options, &caller);

	if (r < 0)
		return r;
	callers_add(&door->callers, caller_entry(caller));
	loop_timer_stop(door->idle);
	return 0;
}

static void on_came(void *arg, int fd, const struct link_listener *policy, const char *peer)
{
	struct door *door = arg;
	struct caller_options options = {
		.number = door->next_number,
		.listener = policy,
		.peer = peer,
	};

	callers_make_room(&door->callers);
	if (enter(door, fd, &options) == 0)
		door->next_number += 2;
}

int door_listen(struct door *door, int fd, const struct link_listener *policy)
{
	int r = policy->password[0] ? vncauth_open() : 0;

	if (r < 0) {
		fd_close(fd);
		return r;
	}
	return entrance_listen(&door->entrance, fd, policy);
}

void door_tls(struct door *door, struct tls *tls)
{
	EVP_PKEY *pair = tls_rsa_key(tls);

	tls_unref(door->host.tls);
	door->host.tls = tls_ref(tls);
	rsaaes_key_unref(door->host.rsa_key);
	door->host.rsa_key = NULL;
	if (pair && rsaaes_key_create(pair, &door->host.rsa_key) < 0)
		log_warn(door->host.id, "no RSA-AES: not an RSA key of 2048 to 8192 bits");
}

void door_policy(struct door *door, const struct link_policy *policy)
{
	door->options.policy = *policy;
	door->host.frames_maximum = policy->frames_maximum;
}

void door_attach(struct door *door, int fd, uint32_t viewer, enum link_mode mode, const char *peer)
{
	const struct link_listener listener = {
		.mode = mode,
		.offers = LINK_OFFER_NONE,
		.transports = LINK_TRANSPORT_RFB,
	};
	struct caller_options options = {
		.number = viewer,
		.listener = &listener,
		.peer = peer[0] ? peer : "attached",
	};
	const char *why = "no resources";

	if (door->stopping || !entrance_fits(fd, false)) {
		why = door->stopping ? "the display is stopping" : "not a connected stream socket";
		fd_close(fd);
	} else if (enter(door, fd, &options) == 0) {
		return;
	}
	door->events->gone(door->arg, viewer, mode, options.peer, why);
}

static struct door *door_of(struct caller_host *host)
{
	return container_of(host, struct door, host);
}

/* Who is at the gate is a viewer elsewhere, and counted there: this is about memory. */
static const char *admit_at_gate(struct door *door)
{
	if (door->stopping)
		return "the gate is closing";
	if (door->callers.viewers >= LIMIT_GATE_VIEWERS || door->events->congested(door->arg))
		return BUSY;
	return NULL;
}

/* Workers of those who left may still be ending: they are memory, too. */
static bool is_busy(const struct door *door)
{
	return door->callers.viewers >=
		       door->options.policy.viewers_maximum + LIMIT_VIEWERS_ENDING ||
	       door->events->congested(door->arg);
}

static const char *admit(struct caller_host *host, struct caller *caller)
{
	struct door *door = door_of(host);

	if (host->gate)
		return admit_at_gate(door);
	if (door->stopping)
		return "the display is stopping";
	/* Who may yet turn out to be alone would make room. */
	if (door->watching >= door->options.policy.viewers_maximum &&
		!sharing_may_be_alone(door->options.policy.sharing, caller_mode(caller)))
		return FULL;
	return is_busy(door) ? BUSY : NULL;
}

/* The newcomer itself has not joined yet: nobody here ends it. */
static const char *seated(struct caller_host *host, struct caller *caller)
{
	struct door *door = door_of(host);
	const struct link_policy *policy = &door->options.policy;
	int rank = sharing_rank(policy->sharing, caller_mode(caller), caller_entry(caller)->shared);

	if (host->gate)
		return admit_at_gate(door);
	if (rank < 0)
		return "nobody is alone at this display, and the viewer wished to be";
	if (rank < callers_rank(&door->callers))
		return "another viewer is alone at this display";
	/* Who is to be alone makes room. */
	if (!rank && door->watching >= policy->viewers_maximum)
		return FULL;
	if (door->stopping)
		return "the display is stopping";
	if (is_busy(door))
		return BUSY;
	if (rank)
		callers_end(&door->callers, "a viewer came that is to be alone");
	caller_entry(caller)->rank = rank;
	return NULL;
}

static void joined(struct caller_host *host, struct caller *caller)
{
	struct door *door = door_of(host);
	struct caller_entry *entry = caller_entry(caller);

	callers_joined(&door->callers, entry);
	log_debug(host->id, "viewer %u from %s", entry->number, entry->peer);
	if (host->gate)
		return;
	if (door->watching++ == 0)
		picture_watched(host->picture);
	door->events->added(door->arg, entry->number, caller_mode(caller), entry->peer);
	door->events->watch(door->arg, door->watching);
}

static void left(struct caller_host *host, struct caller *caller, const char *reason)
{
	struct door *door = door_of(host);
	struct caller_entry *entry = caller_entry(caller);
	bool was_viewer = entry->joined;

	/* The broker logs those that were let in. */
	log_debug(host->id, "viewer %u from %s is gone: %s", entry->number, entry->peer, reason);
	/* Even: the broker waits to hear of it, however far it came. */
	if (was_viewer || entry->number % 2 == 0)
		door->events->gone(
			door->arg, entry->number, caller_mode(caller), entry->peer, reason);
	else
		door->events->unasked(door->arg, entry->number);
	if (!was_viewer || host->gate)
		return;
	wish_forget(&door->wish, entry->number);
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
	uint64_t now = loop_now_ms(), *last = &door->power_ms[action];

	if ((*last && now - *last < LIMIT_POWER_MS) ||
		!door->events->power(door->arg, caller_entry(caller)->number, action))
		return false;
	*last = now;
	return true;
}

static bool input(struct caller_host *host, const struct link_message *message)
{
	struct door *door = door_of(host);

	return door->events->input(door->arg, message);
}

static void forward_wish(void *arg, uint32_t viewer, uint32_t width, uint32_t height)
{
	struct door *door = arg;

	door->events->wish(door->arg, viewer, width, height);
}

static int check(struct caller_host *host, const struct link_message *message)
{
	struct door *door = door_of(host);

	return door->events->check(door->arg, message);
}

static void released(struct caller_host *host, struct caller *caller)
{
	struct door *door = door_of(host);

	callers_remove(&door->callers, caller_entry(caller));
	check_empty(door);
}

static void moved(struct caller_host *host, struct caller *caller)
{
	struct door *door = door_of(host);

	if (host->gate || door->ticking || !caller_entry(caller)->joined)
		return;
	door->ticking = loop_timer_once(door->tick, TICK_MS) == 0;
}

static bool tell_state(void *arg, const struct caller_entry *entry, const struct caller_count *now)
{
	struct door *door = arg;

	return door->events->state(
		door->arg, entry->number, now->behind, now->bytes, now->encoding);
}

/* Runs only while something changes: a second without news ends it, and the next bytes start it again. */
static void on_tick(void *arg)
{
	struct door *door = arg;
	bool news = callers_tell(&door->callers, tell_state, door);

	door->ticking = news && loop_timer_once(door->tick, TICK_MS) == 0;
	/* They rest. What was queued for many at a time is free now, in pieces between what is not, and would stay. */
	if (!news) {
		queue_rest();
		malloc_trim(0);
	}
}

void door_detach(struct door *door, uint32_t viewer, const char *reason)
{
	struct caller_entry *entry = callers_find(&door->callers, viewer);

	if (entry)
		caller_end(entry->caller, reason[0] ? reason : "detached", false);
}

void door_verdict(struct door *door, uint32_t viewer, bool allowed, enum link_mode mode, int place)
{
	struct caller_entry *entry = callers_find(&door->callers, viewer);

	if (entry)
		caller_verdict(entry->caller, allowed, mode, place);
	else
		fd_close(place);
}

static void send_away(struct caller *caller)
{
	if (!caller_entry(caller)->joined && caller_entry(caller)->number % 2)
		caller_end(caller, "its listener is closed", false);
}

void door_unlisten(struct door *door)
{
	callers_each(&door->callers, send_away);
	entrance_unlisten(&door->entrance);
}

void door_sizes(struct door *door, uint32_t width, uint32_t height)
{
	wish_sizes(&door->wish, width, height);
}

void door_tell(struct door *door, const struct facts *facts)
{
	door->host.facts = *facts;
	callers_each(&door->callers, caller_tell);
}

void door_resize(struct door *door, uint32_t width, uint32_t height)
{
	if (width == door->host.width && height == door->host.height)
		return;
	door->host.width = width;
	door->host.height = height;
	door->host.wisher = wish_come_true(&door->wish, width, height);
	callers_each(&door->callers, caller_resized);
}

void door_type(struct door *door)
{
	callers_type(&door->callers);
}

void door_picture(struct door *door)
{
	callers_each(&door->callers, caller_start);
}

void door_resume(struct door *door, const struct link_message *hello)
{
	entrance_unlisten(&door->entrance);
	wish_sizes(&door->wish, 0, 0);
	door->options.grace_ms = hello->hello.grace_ms;
	door->options.stall_ms = door->host.stall_ms = hello->hello.stall_ms;
	memcpy(door->host.challenge, hello->hello.challenge, sizeof(door->host.challenge));
	callers_untold(&door->callers);
	if (!door->host.gate)
		door->ticking = loop_timer_once(door->tick, TICK_MS) == 0;
	if (TAILQ_EMPTY(&door->callers.all))
		loop_timer_once(door->idle, MAX(door->options.grace_ms, IDLE_FIRST_MS));
}

void door_here(struct door *door, void (*fn)(void *arg, const struct link_message *here), void *arg)
{
	if (!door->host.gate)
		callers_here(&door->callers, fn, arg);
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
	entrance_close(&door->entrance);
	loop_timer_stop(door->idle);
	if (TAILQ_EMPTY(&door->callers.all))
		door->events->stopped(door->arg);
	else
		callers_each(&door->callers, send_off);
}

int door_create(struct loop *loop, struct picture *picture, const struct door_options *options,
	const struct door_events *events, void *arg, struct door **ret)
{
	struct door *door = new0(struct door);
	const struct tls_bundle nothing = {0}; /* enough for anonymous TLS */
	const char *why;
	int r;

	if (!door)
		return -ENOMEM;
	callers_init(&door->callers);
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
		.frames_maximum = options->policy.frames_maximum,
		.stall_ms = options->stall_ms,
		.gate = options->gate,
		.admit = admit,
		.seated = seated,
		.check = check,
		.joined = joined,
		.moved = moved,
		.asked = asked,
		.power = power,
		.input = input,
		.left = left,
		.released = released,
	};
	snprintf(door->host.facts.name, sizeof(door->host.facts.name), "%s", options->name);
	memcpy(door->host.challenge, options->challenge, sizeof(door->host.challenge));
	r = tls_create(&nothing, &why, &door->host.tls);
	if (r == 0)
		r = wish_init(&door->wish, loop, forward_wish, door);
	if (r == 0)
		r = loop_timer_add(loop, on_tick, door, &door->tick);
	if (r == 0)
		r = loop_timer_add(loop, on_idle, door, &door->idle);
	if (r == 0)
		r = entrance_init(&door->entrance, loop, on_came, door);
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
	if (!door)
		return;
	callers_finish(&door->callers);
	entrance_finish(&door->entrance);
	wish_finish(&door->wish);
	loop_source_free(door->tick);
	loop_source_free(door->idle);
	tls_unref(door->host.tls);
	rsaaes_key_unref(door->host.rsa_key);
	free(door);
}
