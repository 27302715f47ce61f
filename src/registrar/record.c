/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "registrar/record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "registrar/settings.h"

static const char *text_of(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

/* ":PORT" of an endpoint that is every address of this host; else NULL. */
static const char *port_of_all(const char *endpoint)
{
	static const char *const alls[] = {"0.0.0.0:", "[::]:", "*:"};

	for (size_t i = 0; i < ARRAY_SIZE(alls); i++)
		if (strncmp(endpoint, alls[i], strlen(alls[i])) == 0)
			return endpoint + strlen(alls[i]) - 1;
	return NULL;
}

/* @endpoint as others know it, where the settings say what others know. */
static json_t *endpoint_of(const struct settings *settings, const char *endpoint)
{
	const char *port = settings->address ? port_of_all(endpoint) : NULL;

	return port ? json_sprintf("%s%s", settings->address, port) : json_string(endpoint);
}

static json_t *endpoints_of(const struct settings *settings, const json_t *runtime)
{
	json_t *endpoints = json_array();
	const json_t *each;
	int r = endpoints ? 0 : -1;
	size_t i;

	json_array_foreach (json_object_get(runtime, "endpoints"), i, each)
		if (json_is_string(each))
			r |= json_array_append_new(
				endpoints, endpoint_of(settings, json_string_value(each)));
	if (r == 0)
		return endpoints;
	json_decref(endpoints);
	return NULL;
}

json_t *record_make(const struct settings *settings, const json_t *entry)
{
	const json_t *context = json_object_get(entry, "context");
	const json_t *runtime = json_object_get(entry, "runtime");
	_cleanup_free_ char *text = NULL;
	json_t *labels = json_object_get(context, "labels");
	json_t *record;

	if (!text_of(context, "id") || !text_of(runtime, "state"))
		return NULL;
	record = json_pack("{s:i, s:s, s:s, s:s*, s:s*, s:s*, s:O*, s:O*, s:o, s:s, s:s*}",
		"version", 1, "id", text_of(context, "id"), "host", settings->host, "address",
		settings->address, "name", text_of(context, "name"), "machine",
		text_of(context, "machine"), "head", json_object_get(context, "head"), "labels",
		json_is_object(labels) ? labels : NULL, "endpoints",
		endpoints_of(settings, runtime), "state", text_of(runtime, "state"), "stateReason",
		text_of(runtime, "stateReason"));
	text = record ? json_dumps(record, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
	json_decref(record);
	return text ? json_string(text) : NULL;
}

char *record_token(const struct settings *settings, const json_t *entry)
{
	const json_t *context = json_object_get(entry, "context");
	const char *prefix = settings->redis_prefix ? settings->redis_prefix : "";
	const char *id = text_of(context, "id"), *label = NULL;
	char *token;
	int n;

	if (settings->redis_token) {
		label = text_of(json_object_get(context, "labels"), settings->redis_token);
		if (!label || !label[0])
			return NULL;
		n = asprintf(&token, "%s%s", prefix, label);
	} else if (id) {
		n = asprintf(&token, "%s%s:%s", prefix, settings->host, id);
	} else {
		return NULL;
	}
	return n < 0 ? NULL : token;
}

static bool is_loopback(const char *endpoint)
{
	return strncmp(endpoint, "127.", 4) == 0;
}

/* websockify takes what has one colon: no IPv6 in numbers. */
static bool is_host_and_port(const char *endpoint)
{
	const char *colon = strchr(endpoint, ':');

	return strncmp(endpoint, "unix:", 5) != 0 && colon && !strchr(colon + 1, ':') &&
	       !port_of_all(endpoint);
}

char *record_target(const struct settings *settings, const json_t *entry)
{
	json_t *endpoints = endpoints_of(settings, json_object_get(entry, "runtime"));
	json_t *target = NULL;
	char *text = NULL;
	const json_t *each;
	size_t i;

	json_array_foreach (endpoints, i, each) {
		const char *endpoint = json_string_value(each);

		if (!is_host_and_port(endpoint) ||
			(is_loopback(endpoint) && !settings->redis_loopback))
			continue;
		target = json_pack("{s:s}", "host", endpoint);
		break;
	}
	text = target ? json_dumps(target, JSON_COMPACT) : NULL;
	json_decref(target);
	json_decref(endpoints);
	return text;
}
