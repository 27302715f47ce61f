/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * What waits to be closed is in a queue, emptied by threads that end with it. A close that blocks keeps its thread; the others go
 * on, up to DISCARDERS of them. Behind so many stuck ones the rest waits: the limit on descriptors bounds it, and nothing of
 * ours waits with it, since the kinds of descriptors that we keep are closed at once.
 */
#include "base/discard.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/mem.h"

enum { DISCARDERS = 32, STACK_BYTES = 64 << 10 };

struct discarded {
	STAILQ_ENTRY(discarded) link; /* waiting */
	int fd;			      /* owned */
};

/* Process-wide, as descriptors are. `lock` guards the rest. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static STAILQ_HEAD(, discarded) waiting = STAILQ_HEAD_INITIALIZER(waiting);
static unsigned int discarders;

static bool socket_closes_at_once(int fd)
{
	int domain, listens;
	socklen_t length = sizeof(domain);

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) < 0)
		return false;
	length = sizeof(listens);
	return domain == AF_UNIX ||
	       (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) == 0 && listens);
}

/* A path begins with a slash, so no file can have such a name. */
static bool named_event_or_process(int fd)
{
	static const char *const names[] = {
		"anon_inode:[eventfd]", "anon_inode:[pidfd]", "pidfd:["};
	char path[32], target[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return false;
	target[n] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strncmp(target, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

static bool closes_at_once(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags < 0 || flags & O_PATH || fcntl(fd, F_GET_SEALS) >= 0 ||
	       fcntl(fd, F_GETPIPE_SZ) >= 0 || socket_closes_at_once(fd) ||
	       named_event_or_process(fd);
}

/* False: nothing waits, and the thread has been counted out. */
static bool close_next(void)
{
	struct discarded *next;

	pthread_mutex_lock(&lock);
	next = STAILQ_FIRST(&waiting);
	if (next)
		STAILQ_REMOVE_HEAD(&waiting, link);
	else
		discarders--;
	pthread_mutex_unlock(&lock);
	if (!next)
		return false;
	fd_close(next->fd);
	free(next);
	return true;
}

static void *discarder(void *arg)
{
	while (close_next())
		;
	return NULL;
}

static int start_discarder(void)
{
	pthread_attr_t attr;
	pthread_t thread;
	int r;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	r = -pthread_create(&thread, &attr, discarder, NULL);
	pthread_attr_destroy(&attr);
	return r;
}

int fd_discard(int fd)
{
	struct discarded *discarded;
	bool start, alone = false;
	int saved = errno;

	if (fd < 0)
		return -EBADF;
	discarded = closes_at_once(fd) ? NULL : new0(struct discarded);
	if (!discarded) {
		errno = saved;
		return fd_close(fd);
	}
	discarded->fd = fd;
	pthread_mutex_lock(&lock);
	STAILQ_INSERT_TAIL(&waiting, discarded, link);
	start = discarders < DISCARDERS;
	discarders += start;
	pthread_mutex_unlock(&lock);
	if (start && start_discarder() < 0) {
		pthread_mutex_lock(&lock);
		alone = discarders == 1;
		discarders -= !alone;
		pthread_mutex_unlock(&lock);
	}
	if (alone) /* in the place of the thread that could not be had */
		discarder(NULL);
	errno = saved;
	return -EBADF;
}

void fd_discardp(int *fd)
{
	*fd = fd_discard(*fd);
}
