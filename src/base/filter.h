/* SPDX-License-Identifier: GPL-2.0-or-later */
/* filter.h - the system calls that a program of the daemon may still make once it has closed the door behind itself.
 *
 * Beside the caller's lists, what both programs need under a condition: memory that is not executable, threads, their names,
 * signals to itself, and the commands of fcntl() that touch no other process.
 */
#pragma once

#include <seccomp.h>
#include <stddef.h>

struct filter_lists {
	const int *allowed; /* SCMP_SYS numbers */
	size_t allowed_used;
	const int *deadly; /* an attempt ends the process; all that is in neither list answers EPERM */
	size_t deadly_used;
	int (*add)(scmp_filter_ctx filter); /* the caller's own conditional rules; -errno */
};

/* Allows @call where all @conditions hold. -errno. */
int filter_allow_if(scmp_filter_ctx filter, int call, unsigned int count, const struct scmp_arg_cmp *conditions);
/* All threads at once; cannot be undone. Does nothing in a build with sanitizers, which need more. -ENOMEM, -errno. */
int filter_install(const struct filter_lists *lists);
