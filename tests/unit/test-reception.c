/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/loop.h"
#include "base/mem.h"
#include "reception.h"
#include "state/notify.h"
#include "varlink/server.h"

static struct loop *loop;
static struct varlink_server *server;
static struct reception reception;
static char directory[64], control[96], monitor[96];

static int setup(void **state)
{
	static const struct varlink_identity identity = {"v", "p", "1", "https://u"};

	snprintf(directory, sizeof(directory), "/tmp/test-reception-XXXXXX");
	assert_non_null(mkdtemp(directory));
	snprintf(control, sizeof(control), "%s/control", directory);
	snprintf(monitor, sizeof(monitor), "%s/monitor", directory);
	assert_int_equal(loop_create(&loop), 0);
	return varlink_server_create(loop, &identity, &server);
}

static int teardown(void **state)
{
	varlink_server_destroy(server);
	reception_close(&reception);
	loop_destroy(loop);
	return rmdir(directory); /* nothing is left there */
}

static int bound(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 1), 0);
	return fd;
}

static bool hears(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_fd_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	return connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
}

static void our_own_paths_go_when_it_is_closed(void **state)
{
	assert_int_equal(reception_open(&reception, server, control, monitor, NULL, 0), 0);
	assert_true(hears(control) && hears(monitor));
	reception_close(&reception);
	assert_int_equal(access(control, F_OK), -1);
	assert_int_equal(access(monitor, F_OK), -1);
	reception_close(&reception);
}

static void systemds_are_found_by_name_and_stay(void **state)
{
	char other[96];
	struct notify_socket inherited[3] = {
		{"gate", -EBADF}, {"varlink-monitor", -EBADF}, {"varlink", -EBADF}};

	snprintf(other, sizeof(other), "%s/gate", directory);
	inherited[0].fd = bound(other);
	inherited[1].fd = bound(monitor);
	inherited[2].fd = bound(control);
	assert_int_equal(
		reception_open(&reception, server, "/nowhere", "/nowhere", inherited, 3), 0);
	assert_true(inherited[0].fd >= 0);
	assert_true(inherited[1].fd < 0 && inherited[2].fd < 0);
	assert_true(hears(control) && hears(monitor));
	reception_close(&reception);
	assert_int_equal(unlink(control), 0);
	assert_int_equal(unlink(monitor), 0);
	assert_int_equal(unlink(other), 0);
	fd_close(inherited[0].fd);
}

/* Of one that fails nothing of systemd's is left open, and another's socket is left alone. */
static void another_daemons_socket_is_left_alone(void **state)
{
	struct notify_socket inherited = {"varlink-monitor", bound(monitor)};
	int there = bound(control);

	assert_int_equal(
		reception_open(&reception, server, control, NULL, &inherited, 1), -EADDRINUSE);
	assert_true(inherited.fd < 0);
	assert_false(hears(monitor));
	reception_close(&reception);
	assert_true(hears(control));
	fd_close(there);
	assert_int_equal(unlink(control), 0);
	assert_int_equal(unlink(monitor), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			our_own_paths_go_when_it_is_closed, setup, teardown),
		cmocka_unit_test_setup_teardown(
			systemds_are_found_by_name_and_stay, setup, teardown),
		cmocka_unit_test_setup_teardown(
			another_daemons_socket_is_left_alone, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
