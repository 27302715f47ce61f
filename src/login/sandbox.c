/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation: without PAM the program reads one file and hashes, and a list of calls does. What a PAM module needs, nobody
 * knows: then all is allowed but what would reach into another process of the same user, the broker above all, or into the kernel.
 */
#include "login/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>

#include "base/confine.h"
#include "base/filter.h"
#include "base/log.h"
#include "base/mem.h"

/* clang-format off */
static const int allowed[] = {
	SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(close), SCMP_SYS(fstat), SCMP_SYS(newfstatat), SCMP_SYS(lseek),
	SCMP_SYS(recvmsg), SCMP_SYS(sendmsg), SCMP_SYS(poll), SCMP_SYS(ppoll),
	SCMP_SYS(clock_gettime), SCMP_SYS(clock_nanosleep), SCMP_SYS(gettimeofday), SCMP_SYS(time),
	SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise),
	SCMP_SYS(futex), SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(getpid), SCMP_SYS(gettid),
	SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(restart_syscall),
	SCMP_SYS(getrandom), SCMP_SYS(uname), SCMP_SYS(geteuid), SCMP_SYS(getuid),
};

static const int deadly[] = {
	SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(fork), SCMP_SYS(vfork), SCMP_SYS(socket), SCMP_SYS(connect), SCMP_SYS(bind),
	SCMP_SYS(listen), SCMP_SYS(ioctl),
};

/* With PAM too. */
static const int never[] = {
	SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev), SCMP_SYS(pidfd_getfd), SCMP_SYS(kcmp),
	SCMP_SYS(pidfd_send_signal), SCMP_SYS(open_by_handle_at), SCMP_SYS(mount), SCMP_SYS(umount2), SCMP_SYS(pivot_root),
	SCMP_SYS(chroot), SCMP_SYS(unshare), SCMP_SYS(setns), SCMP_SYS(bpf), SCMP_SYS(perf_event_open), SCMP_SYS(userfaultfd),
	SCMP_SYS(init_module), SCMP_SYS(finit_module), SCMP_SYS(delete_module), SCMP_SYS(kexec_load), SCMP_SYS(io_uring_setup),
	SCMP_SYS(move_pages), SCMP_SYS(process_madvise),
};
/* clang-format on */

static int add_files(scmp_filter_ctx filter)
{
	const struct scmp_arg_cmp reading = SCMP_A2(SCMP_CMP_MASKED_EQ, O_ACCMODE, O_RDONLY);
	int r = 0;

	r = filter_allow_if(filter, SCMP_SYS(openat), 1, &reading);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(never); i++)
		r = seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, never[i], 0);
	return r;
}

static int enter_without_pam(void)
{
	static const struct filter_lists lists = {
		.allowed = allowed,
		.allowed_used = ARRAY_SIZE(allowed),
		.deadly = deadly,
		.deadly_used = ARRAY_SIZE(deadly),
		.add = add_files,
	};

	return filter_install(&lists);
}

#ifndef SANITIZED

static int enter_with_pam(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int r = 0;

	if (!filter)
		return -ENOMEM;
	/* EPERM, not death: a module that tries one out of habit goes on without. */
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(never); i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), never[i], 0);
	if (r == 0)
		r = seccomp_load(filter);
	seccomp_release(filter);
	return r;
}

#else

static int enter_with_pam(void)
{
	return 0;
}

#endif

int login_sandbox_enter(bool pam)
{
	int r = confine_self();

	if (r < 0)
		return r;
	return pam ? enter_with_pam() : enter_without_pam();
}
