/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "varlink/connection.h"

/* Of headers newer than these: Linux 6.5, include/uapi/asm-generic/socket.h; Linux 6.9, include/uapi/linux/magic.h. */
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif
#define PIDFS_MAGIC 0x50494446

struct groups *groups_use(struct groups *groups)
{
	if (groups)
		groups->users++;
	return groups;
}

void groups_unuse(struct groups *groups)
{
	if (groups && --groups->users == 0)
		free(groups);
}

/* Before pidfs all pidfds were one inode. */
static uint64_t process_number(int socket)
{
	_cleanup_fd_ int pidfd = -EBADF;
	socklen_t size = sizeof(pidfd);
	struct statfs system;
	struct stat st;
	int fd;

	if (getsockopt(socket, SOL_SOCKET, SO_PEERPIDFD, &fd, &size) < 0)
		return 0;
	pidfd = fd;
	if (fstatfs(pidfd, &system) < 0 || system.f_type != PIDFS_MAGIC || fstat(pidfd, &st) < 0)
		return 0;
	return st.st_ino;
}

static int read_groups(int socket, struct groups **ret, size_t *ret_used)
{
	struct groups *groups;
	socklen_t size = 0;

	/* With no room it says how much is needed. */
	if (getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, NULL, &size) == 0 || errno != ERANGE) {
		*ret = NULL;
		*ret_used = 0;
		return 0;
	}
	if (size > LIMIT_PEER_GROUPS * sizeof(gid_t))
		return -E2BIG;
	groups = malloc(sizeof(*groups) + size);
	if (!groups)
		return -ENOMEM;
	if (getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups->list, &size) < 0) {
		free(groups);
		return -errno;
	}
	groups->users = 1;
	*ret = groups;
	*ret_used = size / sizeof(gid_t);
	return 0;
}

int peer_read(int fd, struct varlink_peer *ret, struct groups **ret_groups)
{
	struct groups *groups = NULL;
	struct ucred credentials;
	socklen_t size = sizeof(credentials);
	size_t used = 0;
	int r;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0)
		return -errno;
	r = read_groups(fd, &groups, &used);
	if (r == -E2BIG)
		log_notice(NULL,
			"control socket: uid %u is in more than %d groups, none of them is looked "
			"at",
			(unsigned int)credentials.uid, LIMIT_PEER_GROUPS);
	else if (r < 0)
		return r;
	*ret = (struct varlink_peer){
		.uid = credentials.uid,
		.gid = credentials.gid,
		.pid = credentials.pid,
		.process = process_number(fd),
		.groups = groups ? groups->list : NULL,
		.groups_used = used,
	};
	*ret_groups = groups;
	return 0;
}
