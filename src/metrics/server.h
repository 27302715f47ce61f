/* SPDX-License-Identifier: GPL-2.0-or-later */
/* server.h - /metrics and /healthz over HTTP, answered by asking the broker over the link. One thread, its own loop.
 *
 * What clients can make it hold is bounded: LIMIT_METRICS_CONNECTIONS at a time, each for LIMIT_METRICS_CONNECTION_MS at most (LIMIT_METRICS_YIELD_MS, while all places are taken), one
 * request each with a head of LIMIT_METRICS_HEAD bytes and no body. A text is in memory once, however many read it.
 */
#pragma once

struct metrics_server;

/* @link: borrowed. -ENOMEM. */
int metrics_server_create(int link, struct metrics_server **ret);
void metrics_server_destroy(struct metrics_server *server); /* takes NULL */
/* Until the broker hangs up, or nobody has asked for LIMIT_METRICS_IDLE_MS. 0; -EPROTO: the broker sends nonsense; -errno. */
int metrics_server_run(struct metrics_server *server);
