/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "registrar/gateway.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "registrar/settings.h"

struct gateway {
	const struct settings *settings;
	CURL *curl;
	char *list; /* the URLs, cut into words */
	const char *urls[LIMIT_REGISTRAR_SERVERS];
	size_t urls_used, current;
	char *token; /* of etcd's authentication; NULL: not logged in */
	char *answer;
	size_t answer_used;
	char reason[CURL_ERROR_SIZE + 128];
	char curl_reason[CURL_ERROR_SIZE];
};

int gateway_protest(struct gateway *gateway, const char *words)
{
	snprintf(gateway->reason, sizeof(gateway->reason), "%.100s: %s",
		gateway->urls[gateway->current], words);
	gateway->current = (gateway->current + 1) % gateway->urls_used;
	return -EPROTO;
}

static size_t take_answer(char *bytes, size_t size, size_t count, void *arg)
{
	struct gateway *gateway = arg;
	size_t n = size * count;
	char *more;

	if (n > LIMIT_REGISTRAR_ANSWER - gateway->answer_used)
		return 0;
	more = realloc(gateway->answer, gateway->answer_used + n + 1);
	if (!more)
		return 0;
	gateway->answer = more;
	memcpy(more + gateway->answer_used, bytes, n);
	gateway->answer_used += n;
	return n;
}

static int cut_list(struct gateway *gateway)
{
	char *rest = gateway->list, *word;

	while ((word = strsep(&rest, " \t,"))) {
		if (!word[0])
			continue;
		if (strncmp(word, "http://", 7) != 0 && strncmp(word, "https://", 8) != 0) {
			log_err(NULL, "etcd: '%s' is no http:// or https:// URL", word);
			return -EINVAL;
		}
		if (gateway->urls_used == ARRAY_SIZE(gateway->urls)) {
			log_err(NULL, "etcd: more than %zu servers", ARRAY_SIZE(gateway->urls));
			return -EINVAL;
		}
		word[strlen(word) - (word[strlen(word) - 1] == '/')] = '\0';
		gateway->urls[gateway->urls_used++] = word;
	}
	return gateway->urls_used > 0 ? 0 : -EINVAL;
}

static CURLcode prepare(struct gateway *gateway)
{
	const struct settings *settings = gateway->settings;
	CURL *curl = gateway->curl;
	CURLcode r = CURLE_OK;

	r = r ? r : curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	r = r ? r : curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	r = r ? r : curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
	r = r ? r : curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)LIMIT_REGISTRAR_CALL_MS);
	r = r ? r : curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, gateway->curl_reason);
	r = r ? r : curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_answer);
	r = r ? r : curl_easy_setopt(curl, CURLOPT_WRITEDATA, gateway);
	if (settings->ca)
		r = r ? r : curl_easy_setopt(curl, CURLOPT_CAINFO, settings->ca);
	if (settings->certificate)
		r = r ? r : curl_easy_setopt(curl, CURLOPT_SSLCERT, settings->certificate);
	if (settings->key)
		r = r ? r : curl_easy_setopt(curl, CURLOPT_SSLKEY, settings->key);
	return r;
}

int gateway_create(const struct settings *settings, struct gateway **ret)
{
	struct gateway *gateway = new0(struct gateway);
	int r = -ENOMEM;

	if (!gateway)
		return -ENOMEM;
	gateway->settings = settings;
	gateway->list = strdup(settings->etcd);
	gateway->curl = curl_easy_init();
	if (gateway->list && gateway->curl)
		r = cut_list(gateway);
	if (r >= 0 && prepare(gateway) != CURLE_OK)
		r = -EINVAL;
	if (r < 0)
		gateway_destroy(gateway);
	else
		*ret = gateway;
	return r;
}

void gateway_destroy(struct gateway *gateway)
{
	if (!gateway)
		return;
	if (gateway->curl)
		curl_easy_cleanup(gateway->curl);
	free(gateway->token);
	free(gateway->answer);
	free(gateway->list);
	free(gateway);
}

const char *gateway_reason(const struct gateway *gateway)
{
	return gateway->reason;
}

size_t gateway_servers(const struct gateway *gateway)
{
	return gateway->urls_used;
}

static struct curl_slist *headers_of(const struct gateway *gateway)
{
	struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
	_cleanup_free_ char *line = NULL;
	struct curl_slist *longer;

	if (!headers || !gateway->token)
		return headers;
	longer = asprintf(&line, "Authorization: %s", gateway->token) < 0
			 ? NULL
			 : curl_slist_append(headers, line);
	if (!longer)
		curl_slist_free_all(headers);
	return longer;
}

/* The transfer; its answer is in @gateway. */
static int transfer(struct gateway *gateway, const char *path, const char *text, long *ret_status)
{
	struct curl_slist *headers = headers_of(gateway);
	const char *server = gateway->urls[gateway->current];
	char url[LIMIT_CONFIG_LINE + 64];
	CURLcode code = CURLE_OUT_OF_MEMORY;

	snprintf(url, sizeof(url), "%s/v3/%s", server, path);
	gateway->answer_used = 0;
	gateway->curl_reason[0] = '\0';
	if (headers) {
		curl_easy_setopt(gateway->curl, CURLOPT_HTTPHEADER, headers);
		curl_easy_setopt(gateway->curl, CURLOPT_POSTFIELDS, text);
		code = curl_easy_setopt(gateway->curl, CURLOPT_URL, url);
	}
	if (code == CURLE_OK)
		code = curl_easy_perform(gateway->curl);
	if (headers)
		curl_easy_setopt(gateway->curl, CURLOPT_HTTPHEADER, NULL);
	curl_slist_free_all(headers);
	if (code == CURLE_OK)
		code = curl_easy_getinfo(gateway->curl, CURLINFO_RESPONSE_CODE, ret_status);
	if (code == CURLE_OK)
		return 0;
	snprintf(gateway->reason, sizeof(gateway->reason), "%.100s: %s", server,
		gateway->curl_reason[0] ? gateway->curl_reason : curl_easy_strerror(code));
	gateway->current = (gateway->current + 1) % gateway->urls_used;
	return -EIO;
}

/* etcd's codes are gRPC's. */
static int read_error(struct gateway *gateway, const json_t *answer, long status)
{
	const json_t *error = json_object_get(answer, "error");
	const json_t *inner = json_is_object(error) ? error : answer;
	const char *words = json_string_value(json_object_get(inner, "message"));
	json_int_t code = json_integer_value(
		json_object_get(inner, json_object_get(inner, "grpc_code") ? "grpc_code" : "code"));

	if (status < 400 && !error)
		return 0;
	snprintf(gateway->reason, sizeof(gateway->reason), "%.100s: %.100s (HTTP %ld)",
		gateway->urls[gateway->current], words ? words : "an error", status);
	if (code == 16 || status == 401)
		return -EACCES;
	if (code == 14 || status >= 500 || status == 0) {
		/* It has no leader, for example: another one may. */
		gateway->current = (gateway->current + 1) % gateway->urls_used;
		return -EIO;
	}
	return code == 5 ? -ENOENT : -EPROTO;
}

static int post(struct gateway *gateway, const char *path, const char *text, json_t **ret)
{
	json_error_t error;
	long status = 0;
	json_t *answer;
	int r = transfer(gateway, path, text, &status);

	if (r < 0)
		return r;
	answer = gateway->answer_used ? json_loadb(gateway->answer, gateway->answer_used, 0, &error)
				      : NULL;
	r = read_error(gateway, answer, status);
	if (r >= 0 && !json_is_object(answer)) {
		snprintf(gateway->reason, sizeof(gateway->reason), "%.100s: no answer of an etcd",
			gateway->urls[gateway->current]);
		r = -EIO;
	}
	if (r >= 0)
		*ret = take_ptr(answer);
	json_decref(answer);
	return r;
}

/* It becomes a line of all further requests, also of those to other servers. */
static bool is_token(const char *text)
{
	for (const char *c = text; *c; c++)
		if (*c <= ' ' || *c > '~')
			return false;
	return *text;
}

static int log_in(struct gateway *gateway)
{
	json_t *body = json_pack("{s:s, s:s}", "name", gateway->settings->user, "password",
		gateway->settings->password);
	_cleanup_free_ char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	const char *token;
	json_t *answer;
	int r;

	json_decref(body);
	free(take_ptr(gateway->token));
	if (!text)
		return -ENOMEM;
	r = post(gateway, "auth/authenticate", text, &answer);
	explicit_bzero(text, strlen(text));
	if (r < 0)
		return r;
	token = json_string_value(json_object_get(answer, "token"));
	if (!token || !is_token(token))
		r = gateway_protest(gateway, "its token is none");
	else if (!(gateway->token = strdup(token)))
		r = -ENOMEM;
	json_decref(answer);
	return r;
}

int gateway_call(struct gateway *gateway, const char *path, json_t *body, json_t **ret)
{
	_cleanup_free_ char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	bool fresh = false;
	int r = 0;

	json_decref(body);
	if (!text)
		return -ENOMEM;
	if (gateway->settings->user && !gateway->token) {
		r = log_in(gateway);
		fresh = true;
	}
	if (r >= 0)
		r = post(gateway, path, text, ret);
	/* A token that has run out, or is another server's. */
	if (r == -EACCES && gateway->settings->user && !fresh) {
		r = log_in(gateway);
		if (r >= 0)
			r = post(gateway, path, text, ret);
	}
	/* etcd's users changed under it: some of its answers to an old token are no -EACCES. */
	if (r == -EPROTO)
		free(take_ptr(gateway->token));
	return r;
}
