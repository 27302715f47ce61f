/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The wire on a socket: which message descriptors came with, and what is sent when the socket is full. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/resource.h>

#include "raw-peer.h"
#include "varlink/stream.h"
#include "varlink/wire.h"

struct fixture {
	struct wire *wire;
	int here, peer;
	size_t before;
};

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	int pair[2];

	fixture->before = count_fds();
	make_pair(pair);
	fixture->here = pair[0];
	fixture->peer = pair[1];
	assert_int_equal(wire_create(&fixture->wire), 0);
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	wire_destroy(fixture->wire);
	fd_close(fixture->here);
	fd_close(fixture->peer);
	assert_int_equal(count_fds(), fixture->before);
	free(fixture);
	return 0;
}

/* Reads until a message is complete or nothing more comes. */
static int receive(struct fixture *fixture, struct wire_message *ret)
{
	int r;

	while ((r = wire_take(fixture->wire, ret)) == 0) {
		r = stream_receive(fixture->here, fixture->wire);
		if (r <= 0)
			return r;
	}
	return r;
}

static void expect(struct fixture *fixture, const char *key, size_t fds_used)
{
	struct wire_message message;

	assert_int_equal(receive(fixture, &message), 1);
	assert_non_null(json_object_get(message.object, key));
	assert_int_equal(message.fds_used, fds_used);
	for (size_t i = 0; i < fds_used; i++)
		assert_int_equal(fcntl(message.fds[i], F_GETFD), FD_CLOEXEC);
	wire_message_finish(&message);
}

static void test_glued_sends(void **state)
{
	struct fixture *fixture = *state;
	int fds[3] = {open_memfd(), open_memfd(), open_memfd()};

	/* The kernel would give the first two to one read, with the second one's descriptors. */
	peer_send(fixture->peer, "{\"a\":1}");
	peer_send_bytes(fixture->peer, "{\"b\":1}", 8, fds, 2);
	peer_send_bytes(fixture->peer, "{\"c\":1}\0{\"d\":1}", 16, fds, 1);
	peer_send_bytes(fixture->peer, "{\"e\":1}", 8, fds, 3);
	expect(fixture, "a", 0);
	expect(fixture, "b", 2);
	expect(fixture, "c", 1);
	expect(fixture, "d", 0);
	expect(fixture, "e", 3);
	assert_int_equal(receive(fixture, &(struct wire_message){0}), -EAGAIN);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fd_close(fds[i]);
}

static void test_fds_inside_a_message(void **state)
{
	struct fixture *fixture = *state;
	int fd = open_memfd();

	peer_send_bytes(fixture->peer, "{\"a\"", 4, NULL, 0);
	peer_send_bytes(fixture->peer, ":1}", 4, &fd, 1);
	fd_close(fd);
	assert_int_equal(receive(fixture, &(struct wire_message){0}), -EPROTO);
	assert_int_equal(receive(fixture, &(struct wire_message){0}), -EPROTO);
	assert_int_equal(stream_receive(fixture->here, fixture->wire), -EPROTO);
}

static void test_too_many_fds(void **state)
{
	struct fixture *fixture = *state;
	int fds[200];
	size_t before;

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = open_memfd();
	before = count_fds();
	peer_send_bytes(fixture->peer, "{\"a\":1}", 8, fds, ARRAY_SIZE(fds));
	assert_int_equal(receive(fixture, &(struct wire_message){0}), -EMFILE);
	assert_int_equal(count_fds(), before);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fd_close(fds[i]);
}

/* The table is full after the first: the kernel drops the second and says so. */
static void test_no_room_for_fds(void **state)
{
	struct fixture *fixture = *state;
	int fds[2] = {open_memfd(), open_memfd()}, free_fd = open_memfd();
	size_t before = count_fds() - 1;
	struct rlimit limit, tight;

	peer_send_bytes(fixture->peer, "{\"a\":1}", 8, fds, 2);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	tight = (struct rlimit){.rlim_cur = free_fd + 1, .rlim_max = limit.rlim_max};
	fd_close(free_fd);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
	assert_int_equal(receive(fixture, &(struct wire_message){0}), -EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(count_fds(), before);
	fd_close(fds[0]);
	fd_close(fds[1]);
}

static void test_most_fds_with_credentials(void **state)
{
	struct fixture *fixture = *state;
	int fds[LIMIT_VARLINK_FDS], on = 1;

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = open_memfd();
	assert_int_equal(setsockopt(fixture->here, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)), 0);
	peer_send_bytes(fixture->peer, "{\"a\":1}", 8, fds, ARRAY_SIZE(fds));
	expect(fixture, "a", ARRAY_SIZE(fds));
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fd_close(fds[i]);
}

static void test_end(void **state)
{
	struct fixture *fixture = *state;

	peer_send(fixture->peer, "{\"a\":1}");
	peer_send_bytes(fixture->peer, "{\"b", 3, NULL, 0);
	shutdown(fixture->peer, SHUT_WR);
	expect(fixture, "a", 0);
	assert_int_equal(receive(fixture, &(struct wire_message){0}), 0);
	assert_int_equal(receive(fixture, &(struct wire_message){0}), 0);
}

static void test_busy(void **state)
{
	struct fixture *fixture = *state;

	peer_send(fixture->peer, "{\"a\":1}");
	peer_send(fixture->peer, "{\"b\":1}");
	assert_int_equal(stream_receive(fixture->here, fixture->wire), 1);
	assert_int_equal(stream_receive(fixture->here, fixture->wire), 1);
	assert_int_equal(stream_receive(fixture->here, fixture->wire), -EBUSY);
	expect(fixture, "a", 0);
	expect(fixture, "b", 0);
}

static void push(struct outbox *outbox, char letter, size_t size, int fd)
{
	char *bytes = malloc(size);

	snprintf(bytes, size, "{\"%c\":\"%*s\"}", letter, (int)size - 9, "");
	assert_int_equal(strlen(bytes), size - 1);
	assert_int_equal(outbox_push(outbox, bytes, size, &fd, fd >= 0), 0);
}

static void test_outbox(void **state)
{
	struct fixture *fixture = *state;
	struct outbox outbox;
	int r;

	outbox_init(&outbox);
	assert_true(outbox_is_empty(&outbox));
	assert_int_equal(outbox_flush(&outbox, fixture->peer), 0);
	for (char letter = 'a'; letter <= 'f'; letter++)
		push(&outbox, letter, 100000, letter % 2 ? open_memfd() : -EBADF);
	assert_true(outbox.bytes >= 600000);
	assert_int_equal(outbox_flush(&outbox, fixture->peer), -EAGAIN);
	for (char letter = 'a'; letter <= 'f'; letter++) {
		char key[2] = {letter, 0};
		struct wire_message message;

		while ((r = receive(fixture, &message)) == -EAGAIN)
			assert_int_not_equal(outbox_flush(&outbox, fixture->peer), -EPIPE);
		assert_int_equal(r, 1);
		assert_non_null(json_object_get(message.object, key));
		assert_int_equal(message.fds_used, letter % 2);
		wire_message_finish(&message);
	}
	assert_int_equal(outbox.bytes, 0);
	assert_true(outbox_is_empty(&outbox));
	/* Unsent descriptors are closed with it. */
	push(&outbox, 'x', 100, open_memfd());
	outbox_finish(&outbox);
}

static void test_outbox_peer_gone(void **state)
{
	struct fixture *fixture = *state;
	struct outbox outbox;

	outbox_init(&outbox);
	push(&outbox, 'a', 100, open_memfd());
	fixture->here = fd_close(fixture->here);
	assert_int_equal(outbox_flush(&outbox, fixture->peer), -EPIPE);
	outbox_finish(&outbox);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_glued_sends, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_fds_inside_a_message, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_too_many_fds, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_room_for_fds, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_most_fds_with_credentials, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_end, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_busy, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_outbox, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_outbox_peer_gone, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
