/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Peers of the server that go, stall, crowd in, or come when there is no room. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <event2/event.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/un.h>

#include "base/shared.h"
#include "example-service.h"
#include "skip.h"

static void test_gone(void **state)
{
	struct example *example = *state;
	int peer = join(example);

	peer_send(peer, CALL_MORE("Later"));
	/* Not run: its caller is gone by then. */
	peer_send(peer, CALL("Echo"));
	pump(example);
	assert_int_equal(varlink_reply_continues(example->held[0], NULL), 0);
	fd_close(peer);
	pump(example);
	assert_int_equal(example->gone, 1);
	/* The call is still one. */
	assert_true(varlink_call_more(example->held[0]));
	assert_int_equal(varlink_call_push_fd(example->held[0], open_memfd()), 0);
	assert_int_equal(varlink_reply_continues(example->held[0], NULL), -EPIPE);
	varlink_call_push_fd(example->held[0], open_memfd());
	varlink_reply(example->held[--example->held_used], NULL);
	pump(example);
	assert_int_equal(example->gone, 1);
	assert_int_equal(example->ran, 1);
}

static void test_gone_taken_back(void **state)
{
	struct example *example = *state;
	int peer = join(example);

	peer_send(peer, CALL("Later"));
	pump(example);
	varlink_call_on_gone(example->held[0], NULL, NULL);
	fd_close(peer);
	pump(example);
	assert_int_equal(example->gone, 0);
	/* Asked for too late, it still comes. */
	varlink_call_on_gone(example->held[0], example_on_gone, example);
	assert_int_equal(example->gone, 0);
	pump(example);
	assert_int_equal(example->gone, 1);
}

static void test_gone_ends_others(void **state)
{
	struct example *example = *state;
	int peers[3];

	for (size_t i = 0; i < ARRAY_SIZE(peers); i++) {
		peers[i] = join(example);
		peer_send(peers[i], CALL("Chain"));
	}
	pump(example);
	assert_int_equal(example->held_used, 3);
	fd_close(peers[0]);
	fd_close(peers[1]);
	pump(example);
	assert_int_equal(example->gone, 1);
	assert_int_equal(example->held_used, 0);
	peer_expect(peers[2], EMPTY_REPLY);
	fd_close(peers[2]);
}

static void on_flag(void *arg)
{
	*(bool *)arg = true;
}

static void test_half_closed(void **state)
{
	struct example *example = *state;
	struct loop_source *timer;
	int peer = join(example);
	bool late = false;

	peer_send(peer, CALL("Later"));
	shutdown(peer, SHUT_WR);
	pump(example);
	/* It sends no more, but it is there. */
	assert_int_equal(example->gone, 0);
	/* And the loop has nothing to do meanwhile: it sleeps until the timer. */
	assert_int_equal(loop_timer_add(example->loop, on_flag, &late, &timer), 0);
	assert_int_equal(loop_timer_once(timer, 50), 0);
	event_base_loop(loop_base(example->loop), EVLOOP_ONCE);
	assert_true(late);
	loop_source_free(timer);
	varlink_reply(example->held[--example->held_used], NULL);
	pump(example);
	peer_expect(peer, EMPTY_REPLY);
	peer_expect(peer, "");
	fd_close(peer);

	/* And then it goes. */
	peer = join(example);
	peer_send(peer, CALL("Later"));
	shutdown(peer, SHUT_WR);
	pump(example);
	fd_close(peer);
	pump(example);
	assert_int_equal(example->gone, 1);
}

static void test_slow_peer(void **state)
{
	struct example *example = *state;
	int peer = join(example), other = join(example), r;
	char *text = calloc(1, 1001);
	size_t sent = 0;

	memset(text, 'x', 1000);
	peer_send(peer, CALL_MORE("Later"));
	pump(example);
	do {
		r = varlink_reply_continues(example->held[0], json_pack("{s:s}", "text", text));
		sent += 1000;
		assert_true(sent < 4 * LIMIT_VARLINK_QUEUE);
	} while (r == 0);
	assert_int_equal(r, -ENOBUFS);
	assert_true(sent > LIMIT_VARLINK_QUEUE / 2);
	/* From the loop, not from within that reply. */
	assert_int_equal(example->gone, 0);
	assert_int_equal(varlink_reply_continues(example->held[0], NULL), -EPIPE);
	pump(example);
	assert_int_equal(example->gone, 1);
	varlink_reply(example->held[--example->held_used], NULL);
	ask(example, other, CALL("Echo"), EMPTY_REPLY);
	free(text);
	fd_close(peer);
	fd_close(other);
}

/* A peer that calls without reading its replies meets its own full socket, and loses nothing. */
static void test_pipeline_without_reading(void **state)
{
	struct example *example = *state;
	char *text = calloc(1, 30001), *call;
	int pair[2], small = 4096;
	size_t got = 0;

	memset(text, 'b', 30000);
	assert_true(asprintf(&call,
			    "{\"method\":\"org.example.Test.Echo\",\"parameters\":{\"a\":\"%s\"}}",
			    text) > 0);
	make_pair(pair);
	assert_int_equal(setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
	assert_int_equal(varlink_server_adopt(example->server, pair[0]), 0);
	for (int i = 0; i < 4; i++)
		peer_send(pair[1], call);
	shutdown(pair[1], SHUT_WR);
	pump(example);
	assert_int_equal(example->ran, 1);
	for (int i = 0; i < 10000; i++) {
		ssize_t n = recv(pair[1], text, 30000, MSG_DONTWAIT);

		if (n == 0)
			break;
		got += n > 0 ? n : 0;
		pump(example);
	}
	assert_int_equal(example->ran, 4);
	assert_int_equal(got, 4 * (30000 + strlen("{\"parameters\":{\"a\":\"\"}}") + 1));
	free(call);
	free(text);
	fd_close(pair[1]);
}

/* Methods that take long, one after the other, are no reason for others to wait for all of them. */
static void test_turns_of_slow_methods(void **state)
{
	struct example *example = *state;
	int peers[2] = {join(example), join(example)};

	for (int i = 0; i < 5; i++) {
		peer_send(peers[0],
			"{\"method\":\"org.example.Test.Slow\",\"parameters\":{\"who\":1}}");
		peer_send(peers[1],
			"{\"method\":\"org.example.Test.Slow\",\"parameters\":{\"who\":2}}");
	}
	for (int i = 0; i < 1000 && example->ran < 10; i++)
		pump(example);
	assert_int_equal(example->ran, 10);
	for (int i = 0; i < 10; i += 2)
		assert_int_equal(example->order[i] + example->order[i + 1], 3);
	fd_close(peers[0]);
	fd_close(peers[1]);
}

static void test_huge_reply(void **state)
{
	struct example *example = *state;
	int peer = join(example);

	ask(example, peer, CALL("Huge"), "");
	fd_close(peer);
}

static void test_connections_of_one_uid(void **state)
{
	struct example *example = *state;
	int peers[LIMIT_VARLINK_PER_UID + 1][2], root;
	bool is_root = geteuid() == 0;

	if (is_root)
		assert_int_equal(seteuid(65534), 0);
	for (size_t i = 0; i < ARRAY_SIZE(peers); i++) {
		make_pair(peers[i]);
		assert_int_equal(varlink_server_adopt(example->server, peers[i][0]),
			i < LIMIT_VARLINK_PER_UID ? 0 : -EUSERS);
	}
	peer_expect(peers[LIMIT_VARLINK_PER_UID][1], "");
	ask(example, peers[0][1], CALL("Echo"), EMPTY_REPLY);
	/* Another one, once one has gone. */
	fd_close(peers[0][1]);
	pump(example);
	fd_close(peers[LIMIT_VARLINK_PER_UID][1]);
	peers[0][1] = join(example);
	peers[LIMIT_VARLINK_PER_UID][1] = -EBADF;
	if (is_root) {
		assert_int_equal(seteuid(0), 0);
		root = join(example);
		ask(example, root, CALL("Echo"), EMPTY_REPLY);
		fd_close(root);
	}
	for (size_t i = 0; i < ARRAY_SIZE(peers); i++)
		fd_close(peers[i][1]);
}

static void test_connections_of_all(void **state)
{
	static int peers[LIMIT_VARLINK_CONNECTIONS + 1][2];
	struct example *example = *state;
	struct rlimit limit, high;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	high = (struct rlimit){.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
	if (geteuid() != 0 || limit.rlim_max < 4 * LIMIT_VARLINK_CONNECTIONS)
		skip_because("needs root and many descriptors");
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &high), 0);
	for (size_t i = 0; i < ARRAY_SIZE(peers); i++) {
		make_pair(peers[i]);
		assert_int_equal(varlink_server_adopt(example->server, peers[i][0]),
			i < LIMIT_VARLINK_CONNECTIONS ? 0 : -EUSERS);
	}
	for (size_t i = 0; i < ARRAY_SIZE(peers); i++)
		fd_close(peers[i][1]);
	pump(example);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void test_wrong_sockets(void **state)
{
	struct example *example = *state;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(varlink_server_adopt(example->server, pair[0]), -EPROTOTYPE);
	assert_int_equal(varlink_server_listen(example->server, pair[1]), -EPROTOTYPE);
	assert_int_equal(varlink_server_adopt(example->server, open_memfd()), -ENOTSOCK);
	assert_int_equal(varlink_server_listen(example->server, open_memfd()), -ENOTSOCK);
	assert_int_equal(varlink_server_adopt(example->server, -EBADF), -EBADF);
	assert_int_equal(varlink_server_listen(example->server, -EBADF), -EBADF);
}

/* Bound to a name of the kernel's choice: nothing is left in the file system. */
static int make_listener(struct sockaddr_un *ret, socklen_t *ret_size)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	sa_family_t family = AF_UNIX;

	assert_int_equal(bind(fd, (struct sockaddr *)&family, sizeof(family)), 0);
	assert_int_equal(listen(fd, 16), 0);
	*ret_size = sizeof(*ret);
	assert_int_equal(getsockname(fd, (struct sockaddr *)ret, ret_size), 0);
	return fd;
}

static void on_tick(void *arg)
{
	loop_stop(arg);
}

/* Runs the loop for @ms. */
static void run_for(struct example *example, uint64_t ms)
{
	struct loop_source *timer;

	assert_int_equal(loop_timer_add(example->loop, on_tick, example->loop, &timer), 0);
	assert_int_equal(loop_timer_once(timer, ms), 0);
	assert_int_equal(loop_run(example->loop), 0);
	loop_source_free(timer);
}

static void test_listen(void **state)
{
	struct example *example = *state;
	struct sockaddr_un address;
	socklen_t size;
	int peer, listener = make_listener(&address, &size);

	assert_int_equal(varlink_server_listen(example->server, listener), 0);
	peer = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(peer, (struct sockaddr *)&address, size), 0);
	ask(example, peer, CALL("Peer"), EMPTY_REPLY);
	fd_close(peer);
	pump(example);
}

static size_t count_lines(int fd)
{
	char text[65536];
	ssize_t n = pread(fd, text, sizeof(text), 0);
	size_t lines = 0;

	assert_true(n >= 0);
	for (ssize_t i = 0; i < n; i++)
		lines += text[i] == '\n';
	return lines;
}

/* Out of descriptors: it says so once, waits, and goes on when there are some. */
static void test_out_of_descriptors(void **state)
{
	struct example *example = *state;
	struct rlimit limit, none;
	struct sockaddr_un address;
	socklen_t size;
	int listener = make_listener(&address, &size);
	int peer = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), log, saved;

	assert_int_equal(varlink_server_listen(example->server, listener), 0);
	log = memfd_create("log", MFD_CLOEXEC);
	saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	assert_int_equal(dup2(log, STDERR_FILENO), STDERR_FILENO);
	log_set_level(LOG_LEVEL_WARNING);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = (struct rlimit){.rlim_cur = 3, .rlim_max = limit.rlim_max};
	assert_int_equal(connect(peer, (struct sockaddr *)&address, size), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	run_for(example, 300);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	log_set_level(LOG_LEVEL_ERR);
	assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
	assert_int_equal(count_lines(log), 1);
	peer_send(peer, CALL("Echo"));
	for (int i = 0; i < 100 && example->ran == 0; i++)
		run_for(example, 100);
	peer_expect(peer, EMPTY_REPLY);
	fd_close(saved);
	fd_close(log);
	fd_close(peer);
	pump(example);
}

static void test_destroyed_under_calls(void **state)
{
	struct example *example = *state;
	int peer = join(example), other = join(example);

	peer_send(peer, CALL("Later"));
	peer_send(other, CALL("Later"));
	pump(example);
	fd_close(peer);
	pump(example);
	varlink_call_on_gone(example->held[0], example_on_gone, example);
	varlink_server_destroy(take_ptr(example->server));
	varlink_server_destroy(NULL);
	peer_expect(other, "");
	pump(example);
	assert_int_equal(example->gone, 1);
	varlink_call_on_gone(example->held[1], example_on_gone, example);
	assert_int_equal(varlink_call_push_fd(example->held[1], open_memfd()), 0);
	fd_close(other);
}

/* ---- Replies that are made as the peer reads ---- */

#define STREAM_BYTES 1000

static int begin_stream(struct example *example, size_t end)
{
	char json[STREAM_BYTES + 1];
	int peer = join(example);

	snprintf(json, sizeof(json), "{\"text\":\"%0*d\"}", STREAM_BYTES - 11, 7);
	assert_int_equal(strlen(json), STREAM_BYTES);
	assert_int_equal(varlink_text_create(json, &example->stream_text), 0);
	example->stream_end = end;
	peer_send(peer, CALL_MORE("Stream"));
	pump(example);
	return peer;
}

/* Up to and with its NUL; what was cut in the middle goes on when there is room. */
static void read_message(struct example *example, int peer, char *text, size_t size)
{
	for (size_t used = 0; used < size; used++) {
		ssize_t n = recv(peer, text + used, 1, MSG_DONTWAIT);

		if (n < 0) {
			assert_int_equal(errno, EAGAIN);
			pump(example);
			n = recv(peer, text + used, 1, MSG_DONTWAIT);
		}
		assert_int_equal(n, 1);
		if (!text[used])
			return;
	}
	fail_msg("a message of more than %zu bytes", size);
}

/* Not more than the socket holds and the queue's low mark is made for one who does not read, and all of it once it does. */
static void test_stream(void **state)
{
	const char *tail = ",\"continues\":true}";
	struct example *example = *state;
	int peer = begin_stream(example, 5000);
	size_t made = example->streamed;
	char text[2 * STREAM_BYTES];
	int room;
	socklen_t size = sizeof(room);

	assert_int_equal(getsockopt(peer, SOL_SOCKET, SO_SNDBUF, &room, &size), 0);
	assert_in_range(made, LIMIT_VARLINK_LOW / STREAM_BYTES / 2,
		((size_t)room + LIMIT_VARLINK_LOW) / STREAM_BYTES + 1);
	pump(example);
	assert_int_equal(example->streamed, made);
	for (size_t n = 1; n <= 5000; n++) {
		read_message(example, peer, text, sizeof(text));
		assert_memory_equal(text, "{\"parameters\":{\"text\":\"000", 26);
		assert_string_equal(text + 14 + STREAM_BYTES, n < 5000 ? tail : "}");
	}
	assert_int_equal(example->stream_result, 0);
	assert_int_equal(example->stream_text->references, 1);
	/* The connection is free again. */
	ask(example, peer, CALL("Echo"), EMPTY_REPLY);
	assert_int_equal(example->gone, 0);
	fd_close(peer);
}

static void test_stream_abandoned(void **state)
{
	struct example *example = *state;
	int peer = begin_stream(example, 5000);
	char text[2 * STREAM_BYTES];

	for (size_t n = 0; n < 20; n++)
		assert_non_null(peer_read(peer, text, sizeof(text)));
	assert_true(example->stream_text->references > 1);
	fd_close(peer);
	pump(example);
	assert_int_equal(example->gone, 1);
	assert_int_equal(example->stream_text->references, 1);
	assert_false(varlink_call_ready(example->held[0]));
	assert_int_equal(varlink_push_text(example->held[0], example->stream_text), -EPIPE);
	varlink_flush(example->held[0]);
}

/* Without "more" there is one reply, and to a oneway call none. */
static void test_stream_of_one(void **state)
{
	struct example *example = *state;
	int peer;

	peer = join(example);
	assert_int_equal(varlink_text_create("{}", &example->stream_text), 0);
	example->stream_end = 1;
	ask(example, peer, CALL("Stream"), EMPTY_REPLY);
	example->streamed = 0;
	peer_send(peer, CALL_ONEWAY("Stream"));
	ask(example, peer, CALL("Echo"), EMPTY_REPLY);
	example->streamed = 0;
	example->stream_end = 2;
	ask(example, peer, CALL("Stream"), EMPTY_REPLY);
	assert_int_equal(example->stream_result, -EINVAL);
	fd_close(peer);
}

static void test_text_too_long(void **state)
{
	struct example *example = *state;
	char *text = calloc(1, LIMIT_VARLINK_MESSAGE);

	memset(text, ' ', LIMIT_VARLINK_MESSAGE - 1);
	assert_int_equal(varlink_text_create(text, &example->stream_text), -EMSGSIZE);
	text[LIMIT_VARLINK_MESSAGE - 64] = '\0';
	assert_int_equal(varlink_text_create(text, &example->stream_text), 0);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_gone),
		TEST(test_gone_taken_back),
		TEST(test_gone_ends_others),
		TEST(test_half_closed),
		TEST(test_slow_peer),
		TEST(test_pipeline_without_reading),
		TEST(test_turns_of_slow_methods),
		TEST(test_huge_reply),
		TEST(test_connections_of_one_uid),
		TEST(test_connections_of_all),
		TEST(test_wrong_sockets),
		TEST(test_listen),
		TEST(test_out_of_descriptors),
		TEST(test_destroyed_under_calls),
		TEST(test_stream),
		TEST(test_stream_abandoned),
		TEST(test_stream_of_one),
		TEST(test_text_too_long),
	};

	log_open("test", LOG_LEVEL_ERR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
