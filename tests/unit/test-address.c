/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "handover/address.h"

static void bad_addresses_are_refused(void **state)
{
	static const char *const bad[] = {"", ":", "127.0.0.1", "127.0.0.1:", ":5900",
		"127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:5900x", "127.0.0.1:-1", "[::1]",
		"[::1:5900", "::1:5900", "example.org:5900", "unix:", "unix:relative",
		"127.0.0.1: 5900", "*", "*:", "*:0", "*5900", "**:5900", "[*]:5900"};
	char path[300] = "unix:/";
	int fd;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(address_listen(bad[i], &fd), -EINVAL);
	memset(path + 6, 'a', sizeof(path) - 7);
	assert_int_equal(address_listen(path, &fd), -EINVAL);
}

/* Whatever port is free. */
static int listen_somewhere(const char *host, char *ret_address, size_t size)
{
	int fd, r = -EADDRINUSE;

	for (int port = 40000; port < 40100 && r == -EADDRINUSE; port++) {
		snprintf(ret_address, size, "%s:%d", host, port);
		r = address_listen(ret_address, &fd);
	}
	return r < 0 ? r : fd;
}

static void loopback_is_local(void **state)
{
	char address[64], told[128];
	int fd = listen_somewhere("127.0.0.1", address, sizeof(address));

	assert_true(fd >= 0);
	assert_true(address_is_local(fd));
	assert_false(address_is_unix(fd));
	address_describe(fd, told);
	assert_string_equal(told, address);
	close(fd);

	fd = listen_somewhere("[::1]", address, sizeof(address));
	if (fd == -EADDRNOTAVAIL || fd == -EAFNOSUPPORT)
		return; /* a host without IPv6 */
	assert_true(fd >= 0);
	assert_true(address_is_local(fd));
	address_describe(fd, told);
	assert_string_equal(told, address);
	close(fd);
}

static bool reached(int family, int fd)
{
	struct sockaddr_storage own;
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
	socklen_t size = sizeof(own);
	_cleanup_fd_ int client = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(getsockname(fd, (struct sockaddr *)&own, &size), 0);
	in.sin_port = in6.sin6_port = ((struct sockaddr_in6 *)&own)->sin6_port;
	return family == AF_INET ? connect(client, (struct sockaddr *)&in, sizeof(in)) == 0
				 : connect(client, (struct sockaddr *)&in6, sizeof(in6)) == 0;
}

static void star_is_both_families(void **state)
{
	char address[64];
	int fd = listen_somewhere("[::]", address, sizeof(address));

	if (fd == -EADDRNOTAVAIL || fd == -EAFNOSUPPORT)
		return; /* a host without IPv6 */
	assert_true(fd >= 0);
	assert_false(address_is_local(fd));
	assert_true(reached(AF_INET6, fd));
	assert_false(reached(AF_INET, fd));
	close(fd);
	fd = listen_somewhere("*", address, sizeof(address));
	assert_true(fd >= 0);
	assert_false(address_is_local(fd));
	assert_true(reached(AF_INET6, fd));
	assert_true(reached(AF_INET, fd));
	close(fd);
}

/* What a registrant or systemd may have bound: IPv4 written as IPv6. */
static void mapped_addresses_are_what_they_map(void **state)
{
	static const struct {
		const char *host;
		bool local;
	} cases[] = {{"::ffff:127.0.0.1", true}, {"::ffff:127.1.2.3", true},
		{"::ffff:0.0.0.0", false}, {"::", false}, {"::1", true}};
	const int off = 0;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_fd_ int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
		struct sockaddr_in6 to = {.sin6_family = AF_INET6};

		if (fd < 0)
			return; /* a host without IPv6 */
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
		assert_int_equal(inet_pton(AF_INET6, cases[i].host, &to.sin6_addr), 1);
		assert_int_equal(bind(fd, (struct sockaddr *)&to, sizeof(to)), 0);
		assert_int_equal(listen(fd, 1), 0);
		assert_int_equal(address_is_local(fd), cases[i].local);
	}
}

static void unix_sockets_replace_stale_ones_only(void **state)
{
	char dir[] = "/tmp/address.XXXXXX", address[64];
	struct stat st;
	int first, second;

	assert_non_null(mkdtemp(dir));
	snprintf(address, sizeof(address), "unix:%s/s", dir);
	assert_int_equal(address_listen(address, &first), 0);
	assert_true(address_is_local(first));
	assert_true(address_is_unix(first));
	assert_int_equal(stat(address + 5, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	assert_int_equal(address_listen(address, &second), -EADDRINUSE);
	close(first);
	assert_int_equal(address_listen(address, &second), 0);
	close(second);
	unlink(address + 5);

	/* A file that is no socket stays. */
	first = creat(address + 5, 0600);
	assert_true(first >= 0);
	close(first);
	assert_int_equal(address_listen(address, &second), -EADDRINUSE);
	assert_int_equal(unlink(address + 5), 0);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_addresses_are_refused),
		cmocka_unit_test(loopback_is_local),
		cmocka_unit_test(star_is_both_families),
		cmocka_unit_test(mapped_addresses_are_what_they_map),
		cmocka_unit_test(unix_sockets_replace_stale_ones_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
