/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "handover/descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vfio-displayd/surface.h"

#define DRM_MAJOR \
	226 /* Documentation/admin-guide/devices.txt: card0 from minor 0, renderD128 from minor 128 */

/* An O_PATH fd answers fstat() and readlink() like the file itself, but nothing can be done with it. */
static bool is_open(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && !(flags & O_PATH);
}

static bool begins_with(const char *text, const char *beginning)
{
	return strncmp(text, beginning, strlen(beginning)) == 0;
}

/* Empty where there is none. Returns @target. */
static const char *link_of(int fd, char target[256])
{
	char path[32];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, target, 255);
	target[n < 0 ? 0 : n] = '\0';
	return target;
}

static bool link_is(int fd, const char *text)
{
	char target[256];

	return begins_with(link_of(fd, target), text);
}

/* What is known without asking: a file system in user space would be asked by fstat(), and answers when it likes. */
static int stat_known(int fd, struct statx *ret)
{
	return statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE | STATX_INO, ret);
}

static bool is_cdev_link(const char *link)
{
	return begins_with(link, "/dev/vfio/devices/");
}

bool descriptor_link_is_vfio(const char *link)
{
	/* Since 6.10 device fds have inodes of their own (vfio_main.c), shown as [vfio-device] or the cdev's path. */
	return begins_with(link, "anon_inode:[vfio-device]") ||
	       begins_with(link, "[vfio-device]") || begins_with(link, "/[vfio-device]") ||
	       is_cdev_link(link);
}

const char *descriptor_vfio_device(int fd)
{
	char link[256];
	struct statx st;

	if (!is_open(fd))
		return "is not an open file (O_PATH or closed)";
	if (!descriptor_link_is_vfio(link_of(fd, link)))
		return "is not a VFIO device";
	if (is_cdev_link(link) && (stat_known(fd, &st) < 0 || !S_ISCHR(st.stx_mode)))
		return "is not a VFIO device";
	return NULL;
}

const char *descriptor_surface(int fd)
{
	struct stat st;
	int seals;

	if (!is_open(fd))
		return "is not an open file (O_PATH or closed)";
	seals = fcntl(fd, F_GET_SEALS);
	if (seals < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return "is not a memfd";
	if (!(seals & F_SEAL_SHRINK))
		return "is a memfd without F_SEAL_SHRINK";
	if ((size_t)st.st_size < sizeof(struct vfio_displayd_surface))
		return "is a memfd too small for a surface header";
	return NULL;
}

const char *descriptor_render(int fd)
{
	struct statx st;

	if (!is_open(fd))
		return "is not an open file (O_PATH or closed)";
	if (stat_known(fd, &st) < 0 || !S_ISCHR(st.stx_mode) || st.stx_rdev_major != DRM_MAJOR)
		return "is not a DRM node";
	if ((fcntl(fd, F_GETFL) & O_ACCMODE) != O_RDWR)
		return "is not open for reading and writing";
	return NULL;
}

const char *descriptor_eventfd(int fd)
{
	if (!is_open(fd) || !link_is(fd, "anon_inode:[eventfd]"))
		return "is not an eventfd";
	return NULL;
}

static bool is_stream(int fd, int *ret_listens)
{
	int type, listens;
	socklen_t length = sizeof(type);

	if (!is_open(fd) || getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) < 0)
		return false;
	length = sizeof(listens);
	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) < 0)
		return false;
	*ret_listens = listens;
	return type == SOCK_STREAM;
}

static bool family_is_known(int fd)
{
	int family;
	socklen_t length = sizeof(family);

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &length) < 0)
		return false;
	return family == AF_UNIX || family == AF_INET || family == AF_INET6;
}

const char *descriptor_listener(int fd)
{
	int listens;

	if (!is_stream(fd, &listens) || !family_is_known(fd))
		return "is not a stream socket";
	return listens ? NULL : "is not a listening socket";
}

const char *descriptor_stream(int fd)
{
	struct sockaddr_storage peer;
	socklen_t length = sizeof(peer);
	int listens;

	if (!is_stream(fd, &listens) || !family_is_known(fd))
		return "is not a stream socket";
	if (listens || getpeername(fd, (struct sockaddr *)&peer, &length) < 0)
		return "is not a connected socket";
	return NULL;
}

const char *descriptor_lease(int fd)
{
	struct sockaddr_storage peer;
	socklen_t length = sizeof(peer);

	if (!is_open(fd))
		return "is not an open file (O_PATH or closed)";
	/* Since 6.9 a pidfd is a file of pidfs (fs/pidfs.c), "pidfd:[INODE]". */
	if (link_is(fd, "anon_inode:[pidfd]") || link_is(fd, "pidfd:["))
		return NULL;
	if (fcntl(fd, F_GETPIPE_SZ) >= 0)
		return NULL;
	if (getpeername(fd, (struct sockaddr *)&peer, &length) == 0)
		return NULL;
	return "is not a pidfd, pipe or connected socket";
}

int descriptor_same_file(int a, int b)
{
	long r = syscall(
		SYS_kcmp, getpid(), getpid(), KCMP_FILE, (unsigned long)a, (unsigned long)b);

	return r < 0 ? -errno : r == 0;
}

int descriptor_same(int a, int b)
{
	struct statx sa, sb;

	if (stat_known(a, &sa) < 0 || stat_known(b, &sb) < 0)
		return -errno;
	if (S_ISCHR(sa.stx_mode) && S_ISCHR(sb.stx_mode))
		return sa.stx_rdev_major == sb.stx_rdev_major &&
		       sa.stx_rdev_minor == sb.stx_rdev_minor;
	/* Inode 0 and the shared anon inode tell nothing; a memfd has an inode of its own. */
	if (S_ISREG(sa.stx_mode) && S_ISREG(sb.stx_mode))
		return sa.stx_dev_major == sb.stx_dev_major &&
		       sa.stx_dev_minor == sb.stx_dev_minor && sa.stx_ino == sb.stx_ino;
	return descriptor_same_file(a, b);
}
