/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/journal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"

static int journal = -EBADF;
static struct sockaddr_un address = {.sun_family = AF_UNIX};

/* The variable has "DEVICE:INODE". */
bool journal_is_stderr(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat st;

	if (!stream || sscanf(stream, "%llu:%llu", &device, &inode) != 2)
		return false;
	return fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

/* Not connected: journald may be started anew, and its socket with it. */
int journal_open(const char *path)
{
	int fd;

	if (strlen(path) >= sizeof(address.sun_path))
		return -EINVAL;
	fd = fd_move_high(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
	if (fd < 0)
		return -errno;
	memcpy(address.sun_path, path, strlen(path) + 1);
	journal = fd;
	return 0;
}

void journal_close(void)
{
	fd_close(take_fd(&journal));
}

bool journal_is_open(void)
{
	return journal >= 0;
}

int journal_send(const char *const fields[], size_t fields_used)
{
	struct iovec iov[2 * JOURNAL_FIELDS_MAX];
	struct msghdr message = {
		.msg_name = &address,
		.msg_namelen = sizeof(address),
		.msg_iov = iov,
		.msg_iovlen = 2 * fields_used,
	};
	ssize_t n;

	if (journal < 0)
		return -ENOENT;
	if (fields_used > JOURNAL_FIELDS_MAX)
		return -EINVAL;
	for (size_t i = 0; i < fields_used; i++) {
		iov[2 * i] = (struct iovec){(char *)fields[i], strlen(fields[i])};
		iov[2 * i + 1] = (struct iovec){(char *)"\n", 1};
	}
	do {
		n = sendmsg(journal, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}
