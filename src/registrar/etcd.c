/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation: etcd->there is what etcd has, the catalogue what it should have, and a turn writes the difference. Where etcd was
 * away, the lease ran out or something failed half way, @there is not believed any more and read again: there is one way to write,
 * and it is the same after every accident.
 *
 * What stands under another lease, an earlier run's, counts as not written: written again it moves to our lease. So a restart of this
 * program changes no record, and leaves none behind that its host has no more.
 */
#include "registrar/etcd.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "registrar/catalogue.h"
#include "registrar/gateway.h"
#include "registrar/settings.h"

int etcd_init(struct etcd *etcd, const struct settings *settings, const struct catalogue *catalogue)
{
	*etcd = (struct etcd){.settings = settings, .catalogue = catalogue, .there = json_object()};
	return etcd->there ? gateway_create(settings, &etcd->gateway) : -ENOMEM;
}

void etcd_finish(struct etcd *etcd)
{
	gateway_destroy(etcd->gateway);
	json_decref(etcd->there);
	free(etcd->lease);
}

/* gateway's JSON has bytes in base64. */
static json_t *encoded(const char *text, size_t size)
{
	_cleanup_free_ unsigned char *out = malloc((size + 2) / 3 * 4 + 1);

	if (!out)
		return NULL;
	EVP_EncodeBlock(out, (const unsigned char *)text, (int)size);
	return json_string((const char *)out);
}

static char *decoded(const json_t *value)
{
	const char *text = json_string_value(value);
	size_t size = json_string_length(value);
	unsigned char *out;
	int n;

	if (!text || size > LIMIT_REGISTRAR_ANSWER)
		return NULL;
	out = malloc(size / 4 * 3 + 1);
	n = out ? EVP_DecodeBlock(out, (const unsigned char *)text, (int)size) : -1;
	if (n < 0) {
		free(out);
		return NULL;
	}
	for (size_t i = size; n > 0 && i > 0 && text[i - 1] == '='; i--)
		n--;
	out[n] = '\0';
	return (char *)out;
}

/* A key of this host: PREFIX/HOST, @between, @id. With @nul it ends in one, which is the least byte that can follow. */
static json_t *key_make(const struct etcd *etcd, char between, const char *id, bool nul)
{
	char *key;
	json_t *value;

	if (asprintf(&key, "%s/%s%c%s", etcd->settings->prefix, etcd->settings->host, between, id) <
		0)
		return NULL;
	value = encoded(key, strlen(key) + nul);
	free(key);
	return value;
}

static json_t *key_of(const struct etcd *etcd, const char *id)
{
	return key_make(etcd, '/', id, false);
}

/* The key right behind that of @last; NULL: the first one. */
static json_t *key_after(const struct etcd *etcd, const char *last)
{
	return key_make(etcd, '/', last ? last : "", last != NULL);
}

/* Behind all keys of this host: '0' comes after '/'. */
static json_t *key_of_end(const struct etcd *etcd)
{
	return key_make(etcd, '0', "", false);
}

static int grant(struct etcd *etcd)
{
	const char *lease;
	json_t *answer;
	int r = gateway_call(etcd->gateway, "lease/grant",
		json_pack("{s:I}", "TTL", (json_int_t)etcd->settings->ttl), &answer);

	if (r < 0)
		return r;
	lease = json_string_value(json_object_get(answer, "ID"));
	free(etcd->lease);
	etcd->lease = lease ? strdup(lease) : NULL;
	json_decref(answer);
	etcd->learnt = false;
	etcd->keep_due = loop_now_ms() + etcd->settings->ttl * 1000 / 3;
	return etcd->lease ? 0 : -EPROTO;
}

/* -ENOENT: it is none any more. */
static int keep_alive(struct etcd *etcd)
{
	const json_t *result;
	json_t *answer;
	bool lives;
	int r = gateway_call(
		etcd->gateway, "lease/keepalive", json_pack("{s:s}", "ID", etcd->lease), &answer);

	if (r < 0)
		return r;
	result = json_object_get(answer, "result");
	lives = json_is_string(json_object_get(result, "TTL"));
	json_decref(answer);
	etcd->keep_due = loop_now_ms() + etcd->settings->ttl * 1000 / 3;
	return lives ? 0 : -ENOENT;
}

/* Takes one page. Returns how many keys it had; *@ret_last is the last one's id. */
static size_t take_page(struct etcd *etcd, const json_t *answer, char **ret_last)
{
	const size_t before = strlen(etcd->settings->prefix) + strlen(etcd->settings->host) + 2;
	const json_t *pair;
	size_t i;

	json_array_foreach (json_object_get(answer, "kvs"), i, pair) {
		const char *lease = json_string_value(json_object_get(pair, "lease"));
		bool ours = lease && strcmp(lease, etcd->lease) == 0;
		char *key = decoded(json_object_get(pair, "key"));
		_cleanup_free_ char *value = decoded(json_object_get(pair, "value"));

		if (!key || strlen(key) < before) {
			free(key);
			continue;
		}
		json_object_set_new(etcd->there, key + before,
			ours && value ? json_string_nocheck(value) : json_null());
		memmove(key, key + before, strlen(key + before) + 1);
		free(*ret_last);
		*ret_last = key;
	}
	return i;
}

/* What stands there, in pages. */
static int learn(struct etcd *etcd)
{
	_cleanup_free_ char *last = NULL, *before = NULL;
	bool more = true;
	int r = 0;

	json_object_clear(etcd->there);
	etcd->learnt = false;
	while (r >= 0 && more) {
		json_t *answer;

		r = gateway_call(etcd->gateway, "kv/range",
			json_pack("{s:o, s:o, s:i}", "key", key_after(etcd, last), "range_end",
				key_of_end(etcd), "limit", LIMIT_REGISTRAR_BATCH),
			&answer);
		if (r < 0)
			return r;
		free(before);
		before = last ? strdup(last) : NULL;
		more = take_page(etcd, answer, &last) > 0 &&
		       json_is_true(json_object_get(answer, "more")) && last;
		json_decref(answer);
		/* Else it could keep us here for ever. */
		if (more && ((before && strcmp(last, before) <= 0) ||
				    json_object_size(etcd->there) > 2 * LIMIT_REGISTRAR_DISPLAYS))
			r = gateway_protest(etcd->gateway, "its keys have no end");
	}
	if (r < 0)
		return r;
	etcd->learnt = true;
	etcd->learn_due = loop_now_ms() + LIMIT_REGISTRAR_LOOK_MS;
	return 0;
}

static json_t *operation(const struct etcd *etcd, const char *id, const json_t *record)
{
	if (!record)
		return json_pack("{s:{s:o}}", "request_delete_range", "key", key_of(etcd, id));
	return json_pack("{s:{s:o, s:o, s:s}}", "request_put", "key", key_of(etcd, id), "value",
		encoded(json_string_value(record), json_string_length(record)), "lease",
		etcd->lease);
}

/* Up to a batch of operations and, in *@ret_after, what stands there when they are done. NULL: memory is short. */
static json_t *difference(const struct etcd *etcd, json_t **ret_after)
{
	json_t *operations = json_array(), *after = json_copy(etcd->there);
	const char *id;
	json_t *value;
	int r = operations && after ? 0 : -1;

	json_object_foreach (etcd->there, id, value) {
		if (json_array_size(operations) == LIMIT_REGISTRAR_BATCH ||
			json_object_get(etcd->catalogue->records, id))
			continue;
		r |= json_array_append_new(operations, operation(etcd, id, NULL));
		json_object_del(after, id);
	}
	json_object_foreach (etcd->catalogue->records, id, value) {
		if (json_array_size(operations) == LIMIT_REGISTRAR_BATCH ||
			json_equal(value, json_object_get(etcd->there, id)))
			continue;
		r |= json_array_append_new(operations, operation(etcd, id, value));
		r |= json_object_set(after, id, value);
	}
	if (r == 0) {
		*ret_after = after;
		return operations;
	}
	json_decref(operations);
	json_decref(after);
	return NULL;
}

/* One batch; where there is nothing left to write, etcd->done says so. */
static int write_batch(struct etcd *etcd)
{
	json_t *after = NULL, *answer, *operations = difference(etcd, &after);
	size_t n = json_array_size(operations);
	int r = operations ? 0 : -ENOMEM;

	if (n > 0) {
		r = gateway_call(etcd->gateway, "kv/txn", json_pack("{s:o}", "success", operations),
			&answer);
		if (r >= 0)
			json_decref(answer);
	} else {
		json_decref(operations);
	}
	if (r < 0) {
		json_decref(after);
		return r;
	}
	json_decref(etcd->there);
	etcd->there = after;
	if (n > 0)
		log_debug(NULL, "etcd: %zu records written", n);
	if (n == 0) {
		etcd->done = etcd->catalogue->changes;
		etcd->pace = loop_now_ms() + LIMIT_REGISTRAR_PACE_MS;
	}
	return 0;
}

static bool is_written(const struct etcd *etcd)
{
	return etcd->learnt && etcd->done == etcd->catalogue->changes;
}

uint64_t etcd_due(const struct etcd *etcd)
{
	uint64_t due;

	if (!etcd->catalogue->known)
		return UINT64_MAX;
	if (!etcd->lease || !etcd->learnt)
		return etcd->retry;
	if (!is_written(etcd))
		return MAX(etcd->retry, etcd->pace);
	due = MIN(etcd->keep_due, etcd->learn_due);
	return MAX(etcd->retry, due);
}

static int step(struct etcd *etcd)
{
	uint64_t now = loop_now_ms();
	int r = 0;

	if (!etcd->lease)
		r = grant(etcd);
	else if (now >= etcd->keep_due)
		r = keep_alive(etcd);
	if (r >= 0 && (!etcd->learnt || now >= etcd->learn_due)) {
		r = learn(etcd);
		etcd->done = UINT64_MAX;
	}
	/* The next batch has its turn when the others had theirs. */
	if (r >= 0 && !is_written(etcd))
		r = write_batch(etcd);
	return r;
}

static void fail(struct etcd *etcd, int error)
{
	etcd->learnt = false;
	if (error == -ENOENT) {
		log_notice(NULL, "etcd has forgotten the lease: a new one, and all records again");
		free(take_ptr(etcd->lease));
		etcd->retry = 0;
		return;
	}
	/* Every server is tried before there is a rest. */
	etcd->failed++;
	etcd->retry = etcd->failed % gateway_servers(etcd->gateway) == 0
			      ? loop_now_ms() + LIMIT_REGISTRAR_RETRY_MS
			      : 0;
	if (!etcd->told && etcd->retry > 0) {
		log_warn(NULL, "etcd: %s; records are written when it answers",
			gateway_reason(etcd->gateway));
		etcd->told = true;
	}
}

void etcd_turn(struct etcd *etcd)
{
	int r;

	if (loop_now_ms() < etcd_due(etcd))
		return;
	r = step(etcd);
	if (r < 0) {
		fail(etcd, r);
		return;
	}
	if (etcd->told)
		log_info(NULL, "etcd answers again: %zu records stand there",
			json_object_size(etcd->there));
	etcd->told = false;
	etcd->failed = 0;
	etcd->retry = 0;
}
