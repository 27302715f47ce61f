/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation: each connection begins with all displays as they are, up to "ready", and so does what follows "missed". Until then
 * the catalogue stays as it was, and is replaced in one piece: a daemon that restarts does not lose its records meanwhile.
 */
#include "registrar/watch.h"

#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "registrar/catalogue.h"
#include "registrar/settings.h"
#include "varlink/client.h"

#define METHOD "org.vfiodisplay.Display.Subscribe"

void watch_init(struct watch *watch, const struct settings *settings, struct catalogue *catalogue)
{
	*watch = (struct watch){
		.settings = settings, .catalogue = catalogue, .away_since = loop_now_ms()};
}

void watch_finish(struct watch *watch)
{
	varlink_client_destroy(take_ptr(watch->client));
	json_decref(take_ptr(watch->gathered));
}

int watch_fd(const struct watch *watch)
{
	return watch->client ? varlink_client_fd(watch->client) : -1;
}

uint64_t watch_due(const struct watch *watch)
{
	return watch->client && !watch->gathered ? UINT64_MAX : watch->due;
}

static void lose(struct watch *watch, int error)
{
	uint64_t now = loop_now_ms();

	if (watch->away_since == UINT64_MAX)
		watch->away_since = now;
	if (!watch->told)
		log_warn(NULL, "vfio-displayd at %s: %s; it is asked again until it answers",
			watch->settings->socket, strerror(-error));
	watch->told = true;
	watch_finish(watch);
	watch->due = now + LIMIT_REGISTRAR_RETRY_MS;
	if (now - watch->away_since < watch->settings->ttl * 1000ull)
		return;
	if (!watch->catalogue->known || json_object_size(watch->catalogue->records) > 0) {
		log_warn(NULL, "vfio-displayd has been away for %u s: its records are removed",
			watch->settings->ttl);
		catalogue_replace(watch->catalogue, NULL);
	}
}

static int gather_anew(struct watch *watch)
{
	json_decref(watch->gathered);
	watch->gathered = json_object();
	watch->due = loop_now_ms() + LIMIT_REGISTRAR_READY_MS;
	return watch->gathered ? 0 : -ENOMEM;
}

static int subscribe(struct watch *watch)
{
	int r = varlink_client_connect(watch->settings->socket, &watch->client);

	if (r >= 0)
		r = gather_anew(watch);
	return r < 0 ? r
		     : varlink_client_send(watch->client, METHOD,
			       json_pack("{s:b, s:[s, s, s, s]}", "current", 1, "filter",
				       "displayRegistered", "displayState", "displayUpdated",
				       "displayUnregistered"),
			       true, NULL, 0);
}

/* All has been told. */
static int take_gathered(struct watch *watch)
{
	int r = catalogue_replace(watch->catalogue, watch->gathered);

	json_decref(take_ptr(watch->gathered));
	if (r < 0)
		return r;
	if (watch->told)
		log_info(NULL, "vfio-displayd at %s answers again", watch->settings->socket);
	watch->told = false;
	watch->away_since = UINT64_MAX;
	return 0;
}

/* @event has a display's context and runtime. */
static int take_display(struct watch *watch, const char *name, json_t *event)
{
	const char *id = json_string_value(json_object_get(event, "id"));
	bool gone = strcmp(name, "displayUnregistered") == 0;

	if (!id)
		return -EBADMSG;
	if (gone && watch->gathered)
		json_object_del(watch->gathered, id);
	else if (gone)
		catalogue_remove(watch->catalogue, id);
	else if (!watch->gathered)
		return catalogue_put(watch->catalogue, event);
	else if (json_object_size(watch->gathered) < LIMIT_REGISTRAR_DISPLAYS)
		return json_object_set(watch->gathered, id, event) < 0 ? -ENOMEM : 0;
	return 0;
}

/* 0; -EPIPE: that was the last; -EBADMSG, -ENOMEM. */
static int take_event(struct watch *watch, const struct varlink_result *result)
{
	const char *name = json_string_value(json_object_get(result->parameters, "event"));

	if (result->error || !result->continues) {
		if (!watch->told)
			log_warn(NULL, "vfio-displayd tells nothing: %s",
				result->error ? result->error : "it has ended its events");
		return -EPIPE;
	}
	if (!name)
		return -EBADMSG;
	if (strcmp(name, "ready") == 0)
		return watch->gathered ? take_gathered(watch) : 0;
	if (strcmp(name, "missed") == 0)
		return gather_anew(watch);
	return strncmp(name, "display", 7) == 0 ? take_display(watch, name, result->parameters) : 0;
}

/* A bounded part of what has come, for the stores have their turns, too. */
static int read_events(struct watch *watch)
{
	struct varlink_result result;
	int r = 0;

	for (unsigned int i = 0; r >= 0 && i < LIMIT_REGISTRAR_EVENTS; i++) {
		r = varlink_client_receive(watch->client, 0, &result);
		if (r < 0)
			break;
		r = take_event(watch, &result);
		varlink_result_finish(&result);
	}
	return r == -ETIMEDOUT ? 0 : r;
}

void watch_turn(struct watch *watch)
{
	int r = 0;

	if (!watch->client && loop_now_ms() < watch->due)
		return;
	if (!watch->client)
		r = subscribe(watch);
	if (r >= 0)
		r = read_events(watch);
	if (r >= 0 && watch->gathered && loop_now_ms() >= watch->due)
		r = -ETIMEDOUT;
	if (r < 0)
		lose(watch, r);
}
