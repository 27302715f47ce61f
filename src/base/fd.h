/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fd.h - file descriptors with one owner.
 *
 * The empty value is -EBADF. Every fd is CLOEXEC at birth. A local fd lives in `_cleanup_fd_ int fd = -EBADF` and leaves
 * by take_fd(). Fds that the broker keeps for long are moved to 1024 and above (fd_move_high), because LibVNCServer's
 * fd_set ends there and because low numbers make mistakes with 0, 1 and 2 easy.
 */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <unistd.h>

#define FD_HIGH 1024

static inline int fd_close(int fd)
{
	if (fd >= 0) {
		int saved = errno;

		close(fd);
		errno = saved;
	}
	return -EBADF;
}

static inline void fd_closep(int *fd)
{
	*fd = fd_close(*fd);
}

#define _cleanup_fd_ __attribute__((cleanup(fd_closep)))

static inline int take_fd(int *fd)
{
	int taken = *fd;

	*fd = -EBADF;
	return taken;
}

/* Moves an fd to a number >= FD_HIGH. Consumes @fd in every case. Returns the new number, or @fd itself where
 * RLIMIT_NOFILE leaves no room above (an unprivileged run), or -errno. */
static inline int fd_move_high(int fd)
{
	int high;

	if (fd < 0 || fd >= FD_HIGH)
		return fd;
	high = fcntl(fd, F_DUPFD_CLOEXEC, FD_HIGH);
	if (high < 0)
		return errno == EINVAL || errno == EMFILE ? fd : (fd_close(fd), -errno);
	fd_close(fd);
	return high;
}
