/* SPDX-License-Identifier: GPL-2.0-or-later */
/* etcd.h - the catalogue's records as PREFIX/HOST/ID in etcd, all under one lease that is kept alive. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct catalogue;
struct gateway;
struct settings;

struct etcd {
	const struct settings *settings;
	const struct catalogue *catalogue;
	struct gateway *gateway;
	char *lease;	     /* etcd's number of it; NULL: none */
	json_t *there;	     /* id: what stands in etcd under our lease; NULL under another one, or none */
	bool learnt;	     /* @there is true */
	uint64_t done;	     /* catalogue_changes that stand there */
	uint64_t keep_due;   /* the lease */
	uint64_t learn_due;  /* look whether all still stands there */
	uint64_t pace;	     /* what has changed since is not written before this */
	uint64_t retry;	     /* nothing is done before this */
	unsigned int failed; /* servers in a row that did not answer */
	bool told;	     /* that etcd is away */
};

/* -EINVAL: logged. */
int etcd_init(struct etcd *etcd, const struct settings *settings, const struct catalogue *catalogue);
void etcd_finish(struct etcd *etcd);
/* In milliseconds of loop_now_ms(), when it wants its turn; at once where the catalogue has changed. */
uint64_t etcd_due(const struct etcd *etcd);
/* Does what is due. Blocks for LIMIT_REGISTRAR_CALL_MS where a server does not answer, then waits for its next turn. */
void etcd_turn(struct etcd *etcd);
