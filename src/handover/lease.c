/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * poll() reports hang-up whether or not it is asked for, and data only when it is. libevent always asks for data, and data in a
 * lease must not wake us again and again. So the lease fd sits alone in an epoll instance of its own, which waits for
 * hang-up only (for a pidfd: for readability, which is its process's end), and the loop waits for that instance.
 */
#include "handover/lease.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/discard.h"
#include "base/fd.h"
#include "base/loop.h"
#include "base/mem.h"
#include "handover/descriptor.h"

struct lease {
	int fd;	   /* owned */
	int epoll; /* owned */
	struct loop_source *source;
	lease_fn ended;
	void *arg;
};

static void on_hangup(int fd, unsigned int events, void *arg)
{
	struct lease *lease = arg;
	struct epoll_event event;

	if (epoll_wait(fd, &event, 1, 0) < 1)
		return;
	loop_fd_events(lease->source, 0);
	lease->ended(lease->arg);
}

static uint32_t hangup_events(int fd)
{
	int type;
	socklen_t length = sizeof(type);

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0)
		return EPOLLRDHUP;
	return fcntl(fd, F_GETPIPE_SZ) >= 0 ? 0 : EPOLLIN;
}

bool lease_is_over(int fd)
{
	struct epoll_event event = {.events = hangup_events(fd)};
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	bool over;

	/* What cannot be waited for is no lease. */
	over = epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0 ||
	       epoll_wait(epoll, &event, 1, 0) != 0;
	fd_close(epoll);
	return over;
}

int lease_create(struct loop *loop, int fd, lease_fn ended, void *arg, struct lease **ret,
	const char **ret_reason)
{
	struct epoll_event event = {0};
	struct lease *lease;
	const char *unfit = descriptor_lease(fd);
	int r;

	if (unfit) {
		*ret_reason = unfit;
		return -EINVAL;
	}
	*ret_reason = "out of memory or descriptors";
	lease = new0(struct lease);
	if (!lease)
		return -ENOMEM;
	lease->fd = -EBADF;
	lease->ended = ended;
	lease->arg = arg;
	lease->epoll = fd_move_high(epoll_create1(EPOLL_CLOEXEC));
	if (lease->epoll < 0) {
		r = -errno;
		goto fail;
	}
	event.events = hangup_events(fd);
	if (epoll_ctl(lease->epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
		r = -errno;
		goto fail;
	}
	r = loop_fd_add(loop, lease->epoll, LOOP_READ, on_hangup, lease, &lease->source);
	if (r < 0)
		goto fail;
	lease->fd = fd;
	*ret = lease;
	return 0;
fail:
	lease_destroy(lease);
	return r;
}

void lease_destroy(struct lease *lease)
{
	if (!lease)
		return;
	loop_source_free(lease->source);
	fd_close(lease->epoll);
	fd_discard(lease->fd);
	free(lease);
}
