/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation: a token belongs to whoever set it last, for a guest that moves to another host takes its token along. So a new or
 * another target is set in any case, but refreshed and deleted only where it is still ours; what is gone is set again. The two
 * questions and what follows are one script each, since Redis runs a script in one piece.
 */
#include "registrar/tokens.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "registrar/catalogue.h"
#include "registrar/settings.h"

#define REFRESH \
	"local v = redis.call('get', KEYS[1]) " \
	"if not v then redis.call('set', KEYS[1], ARGV[1], 'EX', ARGV[2]) " \
	"elseif v == ARGV[1] then redis.call('expire', KEYS[1], ARGV[2]) end return 1"
#define REMOVE \
	"if redis.call('get', KEYS[1]) == ARGV[1] then redis.call('del', KEYS[1]) end return 1"

int tokens_init(
	struct tokens *tokens, const struct settings *settings, const struct catalogue *catalogue)
{
	*tokens = (struct tokens){
		.settings = settings, .catalogue = catalogue, .there = json_object()};
	return tokens->there ? 0 : -ENOMEM;
}

static void hang_up(struct tokens *tokens)
{
	if (tokens->redis)
		redisFree(take_ptr(tokens->redis));
}

void tokens_finish(struct tokens *tokens)
{
	hang_up(tokens);
	json_decref(tokens->there);
}

uint64_t tokens_due(const struct tokens *tokens)
{
	if (!tokens->settings->redis || !tokens->catalogue->known)
		return UINT64_MAX;
	if (!tokens->redis || tokens->done != tokens->catalogue->changes)
		return tokens->retry;
	return MAX(tokens->retry, tokens->refresh);
}

static int fail(struct tokens *tokens, const char *reason)
{
	if (!tokens->told)
		log_warn(NULL, "Redis at %s: %s; tokens are set when it answers",
			tokens->settings->redis, reason);
	tokens->told = true;
	hang_up(tokens);
	tokens->retry = loop_now_ms() + LIMIT_REGISTRAR_RETRY_MS;
	return -EIO;
}

static redisContext *dial(const char *where, struct timeval patience)
{
	_cleanup_free_ char *host = strdup(where);
	char *colon = host ? strrchr(host, ':') : NULL;

	if (strncmp(where, "unix:", 5) == 0)
		return redisConnectUnixWithTimeout(where + 5, patience);
	if (!colon)
		return NULL;
	*colon = '\0';
	return redisConnectWithTimeout(host, atoi(colon + 1), patience);
}

/* Takes the answers to @n commands that were sent. */
static int take_answers(struct tokens *tokens, size_t n)
{
	while (n-- > 0) {
		redisReply *reply = NULL;
		int r = 0;

		if (redisGetReply(tokens->redis, (void **)&reply) != REDIS_OK)
			return fail(tokens, tokens->redis->errstr);
		if (reply->type == REDIS_REPLY_ERROR)
			r = fail(tokens, reply->str);
		freeReplyObject(reply);
		if (r < 0)
			return r;
	}
	return 0;
}

static int log_in(struct tokens *tokens)
{
	const struct settings *settings = tokens->settings;

	if (!settings->redis_password)
		return 0;
	if (settings->redis_user)
		redisAppendCommand(tokens->redis, "AUTH %s %s", settings->redis_user,
			settings->redis_password);
	else
		redisAppendCommand(tokens->redis, "AUTH %s", settings->redis_password);
	return take_answers(tokens, 1);
}

static int connect_redis(struct tokens *tokens)
{
	const struct timeval patience = {
		.tv_sec = LIMIT_REGISTRAR_CALL_MS / 1000,
		.tv_usec = LIMIT_REGISTRAR_CALL_MS % 1000 * 1000,
	};

	tokens->redis = dial(tokens->settings->redis, patience);
	if (!tokens->redis)
		return fail(tokens, "out of memory, or this is no HOST:PORT and no unix:/PATH");
	if (tokens->redis->err)
		return fail(tokens, tokens->redis->errstr);
	if (redisSetTimeout(tokens->redis, patience) != REDIS_OK)
		return fail(tokens, "no timeout can be set");
	tokens->refresh = 0;
	return log_in(tokens);
}

/* token: target, of the catalogue. NULL: memory is short. A token that two displays here have is nobody's: labels can be read, and a
 * registrant who took over another's would have its viewers. */
static json_t *wanted(const struct catalogue *catalogue)
{
	json_t *all = json_object(), *twice = json_object();
	int r = all && twice ? 0 : -1;
	const char *id, *token;
	json_t *pair;

	json_object_foreach (catalogue->tokens, id, pair) {
		token = json_string_value(json_object_get(pair, "token"));
		if (json_object_get(all, token))
			r |= json_object_set_new(twice, token, json_true());
		else
			r |= json_object_set(all, token, json_object_get(pair, "target"));
	}
	json_object_foreach (twice, token, pair)
		json_object_del(all, token);
	json_decref(twice);
	if (r == 0)
		return all;
	json_decref(all);
	return NULL;
}

/* Sends what makes Redis have @all. @refresh: what it has already, too. Returns how many commands. */
static size_t send_difference(struct tokens *tokens, json_t *all, bool refresh)
{
	redisContext *redis = tokens->redis;
	unsigned int ttl = tokens->settings->ttl;
	const char *token;
	json_t *target;
	size_t n = 0;

	json_object_foreach (tokens->there, token, target) {
		if (json_object_get(all, token))
			continue;
		redisAppendCommand(
			redis, "EVAL %s 1 %s %s", REMOVE, token, json_string_value(target));
		n++;
	}
	json_object_foreach (all, token, target) {
		const char *text = json_string_value(target);

		if (!json_equal(target, json_object_get(tokens->there, token)))
			redisAppendCommand(redis, "SET %s %s EX %u", token, text, ttl);
		else if (refresh)
			redisAppendCommand(redis, "EVAL %s 1 %s %s %u", REFRESH, token, text, ttl);
		else
			continue;
		n++;
	}
	return n;
}

static int write_difference(struct tokens *tokens)
{
	uint64_t changes = tokens->catalogue->changes, now = loop_now_ms();
	bool refresh = now >= tokens->refresh;
	json_t *all = wanted(tokens->catalogue);
	int r;

	if (!all)
		return fail(tokens, "out of memory");
	r = take_answers(tokens, send_difference(tokens, all, refresh));
	if (r < 0) {
		json_decref(all);
		return r;
	}
	json_decref(tokens->there);
	tokens->there = all;
	tokens->done = changes;
	if (refresh)
		tokens->refresh = now + tokens->settings->ttl * 1000 / 3;
	return 0;
}

void tokens_turn(struct tokens *tokens)
{
	int r = 0;

	if (loop_now_ms() < tokens_due(tokens))
		return;
	if (!tokens->redis)
		r = connect_redis(tokens);
	if (r >= 0)
		r = write_difference(tokens);
	if (r < 0)
		return;
	if (tokens->told)
		log_info(NULL, "Redis answers again: %zu tokens stand there",
			json_object_size(tokens->there));
	tokens->told = false;
}
