/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The server on a loop, with peers that send bytes by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <event2/event.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/un.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/loop.h"
#include "raw-peer.h"
#include "varlink/server.h"

#define CALL(method)	    "{\"method\":\"org.example.Test." method "\"}"
#define CALL_MORE(method)   "{\"method\":\"org.example.Test." method "\",\"more\":true}"
#define CALL_ONEWAY(method) "{\"method\":\"org.example.Test." method "\",\"oneway\":true}"
#define SERVICE_ERROR(e, k, v) \
	"{\"error\":\"org.varlink.service." e "\",\"parameters\":{\"" k "\":\"" v "\"}}"
#define EMPTY_REPLY "{\"parameters\":{}}"

struct fixture {
	struct loop *loop;
	struct varlink_server *server;
	struct varlink_call *held[8];
	size_t held_used;
	unsigned int ran;
	unsigned int gone;
	int result; /* of the last varlink_reply_continues() or varlink_call_take_fd() */
	size_t before;
};

static void on_gone(void *arg)
{
	struct fixture *fixture = arg;

	fixture->gone++;
}

/* Ends every held call, this one included. */
static void on_gone_reply(void *arg)
{
	struct fixture *fixture = arg;

	fixture->gone++;
	while (fixture->held_used > 0)
		varlink_reply(fixture->held[--fixture->held_used], NULL);
}

static void method_echo(struct varlink_call *call, json_t *parameters, void *arg)
{
	struct fixture *fixture = arg;

	fixture->ran++;
	varlink_reply(call, json_incref(parameters));
}

static void method_fail(struct varlink_call *call, json_t *parameters, void *arg)
{
	struct fixture *fixture = arg;

	fixture->ran++;
	varlink_error(call, "org.example.Test.Failed", NULL);
}

static void hold(struct fixture *fixture, struct varlink_call *call, void (*gone)(void *arg))
{
	assert_true(fixture->held_used < ARRAY_SIZE(fixture->held));
	fixture->held[fixture->held_used++] = call;
	fixture->ran++;
	varlink_call_on_gone(call, gone, fixture);
}

static void method_later(struct varlink_call *call, json_t *parameters, void *arg)
{
	hold(arg, call, on_gone);
}

static void method_chain(struct varlink_call *call, json_t *parameters, void *arg)
{
	hold(arg, call, on_gone_reply);
}

static void method_count(struct varlink_call *call, json_t *parameters, void *arg)
{
	assert_true(varlink_call_more(call));
	for (int i = 1; i < 3; i++)
		assert_int_equal(varlink_reply_continues(call, json_pack("{s:i}", "n", i)), 0);
	varlink_reply(call, json_pack("{s:i}", "n", 3));
}

static void method_continue_without_more(struct varlink_call *call, json_t *parameters, void *arg)
{
	struct fixture *fixture = arg;

	fixture->result = varlink_reply_continues(call, NULL);
	varlink_reply(call, NULL);
}

/* Gives back the descriptor whose index it is told. */
static void method_fd(struct varlink_call *call, json_t *parameters, void *arg)
{
	json_int_t index = json_integer_value(json_object_get(parameters, "index"));
	struct fixture *fixture = arg;
	int fd;

	fd = fixture->result = varlink_call_take_fd(call, index);
	if (fd < 0) {
		varlink_invalid_parameter(call, "index");
		return;
	}
	assert_int_equal(varlink_call_take_fd(call, index), -EBADF);
	varlink_reply(call, json_pack("{s:i}", "index", varlink_call_push_fd(call, fd)));
}

/* More fds than a message takes. */
static void method_fds(struct varlink_call *call, json_t *parameters, void *arg)
{
	for (int i = 0; i < LIMIT_VARLINK_FDS; i++)
		assert_int_equal(varlink_call_push_fd(call, open_null()), i);
	assert_int_equal(varlink_call_push_fd(call, open_null()), -EMFILE);
	assert_int_equal(varlink_call_push_fd(call, -EBADF), -EBADF);
	if (varlink_call_more(call))
		assert_int_equal(varlink_reply_continues(call, NULL), 0);
	varlink_call_push_fd(call, open_null());
	varlink_reply(call, NULL);
}

/* A reply that no client would take. */
static void method_huge(struct varlink_call *call, json_t *parameters, void *arg)
{
	char *text = calloc(1, LIMIT_VARLINK_MESSAGE);

	memset(text, 'x', LIMIT_VARLINK_MESSAGE - 1);
	varlink_reply(call, json_pack("{s:s}", "text", text));
	free(text);
}

static void method_peer(struct varlink_call *call, json_t *parameters, void *arg)
{
	const struct varlink_peer *peer = varlink_call_peer(call);

	assert_int_equal(peer->pid, getpid());
	assert_int_equal(peer->uid, geteuid());
	assert_int_equal(peer->gid, getegid());
	varlink_reply(call, NULL);
}

static const struct varlink_method methods[] = {
	{.name = "Echo", .fn = method_echo},
	{.name = "Fail", .fn = method_fail},
	{.name = "Later", .fn = method_later},
	{.name = "Chain", .fn = method_chain},
	{.name = "Count", .fn = method_count, .flags = VARLINK_NEEDS_MORE},
	{.name = "ContinueWithoutMore", .fn = method_continue_without_more},
	{.name = "Fd", .fn = method_fd},
	{.name = "Fds", .fn = method_fds},
	{.name = "Huge", .fn = method_huge},
	{.name = "Peer", .fn = method_peer},
	{.name = "Missing"},
};

static const struct varlink_interface interface = {
	.name = "org.example.Test",
	.description = "interface org.example.Test\nmethod Echo() -> ()\n",
	.methods = methods,
	.methods_used = ARRAY_SIZE(methods),
};

static const struct varlink_identity identity = {"a", "b", "c", "d"};

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	fixture->before = count_fds();
	assert_int_equal(loop_create(&fixture->loop), 0);
	assert_int_equal(varlink_server_create(fixture->loop, &identity, &fixture->server), 0);
	assert_int_equal(varlink_server_add(fixture->server, &interface, fixture), 0);
	assert_int_equal(varlink_server_add(fixture->server, &interface, fixture), -EEXIST);
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	varlink_server_destroy(fixture->server);
	while (fixture->held_used > 0)
		varlink_reply(fixture->held[--fixture->held_used], NULL);
	loop_destroy(fixture->loop);
	assert_int_equal(count_fds(), fixture->before);
	free(fixture);
	return 0;
}

/* All is on this thread and on socket pairs: some rounds of the loop do what there is to do. */
static void pump(struct fixture *fixture)
{
	for (int i = 0; i < 40; i++)
		event_base_loop(loop_base(fixture->loop), EVLOOP_NONBLOCK);
}

static int join(struct fixture *fixture)
{
	int pair[2];

	make_pair(pair);
	assert_int_equal(varlink_server_adopt(fixture->server, pair[0]), 0);
	return pair[1];
}

static void ask(struct fixture *fixture, int peer, const char *call, const char *reply)
{
	peer_send(peer, call);
	pump(fixture);
	peer_expect(peer, reply);
}

static void test_service(void **state)
{
	struct fixture *fixture = *state;
	int peer = join(fixture);
	char text[4096];
	const char *got;

	ask(fixture, peer, "{\"method\":\"org.varlink.service.GetInfo\",\"parameters\":null}",
		"{\"parameters\":{\"vendor\":\"a\",\"product\":\"b\",\"version\":\"c\",\"url\":"
		"\"d\","
		"\"interfaces\":[\"org.varlink.service\",\"org.example.Test\"]}}");
	ask(fixture, peer,
		"{\"method\":\"org.varlink.service.GetInterfaceDescription\",\"parameters\":{"
		"\"interface\":\"org.example.Test\"}}",
		"{\"parameters\":{\"description\":\"interface org.example.Test\\nmethod Echo() -> "
		"()\\n\"}}");
	peer_send(peer, "{\"method\":\"org.varlink.service.GetInterfaceDescription\","
			"\"parameters\":{\"interface\":\"org.varlink.service\"}}");
	pump(fixture);
	got = peer_read(peer, text, sizeof(text));
	assert_non_null(got);
	assert_non_null(strstr(got, "error ExpectedMore ()"));
	fd_close(peer);
}

static void test_service_errors(void **state)
{
	struct fixture *fixture = *state;
	int peer = join(fixture);

	ask(fixture, peer,
		"{\"method\":\"org.varlink.service.GetInterfaceDescription\",\"parameters\":{"
		"\"interface\":\"org.example.Tes\"}}",
		SERVICE_ERROR("InterfaceNotFound", "interface", "org.example.Tes"));
	ask(fixture, peer,
		"{\"method\":\"org.varlink.service.GetInterfaceDescription\",\"parameters\":{"
		"\"interface\":1}}",
		SERVICE_ERROR("InvalidParameter", "parameter", "interface"));
	ask(fixture, peer, "{\"method\":\"org.example.Tests.Echo\"}",
		SERVICE_ERROR("InterfaceNotFound", "interface", "org.example.Tests"));
	ask(fixture, peer, "{\"method\":\"Echo\"}",
		SERVICE_ERROR("InvalidParameter", "parameter", "method"));
	ask(fixture, peer, CALL("Nothing"),
		SERVICE_ERROR("MethodNotFound", "method", "org.example.Test.Nothing"));
	ask(fixture, peer, CALL("Missing"),
		SERVICE_ERROR("MethodNotImplemented", "method", "org.example.Test.Missing"));
	ask(fixture, peer, CALL("Count"),
		"{\"error\":\"org.varlink.service.ExpectedMore\",\"parameters\":{}}");
	ask(fixture, peer, CALL("Fail"),
		"{\"error\":\"org.example.Test.Failed\",\"parameters\":{}}");
	ask(fixture, peer, CALL("Peer"), EMPTY_REPLY);
	fd_close(peer);
}

static void test_pipeline(void **state)
{
	struct fixture *fixture = *state;
	int peer = join(fixture);
	char call[128], reply[64];

	for (int i = 0; i < 100; i++) {
		snprintf(call, sizeof(call),
			"{\"method\":\"org.example.Test.Echo\",\"parameters\":{\"n\":%d}}", i);
		peer_send(peer, call);
	}
	pump(fixture);
	for (int i = 0; i < 100; i++) {
		snprintf(reply, sizeof(reply), "{\"parameters\":{\"n\":%d}}", i);
		peer_expect(peer, reply);
	}
	/* One at a time: the second waits for the first's reply. */
	peer_send(peer, CALL("Later"));
	peer_send(peer, CALL("Echo"));
	fixture->ran = 0;
	pump(fixture);
	assert_int_equal(fixture->ran, 1);
	peer_expect(peer, NULL);
	varlink_error(fixture->held[--fixture->held_used], "org.example.Test.Failed", NULL);
	pump(fixture);
	assert_int_equal(fixture->ran, 2);
	peer_expect(peer, "{\"error\":\"org.example.Test.Failed\",\"parameters\":{}}");
	peer_expect(peer, EMPTY_REPLY);
	assert_int_equal(fixture->gone, 0);
	fd_close(peer);
}

static void test_byte_at_a_time(void **state)
{
	static const char call[] =
		"{\"method\":\"org.example.Test.Echo\",\"parameters\":{\"a\":\"b\"}}";
	struct fixture *fixture = *state;
	int peer = join(fixture), other = join(fixture);

	for (size_t i = 0; i < sizeof(call); i++) {
		peer_expect(peer, NULL);
		peer_send_bytes(peer, call + i, 1, NULL, 0);
		pump(fixture);
	}
	peer_expect(peer, "{\"parameters\":{\"a\":\"b\"}}");
	/* Half a message holds nobody up. */
	peer_send_bytes(peer, call, 20, NULL, 0);
	ask(fixture, other, CALL("Echo"), EMPTY_REPLY);
	fd_close(peer);
	fd_close(other);
}

static void test_more(void **state)
{
	struct fixture *fixture = *state;
	int peer = join(fixture);

	ask(fixture, peer, CALL_MORE("Count"), "{\"parameters\":{\"n\":1},\"continues\":true}");
	peer_expect(peer, "{\"parameters\":{\"n\":2},\"continues\":true}");
	peer_expect(peer, "{\"parameters\":{\"n\":3}}");
	ask(fixture, peer, CALL("ContinueWithoutMore"), EMPTY_REPLY);
	assert_int_equal(fixture->result, -EINVAL);
	/* A method that does not need it may be called with it. */
	ask(fixture, peer, CALL_MORE("Echo"), EMPTY_REPLY);
	fd_close(peer);
}

static void test_oneway(void **state)
{
	struct fixture *fixture = *state;
	int peer = join(fixture);

	peer_send(peer, CALL_ONEWAY("Echo"));
	peer_send(peer, CALL_ONEWAY("Fail"));
	peer_send(peer, CALL_ONEWAY("Nothing"));
	peer_send(peer, CALL_ONEWAY("Count"));
	peer_send(peer, CALL_ONEWAY("Fds"));
	peer_send(peer, "{\"method\":\"org.example.None.Echo\",\"oneway\":true}");
	peer_send(peer, CALL_ONEWAY("Later"));
	pump(fixture);
	assert_int_equal(fixture->ran, 3);
	varlink_error(fixture->held[--fixture->held_used], "org.example.Test.Failed", NULL);
	ask(fixture, peer, CALL("Echo"), EMPTY_REPLY);
	/* Said and gone. */
	peer_send(peer, CALL_ONEWAY("Echo"));
	peer_send(peer, CALL_ONEWAY("Echo"));
	fd_close(peer);
	fixture->ran = 0;
	pump(fixture);
	assert_int_equal(fixture->ran, 2);
}

static void test_not_a_call(void **state)
{
	static const char *const bad[] = {"", "{}", "[]", "{\"method\":1}", "{\"parameters\":{}}",
		"{\"method\":\"a.B\",\"parameters\":[]}", "{\"method\":\"a.B\",\"parameters\":1}",
		"{\"method\":\"a.B\",\"more\":1}", "{\"method\":\"a.B\",\"oneway\":\"yes\"}",
		"{\"method\":\"a.B\",\"id\":1}",
		"{\"method\":\"a.B\",\"more\":true,\"oneway\":true}",
		"{\"method\":\"a.B\",\"upgrade\":true}", "{\"method\":\"a.B\",\"method\":\"a.C\"}",
		"{\"method\":\"a.B\"}}"};
	struct fixture *fixture = *state;
	int good = join(fixture);

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		int peer = join(fixture);

		ask(fixture, peer, bad[i], "");
		fd_close(peer);
	}
	ask(fixture, good,
		"{\"method\":\"org.example.Test.Echo\",\"more\":false,\"oneway\":false,\"upgrade\":"
		"false,\"parameters\":{\"a\":null}}",
		"{\"parameters\":{\"a\":null}}");
	fd_close(good);
}

static void test_gone(void **state)
{
	struct fixture *fixture = *state;
	int peer = join(fixture);

	peer_send(peer, CALL_MORE("Later"));
	/* Not run: its caller is gone by then. */
	peer_send(peer, CALL("Echo"));
	pump(fixture);
	assert_int_equal(varlink_reply_continues(fixture->held[0], NULL), 0);
	fd_close(peer);
	pump(fixture);
	assert_int_equal(fixture->gone, 1);
	/* The call is still one. */
	assert_true(varlink_call_more(fixture->held[0]));
	assert_int_equal(varlink_call_push_fd(fixture->held[0], open_null()), 0);
	assert_int_equal(varlink_reply_continues(fixture->held[0], NULL), -EPIPE);
	varlink_call_push_fd(fixture->held[0], open_null());
	varlink_reply(fixture->held[--fixture->held_used], NULL);
	pump(fixture);
	assert_int_equal(fixture->gone, 1);
	assert_int_equal(fixture->ran, 1);
}

static void test_gone_taken_back(void **state)
{
	struct fixture *fixture = *state;
	int peer = join(fixture);

	peer_send(peer, CALL("Later"));
	pump(fixture);
	varlink_call_on_gone(fixture->held[0], NULL, NULL);
	fd_close(peer);
	pump(fixture);
	assert_int_equal(fixture->gone, 0);
	/* Asked for too late, it still comes. */
	varlink_call_on_gone(fixture->held[0], on_gone, fixture);
	assert_int_equal(fixture->gone, 0);
	pump(fixture);
	assert_int_equal(fixture->gone, 1);
}

static void test_gone_ends_others(void **state)
{
	struct fixture *fixture = *state;
	int peers[3];

	for (size_t i = 0; i < ARRAY_SIZE(peers); i++) {
		peers[i] = join(fixture);
		peer_send(peers[i], CALL("Chain"));
	}
	pump(fixture);
	assert_int_equal(fixture->held_used, 3);
	fd_close(peers[0]);
	fd_close(peers[1]);
	pump(fixture);
	assert_int_equal(fixture->gone, 1);
	assert_int_equal(fixture->held_used, 0);
	peer_expect(peers[2], EMPTY_REPLY);
	fd_close(peers[2]);
}

static void on_flag(void *arg)
{
	*(bool *)arg = true;
}

static void test_half_closed(void **state)
{
	struct fixture *fixture = *state;
	struct loop_source *timer;
	int peer = join(fixture);
	bool late = false;

	peer_send(peer, CALL("Later"));
	shutdown(peer, SHUT_WR);
	pump(fixture);
	/* It sends no more, but it is there. */
	assert_int_equal(fixture->gone, 0);
	/* And the loop has nothing to do meanwhile: it sleeps until the timer. */
	assert_int_equal(loop_timer_add(fixture->loop, on_flag, &late, &timer), 0);
	assert_int_equal(loop_timer_once(timer, 50), 0);
	event_base_loop(loop_base(fixture->loop), EVLOOP_ONCE);
	assert_true(late);
	loop_source_free(timer);
	varlink_reply(fixture->held[--fixture->held_used], NULL);
	pump(fixture);
	peer_expect(peer, EMPTY_REPLY);
	peer_expect(peer, "");
	fd_close(peer);

	/* And then it goes. */
	peer = join(fixture);
	peer_send(peer, CALL("Later"));
	shutdown(peer, SHUT_WR);
	pump(fixture);
	fd_close(peer);
	pump(fixture);
	assert_int_equal(fixture->gone, 1);
}

static void test_slow_peer(void **state)
{
	struct fixture *fixture = *state;
	int peer = join(fixture), other = join(fixture), r;
	char *text = calloc(1, 1001);
	size_t sent = 0;

	memset(text, 'x', 1000);
	peer_send(peer, CALL_MORE("Later"));
	pump(fixture);
	do {
		r = varlink_reply_continues(fixture->held[0], json_pack("{s:s}", "text", text));
		sent += 1000;
		assert_true(sent < 4 * LIMIT_VARLINK_QUEUE);
	} while (r == 0);
	assert_int_equal(r, -ENOBUFS);
	assert_true(sent > LIMIT_VARLINK_QUEUE / 2);
	/* From the loop, not from within that reply. */
	assert_int_equal(fixture->gone, 0);
	assert_int_equal(varlink_reply_continues(fixture->held[0], NULL), -EPIPE);
	pump(fixture);
	assert_int_equal(fixture->gone, 1);
	varlink_reply(fixture->held[--fixture->held_used], NULL);
	ask(fixture, other, CALL("Echo"), EMPTY_REPLY);
	free(text);
	fd_close(peer);
	fd_close(other);
}

/* A peer that calls without reading its replies meets its own full socket, and loses nothing. */
static void test_pipeline_without_reading(void **state)
{
	struct fixture *fixture = *state;
	char *text = calloc(1, 30001), *call;
	int pair[2], small = 4096;
	size_t got = 0;

	memset(text, 'b', 30000);
	assert_true(asprintf(&call,
			    "{\"method\":\"org.example.Test.Echo\",\"parameters\":{\"a\":\"%s\"}}",
			    text) > 0);
	make_pair(pair);
	assert_int_equal(setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
	assert_int_equal(varlink_server_adopt(fixture->server, pair[0]), 0);
	for (int i = 0; i < 4; i++)
		peer_send(pair[1], call);
	shutdown(pair[1], SHUT_WR);
	pump(fixture);
	assert_int_equal(fixture->ran, 1);
	for (int i = 0; i < 10000; i++) {
		ssize_t n = recv(pair[1], text, 30000, MSG_DONTWAIT);

		if (n == 0)
			break;
		got += n > 0 ? n : 0;
		pump(fixture);
	}
	assert_int_equal(fixture->ran, 4);
	assert_int_equal(got, 4 * (30000 + strlen("{\"parameters\":{\"a\":\"\"}}") + 1));
	free(call);
	free(text);
	fd_close(pair[1]);
}

static void test_huge_reply(void **state)
{
	struct fixture *fixture = *state;
	int peer = join(fixture);

	ask(fixture, peer, CALL("Huge"), "");
	fd_close(peer);
}

/* Sends a call of Fd with @fds_used descriptors. */
static void call_fd(struct fixture *fixture, int peer, int index, size_t fds_used)
{
	int fds[200];
	char call[128];

	for (size_t i = 0; i < fds_used; i++)
		fds[i] = open_null();
	snprintf(call, sizeof(call),
		"{\"method\":\"org.example.Test.Fd\",\"parameters\":{\"index\":%d}}", index);
	peer_send_bytes(peer, call, strlen(call) + 1, fds, fds_used);
	for (size_t i = 0; i < fds_used; i++)
		fd_close(fds[i]);
	pump(fixture);
}

/* Reads a reply and counts and closes its descriptors. */
static size_t read_fds(int peer)
{
	char bytes[4096], control[CMSG_SPACE(sizeof(int) * 253)];
	struct iovec iov = {.iov_base = bytes, .iov_len = sizeof(bytes)};
	struct msghdr header = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	struct cmsghdr *rights;
	size_t count;

	assert_true(recvmsg(peer, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) > 0);
	rights = CMSG_FIRSTHDR(&header);
	if (!rights)
		return 0;
	count = (rights->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	for (size_t i = 0; i < count; i++) {
		int fd;

		memcpy(&fd, CMSG_DATA(rights) + i * sizeof(int), sizeof(int));
		fd_close(fd);
	}
	return count;
}

static void test_fds(void **state)
{
	struct fixture *fixture = *state;
	int peer = join(fixture);
	size_t before = count_fds();

	/* The one that is taken comes back; the others are closed. */
	call_fd(fixture, peer, 2, 3);
	assert_true(fixture->result >= FD_HIGH);
	assert_int_equal(read_fds(peer), 1);
	assert_int_equal(count_fds(), before);
	call_fd(fixture, peer, 3, 3);
	peer_expect(peer, SERVICE_ERROR("InvalidParameter", "parameter", "index"));
	call_fd(fixture, peer, -1, 3);
	peer_expect(peer, SERVICE_ERROR("InvalidParameter", "parameter", "index"));
	call_fd(fixture, peer, 0, 0);
	peer_expect(peer, SERVICE_ERROR("InvalidParameter", "parameter", "index"));
	assert_int_equal(count_fds(), before);
	/* Each reply has its own. */
	peer_send(peer, CALL_MORE("Fds"));
	pump(fixture);
	assert_int_equal(read_fds(peer), LIMIT_VARLINK_FDS);
	assert_int_equal(read_fds(peer), 1);
	assert_int_equal(count_fds(), before);
	fd_close(peer);
}

static void test_fds_of_a_pending_call(void **state)
{
	struct fixture *fixture = *state;
	int peer = join(fixture), fd = open_null();
	size_t before = count_fds();

	peer_send_bytes(peer, CALL("Later"), sizeof(CALL("Later")), &fd, 1);
	pump(fixture);
	assert_int_equal(fixture->held_used, 1);
	assert_int_equal(count_fds(), before);
	assert_int_equal(varlink_call_take_fd(fixture->held[0], 0), -EBADF);
	fd_close(fd);
	fd_close(peer);
}

static void test_bad_fds(void **state)
{
	struct fixture *fixture = *state;
	int peer = join(fixture), good = join(fixture), fd = open_null();

	call_fd(fixture, peer, 0, 200);
	peer_expect(peer, "");
	fd_close(peer);
	peer = join(fixture);
	call_fd(fixture, peer, 0, LIMIT_VARLINK_FDS + 1);
	peer_expect(peer, "");
	fd_close(peer);
	peer = join(fixture);
	peer_send_bytes(peer, "{\"method\"", 9, &fd, 1);
	peer_send_bytes(peer, ":\"a", 3, &fd, 1);
	pump(fixture);
	peer_expect(peer, "");
	fd_close(peer);
	/* Half a message with descriptors, and then nothing. */
	peer = join(fixture);
	peer_send_bytes(peer, "{\"method\"", 9, &fd, 1);
	pump(fixture);
	fd_close(peer);
	fd_close(fd);
	ask(fixture, good, CALL("Echo"), EMPTY_REPLY);
	fd_close(good);
	pump(fixture);
}

static void test_connections_of_one_uid(void **state)
{
	struct fixture *fixture = *state;
	int peers[LIMIT_VARLINK_PER_UID + 1][2], root;
	bool is_root = geteuid() == 0;

	if (is_root)
		assert_int_equal(seteuid(65534), 0);
	for (size_t i = 0; i < ARRAY_SIZE(peers); i++) {
		make_pair(peers[i]);
		assert_int_equal(varlink_server_adopt(fixture->server, peers[i][0]),
			i < LIMIT_VARLINK_PER_UID ? 0 : -EUSERS);
	}
	peer_expect(peers[LIMIT_VARLINK_PER_UID][1], "");
	ask(fixture, peers[0][1], CALL("Echo"), EMPTY_REPLY);
	/* Another one, once one has gone. */
	fd_close(peers[0][1]);
	pump(fixture);
	fd_close(peers[LIMIT_VARLINK_PER_UID][1]);
	peers[0][1] = join(fixture);
	peers[LIMIT_VARLINK_PER_UID][1] = -EBADF;
	if (is_root) {
		assert_int_equal(seteuid(0), 0);
		root = join(fixture);
		ask(fixture, root, CALL("Echo"), EMPTY_REPLY);
		fd_close(root);
	}
	for (size_t i = 0; i < ARRAY_SIZE(peers); i++)
		fd_close(peers[i][1]);
}

static void test_connections_of_all(void **state)
{
	static int peers[LIMIT_VARLINK_CONNECTIONS + 1][2];
	struct fixture *fixture = *state;
	struct rlimit limit, high;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	high = (struct rlimit){.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
	if (geteuid() != 0 || limit.rlim_max < 4 * LIMIT_VARLINK_CONNECTIONS)
		skip();
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &high), 0);
	for (size_t i = 0; i < ARRAY_SIZE(peers); i++) {
		make_pair(peers[i]);
		assert_int_equal(varlink_server_adopt(fixture->server, peers[i][0]),
			i < LIMIT_VARLINK_CONNECTIONS ? 0 : -EUSERS);
	}
	for (size_t i = 0; i < ARRAY_SIZE(peers); i++)
		fd_close(peers[i][1]);
	pump(fixture);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void test_wrong_sockets(void **state)
{
	struct fixture *fixture = *state;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(varlink_server_adopt(fixture->server, pair[0]), -EPROTOTYPE);
	assert_int_equal(varlink_server_listen(fixture->server, pair[1]), -EPROTOTYPE);
	assert_int_equal(varlink_server_adopt(fixture->server, open_null()), -ENOTSOCK);
	assert_int_equal(varlink_server_listen(fixture->server, open_null()), -ENOTSOCK);
	assert_int_equal(varlink_server_adopt(fixture->server, -EBADF), -EBADF);
	assert_int_equal(varlink_server_listen(fixture->server, -EBADF), -EBADF);
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
static void run_for(struct fixture *fixture, uint64_t ms)
{
	struct loop_source *timer;

	assert_int_equal(loop_timer_add(fixture->loop, on_tick, fixture->loop, &timer), 0);
	assert_int_equal(loop_timer_once(timer, ms), 0);
	assert_int_equal(loop_run(fixture->loop), 0);
	loop_source_free(timer);
}

static void test_listen(void **state)
{
	struct fixture *fixture = *state;
	struct sockaddr_un address;
	socklen_t size;
	int peer, listener = make_listener(&address, &size);

	assert_int_equal(varlink_server_listen(fixture->server, listener), 0);
	peer = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(peer, (struct sockaddr *)&address, size), 0);
	ask(fixture, peer, CALL("Peer"), EMPTY_REPLY);
	fd_close(peer);
	pump(fixture);
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
	struct fixture *fixture = *state;
	struct rlimit limit, none;
	struct sockaddr_un address;
	socklen_t size;
	int listener = make_listener(&address, &size);
	int peer = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), log, saved;

	assert_int_equal(varlink_server_listen(fixture->server, listener), 0);
	log = memfd_create("log", MFD_CLOEXEC);
	saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	assert_int_equal(dup2(log, STDERR_FILENO), STDERR_FILENO);
	log_set_level(LOG_LEVEL_WARNING);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = (struct rlimit){.rlim_cur = 3, .rlim_max = limit.rlim_max};
	assert_int_equal(connect(peer, (struct sockaddr *)&address, size), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	run_for(fixture, 300);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	log_set_level(LOG_LEVEL_ERR);
	assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
	assert_int_equal(count_lines(log), 1);
	peer_send(peer, CALL("Echo"));
	for (int i = 0; i < 100 && fixture->ran == 0; i++)
		run_for(fixture, 100);
	peer_expect(peer, EMPTY_REPLY);
	fd_close(saved);
	fd_close(log);
	fd_close(peer);
	pump(fixture);
}

static void test_destroyed_under_calls(void **state)
{
	struct fixture *fixture = *state;
	int peer = join(fixture), other = join(fixture);

	peer_send(peer, CALL("Later"));
	peer_send(other, CALL("Later"));
	pump(fixture);
	fd_close(peer);
	pump(fixture);
	varlink_call_on_gone(fixture->held[0], on_gone, fixture);
	varlink_server_destroy(take_ptr(fixture->server));
	varlink_server_destroy(NULL);
	peer_expect(other, "");
	pump(fixture);
	assert_int_equal(fixture->gone, 1);
	varlink_call_on_gone(fixture->held[1], on_gone, fixture);
	assert_int_equal(varlink_call_push_fd(fixture->held[1], open_null()), 0);
	fd_close(other);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_service),
		TEST(test_service_errors),
		TEST(test_pipeline),
		TEST(test_byte_at_a_time),
		TEST(test_more),
		TEST(test_oneway),
		TEST(test_not_a_call),
		TEST(test_gone),
		TEST(test_gone_taken_back),
		TEST(test_gone_ends_others),
		TEST(test_half_closed),
		TEST(test_slow_peer),
		TEST(test_pipeline_without_reading),
		TEST(test_huge_reply),
		TEST(test_fds),
		TEST(test_fds_of_a_pending_call),
		TEST(test_bad_fds),
		TEST(test_connections_of_one_uid),
		TEST(test_connections_of_all),
		TEST(test_wrong_sockets),
		TEST(test_listen),
		TEST(test_out_of_descriptors),
		TEST(test_destroyed_under_calls),
	};

	log_open("test", LOG_LEVEL_ERR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
