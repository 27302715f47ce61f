/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation: an event says that a display has changed, List says what it is now. So an event that was missed, or one that this
 * program does not know, costs a call and no truth; and events that come close together cost one. All displays are asked about when
 * the connection is new, when events were missed, and from time to time.
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

#define INTERFACE "org.vfiodisplay.Display."

int watch_init(struct watch *watch, const struct settings *settings, struct catalogue *catalogue)
{
	*watch = (struct watch){.settings = settings,
		.catalogue = catalogue,
		.changed = json_object(),
		.away_since = loop_now_ms()};
	return watch->changed ? 0 : -ENOMEM;
}

static void hang_up(struct watch *watch)
{
	varlink_client_destroy(take_ptr(watch->calls));
	varlink_client_destroy(take_ptr(watch->events));
}

void watch_finish(struct watch *watch)
{
	hang_up(watch);
	json_decref(watch->changed);
}

int watch_fd(const struct watch *watch)
{
	return watch->events  ? varlink_client_fd(watch->events)
	       : watch->calls ? varlink_client_fd(watch->calls)
			      : -1;
}

uint64_t watch_due(const struct watch *watch)
{
	bool wants = !watch->calls || watch->all || json_object_size(watch->changed) > 0;

	return wants ? watch->next : watch->list_due;
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
	hang_up(watch);
	watch->next = now + LIMIT_REGISTRAR_RETRY_MS;
	if (now - watch->away_since < watch->settings->ttl * 1000ull)
		return;
	if (!watch->catalogue->known || json_object_size(watch->catalogue->records) > 0) {
		log_warn(NULL, "vfio-displayd has been away for %u s: its records are removed",
			watch->settings->ttl);
		catalogue_replace(watch->catalogue, NULL);
	}
}

static int subscribe(struct watch *watch)
{
	int r = varlink_client_connect(watch->settings->socket, &watch->events);

	return r < 0 ? r
		     : varlink_client_send(
			       watch->events, INTERFACE "Subscribe", json_object(), true, NULL, 0);
}

static int connect_both(struct watch *watch)
{
	int r = varlink_client_connect(watch->settings->socket, &watch->calls);

	if (r >= 0)
		r = subscribe(watch);
	watch->all = true;
	watch->next = loop_now_ms();
	return r;
}

/* One reply of Subscribe. */
static void note_event(struct watch *watch, const json_t *parameters)
{
	static const char *const of_a_display[] = {
		"registered", "updated", "state", "resized", "unregistered", "inputLost"};
	const char *event = json_string_value(json_object_get(parameters, "event"));
	const char *id = json_string_value(json_object_get(parameters, "id"));
	bool waits = watch->all || json_object_size(watch->changed) > 0;

	if (!event)
		return;
	for (size_t i = 0; id && i < ARRAY_SIZE(of_a_display); i++)
		if (strcmp(event, of_a_display[i]) == 0)
			json_object_set_new(watch->changed, id, json_true());
	if (strcmp(event, "missed") == 0)
		watch->all = true;
	if (!waits)
		watch->next = loop_now_ms() + LIMIT_REGISTRAR_GATHER_MS;
}

/* Takes one reply of Subscribe. 0; -EPIPE: that was the last. */
static int take_event(struct watch *watch, const struct varlink_result *result)
{
	if (result->error && strstr(result->error, ".Method")) {
		log_info(NULL, "this vfio-displayd has no Subscribe: it is asked by a timer");
		varlink_client_destroy(take_ptr(watch->events));
		watch->list_due = loop_now_ms() + LIMIT_REGISTRAR_POLL_MS;
		return 0;
	}
	if (result->continues && !result->error) {
		note_event(watch, result->parameters);
		return 0;
	}
	log_warn(NULL, "vfio-displayd ended the events: %s",
		result->error ? result->error : "no reason");
	return -EPIPE;
}

/* Takes what has come, also that the daemon has gone: 0, or -errno. */
static int read_events(struct watch *watch)
{
	struct varlink_result result;
	int r = 0;

	while (r >= 0 && watch->events) {
		r = varlink_client_receive(watch->events, 0, &result);
		if (r < 0)
			break;
		r = take_event(watch, &result);
		varlink_result_finish(&result);
	}
	if (r >= 0 && !watch->events) {
		/* No call is out: nothing can come but the end. */
		r = varlink_client_receive(watch->calls, 0, &result);
		if (r >= 0)
			varlink_result_finish(&result);
		r = r >= 0 ? -EPROTO : r;
	}
	return r == -ETIMEDOUT ? 0 : r;
}

static bool is_no_such_display(const struct varlink_result *result)
{
	return result->error && strcmp(result->error, INTERFACE "NoSuchDisplay") == 0;
}

static int complain_list(const struct varlink_result *result)
{
	log_warn(NULL, "vfio-displayd does not list its displays: %s", result->error);
	return -EPROTO;
}

static int list_all(struct watch *watch)
{
	json_t *entries = json_array();
	bool more = true;
	int r = varlink_client_send(watch->calls, INTERFACE "List", json_object(), true, NULL, 0);

	while (r >= 0 && more) {
		struct varlink_result result;

		r = varlink_client_receive(watch->calls, LIMIT_REGISTRAR_CALL_MS, &result);
		if (r < 0)
			break;
		more = result.continues;
		if (result.error)
			r = is_no_such_display(&result) ? 0 : complain_list(&result);
		else if (json_array_size(entries) < LIMIT_REGISTRAR_DISPLAYS)
			r = json_array_append(entries, result.parameters);
		varlink_result_finish(&result);
	}
	if (r >= 0)
		r = catalogue_replace(watch->catalogue, entries);
	json_decref(entries);
	return r;
}

static int list_one(struct watch *watch, const char *id)
{
	struct varlink_result result;
	int r = varlink_client_send(
		watch->calls, INTERFACE "List", json_pack("{s:s}", "id", id), false, NULL, 0);

	if (r >= 0)
		r = varlink_client_receive(watch->calls, LIMIT_REGISTRAR_CALL_MS, &result);
	if (r < 0)
		return r;
	if (is_no_such_display(&result))
		catalogue_remove(watch->catalogue, id);
	else
		r = result.error ? complain_list(&result)
				 : catalogue_put(watch->catalogue, result.parameters);
	varlink_result_finish(&result);
	return r;
}

static int list_changed(struct watch *watch)
{
	const char *id;
	json_t *value;
	int r = 0;

	if (watch->all || json_object_size(watch->changed) > LIMIT_REGISTRAR_SINGLY) {
		r = list_all(watch);
		watch->list_due = loop_now_ms() + (watch->events ? LIMIT_REGISTRAR_LOOK_MS
								 : LIMIT_REGISTRAR_POLL_MS);
	} else {
		json_object_foreach (watch->changed, id, value)
			if (r >= 0)
				r = list_one(watch, id);
	}
	if (r < 0)
		return r;
	watch->all = false;
	json_object_clear(watch->changed);
	return 0;
}

void watch_turn(struct watch *watch)
{
	uint64_t now = loop_now_ms();
	int r = 0;

	if (!watch->calls && now < watch->next)
		return;
	if (!watch->calls)
		r = connect_both(watch);
	if (r >= 0)
		r = read_events(watch);
	if (now >= watch->list_due)
		watch->all = true;
	if (r >= 0 && loop_now_ms() >= watch_due(watch) &&
		(watch->all || json_object_size(watch->changed) > 0))
		r = list_changed(watch);
	if (r < 0) {
		lose(watch, r);
		return;
	}
	if (watch->told)
		log_info(NULL, "vfio-displayd at %s answers again", watch->settings->socket);
	watch->told = false;
	watch->away_since = UINT64_MAX;
}
