/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/sealed.h"

#include <errno.h>
#include <sys/mman.h>

#include "base/fd.h"

int sealed_text(const char *name, const char *text, size_t size, int *ret_fd)
{
	_cleanup_fd_ int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -errno;
	for (size_t at = 0; at < size;) {
		ssize_t n = pwrite(fd, text + at, size - at, at);

		if (n < 0)
			return -errno;
		at += n;
	}
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return -errno;
	*ret_fd = fd_move_high(take_fd(&fd));
	return *ret_fd < 0 ? *ret_fd : 0;
}
