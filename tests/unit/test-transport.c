/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A viewer's connection, whatever is between: the viewer is played by OpenSSL in the same thread, turn by turn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/loop.h"
#include "base/mem.h"
#include "certificates.h"
#include "rfb/tls.h"
#include "rfb/tls_stream.h"
#include "rfb/transport.h"

#define TURNS	 5000 /* of a millisecond at most */
#define TLS_KIND LINK_TRANSPORT_SECURE_WEBSOCKET
#define WS_KIND	 LINK_TRANSPORT_WEBSOCKET
#define RFB_KIND LINK_TRANSPORT_RFB

static struct identity authority, server, client, stranger;

struct fixture {
	struct loop *loop;
	struct transport *transport;
	struct tls *tls;
	struct transport_options options;
	unsigned int die_at; /* this call */
	unsigned int wanted; /* set again after each call, as an owner does */
	unsigned int calls;
	uint8_t got[1 << 20];
	size_t got_size;
	ssize_t error;
	int peer;
	SSL_CTX *context;
	SSL *ssl;
	int ssl_end; /* its error, of SSL_get_error() */
};

static int start(void **state)
{
	identity_make(&authority, "authority", NULL);
	identity_make(&server, "server", &authority);
	identity_make(&client, "client", &authority);
	identity_make(&stranger, "client", NULL);
	return tls_open();
}

static int stop(void **state)
{
	identity_finish(&authority);
	identity_finish(&server);
	identity_finish(&client);
	identity_finish(&stranger);
	return 0;
}

static struct tls *make_tls(bool asks)
{
	struct tls_bundle bundle = {
		.certificates = server.certificate_pem,
		.certificates_size = strlen(server.certificate_pem),
		.key = server.key_pem,
		.key_size = strlen(server.key_pem),
		.authorities = authority.certificate_pem,
		.authorities_size = asks ? strlen(authority.certificate_pem) : 0,
	};
	const char *reason = NULL;
	struct tls *tls = NULL;

	assert_int_equal(tls_create(&bundle, &reason, &tls), 0);
	return tls;
}

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_int_equal(loop_create(&fixture->loop), 0);
	fixture->tls = make_tls(false);
	fixture->wanted = LOOP_READ;
	fixture->context = SSL_CTX_new(TLS_client_method());
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	transport_destroy(fixture->transport);
	tls_unref(fixture->tls);
	loop_destroy(fixture->loop);
	SSL_free(fixture->ssl);
	SSL_CTX_free(fixture->context);
	if (fixture->peer)
		close(fixture->peer);
	free(fixture);
	return 0;
}

static void on_transport(unsigned int events, void *arg)
{
	struct fixture *fixture = arg;
	ssize_t n;

	if (++fixture->calls == fixture->die_at) {
		transport_destroy(fixture->transport);
		fixture->transport = NULL;
		return;
	}
	if (events & LOOP_READ) {
		/* A small room, so that rests stay behind. */
		n = transport_receive(fixture->transport, fixture->got + fixture->got_size, 1000);
		if (n > 0) {
			fixture->got_size += n;
			assert_true(fixture->got_size < sizeof(fixture->got) - 1000);
		} else if (n != -EAGAIN) {
			fixture->error = n;
			fixture->wanted = 0;
		}
	}
	transport_watch(fixture->transport, fixture->wanted);
}

static void connect_viewer(struct fixture *fixture, unsigned int kinds)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	fixture->peer = pair[1];
	fcntl(fixture->peer, F_SETFL, O_NONBLOCK);
	fixture->options.tls = fixture->tls;
	fixture->options.kinds = kinds;
	assert_int_equal(transport_create(fixture->loop, pair[0], &fixture->options, on_transport,
				 fixture, &fixture->transport),
		0);
	transport_watch(fixture->transport, fixture->wanted);
}

/* Lets the loop look, and waits for a moment where nothing happens. */
static void turn(struct fixture *fixture)
{
	unsigned int before = fixture->calls;

	event_base_loop(loop_base(fixture->loop), EVLOOP_ONCE | EVLOOP_NONBLOCK);
	if (fixture->calls == before)
		poll(NULL, 0, 1);
}

static void turns(struct fixture *fixture, int count)
{
	while (count--)
		turn(fixture);
}

#define wait_for(fixture, truth) \
	do { \
		int turns_left_ = TURNS; \
		while (!(truth) && turns_left_--) \
			turn(fixture); \
		assert_true(truth); \
	} while (0)

static void peer_says(struct fixture *fixture, const void *data, size_t size)
{
	assert_int_equal(write(fixture->peer, data, size), size);
}

static void peer_hears(struct fixture *fixture, void *to, size_t size)
{
	size_t at = 0;
	int turns_left = TURNS;

	while (at < size && turns_left--) {
		ssize_t n = read(fixture->peer, (uint8_t *)to + at, size - at);

		assert_int_not_equal(n, 0);
		at += n > 0 ? n : 0;
		turn(fixture);
	}
	assert_int_equal(at, size);
}

static void we_say(struct fixture *fixture, const void *data, size_t size)
{
	struct iovec iov = {.iov_base = (void *)data, .iov_len = size};

	assert_int_equal(transport_send(fixture->transport, &iov, 1), size);
}

static void expect_got(struct fixture *fixture, const void *data, size_t size)
{
	wait_for(fixture, fixture->got_size >= size);
	assert_int_equal(fixture->got_size, size);
	assert_memory_equal(fixture->got, data, size);
	fixture->got_size = 0;
}

static void test_plain(void **state)
{
	struct fixture *fixture = *state;
	char text[8];

	connect_viewer(fixture, RFB_KIND);
	assert_true(transport_ready(fixture->transport));
	peer_says(fixture, "hello", 5);
	expect_got(fixture, "hello", 5);
	we_say(fixture, "good day", 8);
	peer_hears(fixture, text, 8);
	assert_memory_equal(text, "good day", 8);
	transport_shutdown(fixture->transport);
	assert_int_equal(read(fixture->peer, text, 1), 0);
	peer_says(fixture, "still", 5);
	expect_got(fixture, "still", 5);
	close(fixture->peer);
	fixture->peer = 0;
	wait_for(fixture, fixture->error);
	assert_int_equal(fixture->error, -EPIPE);
	assert_false(transport_encrypted(fixture->transport));
}

/* The viewer's end of TLS. Returns 1 or OpenSSL's error. */
static int secure(struct fixture *fixture)
{
	int turns_left = TURNS;

	if (!fixture->ssl) {
		fixture->ssl = SSL_new(fixture->context);
		SSL_set_fd(fixture->ssl, fixture->peer);
		SSL_set_tlsext_host_name(fixture->ssl, "vm7.example");
	}
	while (turns_left--) {
		int r, error;

		ERR_clear_error();
		r = SSL_connect(fixture->ssl);
		error = SSL_get_error(fixture->ssl, r);
		turn(fixture);
		if (r == 1)
			return 1;
		if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
			return -error;
	}
	return 0;
}

static void ssl_says(struct fixture *fixture, const void *data, size_t size)
{
	assert_int_equal(SSL_write(fixture->ssl, data, size), size);
}

/* Returns the bytes; 0: the end. */
static size_t ssl_hears(struct fixture *fixture, void *to, size_t size)
{
	int turns_left = TURNS;
	size_t at = 0;

	while (at < size && turns_left--) {
		int n, error;

		ERR_clear_error();
		n = SSL_read(fixture->ssl, (uint8_t *)to + at, size - at);
		error = SSL_get_error(fixture->ssl, n);
		if (n > 0)
			at += n;
		else if (error != SSL_ERROR_WANT_READ)
			fixture->ssl_end = error;
		if (fixture->ssl_end)
			return 0;
		if (n <= 0)
			turn(fixture);
	}
	return at;
}

static void upgrade(struct fixture *fixture, bool x509)
{
	uint8_t byte;

	assert_true(transport_may_start_tls(fixture->transport));
	assert_int_equal(transport_start_tls(fixture->transport, fixture->tls, x509, "\1", 1), 0);
	assert_false(transport_may_start_tls(fixture->transport));
	assert_false(transport_ready(fixture->transport));
	peer_hears(fixture, &byte, 1);
	assert_int_equal(byte, 1);
}

static void talk(struct fixture *fixture)
{
	uint8_t data[30000], back[30000];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = i * 7 + i / 256;
	ssl_says(fixture, data, sizeof(data));
	expect_got(fixture, data, sizeof(data));
	we_say(fixture, data, sizeof(data));
	assert_int_equal(ssl_hears(fixture, back, sizeof(back)), sizeof(back));
	assert_memory_equal(data, back, sizeof(back));
}

static void test_tls(void **state, int version)
{
	struct fixture *fixture = *state;
	char byte;

	SSL_CTX_set_min_proto_version(fixture->context, version);
	SSL_CTX_set_max_proto_version(fixture->context, version);
	connect_viewer(fixture, RFB_KIND);
	upgrade(fixture, true);
	assert_int_equal(secure(fixture), 1);
	wait_for(fixture, transport_ready(fixture->transport));
	assert_true(transport_encrypted(fixture->transport));
	assert_false(transport_anonymous(fixture->transport));
	assert_false(transport_client_verified(fixture->transport));
	assert_string_equal(transport_server_name(fixture->transport), "vm7.example");
	talk(fixture);
	we_say(fixture, "x", 1);
	transport_shutdown(fixture->transport);
	assert_int_equal(ssl_hears(fixture, &byte, 1), 1);
	assert_int_equal(ssl_hears(fixture, &byte, 1), 0);
	assert_int_equal(fixture->ssl_end, SSL_ERROR_ZERO_RETURN);
	ssl_says(fixture, "still", 5);
	expect_got(fixture, "still", 5);
	SSL_shutdown(fixture->ssl);
	wait_for(fixture, fixture->error);
	assert_int_equal(fixture->error, -EPIPE);
}

static void test_tls12(void **state)
{
	test_tls(state, TLS1_2_VERSION);
}

static void test_tls13(void **state)
{
	test_tls(state, TLS1_3_VERSION);
}

static void test_tls11_is_refused(void **state)
{
	struct fixture *fixture = *state;

	SSL_CTX_set_security_level(fixture->context, 0);
	SSL_CTX_set_min_proto_version(fixture->context, TLS1_VERSION);
	SSL_CTX_set_max_proto_version(fixture->context, TLS1_1_VERSION);
	connect_viewer(fixture, RFB_KIND);
	upgrade(fixture, true);
	assert_true(secure(fixture) < 0);
	wait_for(fixture, fixture->error);
	assert_int_equal(fixture->error, -EPROTO);
	assert_non_null(transport_tls_reason(fixture->transport));
	assert_false(transport_encrypted(fixture->transport));
}

static void test_anonymous(void **state)
{
	static const char *const suites[] = {
		"ADH+AESGCM:@SECLEVEL=0", "AECDH-AES128-SHA:@SECLEVEL=0"};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < ARRAY_SIZE(suites); i++) {
		assert_int_equal(SSL_CTX_set_cipher_list(fixture->context, suites[i]), 1);
		SSL_CTX_set_max_proto_version(fixture->context, TLS1_2_VERSION);
		connect_viewer(fixture, RFB_KIND);
		upgrade(fixture, false);
		assert_int_equal(secure(fixture), 1);
		wait_for(fixture, transport_ready(fixture->transport));
		assert_true(transport_anonymous(fixture->transport));
		talk(fixture);
		transport_destroy(fixture->transport);
		SSL_free(fixture->ssl);
		fixture->ssl = NULL;
		close(fixture->peer);
	}
	fixture->transport = NULL;
	fixture->peer = 0;
}

/* What an eavesdropper's friend may choose for others is no way around the certificate. */
static void test_anonymous_is_not_x509(void **state)
{
	struct fixture *fixture = *state;

	SSL_CTX_set_cipher_list(fixture->context, "aNULL:@SECLEVEL=0");
	SSL_CTX_set_max_proto_version(fixture->context, TLS1_2_VERSION);
	connect_viewer(fixture, RFB_KIND);
	upgrade(fixture, true);
	assert_true(secure(fixture) < 0);
	wait_for(fixture, fixture->error);
}

static void test_bytes_before_tls(void **state)
{
	struct fixture *fixture = *state;

	connect_viewer(fixture, RFB_KIND);
	peer_says(fixture, "x", 1);
	assert_int_equal(
		transport_start_tls(fixture->transport, fixture->tls, true, "\1", 1), -EPROTO);
	assert_int_equal(read(fixture->peer, &(char){0}, 1), -1);
}

static void test_eof_in_handshake(void **state)
{
	struct fixture *fixture = *state;

	connect_viewer(fixture, RFB_KIND);
	upgrade(fixture, true);
	peer_says(fixture, "\x16\3\1", 3);
	turns(fixture, 3);
	assert_int_equal(fixture->error, 0);
	close(fixture->peer);
	fixture->peer = 0;
	wait_for(fixture, fixture->error);
	assert_int_equal(fixture->error, -EPIPE);
}

static void with_client(struct fixture *fixture, const struct identity *identity)
{
	tls_unref(fixture->tls);
	fixture->tls = make_tls(true);
	assert_true(tls_asks_clients(fixture->tls));
	if (identity) {
		SSL_CTX_use_certificate(fixture->context, identity->certificate);
		SSL_CTX_use_PrivateKey(fixture->context, identity->key);
	}
	connect_viewer(fixture, RFB_KIND);
	upgrade(fixture, true);
	secure(fixture);
	wait_for(fixture, transport_ready(fixture->transport) || fixture->error);
}

static void test_client_certificate(void **state)
{
	struct fixture *fixture = *state;

	with_client(fixture, &client);
	assert_true(transport_client_verified(fixture->transport));
	talk(fixture);
}

static void test_no_client_certificate(void **state)
{
	struct fixture *fixture = *state;

	with_client(fixture, NULL);
	assert_true(transport_ready(fixture->transport));
	assert_false(transport_client_verified(fixture->transport));
}

static void test_strange_client_certificate(void **state)
{
	struct fixture *fixture = *state;

	with_client(fixture, &stranger);
	assert_false(transport_ready(fixture->transport));
	assert_false(transport_client_verified(fixture->transport));
	assert_int_equal(fixture->error, -EPROTO);
	assert_string_equal(transport_tls_reason(fixture->transport), "certificate verify failed");
}

static void test_reload_spares_the_open(void **state)
{
	struct fixture *fixture = *state;

	connect_viewer(fixture, RFB_KIND);
	upgrade(fixture, true);
	tls_unref(fixture->tls);
	fixture->tls = make_tls(true);
	assert_int_equal(secure(fixture), 1);
	wait_for(fixture, transport_ready(fixture->transport));
	talk(fixture);
}

/* A listener that lost its certificate does not become one without encryption. */
static void test_no_certificate(void **state)
{
	struct fixture *fixture = *state;
	struct transport_options options = {.kinds = TLS_KIND};
	struct transport *transport = NULL;

	assert_int_equal(transport_create(fixture->loop, dup(0), &options, on_transport, fixture,
				 &transport),
		-EINVAL);
}

static void test_bad_bundles(void **state)
{
	struct tls_bundle bundle = {
		.certificates = server.certificate_pem,
		.certificates_size = strlen(server.certificate_pem),
		.key = client.key_pem,
		.key_size = strlen(client.key_pem),
	};
	struct tls *tls = NULL;
	const char *reason;

	assert_int_equal(tls_create(&bundle, &reason, &tls), -EINVAL);
	assert_string_equal(reason, "certificate and key do not belong together");
	bundle.certificates_size -= 40;
	assert_int_equal(tls_create(&bundle, &reason, &tls), -EINVAL);
	bundle.certificates_size = 0;
	assert_int_equal(tls_create(&bundle, &reason, &tls), 0);
	assert_false(tls_has_certificate(tls));
	tls_unref(tls);
	assert_int_equal(ERR_peek_error(), 0);
}

/* Everything that viewers may send at first, and what it is. */
static void test_sniffing(void **state)
{
	struct fixture *fixture = *state;
	uint64_t began = loop_now_ms();
	char byte;

	connect_viewer(fixture, RFB_KIND | WS_KIND | TLS_KIND);
	fixture->wanted = LOOP_READ | LOOP_WRITE;
	transport_watch(fixture->transport, fixture->wanted);
	assert_int_equal(transport_send(fixture->transport, &(struct iovec){&byte, 1}, 1), -EAGAIN);
	wait_for(fixture, transport_ready(fixture->transport));
	assert_true(loop_now_ms() >= began + LIMIT_SNIFF_MS - 2);
	assert_false(transport_websocket(fixture->transport));
	assert_true(transport_may_start_tls(fixture->transport));
	wait_for(fixture, fixture->calls);
	we_say(fixture, "R", 1);
	peer_hears(fixture, &byte, 1);
}

static void test_sniffing_rfb(void **state)
{
	struct fixture *fixture = *state;

	connect_viewer(fixture, RFB_KIND | WS_KIND | TLS_KIND);
	peer_says(fixture, "R", 1);
	wait_for(fixture, transport_ready(fixture->transport));
	expect_got(fixture, "R", 1);
	assert_true(transport_may_start_tls(fixture->transport));
}

/* One byte, or three, of something else: it is that for ever, and plain bytes are never taken for RFB's. */
static void test_sniffing_halves(void **state)
{
	static const struct {
		const char *text;
		bool websocket;
	} firsts[] = {{"\x16", true}, {"\x16\3\1", true}, {"G", true}, {"GET", true}, {"X", false}};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < ARRAY_SIZE(firsts); i++) {
		uint64_t began = loop_now_ms();

		connect_viewer(fixture, RFB_KIND | WS_KIND | TLS_KIND);
		peer_says(fixture, firsts[i].text, strlen(firsts[i].text));
		wait_for(fixture, loop_now_ms() > began + LIMIT_SNIFF_MS + 20);
		assert_int_equal(transport_websocket(fixture->transport), firsts[i].websocket);
		assert_int_equal(transport_ready(fixture->transport), !firsts[i].websocket);
		assert_int_equal(fixture->got_size, firsts[i].websocket ? 0 : 1);
		fixture->got_size = 0;
		transport_destroy(fixture->transport);
		close(fixture->peer);
	}
	fixture->transport = NULL;
	fixture->peer = 0;
}

static const char request[] =
	"GET /displays/vm7?x=y HTTP/1.1\r\nHost: h:5900\r\nOrigin: http://h\r\n"
	"Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
	"Sec-WebSocket-Version: 13\r\n"
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
static const char answer[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
			     "Connection: Upgrade\r\n"
			     "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

static void test_websocket(void **state)
{
	struct fixture *fixture = *state;
	char text[sizeof(answer)];

	connect_viewer(fixture, RFB_KIND | WS_KIND);
	peer_says(fixture, request, strlen(request));
	peer_hears(fixture, text, strlen(answer));
	assert_memory_equal(text, answer, strlen(answer));
	assert_true(transport_ready(fixture->transport));
	assert_string_equal(transport_path(fixture->transport), "/displays/vm7");
	assert_false(transport_may_start_tls(fixture->transport));
	we_say(fixture, "RFB", 3);
	peer_hears(fixture, text, 5);
	assert_memory_equal(text, "\x82\3RFB", 5);
	peer_says(fixture, "\x82\x83\1\2\3\4SDA", 9);
	expect_got(fixture, "RFB", 3);
	transport_shutdown(fixture->transport);
	peer_hears(fixture, text, 4);
	assert_memory_equal(text, "\x88\2\3\xe8", 4);
	assert_int_equal(read(fixture->peer, text, 1), 0);
}

static void test_secure_websocket(void **state)
{
	struct fixture *fixture = *state;
	char text[sizeof(answer)], data[5008];

	connect_viewer(fixture, RFB_KIND | TLS_KIND);
	assert_int_equal(secure(fixture), 1);
	ssl_says(fixture, request, strlen(request));
	assert_int_equal(ssl_hears(fixture, text, strlen(answer)), strlen(answer));
	assert_true(transport_ready(fixture->transport));
	assert_true(transport_encrypted(fixture->transport));
	assert_string_equal(transport_path(fixture->transport), "/displays/vm7");
	/* More than the owner takes at once, in one frame. */
	memset(data, 'x', sizeof(data));
	memcpy(data, "\x82\xfe\x13\x88\0\0\0\0", 8);
	ssl_says(fixture, data, sizeof(data));
	expect_got(fixture, data + 8, 5000);
	ssl_says(fixture, "\x82\x83\1\2\3\4SDA\x88\x80\1\2\3\4", 15);
	expect_got(fixture, "RFB", 3);
	assert_int_equal(ssl_hears(fixture, text, 2), 2);
	assert_memory_equal(text, "\x88\0", 2);
	assert_int_equal(ssl_hears(fixture, text, 1), 0);
	SSL_shutdown(fixture->ssl);
	shutdown(fixture->peer, SHUT_WR);
	wait_for(fixture, fixture->error);
	assert_int_equal(fixture->error, -EPIPE);
}

/* The words reach it although it goes on talking. */
static void test_refused_request(void **state)
{
	static const char bad[] = "GET /etc/passwd HTTP/1.1\r\nHost: h\r\n\r\nand more";
	struct fixture *fixture = *state;
	char text[256];
	ssize_t n;

	connect_viewer(fixture, RFB_KIND | WS_KIND);
	peer_says(fixture, bad, strlen(bad));
	turns(fixture, 5);
	n = read(fixture->peer, text, sizeof(text));
	assert_true(n > 20);
	assert_memory_equal(text, "HTTP/1.1 404 Not Found\r\n", 24);
	assert_int_equal(fixture->error, 0);
	close(fixture->peer);
	fixture->peer = 0;
	wait_for(fixture, fixture->error);
	assert_int_equal(fixture->error, -EPROTO);
	assert_string_equal(transport_reason(fixture->transport), "no such path");
}

static void test_refused_and_staying(void **state)
{
	struct fixture *fixture = *state;
	uint64_t began = loop_now_ms();

	connect_viewer(fixture, RFB_KIND | WS_KIND);
	peer_says(fixture, "GET\r\n\r\n", 7);
	wait_for(fixture, fixture->error);
	assert_true(loop_now_ms() >= began + LIMIT_PART_MS - 2);
	assert_int_equal(fixture->error, -EPROTO);
}

/* Who reads nothing holds a bounded amount, and gets it all once it reads. */
static void test_reads_nothing(void **state)
{
	struct fixture *fixture = *state;
	uint8_t *data = malloc(1 << 20), *back = malloc(1 << 20);
	struct iovec iov[64];
	size_t sent = 0, used = 0;
	ssize_t n;

	for (size_t i = 0; i < 1 << 20; i++)
		data[i] = i * 13 + i / 256;
	connect_viewer(fixture, RFB_KIND);
	upgrade(fixture, true);
	assert_int_equal(secure(fixture), 1);
	wait_for(fixture, transport_ready(fixture->transport));
	for (int i = 0; i < 200; i++) {
		for (used = 0; used < 64; used++)
			iov[used] = (struct iovec){data + sent + used * 100, 100};
		n = transport_send(fixture->transport, iov, used);
		if (n > 0)
			sent += n;
		turn(fixture);
	}
	assert_true(sent > 32 << 10);
	assert_true(sent < 600 << 10);
	assert_int_equal(transport_send(fixture->transport, iov, used), -EAGAIN);
	assert_int_equal(ssl_hears(fixture, back, sent), sent);
	assert_memory_equal(data, back, sent);
	free(data);
	free(back);
}

/* Five hundred small writes make few records. */
static void test_records_are_large(void **state)
{
	struct fixture *fixture = *state;
	uint8_t piece[60] = {1}, head[5], body[17000];
	size_t records = 0, size = 0;

	connect_viewer(fixture, RFB_KIND);
	upgrade(fixture, true);
	assert_int_equal(secure(fixture), 1);
	wait_for(fixture, transport_ready(fixture->transport));
	for (int i = 0; i < 500; i++)
		we_say(fixture, piece, sizeof(piece));
	while (size < 500 * sizeof(piece)) {
		peer_hears(fixture, head, 5);
		peer_hears(fixture, body, head[3] << 8 | head[4]);
		size += (head[3] << 8 | head[4]) - 17;
		records++;
	}
	assert_true(records <= 3);
}

/* The owner may end it in each of its calls. */
static void test_end_in_call(void **state)
{
	struct fixture *fixture = *state;

	for (fixture->die_at = 1; fixture->die_at < 8; fixture->die_at++) {
		bool said = false;

		connect_viewer(fixture, RFB_KIND | TLS_KIND);
		fixture->wanted = LOOP_READ | LOOP_WRITE;
		fixture->calls = 0;
		fixture->ssl = SSL_new(fixture->context);
		SSL_set_fd(fixture->ssl, fixture->peer);
		for (int i = 0; i < 100 && fixture->transport; i++) {
			if (SSL_connect(fixture->ssl) == 1 && !said)
				said = SSL_write(fixture->ssl, request, strlen(request)) > 0;
			turn(fixture);
		}
		assert_null(fixture->transport);
		SSL_free(fixture->ssl);
		close(fixture->peer);
	}
	fixture->ssl = NULL;
	fixture->peer = 0;
}

/* A layer of a test: each message is its length and bytes with their bits turned. */
static ssize_t turn_decode(
	void *layer, const uint8_t *from, size_t size, size_t *ret_used, uint8_t *to, size_t room)
{
	*ret_used = 0;
	if (!size || size < 1u + from[0])
		return 0;
	if (!from[0])
		return -EBADMSG;
	assert_true(room >= from[0]);
	*ret_used = 1 + from[0];
	for (size_t i = 0; i < from[0]; i++)
		to[i] = ~from[1 + i];
	return from[0];
}

static ssize_t turn_encode(void *layer, uint8_t *message, size_t size, size_t *ret_at)
{
	*ret_at = 0;
	message[0] = size;
	for (size_t i = 1; i <= size; i++)
		message[i] = ~message[i];
	return 1 + size;
}

static void test_layer(void **state)
{
	static const struct layer_ops ops = {
		.in_maximum = 256,
		.plain_maximum = 100,
		.head = 1,
		.decode = turn_decode,
		.encode = turn_encode,
		.destroy = free,
	};
	struct fixture *fixture = *state;
	char text[12];

	connect_viewer(fixture, RFB_KIND);
	assert_int_equal(transport_push(fixture->transport, &ops, NULL, "\2\x9e", 2), 0);
	turns(fixture, 3);
	assert_int_equal(fixture->got_size, 0);
	peer_says(fixture, "\x9d\1\x9c", 3);
	expect_got(fixture, "abc", 3);
	we_say(fixture, "abc", 3);
	peer_hears(fixture, text, 4);
	assert_memory_equal(text, "\3\x9e\x9d\x9c", 4);
	peer_says(fixture, "\1\x9e", 3);
	close(fixture->peer);
	fixture->peer = 0;
	wait_for(fixture, fixture->error);
	assert_int_equal(fixture->error, -EBADMSG);
	expect_got(fixture, "a", 1);
}

static void on_last(unsigned int events, void *arg)
{
	loop_stop(arg);
}

/* A callback of the second one waits for its turn when the loop ends by the first's: it is freed all the same, which the sanitizer sees. */
static void test_a_loop_that_ends_before_a_stream(void **state)
{
	struct fixture *fixture = *state;
	struct tls_stream *streams[2] = {0};
	int pairs[2][2];

	for (size_t i = 0; i < ARRAY_SIZE(streams); i++) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
					 pairs[i]),
			0);
		assert_int_equal(tls_stream_create(fixture->loop, pairs[i][0], fixture->tls, false,
					 on_last, fixture->loop, &streams[i]),
			0);
		assert_int_equal(write(pairs[i][1], "this is no TLS", 14), 14);
	}
	assert_int_equal(loop_run(fixture->loop), 0);
	for (size_t i = 0; i < ARRAY_SIZE(streams); i++) {
		tls_stream_destroy(streams[i]);
		close(pairs[i][0]);
		close(pairs[i][1]);
	}
}

#define test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(test_plain),
		test(test_tls12),
		test(test_tls13),
		test(test_tls11_is_refused),
		test(test_anonymous),
		test(test_anonymous_is_not_x509),
		test(test_bytes_before_tls),
		test(test_eof_in_handshake),
		test(test_client_certificate),
		test(test_no_client_certificate),
		test(test_strange_client_certificate),
		test(test_reload_spares_the_open),
		test(test_no_certificate),
		test(test_a_loop_that_ends_before_a_stream),
		cmocka_unit_test(test_bad_bundles),
		test(test_sniffing),
		test(test_sniffing_rfb),
		test(test_sniffing_halves),
		test(test_websocket),
		test(test_secure_websocket),
		test(test_refused_request),
		test(test_refused_and_staying),
		test(test_reads_nothing),
		test(test_records_are_large),
		test(test_end_in_call),
		test(test_layer),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
