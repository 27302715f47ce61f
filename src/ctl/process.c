/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * /proc/PID/fd belongs to whoever has the number PID at that moment, the pidfd to one process for ever. So the links there are a hint
 * only: what counts is what pidfd_getfd() gives, looked at again on our side, and a process that still lives at the end
 * had its number all the time.
 *
 * A driver may block in any call, and a thread that blocks there cannot be killed. So each device is asked by a child of its own,
 * which is left behind when it does not answer: it ends when the driver lets go of it. Until then it holds nothing that others wait
 * for, neither the other devices nor our output.
 */
#include "ctl/process.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/mem.h"
#include "ctl/number.h"
#include "handover/descriptor.h"
#include "vfio/device.h"

static int kernel_take(const struct process_ops *ops, int pidfd, int number, int *ret_fd)
{
	_cleanup_fd_ int fd = (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);

	if (fd < 0)
		return -errno;
	if (descriptor_vfio_device(fd))
		return -EBADF;
	*ret_fd = take_fd(&fd);
	return 0;
}

const struct process_ops process_kernel = {
	.proc = "/proc",
	.take = kernel_take,
	.vfio = &vfio_kernel,
	.patience_ms = LIMIT_ADOPT_PROBE_MS,
};

int process_open(struct process *process, pid_t pid)
{
	*process = (struct process){.pid = pid, .pidfd = -EBADF};
	process->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (process->pidfd >= 0)
		return 0;
	/* Newer kernels say ENOENT of a thread. */
	return errno == ENOENT ? -EINVAL : -errno;
}

void process_finish(struct process *process)
{
	process->pidfd = fd_close(process->pidfd);
	for (size_t i = 0; i < process->devices_used; i++)
		fd_close(process->devices[i].fd);
	process->devices_used = 0;
}

bool process_alive(const struct process *process)
{
	struct pollfd pollfd = {.fd = process->pidfd, .events = POLLIN};

	return poll(&pollfd, 1, 0) == 0;
}

const char *process_display_name(enum process_display display)
{
	static const char *const names[] = {
		[PROCESS_DISPLAY_NONE] = "none",
		[PROCESS_DISPLAY_DMABUF] = "dmabuf",
		[PROCESS_DISPLAY_REGION] = "region",
		[PROCESS_DISPLAY_UNBOUND] = "unbound",
		[PROCESS_DISPLAY_SILENT] = "silent",
		[PROCESS_DISPLAY_FAILED] = "failed",
	};

	return names[display];
}

static enum process_display ask(const struct vfio_device *device)
{
	int r = vfio_device_present(device);
	int failed;

	if (r == -EAGAIN)
		return PROCESS_DISPLAY_UNBOUND;
	if (r < 0)
		return PROCESS_DISPLAY_FAILED;
	/* As the daemon does: dma-bufs first. */
	failed = vfio_device_probe(device, VFIO_GFX_PLANE_TYPE_DMABUF);
	if (failed == 0)
		return PROCESS_DISPLAY_DMABUF;
	r = vfio_device_probe(device, VFIO_GFX_PLANE_TYPE_REGION);
	if (r == 0)
		return PROCESS_DISPLAY_REGION;
	return r == -ENOTTY && failed == -ENOTTY ? PROCESS_DISPLAY_NONE : PROCESS_DISPLAY_FAILED;
}

static int poll_answer(int fd, int patience_ms)
{
	struct pollfd pollfd = {.fd = fd, .events = POLLIN};

	return TEMP_FAILURE_RETRY(poll(&pollfd, 1, patience_ms));
}

/* Closes all but the two. */
static void keep_only(int a, int b)
{
	unsigned int low = (unsigned int)MIN(a, b), high = (unsigned int)MAX(a, b);

	if (low > 0)
		close_range(0, low - 1, 0);
	if (high - low > 1)
		close_range(low + 1, high - 1, 0);
	close_range(high + 1, ~0u, 0);
}

/* Leaves a child that does not answer behind. */
static enum process_display ask_bounded(const struct process_ops *ops, int fd)
{
	const struct vfio_device device = {.fd = fd, .ops = ops->vfio};
	_cleanup_fd_ int reader = -EBADF, writer = -EBADF;
	unsigned char answer;
	int ends[2];
	pid_t child;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return PROCESS_DISPLAY_FAILED;
	reader = ends[0];
	writer = ends[1];
	child = fork();
	if (child < 0)
		return PROCESS_DISPLAY_FAILED;
	if (child == 0) {
		keep_only(fd, writer);
		answer = (unsigned char)ask(&device);
		_exit(write(writer, &answer, 1) == 1 ? 0 : 1);
	}
	writer = fd_close(writer);
	if (poll_answer(reader, ops->patience_ms) == 0) {
		kill(child, SIGKILL);
		return PROCESS_DISPLAY_SILENT;
	}
	if (read(reader, &answer, 1) != 1)
		answer = PROCESS_DISPLAY_FAILED;
	waitpid(child, NULL, 0);
	return answer;
}

static int compare_numbers(const void *a, const void *b)
{
	const struct process_device *left = a, *right = b;

	return left->number < right->number ? -1 : left->number > right->number;
}

/* Candidates by their links, sorted, without descriptors yet. */
static int read_links(struct process *process, DIR *dir, int only)
{
	const struct dirent *entry;

	while ((entry = readdir(dir))) {
		struct process_device *device = &process->devices[process->devices_used];
		char link[256];
		ssize_t n;
		int number;

		if (number_parse(entry->d_name, &number) < 0 || (only >= 0 && number != only))
			continue;
		n = readlinkat(dirfd(dir), entry->d_name, link, sizeof(link) - 1);
		if (n < 0 && errno == EACCES)
			return -EACCES;
		if (n < 0)
			continue; /* closed meanwhile */
		link[n] = '\0';
		if (!descriptor_link_is_vfio(link))
			continue;
		if (process->devices_used == ARRAY_SIZE(process->devices))
			return -E2BIG;
		*device = (struct process_device){.fd = -EBADF, .number = number};
		memcpy(device->link, link, MIN((size_t)n, sizeof(device->link) - 1));
		process->devices_used++;
	}
	qsort(process->devices, process->devices_used, sizeof(process->devices[0]),
		compare_numbers);
	return 0;
}

static int find_candidates(struct process *process, const struct process_ops *ops, int only)
{
	char path[128];
	DIR *dir;
	int r;

	snprintf(path, sizeof(path), "%s/%d/fd", ops->proc, (int)process->pid);
	dir = opendir(path);
	/* A /proc that hides the processes of others has no such directory. */
	if (!dir)
		return errno != ENOENT ? -errno : process_alive(process) ? -EACCES : -ESRCH;
	r = read_links(process, dir, only);
	closedir(dir);
	return r;
}

static bool is_copy(
	const struct process_device *device, const struct process_device *others, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (descriptor_same_file(device->fd, others[i].fd) > 0)
			return true;
	return false;
}

int process_scan(struct process *process, const struct process_ops *ops, int only)
{
	size_t kept = 0;
	int r = find_candidates(process, ops, only);

	for (size_t i = 0; r >= 0 && i < process->devices_used; i++) {
		struct process_device device = process->devices[i];

		process->devices[i].fd = -EBADF;
		r = ops->take(ops, process->pidfd, device.number, &device.fd);
		if (r == -EBADF) {
			r = 0;
		} else if (r >= 0 && is_copy(&device, process->devices, kept)) {
			fd_close(device.fd);
		} else if (r >= 0) {
			device.display = ask_bounded(ops, device.fd);
			process->devices[kept++] = device;
		}
	}
	process->devices_used = kept;
	return r;
}
