/* SPDX-License-Identifier: GPL-2.0-or-later */
/* raw-peer.h - the other end of a control socket, byte by byte, for tests. Include after cmocka.h. */
#pragma once

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"

static inline size_t count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t count = 0;

	assert_non_null(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

static inline int open_memfd(void)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static inline void make_pair(int ret[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ret), 0);
}

/* One sendmsg(). @fds stay the caller's. */
static inline void peer_send_bytes(
	int fd, const void *bytes, size_t size, const int *fds, size_t fds_used)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int) * 253)];
		struct cmsghdr align;
	} control = {0};
	struct iovec iov = {.iov_base = (void *)bytes, .iov_len = size};
	struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1};

	if (fds_used > 0) {
		header.msg_control = control.bytes;
		header.msg_controllen = CMSG_SPACE(sizeof(int) * fds_used);
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(sizeof(int) * fds_used);
		memcpy(CMSG_DATA(&control.align), fds, sizeof(int) * fds_used);
	}
	assert_int_equal(sendmsg(fd, &header, MSG_NOSIGNAL | MSG_DONTWAIT), size);
}

/* @text and its NUL. */
static inline void peer_send(int fd, const char *text)
{
	peer_send_bytes(fd, text, strlen(text) + 1, NULL, 0);
}

/* Reads up to and with the next NUL, at most @size bytes. What is there is text; "" is the end, NULL nothing yet. */
static inline const char *peer_read(int fd, char *text, size_t size)
{
	for (size_t used = 0; used < size; used++) {
		ssize_t n = recv(fd, text + used, 1, MSG_DONTWAIT);

		if (n < 0 && errno == ECONNRESET)
			n = 0;
		if (n < 0) {
			assert_int_equal(errno, EAGAIN);
			assert_int_equal(used, 0);
			return NULL;
		}
		if (n == 0) {
			assert_int_equal(used, 0);
			return "";
		}
		if (text[used] == 0)
			return text;
	}
	fail_msg("a reply of more than %zu bytes", size);
	return NULL;
}

static inline void peer_expect(int fd, const char *text)
{
	static char buffer[4096];
	const char *got = peer_read(fd, buffer, sizeof(buffer));

	if (!text)
		assert_null(got);
	else {
		assert_non_null(got);
		assert_string_equal(got, text);
	}
}
