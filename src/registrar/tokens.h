/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tokens.h - the catalogue's tokens in Redis, as websockify's TokenRedis looks them up. Each ends by itself when it is not refreshed. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct catalogue;
struct settings;
struct redisContext;

struct tokens {
	const struct settings *settings;
	const struct catalogue *catalogue;
	struct redisContext *redis; /* NULL: not connected */
	json_t *there;		    /* token: target, as we have set them */
	uint64_t done;		    /* catalogue_changes that stand there */
	uint64_t refresh;	    /* all again */
	uint64_t retry;		    /* not before this */
	bool told;		    /* that Redis is away */
};

/* -ENOTSUP: Redis is asked for and this build has none (logged). */
int tokens_init(
	struct tokens *tokens, const struct settings *settings, const struct catalogue *catalogue);
void tokens_finish(struct tokens *tokens);
/* As etcd_due() and etcd_turn(). */
uint64_t tokens_due(const struct tokens *tokens);
void tokens_turn(struct tokens *tokens);
