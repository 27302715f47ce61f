/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gateway.h - one call of etcd's v3 JSON gateway: a POST of a JSON object, answered by one. libcurl does TLS.
 *
 * Where a server does not answer, the next call goes to the next one of the list.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct gateway;
struct settings;

/* -EINVAL: the list of servers is empty or one is no http:// or https:// URL (logged); -ENOMEM. */
int gateway_create(const struct settings *settings, struct gateway **ret);
void gateway_destroy(struct gateway *gateway);
/* @path: "kv/range". @body: stolen. -EIO: no server, or an answer that is none; -ENOENT: etcd does not know the lease;
 * -EACCES: not let in; -EPROTO: another error of etcd; -ENOMEM. gateway_reason() then has words. Blocks up to LIMIT_REGISTRAR_CALL_MS. */
int gateway_call(struct gateway *gateway, const char *path, json_t *body, json_t **ret);
/* It answers what cannot be true, in @words: -EPROTO, with that as the reason; the next call is another server's. */
int gateway_protest(struct gateway *gateway, const char *words);
const char *gateway_reason(const struct gateway *gateway);
/* How many servers there are. */
size_t gateway_servers(const struct gateway *gateway);
