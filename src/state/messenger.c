/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "state/messenger.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"

/* A path, or "@" and a name in the abstract space: sd_notify(3). */
static bool find_address(struct messenger *messenger)
{
	const char *path = getenv("NOTIFY_SOCKET");
	size_t size = path ? strlen(path) : 0;

	if (size < 2 || size >= sizeof(messenger->address.sun_path) ||
		(path[0] != '/' && path[0] != '@'))
		return false;
	messenger->address.sun_family = AF_UNIX;
	memcpy(messenger->address.sun_path, path, size);
	if (path[0] == '@')
		messenger->address.sun_path[0] = '\0';
	messenger->address_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
	return true;
}

static int reach(const struct messenger *messenger, int fd)
{
	return connect(fd, (const struct sockaddr *)&messenger->address, messenger->address_size) <
			       0
		       ? -errno
		       : 0;
}

int messenger_init(struct messenger *messenger)
{
	int fd, r;

	*messenger = (struct messenger){.fd = -EBADF};
	if (!find_address(messenger))
		return 0;
	fd = fd_move_high(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
	if (fd < 0)
		return -errno;
	r = reach(messenger, fd);
	if (r < 0)
		fd_close(fd);
	else
		messenger->fd = fd;
	return r;
}

void messenger_finish(struct messenger *messenger)
{
	fd_closep(&messenger->fd);
}

static int send_once(struct messenger *messenger, const char *text, size_t size, int fd)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec vector = {.iov_base = (char *)text, .iov_len = size};
	struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};

	if (fd >= 0) {
		message.msg_control = &control;
		message.msg_controllen = sizeof(control);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(fd));
		memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	}
	return sendmsg(messenger->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int messenger_send(struct messenger *messenger, const char *text, size_t size, int fd)
{
	int r;

	if (messenger->fd < 0)
		return -ENOTCONN;
	r = send_once(messenger, text, size, fd);
	/* systemd has made itself anew. */
	if (r == -ECONNREFUSED || r == -ENOTCONN || r == -ECONNRESET) {
		if (reach(messenger, messenger->fd) == 0)
			r = send_once(messenger, text, size, fd);
	}
	/* ETOOMANYREFS: too many descriptors of ours are on their way. */
	return r == -ETOOMANYREFS || r == -ENOMEM ? -ENOBUFS : r;
}
