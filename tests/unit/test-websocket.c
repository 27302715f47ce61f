/* SPDX-License-Identifier: GPL-2.0-or-later */
/* WebSockets without a socket: a level whose below is two strings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>

#include "base/limits.h"
#include "base/mem.h"
#include "rfb/level.h"
#include "rfb/upgrade.h"
#include "rfb/websocket.h"

#define HEAD "Host: h\r\n" HEAD_BUT_HOST
#define HEAD_BUT_HOST \
	"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" \
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define GET "GET / HTTP/1.1\r\n"

struct fixture {
	struct level level;
	struct websocket *websocket;
	const uint8_t *in; /* what the viewer sends */
	size_t in_size, piece;
	uint8_t out[200000]; /* what it gets */
	size_t out_size, out_room;
	bool open; /* as in struct upgrade_place */
};

static ssize_t below_receive(void *arg, void *to, size_t room)
{
	struct fixture *fixture = arg;
	size_t n = MIN(fixture->in_size, room);

	n = MIN(n, fixture->piece);
	if (!n)
		return -EAGAIN;
	memcpy(to, fixture->in, n);
	fixture->in += n;
	fixture->in_size -= n;
	return n;
}

static ssize_t below_send(void *arg, const struct iovec *iov, size_t iov_used)
{
	struct fixture *fixture = arg;
	size_t n = MIN(iov[0].iov_len, fixture->out_room - fixture->out_size);

	if (!n)
		return -EAGAIN;
	memcpy(fixture->out + fixture->out_size, iov[0].iov_base, n);
	fixture->out_size += n;
	return n;
}

static void begin(struct fixture *fixture, const char *origins)
{
	struct below below = {.receive = below_receive, .send = below_send, .arg = fixture};
	const struct upgrade_place place = {
		.origins = origins,
		.display = "vm-7.a_B",
		.open = fixture->open,
	};

	assert_int_equal(websocket_create(&place, &fixture->websocket), 0);
	assert_int_equal(
		level_init(&fixture->level, &websocket_layer, fixture->websocket, &below, NULL, 0),
		0);
	fixture->out_size = 0;
	fixture->out_room = sizeof(fixture->out);
	fixture->piece = SIZE_MAX;
}

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	begin(fixture, NULL);
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	level_finish(&fixture->level);
	free(fixture);
	return 0;
}

static ssize_t receive(struct fixture *fixture, const void *in, size_t size, void *to, size_t room)
{
	size_t total = 0;
	ssize_t n;

	fixture->in = in;
	fixture->in_size = size;
	do {
		n = level_receive(&fixture->level, (uint8_t *)to + total, room - total);
		total += n > 0 ? n : 0;
	} while ((n > 0 || (n == -EAGAIN && (fixture->level.again || fixture->in_size))) &&
		 total < room);
	return total ? (ssize_t)total : n;
}

/* Asks, and gives the number of the answer; 0: none yet. */
static unsigned int ask(struct fixture *fixture, const char *request)
{
	uint8_t byte;
	ssize_t n = receive(fixture, request, strlen(request), &byte, 1);
	unsigned int status = 0;

	fixture->out[fixture->out_size] = 0;
	if (fixture->out_size)
		assert_int_equal(sscanf((char *)fixture->out, "HTTP/1.1 %u ", &status), 1);
	assert_int_equal(n, !status || status == 101 ? -EAGAIN : -EPROTO);
	assert_int_equal(level_open(&fixture->level), status == 101);
	assert_int_equal(websocket_path(fixture->websocket) != NULL, status == 101);
	return status;
}

/* Asks anew. */
static unsigned int status_of(struct fixture *fixture, const char *origins, const char *request)
{
	level_finish(&fixture->level);
	begin(fixture, origins);
	return ask(fixture, request);
}

static void test_paths(void **state)
{
	static const struct {
		const char *target, *path;
	} good[] = {
		{"/", "/"},
		{"/?token=x", "/"},
		{"/websockify", "/websockify"},
		{"/displays/vm-7.a_B?x=/../", "/displays/vm-7.a_B"},
	};
	static const char *const bad[] = {"/x", "/displays", "/displays/", "/displays/.",
		"/displays/..", "/displays/a/b", "/displays/other", "/displays/a%20", "//",
		"/websockify/", "*", "http://h/",
		("/displays/"
		 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")};
	struct fixture *fixture = *state;
	char request[1024];

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\n" HEAD "\r\n",
			good[i].target);
		assert_int_equal(status_of(fixture, NULL, request), 101);
		assert_string_equal(websocket_path(fixture->websocket), good[i].path);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\n" HEAD "\r\n", bad[i]);
		assert_int_equal(status_of(fixture, NULL, request), 404);
	}
}

static void test_requests(void **state)
{
	static const struct {
		unsigned int status;
		const char *request;
	} requests[] = {
		{101, GET HEAD "\r\n"},
		{101, GET "connection: close , UPGRADE\r\n" HEAD "X: y\r\n\r\n"},
		{405, "POST / HTTP/1.1\r\n" HEAD "\r\n"},
		{400, "GET / HTTP/1.0\r\n" HEAD "\r\n"},
		{400, "GET /\r\n\r\n"},
		{400, "GET  / HTTP/1.1\r\n" HEAD "\r\n"},
		{400, "GET / HTTP/1.1 \r\n" HEAD "\r\n"},
		{426, GET "Host: h\r\n\r\n"},
		{426, GET "Host: h\r\nUpgrade: websocket\r\n\r\n"},
		{426, GET "Host: h\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n"},
		{426, GET "Host: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
			  "Sec-WebSocket-Version: 8\r\n\r\n"},
		{400, GET "Host: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
			  "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: abc\r\n\r\n"},
		{400, GET "Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n"},
		{400, GET "Host: other\r\n" HEAD "\r\n"},
		{400, GET HEAD "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"},
		{400, GET HEAD "Content-Length: 5\r\n\r\n"},
		{400, GET HEAD "Transfer-Encoding: chunked\r\n\r\n"},
		{400, GET HEAD "Bad Name: x\r\n\r\n"},
		{400, GET HEAD "Name : x\r\n\r\n"},
		{400, GET HEAD "X: a\r\n folded\r\n\r\n"},
		{400, GET HEAD "X: a\nY: b\r\n\r\n"},
		{400, GET HEAD "X: \1\r\n\r\n"},
		{400, GET HEAD "no colon\r\n\r\n"},
		{400, "\r\n" GET HEAD "\r\n"},
		{0, GET HEAD},
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		unsigned int status = status_of(fixture, NULL, requests[i].request);

		if (status != requests[i].status)
			fail_msg("%u: %s", status, requests[i].request);
	}
}

static void test_origins(void **state)
{
	static const struct {
		bool welcome;
		const char *origins, *origin;
	} cases[] = {
		{true, NULL, "Origin: http://h\r\n"},
		{true, "", "Origin: https://H:8443\r\n"},
		{true, "", ""},
		{false, "", "Origin: https://h.evil.example\r\n"},
		{false, "", "Origin: https://evil.example/h\r\n"},
		{false, "", "Origin: https://evil@h\r\n"},
		{false, "", "Origin: https://h:1@evil.example\r\n"},
		{false, "", "Origin: https://h:1/evil.example\r\n"},
		{false, "", "Origin: https://[::1]\r\n"},
		{false, "", "Origin: null\r\n"},
		{false, "", "Origin:\r\n"},
		{false, "", "Origin: http://h\r\nOrigin: http://h\r\n"},
		{true, "*", "Origin: https://evil.example\r\n"},
		{true, "https://a https://b:1", "Origin: https://b:1\r\n"},
		{false, "https://a https://b:1", "Origin: https://b\r\n"},
		{false, "https://a https://b:1", "Origin: http://h\r\n"},
		{false, "https://a", "Origin: https://a https://a\r\n"},
	};
	struct fixture *fixture = *state;
	char request[1024];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		snprintf(request, sizeof(request), GET HEAD "%s\r\n", cases[i].origin);
		if (status_of(fixture, cases[i].origins, request) != (cases[i].welcome ? 101 : 403))
			fail_msg("%s, %s", cases[i].origins, cases[i].origin);
	}
}

/* Whoever owns a name can point it at this host: his page then is of the same host as what it asks for. */
static void test_names_that_others_own(void **state)
{
	static const struct {
		bool welcome;
		const char *origins, *host, *origin;
	} cases[] = {
		{false, "", "evil.example:5900", "http://evil.example"},
		{false, "", "localhost.evil.example", "http://localhost.evil.example"},
		{false, "", "evillocalhost", "http://evillocalhost"},
		{false, "", "127.0.0.1.evil.example", "http://127.0.0.1.evil.example"},
		{false, "", "[evil.example]", "http://[evil.example]"},
		{true, "", "localhost:5900", "http://localhost:8080"},
		{true, "", "a.LOCALHOST", "http://a.localhost"},
		{true, "", "192.0.2.1:5900", "http://192.0.2.1"},
		{true, "", "[::1]:5900", "http://[::1]:80"},
		{true, "http://evil.example", "evil.example:5900", "http://evil.example"},
	};
	struct fixture *fixture = *state;
	char request[1024];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const bool named = i < 5;

		snprintf(request, sizeof(request),
			GET "Host: %s\r\n" HEAD_BUT_HOST "Origin: %s\r\n\r\n", cases[i].host,
			cases[i].origin);
		fixture->open = true;
		if (status_of(fixture, cases[i].origins, request) != (cases[i].welcome ? 101 : 403))
			fail_msg("%s", cases[i].host);
		/* Where something is asked for, the page does not know it. */
		fixture->open = false;
		if (named && i != 4)
			assert_int_equal(status_of(fixture, cases[i].origins, request), 101);
	}
}

static void test_subprotocol(void **state)
{
	struct fixture *fixture = *state;

	ask(fixture, GET HEAD "Sec-WebSocket-Protocol: base64, binary\r\n\r\n");
	assert_non_null(strstr((char *)fixture->out, "\r\nSec-WebSocket-Protocol: binary\r\n"));
	status_of(fixture, NULL, GET HEAD "Sec-WebSocket-Protocol: base64\r\n\r\n");
	assert_null(strstr((char *)fixture->out, "Sec-WebSocket-Protocol"));
}

static void test_long_request(void **state)
{
	struct fixture *fixture = *state;
	char *request = malloc(LIMIT_HTTP_HEAD + 1);

	memset(request, 'x', LIMIT_HTTP_HEAD);
	memcpy(request, "GET / HTTP/1.1\r\nX: ", 19);
	request[LIMIT_HTTP_HEAD] = 0;
	assert_int_equal(ask(fixture, request), 431);
	request[LIMIT_HTTP_HEAD - 1] = 0;
	assert_int_equal(status_of(fixture, NULL, request), 0);
	free(request);
}

/* One frame as a viewer sends it; returns its bytes. */
static size_t frame(uint8_t *to, uint8_t first, uint64_t size, const void *data)
{
	static const uint8_t mask[4] = {0x37, 0xfa, 0x21, 0x3d};
	size_t at = 2;

	to[0] = first;
	to[1] = 0x80 | (size < 126 ? size : size < 65536 ? 126 : 127);
	if (size >= 126) {
		int bytes = size < 65536 ? 2 : 8;

		for (int i = 0; i < bytes; i++)
			to[at++] = size >> 8 * (bytes - 1 - i);
	}
	memcpy(to + at, mask, 4);
	at += 4;
	for (size_t i = 0; data && i < size; i++)
		to[at++] = ((const uint8_t *)data)[i] ^ mask[i & 3];
	return at;
}

static void test_frames(void **state)
{
	static const size_t sizes[] = {0, 1, 125, 126, 65535, 65536, 70001};
	struct fixture *fixture = *state;
	uint8_t *data = malloc(80000), *in = malloc(80100), *got = malloc(80000);

	for (size_t i = 0; i < 80000; i++)
		data[i] = i * 3 + i / 256;
	/* One byte at a time too. */
	for (int small = 0; small < 2; small++) {
		level_finish(&fixture->level);
		begin(fixture, NULL);
		fixture->piece = small ? 1 : SIZE_MAX;
		assert_int_equal(ask(fixture, GET HEAD "\r\n"), 101);
		for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
			size_t size = frame(in, 0x82, sizes[i], data);

			assert_int_equal(receive(fixture, in, size, got, 80000),
				sizes[i] ? (ssize_t)sizes[i] : -EAGAIN);
			assert_memory_equal(got, data, sizes[i]);
		}
	}
	free(data);
	free(in);
	free(got);
}

static void test_fragments_and_pings(void **state)
{
	struct fixture *fixture = *state;
	uint8_t in[200], got[20];
	size_t size = 0;

	ask(fixture, GET HEAD "\r\n");
	fixture->out_size = 0;
	size += frame(in + size, 0x02, 2, "ab");
	size += frame(in + size, 0x89, 4, "ping");
	size += frame(in + size, 0x00, 2, "cd");
	size += frame(in + size, 0x8a, 4, "pong");
	size += frame(in + size, 0x80, 1, "e");
	size += frame(in + size, 0x82, 1, "f");
	assert_int_equal(receive(fixture, in, size, got, sizeof(got)), 6);
	assert_memory_equal(got, "abcdef", 6);
	assert_int_equal(fixture->out_size, 6);
	assert_memory_equal(fixture->out, "\x8a\4ping", 6);
}

/* Who reads no answers gets the newest one, once. */
static void test_pings_do_not_pile_up(void **state)
{
	struct fixture *fixture = *state;
	uint8_t in[200], got[20];

	ask(fixture, GET HEAD "\r\n");
	fixture->out_size = 0;
	fixture->out_room = 1;
	for (int i = 0; i < 1000; i++) {
		char text[5];

		snprintf(text, sizeof(text), "%04d", i);
		assert_int_equal(receive(fixture, in, frame(in, 0x89, 4, text), got, 1), -EAGAIN);
	}
	fixture->out_room = sizeof(fixture->out);
	while (level_flush(&fixture->level) == -EAGAIN)
		;
	assert_int_equal(fixture->out_size, 12);
	assert_memory_equal(fixture->out,
		"\x8a\4"
		"0000\x8a\4"
		"0999",
		12);
}

static void test_bad_frames(void **state)
{
	static const struct {
		unsigned int code;
		size_t size;
		const char *bytes;
	} cases[] = {
		{1002, 6, "\x82\1\0\0\0\0"},			/* not masked */
		{1002, 7, "\xc2\x81\0\0\0\0x"},			/* reserved bit */
		{1002, 7, "\x83\x81\0\0\0\0x"},			/* reserved opcode */
		{1002, 7, "\x8b\x81\0\0\0\0x"},			/* likewise, control */
		{1003, 7, "\x81\x81\0\0\0\0x"},			/* text */
		{1002, 7, "\x80\x81\0\0\0\0x"},			/* a continuation of nothing */
		{1002, 14, "\2\x81\0\0\0\0x\x82\x81\0\0\0\0x"}, /* a message inside another */
		{1002, 7, "\x09\x81\0\0\0\0x"},			/* a ping in pieces */
		{1002, 8, "\x89\xfe\0\x7e\0\0\0\0"},		/* a long ping */
		{1002, 8, "\x82\xfe\0\x05\0\0\0\0"}, /* a length longer than it must be */
		{1002, 14, "\x82\xff\0\0\0\0\0\0\xff\xff\0\0\0\0"}, /* likewise */
		{1009, 14, "\x82\xff\x80\0\0\0\0\0\0\0\0\0\0\0"},   /* its highest bit */
		{1009, 14, "\x82\xff\0\0\0\0\2\0\0\1\0\0\0\0"},	    /* one byte over the bound */
		{1002, 7, "\x88\x81\0\0\0\0\3"},		    /* half a close code */
		{1002, 8, "\x88\x82\0\0\0\0\3\xed"},		    /* 1005 is never sent */
	};
	struct fixture *fixture = *state;
	uint8_t got[20];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		ssize_t n;

		assert_int_equal(status_of(fixture, NULL, GET HEAD "\r\n"), 101);
		fixture->out_size = 0;
		do
			n = receive(fixture, cases[i].bytes, cases[i].size, got, sizeof(got));
		while (n > 0);
		assert_int_equal(n, -EPROTO);
		assert_int_equal(fixture->out_size, 4);
		assert_memory_equal(fixture->out, "\x88\2", 2);
		assert_int_equal(fixture->out[2] << 8 | fixture->out[3], cases[i].code);
		assert_non_null(websocket_layer.reason(fixture->websocket));
		assert_false(level_open(&fixture->level));
	}
}

static void test_close(void **state)
{
	struct fixture *fixture = *state;
	uint8_t in[20], got[4];
	size_t size;

	ask(fixture, GET HEAD "\r\n");
	fixture->out_size = 0;
	size = frame(in, 0x82, 1, "x");
	size += frame(in + size, 0x88, 2, "\3\xe9");
	fixture->in = in;
	fixture->in_size = size;
	assert_int_equal(level_receive(&fixture->level, got, 4), 1);
	assert_int_equal(level_receive(&fixture->level, got, 4), -EPIPE);
	assert_int_equal(fixture->out_size, 4);
	assert_memory_equal(fixture->out, "\x88\2\3\xe9", 4);
	/* Said once. */
	assert_int_equal(level_part(&fixture->level), 0);
	assert_int_equal(fixture->out_size, 4);
}

static void test_sending(void **state)
{
	struct fixture *fixture = *state;
	uint8_t *data = calloc(1, 40000);
	struct iovec iov[3] = {{data, 100}, {data, 25}, {data, 40000}};

	assert_int_equal(level_send(&fixture->level, iov, 1), -EAGAIN);
	ask(fixture, GET HEAD "\r\n");
	fixture->out_size = 0;
	assert_int_equal(level_send(&fixture->level, iov, 2), 125);
	assert_int_equal(fixture->out_size, 127);
	assert_memory_equal(fixture->out, "\x82\x7d", 2);
	fixture->out_size = 0;
	assert_int_equal(level_send(&fixture->level, iov + 1, 2), 16380);
	assert_int_equal(fixture->out_size, 16384);
	assert_memory_equal(fixture->out, "\x82\x7e\x3f\xfc", 4);
	/* Half of it goes out: no more is taken until the rest has. */
	fixture->out_size = 0;
	fixture->out_room = 1000;
	assert_int_equal(level_send(&fixture->level, iov + 2, 1), 16380);
	assert_int_equal(level_send(&fixture->level, iov + 2, 1), -EAGAIN);
	fixture->out_room = sizeof(fixture->out);
	assert_int_equal(level_send(&fixture->level, iov, 1), 100);
	assert_int_equal(fixture->out_size, 16384 + 102);
	free(data);
}

#define test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(test_paths),
		test(test_requests),
		test(test_origins),
		test(test_names_that_others_own),
		test(test_subprotocol),
		test(test_long_request),
		test(test_frames),
		test(test_fragments_and_pings),
		test(test_pings_do_not_pile_up),
		test(test_bad_frames),
		test(test_close),
		test(test_sending),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
