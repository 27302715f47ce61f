/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "registrar/catalogue.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "registrar/record.h"
#include "registrar/settings.h"

int catalogue_init(struct catalogue *catalogue, const struct settings *settings)
{
	*catalogue = (struct catalogue){
		.settings = settings, .records = json_object(), .tokens = json_object()};
	return catalogue->records && catalogue->tokens ? 0 : -ENOMEM;
}

void catalogue_finish(struct catalogue *catalogue)
{
	json_decref(catalogue->records);
	json_decref(catalogue->tokens);
	*catalogue = (struct catalogue){0};
}

static int add_token(
	json_t *tokens, const struct settings *settings, const char *id, const json_t *entry)
{
	_cleanup_free_ char *token = NULL, *target = NULL;
	json_t *pair;

	json_object_del(tokens, id);
	if (!settings->redis)
		return 0;
	token = record_token(settings, entry);
	target = record_target(settings, entry);
	if (!token || !target)
		return 0; /* short of memory: without one until the display changes */
	pair = json_pack("{s:s, s:s}", "token", token, "target", target);
	return json_object_set_new(tokens, id, pair) < 0 ? -ENOMEM : 0;
}

static int add(
	json_t *records, json_t *tokens, const struct settings *settings, const json_t *entry)
{
	const char *id =
		json_string_value(json_object_get(json_object_get(entry, "context"), "id"));
	json_t *record = record_make(settings, entry);

	if (!record)
		return -EBADMSG;
	if (json_object_set_new(records, id, record) < 0)
		return -ENOMEM;
	return add_token(tokens, settings, id, entry);
}

int catalogue_replace(struct catalogue *catalogue, json_t *entries)
{
	json_t *records = json_object(), *tokens = json_object();
	int r = records && tokens ? 0 : -ENOMEM;
	const char *id;
	json_t *entry;

	json_object_foreach (entries, id, entry)
		if (r >= 0)
			r = add(records, tokens, catalogue->settings, entry);
	if (r >= 0) {
		if (!catalogue->known || !json_equal(records, catalogue->records) ||
			!json_equal(tokens, catalogue->tokens))
			catalogue->changes++;
		catalogue->known = true;
		json_decref(catalogue->records);
		json_decref(catalogue->tokens);
		catalogue->records = take_ptr(records);
		catalogue->tokens = take_ptr(tokens);
	}
	json_decref(records);
	json_decref(tokens);
	return r;
}

int catalogue_put(struct catalogue *catalogue, const json_t *entry)
{
	catalogue->changes++;
	return add(catalogue->records, catalogue->tokens, catalogue->settings, entry);
}

void catalogue_remove(struct catalogue *catalogue, const char *id)
{
	catalogue->changes++;
	json_object_del(catalogue->records, id);
	json_object_del(catalogue->tokens, id);
}
