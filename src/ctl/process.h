/* SPDX-License-Identifier: GPL-2.0-or-later */
/* process.h - the VFIO devices that a running process has open, found and taken without its help.
 *
 * Everything hangs on a pidfd that is opened first: descriptors are taken through it, so they are those of one and the same
 * process, whatever becomes of its number. A device is asked GET_INFO and the two PROBEs, nothing else.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/limits.h"

struct vfio_ops;

enum process_display {
	PROCESS_DISPLAY_NONE,
	PROCESS_DISPLAY_DMABUF,
	PROCESS_DISPLAY_REGION,
	PROCESS_DISPLAY_UNBOUND, /* a cdev that is not bound to an iommufd: nobody can know yet */
	PROCESS_DISPLAY_SILENT,	 /* the driver did not answer in time */
	PROCESS_DISPLAY_FAILED,	 /* the driver answered with an error */
};

struct process_device {
	int fd;	       /* owned: the same open file as the process's */
	int number;    /* in the process; of several copies of one open file the lowest */
	char link[64]; /* "anon_inode:[vfio-device]", "/dev/vfio/devices/vfio0"; cut */
	enum process_display display;
};

struct process {
	pid_t pid;
	int pidfd; /* owned */
	struct process_device devices[LIMIT_ADOPT_DEVICES];
	size_t devices_used;
};

/* How a process is reached: the kernel, or a test. */
struct process_ops {
	const char *proc; /* where PID/fd is */
	/* *ret_fd is the caller's. -EBADF: the process has no VFIO device there (any more). */
	int (*take)(const struct process_ops *ops, int pidfd, int number, int *ret_fd);
	const struct vfio_ops *vfio;
	int patience_ms; /* with each device */
};

extern const struct process_ops process_kernel;

/* -ESRCH: no such process. -EINVAL: a thread of one. -ENOSYS: the kernel cannot do it. Pair with process_finish(), whatever is
 * returned. */
int process_open(struct process *process, pid_t pid);
void process_finish(struct process *process);
/* Fills the devices in, once. @only: just this number of the process; -1: all, one for each open file.
 * -EACCES: its descriptors may not be seen; -EPERM: they may not be taken; -ESRCH: it has ended; -E2BIG: more than
 * LIMIT_ADOPT_DEVICES. Waits not longer than patience_ms for a driver. */
int process_scan(struct process *process, const struct process_ops *ops, int only);
/* It has not ended: everything that was found belongs to it. */
bool process_alive(const struct process *process);
/* "dmabuf", "none", "silent". */
const char *process_display_name(enum process_display display);
