/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The metrics program's link, on which neither end believes the other, and the door that it closes behind itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/mem.h"
#include "metrics/link.h"
#include "metrics/sandbox.h"

static int ends[2];

static int open_link(void **state)
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends);
}

static int close_link(void **state)
{
	close(ends[0]);
	close(ends[1]);
	return 0;
}

/* What the other end makes of it. */
static int sent(struct metrics_message message, bool from_broker, int fd)
{
	struct metrics_message got;
	int passed = -EBADF, r;

	assert_int_equal(metrics_send(ends[0], &message, fd), 0);
	r = metrics_receive(ends[1], from_broker, &got, &passed);
	assert_int_equal(r == 0 && fd >= 0, passed >= 0);
	fd_close(passed);
	if (r == 0)
		assert_memory_equal(&got, &message, sizeof(got));
	return r;
}

static void the_truth_is_taken(void **state)
{
	assert_int_equal(
		sent((struct metrics_message){.type = METRICS_ASK, .form = METRICS_CLASSIC}, false,
			-EBADF),
		0);
	assert_int_equal(
		sent((struct metrics_message){.type = METRICS_PING, .number = 7}, false, -EBADF),
		0);
	assert_int_equal(
		sent((struct metrics_message){.type = METRICS_PONG, .number = 7}, true, -EBADF), 0);
	assert_int_equal(
		sent((struct metrics_message){.type = METRICS_TEXT, .size = 9}, true, ends[0]), 0);
	assert_int_equal(sent((struct metrics_message){.type = METRICS_TEXT}, true, -EBADF), 0);
	assert_int_equal(
		sent((struct metrics_message){.type = METRICS_LISTENER}, true, ends[0]), 0);
}

static void lies_are_not(void **state)
{
	static const struct {
		struct metrics_message message;
		bool from_broker, fd;
	} lies[] = {
		{{.type = 0}, true, false},
		{{.type = METRICS_LISTENER}, true, false},
		{{.type = METRICS_LISTENER}, false, true},
		{{.type = METRICS_PONG}, true, true},
		{{.type = METRICS_PONG}, false, false},
		{{.type = METRICS_TEXT, .form = METRICS_FORMS}, true, false},
		{{.type = METRICS_TEXT, .size = LIMIT_METRICS_BYTES + 1}, true, true},
		{{.type = METRICS_ASK, .form = METRICS_FORMS}, false, false},
		{{.type = METRICS_ASK}, false, true},
		{{.type = METRICS_ASK}, true, false},
		{{.type = METRICS_PING}, true, false},
		{{.type = METRICS_PING}, false, true},
		{{.type = METRICS_PING + 1}, false, false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(lies); i++)
		assert_int_equal(
			sent(lies[i].message, lies[i].from_broker, lies[i].fd ? ends[0] : -EBADF),
			-EPROTO);
}

static void sizes_and_ends(void **state)
{
	struct metrics_message got;
	int fd = -EBADF;

	assert_int_equal(metrics_receive(ends[1], true, &got, &fd), -EAGAIN);
	assert_int_equal(write(ends[0], "short", 5), 5);
	assert_int_equal(metrics_receive(ends[1], true, &got, &fd), -EPROTO);
	shutdown(ends[0], SHUT_WR);
	assert_int_equal(metrics_receive(ends[1], true, &got, &fd), -EPIPE);
}

#ifndef SANITIZED

static int listener;

static int inside(int (*attempt)(void))
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0)
		_exit(metrics_sandbox_enter() < 0 ? 99 : attempt());
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static int refused(int result)
{
	return result < 0 && errno == EPERM ? 0 : 1;
}

static int opens(void)
{
	return refused(open("/etc/passwd", O_RDONLY | O_CLOEXEC));
}

static int deafens(void)
{
	return refused(shutdown(listener, SHUT_RDWR)) | refused(shutdown(listener, SHUT_RD));
}

static int signals(void)
{
	return refused(kill(getppid(), 0));
}

static int accepts(void)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	return fd >= 0 && write(fd, "x", 1) == 1 && shutdown(fd, SHUT_WR) == 0 ? 0 : 1;
}

static int makes_a_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) < 0;
}

static int runs_a_program(void)
{
	return execl("/bin/true", "true", NULL);
}

static void the_door_is_closed(void **state)
{
	static int (*const harmless[])(void) = {opens, deafens, signals, accepts};
	static int (*const deadly[])(void) = {makes_a_socket, runs_a_program};
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listener, 4), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
	assert_int_equal(connect(client, (struct sockaddr *)&address, size), 0);
	for (size_t i = 0; i < ARRAY_SIZE(harmless); i++)
		assert_int_equal(inside(harmless[i]), 0);
	for (size_t i = 0; i < ARRAY_SIZE(deadly); i++) {
		int status = inside(deadly[i]);

		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
	}
	close(client);
	close(listener);
}

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_truth_is_taken, open_link, close_link),
		cmocka_unit_test_setup_teardown(lies_are_not, open_link, close_link),
		cmocka_unit_test_setup_teardown(sizes_and_ends, open_link, close_link),
#ifndef SANITIZED
		cmocka_unit_test(the_door_is_closed),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
