/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/packet.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"

int packet_send(int socket, const void *packet, size_t size, int fd)
{
	struct iovec iov = {.iov_base = (void *)packet, .iov_len = size};
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	if (fd >= 0) {
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.header), &fd, sizeof(int));
	}
	while (sendmsg(socket, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
		if (errno == EINTR)
			continue;
		return errno == ECONNRESET || errno == ENOTCONN ? -EPIPE : -errno;
	}
	return 0;
}

/* A packet carries one descriptor at most, but the padding of control data leaves room for a second one, which the kernel
 * then installs without MSG_CTRUNC. Each must be found, or it is leaked. Returns how many came; *ret_fd is the first. */
static size_t take_fds(struct msghdr *msg, int *ret_fd)
{
	size_t count = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t at = 0; CMSG_LEN(at + sizeof(int)) <= c->cmsg_len; at += sizeof(int)) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + at, sizeof(fd));
			if (count++)
				fd_close(fd);
			else
				*ret_fd = fd;
		}
	}
	return count;
}

int packet_receive(int socket, void *packet, size_t size, int *ret_fd)
{
	struct iovec iov = {.iov_base = packet, .iov_len = size};
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	_cleanup_fd_ int fd = -EBADF;
	size_t count;
	ssize_t n;

	do
		n = recvmsg(socket, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == ECONNRESET ? -EPIPE : -errno;
	count = take_fds(&msg, &fd);
	if (n == 0)
		return -EPIPE;
	if (n != (ssize_t)size || msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC) || count > 1)
		return -EPROTO;
	*ret_fd = take_fd(&fd);
	return 0;
}
