/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The blocking client against a peer that is played by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "raw-peer.h"
#include "varlink/client.h"

struct fixture {
	struct varlink_client *client;
	int peer;
	size_t before;
};

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	int pair[2];

	fixture->before = count_fds();
	make_pair(pair);
	assert_int_equal(varlink_client_adopt(pair[0], &fixture->client), 0);
	assert_int_equal(varlink_client_fd(fixture->client), pair[0]);
	fixture->peer = pair[1];
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	varlink_client_destroy(fixture->client);
	fd_close(fixture->peer);
	assert_int_equal(count_fds(), fixture->before);
	free(fixture);
	return 0;
}

static void test_send(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(varlink_client_send(fixture->client, "a.B", NULL, false, NULL, 0), 0);
	peer_expect(fixture->peer, "{\"method\":\"a.B\"}");
	assert_int_equal(varlink_client_send(
				 fixture->client, "a.B", json_pack("{s:i}", "n", 1), true, NULL, 0),
		0);
	peer_expect(fixture->peer, "{\"method\":\"a.B\",\"parameters\":{\"n\":1},\"more\":true}");
	assert_int_equal(varlink_client_send_oneway(fixture->client, "a.B", NULL), 0);
	peer_expect(fixture->peer, "{\"method\":\"a.B\",\"oneway\":true}");
}

static void test_call(void **state)
{
	struct fixture *fixture = *state;
	struct varlink_result result;
	int fds[2] = {open_memfd(), open_memfd()};
	size_t before = count_fds();

	peer_send_bytes(fixture->peer, "{\"parameters\":{\"n\":1}}", 23, fds, 2);
	assert_int_equal(varlink_client_call(fixture->client, "a.B", NULL, fds, 2, &result), 0);
	assert_null(result.error);
	assert_false(result.continues);
	assert_int_equal(json_integer_value(json_object_get(result.parameters, "n")), 1);
	assert_int_equal(result.fds_used, 2);
	varlink_result_finish(&result);
	assert_int_equal(count_fds(), before);
	fd_close(fds[0]);
	fd_close(fds[1]);
}

static void test_replies(void **state)
{
	struct fixture *fixture = *state;
	struct varlink_result result;

	peer_send(fixture->peer, "{\"parameters\":null,\"continues\":true}");
	peer_send(fixture->peer, "{\"error\":\"a.E\",\"parameters\":{\"why\":\"x\"}}");
	peer_send(fixture->peer, "{}");
	assert_int_equal(varlink_client_receive(fixture->client, 1000, &result), 0);
	assert_true(result.continues);
	assert_int_equal(json_object_size(result.parameters), 0);
	varlink_result_finish(&result);
	assert_int_equal(varlink_client_receive(fixture->client, 1000, &result), 0);
	assert_string_equal(result.error, "a.E");
	assert_false(result.continues);
	varlink_result_finish(&result);
	assert_int_equal(varlink_client_receive(fixture->client, 1000, &result), 0);
	assert_null(result.error);
	varlink_result_finish(&result);
	assert_int_equal(varlink_client_receive(fixture->client, 0, &result), -ETIMEDOUT);
	assert_int_equal(varlink_client_receive(fixture->client, 20, &result), -ETIMEDOUT);
}

static void test_bad_replies(void **state)
{
	static const char *const bad[] = {
		"[]", "{\"parameters\":1}", "{\"error\":1}", "{\"continues\":1}", ""};
	struct fixture *fixture = *state;
	struct varlink_result result;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct varlink_client *client;
		int pair[2], fd = open_memfd();

		make_pair(pair);
		assert_int_equal(varlink_client_adopt(pair[0], &client), 0);
		peer_send_bytes(pair[1], bad[i], strlen(bad[i]) + 1, &fd, 1);
		assert_int_equal(varlink_client_receive(client, 1000, &result), -EBADMSG);
		varlink_client_destroy(client);
		fd_close(pair[1]);
		fd_close(fd);
	}
	fixture->peer = fd_close(fixture->peer);
	assert_int_equal(varlink_client_receive(fixture->client, 1000, &result), -EPIPE);
	assert_int_equal(varlink_client_send(fixture->client, "a.B", NULL, false, NULL, 0), -EPIPE);
}

static void test_what_cannot_be_sent(void **state)
{
	struct fixture *fixture = *state;
	int fds[LIMIT_VARLINK_FDS + 1] = {0}, bad[2] = {open_memfd(), -EBADF};
	char *text = calloc(1, LIMIT_VARLINK_MESSAGE);

	memset(text, 'x', LIMIT_VARLINK_MESSAGE - 1);
	assert_int_equal(varlink_client_send(fixture->client, "a.B", json_pack("{s:s}", "a", text),
				 false, NULL, 0),
		-EMSGSIZE);
	assert_int_equal(
		varlink_client_send(fixture->client, "a.B", NULL, false, fds, ARRAY_SIZE(fds)),
		-EMFILE);
	assert_int_equal(varlink_client_send(fixture->client, "a.B", NULL, false, bad, 2), -EBADF);
	/* Nothing of these went out. */
	peer_expect(fixture->peer, NULL);
	fd_close(bad[0]);
	free(text);
}

static void test_connect(void **state)
{
	struct varlink_client *client;
	char path[200];

	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = 0;
	assert_int_equal(varlink_client_connect(path, &client), -ENAMETOOLONG);
	assert_int_equal(varlink_client_connect("/dev/null/nothing", &client), -ENOTDIR);
	assert_int_equal(varlink_client_connect("", &client), -EINVAL);
	varlink_client_destroy(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_send),
		TEST(test_call),
		TEST(test_replies),
		TEST(test_bad_replies),
		TEST(test_what_cannot_be_sent),
		TEST(test_connect),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
