/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "handover/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/fd.h"
#include "base/mem.h"

union address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_un un;
	struct sockaddr_storage storage;
};

static int parse_port(const char *text, in_port_t *ret)
{
	unsigned long port;
	char *end;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	port = strtoul(text, &end, 10);
	if (*end || port < 1 || port > 65535)
		return -EINVAL;
	*ret = htons(port);
	return 0;
}

/* Every address, of IPv6 and, mapped into it, of IPv4. */
static int parse_any(const char *port, union address *ret, socklen_t *ret_length)
{
	*ret = (union address){0};
	ret->in6.sin6_family = AF_INET6;
	ret->in6.sin6_addr = in6addr_any;
	*ret_length = sizeof(ret->in6);
	return parse_port(port, &ret->in6.sin6_port);
}

static int parse_inet(const char *text, union address *ret, socklen_t *ret_length, bool *ret_both)
{
	const char *colon = strrchr(text, ':');
	char host[64];
	size_t n;

	*ret_both = strncmp(text, "*:", 2) == 0;
	if (*ret_both)
		return parse_any(text + 2, ret, ret_length);
	if (!colon || colon == text)
		return -EINVAL;
	n = colon - text;
	if (n >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, n);
	host[n] = '\0';
	*ret = (union address){0};
	if (host[0] == '[' && host[n - 1] == ']') {
		host[n - 1] = '\0';
		ret->in6.sin6_family = AF_INET6;
		*ret_length = sizeof(ret->in6);
		if (inet_pton(AF_INET6, host + 1, &ret->in6.sin6_addr) != 1)
			return -EINVAL;
		return parse_port(colon + 1, &ret->in6.sin6_port);
	}
	ret->in.sin_family = AF_INET;
	*ret_length = sizeof(ret->in);
	if (inet_pton(AF_INET, strcmp(host, "localhost") == 0 ? "127.0.0.1" : host,
		    &ret->in.sin_addr) != 1)
		return -EINVAL;
	return parse_port(colon + 1, &ret->in.sin_port);
}

/* A socket file that answers "connection refused" has been left behind by a dead listener. */
static void remove_stale(const struct sockaddr_un *un, socklen_t length)
{
	_cleanup_fd_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct stat st;

	if (fd < 0 || lstat(un->sun_path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return;
	if (connect(fd, (const struct sockaddr *)un, length) < 0 && errno == ECONNREFUSED)
		unlink(un->sun_path);
}

const char *address_path(const char *address)
{
	return strncmp(address, "unix:", 5) == 0 ? address + 5 : NULL;
}

int address_listen(const char *address, int *ret_fd)
{
	const char *path = address_path(address);
	_cleanup_fd_ int fd = -EBADF;
	union address to = {0};
	const int on = 1;
	bool both = false;
	socklen_t length;
	int alone, r;

	if (path) {
		if (path[0] != '/' || strlen(path) >= sizeof(to.un.sun_path))
			return -EINVAL;
		to.un.sun_family = AF_UNIX;
		strncpy(to.un.sun_path, path, sizeof(to.un.sun_path) - 1);
		length = sizeof(to.un);
		remove_stale(&to.un, length);
	} else {
		r = parse_inet(address, &to, &length, &both);
		if (r < 0)
			return r;
	}
	fd = socket(to.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (to.any.sa_family != AF_UNIX)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	alone = !both;
	if (to.any.sa_family == AF_INET6 &&
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &alone, sizeof(alone)) < 0)
		return -errno;
	if (bind(fd, &to.any, length) < 0)
		return -errno;
	if (to.any.sa_family == AF_UNIX && chmod(to.un.sun_path, 0660) < 0)
		return -errno;
	if (listen(fd, SOMAXCONN) < 0)
		return -errno;
	*ret_fd = take_fd(&fd);
	return 0;
}

static bool local_address(int fd, union address *ret)
{
	socklen_t length = sizeof(*ret);

	*ret = (union address){0};
	return getsockname(fd, &ret->any, &length) == 0;
}

bool address_is_unix(int fd)
{
	union address own;

	return local_address(fd, &own) && own.any.sa_family == AF_UNIX;
}

bool address_is_local(int fd)
{
	union address own;

	if (!local_address(fd, &own))
		return false;
	switch (own.any.sa_family) {
	case AF_UNIX:
		return true;
	case AF_INET:
		return ntohl(own.in.sin_addr.s_addr) >> 24 == 127;
	case AF_INET6:
		return IN6_IS_ADDR_LOOPBACK(&own.in6.sin6_addr) ||
		       (IN6_IS_ADDR_V4MAPPED(&own.in6.sin6_addr) &&
			       own.in6.sin6_addr.s6_addr[12] == 127);
	default:
		return false;
	}
}

void address_describe(int fd, char ret[128])
{
	char host[INET6_ADDRSTRLEN] = "?";
	union address own;

	ret[0] = '\0';
	if (!local_address(fd, &own))
		return;
	if (own.any.sa_family == AF_UNIX) {
		snprintf(ret, 128, "unix:%.*s", (int)sizeof(own.un.sun_path), own.un.sun_path);
	} else if (own.any.sa_family == AF_INET) {
		inet_ntop(AF_INET, &own.in.sin_addr, host, sizeof(host));
		snprintf(ret, 128, "%s:%u", host, ntohs(own.in.sin_port));
	} else {
		inet_ntop(AF_INET6, &own.in6.sin6_addr, host, sizeof(host));
		snprintf(ret, 128, "[%s]:%u", host, ntohs(own.in6.sin6_port));
	}
}
