/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Calls and replies on a loop, with peers that send bytes by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "example-service.h"

static void test_service(void **state)
{
	struct example *example = *state;
	int peer = join(example);
	char text[4096];
	const char *got;

	ask(example, peer, "{\"method\":\"org.varlink.service.GetInfo\",\"parameters\":null}",
		"{\"parameters\":{\"vendor\":\"a\",\"product\":\"b\",\"version\":\"c\",\"url\":"
		"\"d\","
		"\"interfaces\":[\"org.varlink.service\",\"org.example.Test\"]}}");
	ask(example, peer,
		"{\"method\":\"org.varlink.service.GetInterfaceDescription\",\"parameters\":{"
		"\"interface\":\"org.example.Test\"}}",
		"{\"parameters\":{\"description\":\"interface org.example.Test\\nmethod Echo() -> "
		"()\\n\"}}");
	peer_send(peer, "{\"method\":\"org.varlink.service.GetInterfaceDescription\","
			"\"parameters\":{\"interface\":\"org.varlink.service\"}}");
	pump(example);
	got = peer_read(peer, text, sizeof(text));
	assert_non_null(got);
	assert_non_null(strstr(got, "error ExpectedMore ()"));
	fd_close(peer);
}

static void test_service_errors(void **state)
{
	struct example *example = *state;
	int peer = join(example);

	ask(example, peer,
		"{\"method\":\"org.varlink.service.GetInterfaceDescription\",\"parameters\":{"
		"\"interface\":\"org.example.Tes\"}}",
		SERVICE_ERROR("InterfaceNotFound", "interface", "org.example.Tes"));
	ask(example, peer,
		"{\"method\":\"org.varlink.service.GetInterfaceDescription\",\"parameters\":{"
		"\"interface\":1}}",
		SERVICE_ERROR("InvalidParameter", "parameter", "interface"));
	ask(example, peer, "{\"method\":\"org.example.Tests.Echo\"}",
		SERVICE_ERROR("InterfaceNotFound", "interface", "org.example.Tests"));
	ask(example, peer, "{\"method\":\"Echo\"}",
		SERVICE_ERROR("InvalidParameter", "parameter", "method"));
	ask(example, peer, CALL("Nothing"),
		SERVICE_ERROR("MethodNotFound", "method", "org.example.Test.Nothing"));
	ask(example, peer, CALL("Missing"),
		SERVICE_ERROR("MethodNotImplemented", "method", "org.example.Test.Missing"));
	ask(example, peer, CALL("Count"),
		"{\"error\":\"org.varlink.service.ExpectedMore\",\"parameters\":{}}");
	ask(example, peer, CALL("Fail"),
		"{\"error\":\"org.example.Test.Failed\",\"parameters\":{}}");
	ask(example, peer, CALL("Peer"), EMPTY_REPLY);
	fd_close(peer);
}

static void test_pipeline(void **state)
{
	struct example *example = *state;
	int peer = join(example);
	char call[128], reply[64];

	for (int i = 0; i < 100; i++) {
		snprintf(call, sizeof(call),
			"{\"method\":\"org.example.Test.Echo\",\"parameters\":{\"n\":%d}}", i);
		peer_send(peer, call);
	}
	pump(example);
	for (int i = 0; i < 100; i++) {
		snprintf(reply, sizeof(reply), "{\"parameters\":{\"n\":%d}}", i);
		peer_expect(peer, reply);
	}
	/* One at a time: the second waits for the first's reply. */
	peer_send(peer, CALL("Later"));
	peer_send(peer, CALL("Echo"));
	example->ran = 0;
	pump(example);
	assert_int_equal(example->ran, 1);
	peer_expect(peer, NULL);
	varlink_error(example->held[--example->held_used], "org.example.Test.Failed", NULL);
	pump(example);
	assert_int_equal(example->ran, 2);
	peer_expect(peer, "{\"error\":\"org.example.Test.Failed\",\"parameters\":{}}");
	peer_expect(peer, EMPTY_REPLY);
	assert_int_equal(example->gone, 0);
	fd_close(peer);
}

static void test_byte_at_a_time(void **state)
{
	static const char call[] =
		"{\"method\":\"org.example.Test.Echo\",\"parameters\":{\"a\":\"b\"}}";
	struct example *example = *state;
	int peer = join(example), other = join(example);

	for (size_t i = 0; i < sizeof(call); i++) {
		peer_expect(peer, NULL);
		peer_send_bytes(peer, call + i, 1, NULL, 0);
		pump(example);
	}
	peer_expect(peer, "{\"parameters\":{\"a\":\"b\"}}");
	/* Half a message holds nobody up. */
	peer_send_bytes(peer, call, 20, NULL, 0);
	ask(example, other, CALL("Echo"), EMPTY_REPLY);
	fd_close(peer);
	fd_close(other);
}

static void test_more(void **state)
{
	struct example *example = *state;
	int peer = join(example);

	ask(example, peer, CALL_MORE("Count"), "{\"parameters\":{\"n\":1},\"continues\":true}");
	peer_expect(peer, "{\"parameters\":{\"n\":2},\"continues\":true}");
	peer_expect(peer, "{\"parameters\":{\"n\":3}}");
	ask(example, peer, CALL("ContinueWithoutMore"), EMPTY_REPLY);
	assert_int_equal(example->result, -EINVAL);
	/* A method that does not need it may be called with it. */
	ask(example, peer, CALL_MORE("Echo"), EMPTY_REPLY);
	fd_close(peer);
}

static void test_oneway(void **state)
{
	struct example *example = *state;
	int peer = join(example);

	peer_send(peer, CALL_ONEWAY("Echo"));
	peer_send(peer, CALL_ONEWAY("Fail"));
	peer_send(peer, CALL_ONEWAY("Nothing"));
	peer_send(peer, CALL_ONEWAY("Count"));
	peer_send(peer, CALL_ONEWAY("Fds"));
	peer_send(peer, "{\"method\":\"org.example.None.Echo\",\"oneway\":true}");
	peer_send(peer, CALL_ONEWAY("Later"));
	pump(example);
	assert_int_equal(example->ran, 3);
	varlink_error(example->held[--example->held_used], "org.example.Test.Failed", NULL);
	ask(example, peer, CALL("Echo"), EMPTY_REPLY);
	/* Said and gone. */
	peer_send(peer, CALL_ONEWAY("Echo"));
	peer_send(peer, CALL_ONEWAY("Echo"));
	fd_close(peer);
	example->ran = 0;
	pump(example);
	assert_int_equal(example->ran, 2);
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
	struct example *example = *state;
	int good = join(example);

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		int peer = join(example);

		ask(example, peer, bad[i], "");
		fd_close(peer);
	}
	ask(example, good,
		"{\"method\":\"org.example.Test.Echo\",\"more\":false,\"oneway\":false,\"upgrade\":"
		"false,\"parameters\":{\"a\":null}}",
		"{\"parameters\":{\"a\":null}}");
	fd_close(good);
}

/* Sends a call of Fd with @fds_used descriptors. */
static void call_fd(struct example *example, int peer, int index, size_t fds_used)
{
	int fds[200];
	char call[128];

	for (size_t i = 0; i < fds_used; i++)
		fds[i] = open_memfd();
	snprintf(call, sizeof(call),
		"{\"method\":\"org.example.Test.Fd\",\"parameters\":{\"index\":%d}}", index);
	peer_send_bytes(peer, call, strlen(call) + 1, fds, fds_used);
	for (size_t i = 0; i < fds_used; i++)
		fd_close(fds[i]);
	pump(example);
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
	struct example *example = *state;
	int peer = join(example);
	size_t before = count_fds();

	/* The one that is taken comes back; the others are closed. */
	call_fd(example, peer, 2, 3);
	assert_true(example->result >= FD_HIGH);
	assert_int_equal(read_fds(peer), 1);
	assert_int_equal(count_fds(), before);
	call_fd(example, peer, 3, 3);
	peer_expect(peer, SERVICE_ERROR("InvalidParameter", "parameter", "index"));
	call_fd(example, peer, -1, 3);
	peer_expect(peer, SERVICE_ERROR("InvalidParameter", "parameter", "index"));
	call_fd(example, peer, 0, 0);
	peer_expect(peer, SERVICE_ERROR("InvalidParameter", "parameter", "index"));
	assert_int_equal(count_fds(), before);
	/* Each reply has its own. */
	peer_send(peer, CALL_MORE("Fds"));
	pump(example);
	assert_int_equal(read_fds(peer), LIMIT_VARLINK_FDS);
	assert_int_equal(read_fds(peer), 1);
	assert_int_equal(count_fds(), before);
	fd_close(peer);
}

static void test_fds_of_a_pending_call(void **state)
{
	struct example *example = *state;
	int peer = join(example), fd = open_memfd();
	size_t before = count_fds();

	peer_send_bytes(peer, CALL("Later"), sizeof(CALL("Later")), &fd, 1);
	pump(example);
	assert_int_equal(example->held_used, 1);
	assert_int_equal(count_fds(), before);
	assert_int_equal(varlink_call_take_fd(example->held[0], 0), -EBADF);
	fd_close(fd);
	fd_close(peer);
}

static void test_bad_fds(void **state)
{
	struct example *example = *state;
	int peer = join(example), good = join(example), fd = open_memfd();

	call_fd(example, peer, 0, 200);
	peer_expect(peer, "");
	fd_close(peer);
	peer = join(example);
	call_fd(example, peer, 0, LIMIT_VARLINK_FDS + 1);
	peer_expect(peer, "");
	fd_close(peer);
	peer = join(example);
	peer_send_bytes(peer, "{\"method\"", 9, &fd, 1);
	peer_send_bytes(peer, ":\"a", 3, &fd, 1);
	pump(example);
	peer_expect(peer, "");
	fd_close(peer);
	/* Half a message with descriptors, and then nothing. */
	peer = join(example);
	peer_send_bytes(peer, "{\"method\"", 9, &fd, 1);
	pump(example);
	fd_close(peer);
	fd_close(fd);
	ask(example, good, CALL("Echo"), EMPTY_REPLY);
	fd_close(good);
	pump(example);
}

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
		TEST(test_fds),
		TEST(test_fds_of_a_pending_call),
		TEST(test_bad_fds),
	};

	log_open("test", LOG_LEVEL_ERR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
