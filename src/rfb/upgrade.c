/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rfb/upgrade.h"

#include <arpa/inet.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"

#define GUID	  "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" /* RFC 6455 1.3 */
#define KEY_CHARS 24					 /* 16 bytes in base64 */

/* Bytes inside the head. */
struct span {
	const char *at;
	size_t size;
};

struct request {
	struct span host, origin, key, version;
	unsigned int hosts, origins, keys, versions;
	bool upgrade, connection, binary;
};

size_t upgrade_head(const char *data, size_t size)
{
	const char *end = memmem(data, size, "\r\n\r\n", 4);

	return end ? (size_t)(end - data) + 4 : 0;
}

static bool is(struct span span, const char *text)
{
	return span.size == strlen(text) && memcmp(span.at, text, span.size) == 0;
}

static bool is_in_any_case(struct span span, const char *text)
{
	return span.size == strlen(text) && strncasecmp(span.at, text, span.size) == 0;
}

static struct span trimmed(struct span span)
{
	while (span.size && (*span.at == ' ' || *span.at == '\t')) {
		span.at++;
		span.size--;
	}
	while (span.size && (span.at[span.size - 1] == ' ' || span.at[span.size - 1] == '\t'))
		span.size--;
	return span;
}

/* Cuts @span at the first @by: what is before it is returned, what is behind it stays. */
static struct span cut(struct span *span, char by)
{
	const char *at = span->size ? memchr(span->at, by, span->size) : NULL;
	struct span before = *span;

	if (at)
		before.size = at - span->at;
	span->at += before.size + (at != NULL);
	span->size -= before.size + (at != NULL);
	return before;
}

static bool has_word(struct span list, const char *word, bool any_case)
{
	while (list.size) {
		struct span item = trimmed(cut(&list, ','));

		if (any_case ? is_in_any_case(item, word) : is(item, word))
			return true;
	}
	return false;
}

void upgrade_refuse(unsigned int status, const char *reason, struct upgrade *ret)
{
	ret->status = status;
	ret->reason = reason;
}

/* RFC 9110 5.6.2. */
static bool is_token(struct span span)
{
	static const char marks[] = "!#$%&'*+-.^_`|~";

	for (size_t i = 0; i < span.size; i++) {
		char c = span.at[i];

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			    (c && strchr(marks, c))))
			return false;
	}
	return span.size;
}

static bool is_printable(struct span span)
{
	for (size_t i = 0; i < span.size; i++) {
		unsigned char c = span.at[i];

		if ((c < ' ' && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

static bool is_id(struct span span)
{
	if (!span.size || span.size > LIMIT_ID_CHARS || is(span, ".") || is(span, ".."))
		return false;
	for (size_t i = 0; i < span.size; i++) {
		char c = span.at[i];

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			    c == '.' || c == '_' || c == '-'))
			return false;
	}
	return true;
}

static bool take_path(struct span target, const char *display, struct upgrade *ret)
{
	static const char displays[] = "/displays/";
	struct span path = cut(&target, '?'), id = path;

	if (!is(path, "/") && !is(path, "/websockify")) {
		if (path.size < strlen(displays) || memcmp(path.at, displays, strlen(displays)))
			return false;
		id.at += strlen(displays);
		id.size -= strlen(displays);
		if (!is_id(id) || (display && !is(id, display)))
			return false;
	}
	memcpy(ret->path, path.at, path.size);
	ret->path[path.size] = '\0';
	return true;
}

/* False, with the status set: not such a request. */
static bool read_first_line(struct span line, const char *display, struct upgrade *ret)
{
	struct span method = cut(&line, ' '), target = cut(&line, ' ');

	if (!is_token(method) || !target.size || !is(line, "HTTP/1.1")) {
		upgrade_refuse(400, "not HTTP/1.1", ret);
		return false;
	}
	if (!is(method, "GET")) {
		upgrade_refuse(405, "only GET", ret);
		return false;
	}
	if (!take_path(target, display, ret)) {
		upgrade_refuse(404, "no such path", ret);
		return false;
	}
	return true;
}

/* False: HTTP that must not be. */
static bool read_header(struct span line, struct request *request)
{
	struct span name = cut(&line, ':'), value = trimmed(line);

	if (!is_token(name) || line.at == name.at + name.size || !is_printable(value))
		return false;
	if (is_in_any_case(name, "Host")) {
		request->host = value;
		request->hosts++;
	} else if (is_in_any_case(name, "Origin")) {
		request->origin = value;
		request->origins++;
	} else if (is_in_any_case(name, "Sec-WebSocket-Key")) {
		request->key = value;
		request->keys++;
	} else if (is_in_any_case(name, "Sec-WebSocket-Version")) {
		request->version = value;
		request->versions++;
	} else if (is_in_any_case(name, "Upgrade")) {
		request->upgrade |= has_word(value, "websocket", true);
	} else if (is_in_any_case(name, "Connection")) {
		request->connection |= has_word(value, "upgrade", true);
	} else if (is_in_any_case(name, "Sec-WebSocket-Protocol")) {
		request->binary |= has_word(value, "binary", false);
	} else if (is_in_any_case(name, "Content-Length")) {
		return is(value, "0");
	} else if (is_in_any_case(name, "Transfer-Encoding")) {
		return false;
	}
	return true;
}

/* "host", "host:1", "[::1]:1" -> "host", "[::1]". Empty: something else, such as "user:word@host". */
static struct span host_of(struct span authority)
{
	static const struct span nothing;
	size_t size = 0;

	if (authority.size && *authority.at == '[') {
		const char *end = memchr(authority.at, ']', authority.size);

		size = end ? end - authority.at + 1 : 0;
	}
	while (size < authority.size && authority.at[size] != ':')
		size++;
	for (size_t i = size + 1; i < authority.size; i++) {
		if (authority.at[i] < '0' || authority.at[i] > '9')
			return nothing;
	}
	authority.size = size;
	return authority;
}

static bool is_same_host(struct span origin, struct span host)
{
	const char *behind = memmem(origin.at, origin.size, "://", 3);
	struct span authority;

	if (!behind)
		return false;
	authority.at = behind + 3;
	authority.size = origin.at + origin.size - authority.at;
	authority = host_of(authority);
	host = host_of(host);
	return host.size && authority.size == host.size &&
	       strncasecmp(authority.at, host.at, host.size) == 0;
}

/* An address, or a name that no one's name server answers for (RFC 6761 6.3). */
static bool is_fixed(struct span host)
{
	static const char local[] = "localhost";
	struct span tail;
	struct in6_addr address;
	char text[INET6_ADDRSTRLEN];

	host = host_of(host);
	tail = host;
	if (tail.size > strlen(local)) {
		tail.at += tail.size - strlen(local);
		tail.size = strlen(local);
	}
	if (is_in_any_case(tail, local) && (host.size == tail.size || tail.at[-1] == '.'))
		return true;
	if (host.size > 2 && *host.at == '[') {
		host.at++;
		host.size -= 2;
	}
	if (!host.size || host.size >= sizeof(text))
		return false;
	memcpy(text, host.at, host.size);
	text[host.size] = '\0';
	return inet_pton(AF_INET, text, &address) == 1 || inet_pton(AF_INET6, text, &address) == 1;
}

static bool is_welcome(const struct request *request, const struct upgrade_place *place)
{
	const char *origins = place->origins;
	struct span list = {.at = origins ? origins : "", .size = origins ? strlen(origins) : 0};

	if (!request->origins)
		return true;
	if (request->origins > 1 || !request->origin.size)
		return false;
	if (!list.size)
		return is_same_host(request->origin, request->host) &&
		       (!place->open || is_fixed(request->host));
	while (list.size) {
		struct span one = cut(&list, ' ');

		if (is(one, "*") || (one.size && one.size == request->origin.size &&
					    strncasecmp(one.at, request->origin.at, one.size) == 0))
			return true;
	}
	return false;
}

static bool is_key(struct span key)
{
	uint8_t raw[KEY_CHARS];

	/* The last four hold one byte and "==". */
	return key.size == KEY_CHARS && memcmp(key.at + KEY_CHARS - 2, "==", 2) == 0 &&
	       memchr(key.at, '=', KEY_CHARS - 2) == NULL &&
	       EVP_DecodeBlock(raw, (const uint8_t *)key.at, KEY_CHARS) == 18;
}

static bool make_accept(struct span key, char accept[32])
{
	char text[KEY_CHARS + sizeof(GUID)];
	uint8_t digest[EVP_MAX_MD_SIZE];

	memcpy(text, key.at, KEY_CHARS);
	memcpy(text + KEY_CHARS, GUID, sizeof(GUID));
	if (EVP_Digest(text, KEY_CHARS + strlen(GUID), digest, NULL, EVP_sha1(), NULL) != 1)
		return false;
	EVP_EncodeBlock((uint8_t *)accept, digest, 20);
	return true;
}

static void judge(
	const struct request *request, const struct upgrade_place *place, struct upgrade *ret)
{
	if (request->hosts != 1 || !request->host.size)
		upgrade_refuse(400, "no Host", ret);
	else if (!is_welcome(request, place))
		upgrade_refuse(403, "not from this Origin", ret);
	else if (!request->upgrade || !request->connection)
		upgrade_refuse(426, "here are WebSockets, for VNC viewers", ret);
	else if (request->versions != 1 || !is(request->version, "13"))
		upgrade_refuse(426, "WebSocket version 13", ret);
	else if (request->keys != 1 || !is_key(request->key))
		upgrade_refuse(400, "no Sec-WebSocket-Key", ret);
	else if (!make_accept(request->key, ret->accept))
		upgrade_refuse(500, "no SHA-1", ret);
	else
		ret->status = 101;
}

void upgrade_read(
	const char *head, size_t size, const struct upgrade_place *place, struct upgrade *ret)
{
	struct request request = {0};
	struct span rest = {.at = head, .size = size - 2};
	bool first = true;

	*ret = (struct upgrade){0};
	for (; rest.size; first = false) {
		struct span line = cut(&rest, '\n');

		/* No bare line feed: who is in front of us might read that in another way. */
		if (!line.size || line.at[line.size - 1] != '\r') {
			upgrade_refuse(400, "not HTTP/1.1", ret);
			return;
		}
		line.size--;
		if (first && !read_first_line(line, place->display, ret))
			return;
		if (!first && !read_header(line, &request)) {
			upgrade_refuse(400, "a bad header", ret);
			return;
		}
	}
	judge(&request, place, ret);
	ret->binary = request.binary;
}

static const char *status_text(unsigned int status)
{
	switch (status) {
	case 403:
		return "Forbidden";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 426:
		return "Upgrade Required";
	case 431:
		return "Request Header Fields Too Large";
	case 500:
		return "Internal Server Error";
	default:
		return "Bad Request";
	}
}

size_t upgrade_answer(const struct upgrade *upgrade, char to[UPGRADE_ANSWER])
{
	static const char please[] = "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";
	unsigned int status = upgrade->status;

	if (status == 101)
		return snprintf(to, UPGRADE_ANSWER,
			"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
			"Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n%s\r\n",
			upgrade->accept,
			upgrade->binary ? "Sec-WebSocket-Protocol: binary\r\n" : "");
	return snprintf(to, UPGRADE_ANSWER,
		"HTTP/1.1 %u %s\r\nConnection: %sclose\r\n%s"
		"Content-Type: text/plain\r\nContent-Length: %zu\r\n\r\n%s\n",
		status, status_text(status), status == 426 ? "Upgrade, " : "",
		status == 426	? please
		: status == 405 ? "Allow: GET\r\n"
				: "",
		strlen(upgrade->reason) + 1, upgrade->reason);
}
