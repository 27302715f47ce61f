/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/filter.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

int filter_allow_if(
	scmp_filter_ctx filter, int call, unsigned int count, const struct scmp_arg_cmp *conditions)
{
	return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, count, conditions);
}

#ifndef SANITIZED

/* F_SETOWN with F_SETSIG would send signals to the daemon, which has the same uid. */
static const int fcntl_commands[] = {
	F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_GET_SEALS};

static int add_common(scmp_filter_ctx filter)
{
	const struct scmp_arg_cmp no_exec = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
	const struct scmp_arg_cmp thread = SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD);
	const struct scmp_arg_cmp name = SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME, 0);
	const struct scmp_arg_cmp ourselves = SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0);
	int r;

	r = filter_allow_if(filter, SCMP_SYS(mmap), 1, &no_exec);
	if (r == 0)
		r = filter_allow_if(filter, SCMP_SYS(mprotect), 1, &no_exec);
	if (r == 0)
		r = filter_allow_if(filter, SCMP_SYS(prctl), 1, &name);
	if (r == 0)
		r = filter_allow_if(filter, SCMP_SYS(tgkill), 1, &ourselves);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(fcntl_commands); i++) {
		const struct scmp_arg_cmp command = SCMP_A1(SCMP_CMP_EQ, fcntl_commands[i], 0);

		r = filter_allow_if(filter, SCMP_SYS(fcntl), 1, &command);
	}
	/* The flags of clone3 are in memory, where a filter cannot look: glibc falls back to clone. */
	if (r == 0)
		r = filter_allow_if(filter, SCMP_SYS(clone), 1, &thread);
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	return r;
}

int filter_install(const struct filter_lists *lists)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int r;

	if (!filter)
		return -ENOMEM;
	r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	for (size_t i = 0; r == 0 && i < lists->allowed_used; i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, lists->allowed[i], 0);
	for (size_t i = 0; r == 0 && i < lists->deadly_used; i++)
		r = seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, lists->deadly[i], 0);
	if (r == 0)
		r = add_common(filter);
	if (r == 0)
		r = lists->add(filter);
	if (r == 0)
		r = seccomp_load(filter);
	seccomp_release(filter);
	return r;
}

#else

int filter_install(const struct filter_lists *lists)
{
	log_debug(NULL, "built with a sanitizer: no system call filter");
	return 0;
}

#endif
