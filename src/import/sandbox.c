/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation: Mesa is loaded and has made its threads when this closes. What it then asks for out of habit (a cache on
 * the disk, a file of options, a scheduling class) is answered with EPERM, which it takes; what only an attacker asks for
 * ends the process.
 */
#include "import/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/confine.h"
#include "base/log.h"
#include "base/mem.h"

#ifndef SANITIZED

#define IOCTL_TYPE 0xff00u /* of a request's number, include/uapi/asm-generic/ioctl.h */

/* clang-format off */
static const int allowed[] = {
	/* fds that are here already, and those that come over the link */
	SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(close), SCMP_SYS(fstat),
	SCMP_SYS(newfstatat), SCMP_SYS(lseek), SCMP_SYS(dup), SCMP_SYS(pipe2), SCMP_SYS(eventfd2), SCMP_SYS(recvmsg), SCMP_SYS(sendmsg),
	/* waiting */
	SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait),
	SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(select), SCMP_SYS(pselect6), SCMP_SYS(nanosleep), SCMP_SYS(clock_nanosleep),
	SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres), SCMP_SYS(gettimeofday), SCMP_SYS(time),
	/* memory; making it executable is below */
	SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise),
	/* threads */
	SCMP_SYS(futex), SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity),
	SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(sigaltstack), SCMP_SYS(getpid),
	SCMP_SYS(gettid), SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(restart_syscall), SCMP_SYS(getcpu),
	/* what libraries ask */
	SCMP_SYS(getrandom), SCMP_SYS(uname), SCMP_SYS(sysinfo), SCMP_SYS(getrlimit), SCMP_SYS(getuid), SCMP_SYS(geteuid),
	SCMP_SYS(getgid), SCMP_SYS(getegid), SCMP_SYS(getppid),
};

static const int deadly[] = {
	SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(fork), SCMP_SYS(vfork), SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv),
	SCMP_SYS(process_vm_writev), SCMP_SYS(pidfd_getfd), SCMP_SYS(socket), SCMP_SYS(connect), SCMP_SYS(bind), SCMP_SYS(listen),
	SCMP_SYS(open_by_handle_at), SCMP_SYS(mount), SCMP_SYS(umount2), SCMP_SYS(pivot_root), SCMP_SYS(chroot), SCMP_SYS(unshare),
	SCMP_SYS(setns), SCMP_SYS(bpf), SCMP_SYS(perf_event_open), SCMP_SYS(userfaultfd), SCMP_SYS(keyctl), SCMP_SYS(add_key),
	SCMP_SYS(init_module), SCMP_SYS(finit_module), SCMP_SYS(kexec_load), SCMP_SYS(io_uring_setup),
};
/* clang-format on */

/* F_SETOWN with F_SETSIG would send signals to the daemon, which has the same uid. */
static const int fcntl_commands[] = {
	F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_GET_SEALS};

/* DRM's (include/uapi/drm/drm.h) and dma-buf's (include/uapi/linux/dma-buf.h). */
static const uint32_t ioctl_types[] = {'d', 'b'};

static int allow_if(scmp_filter_ctx filter, int call, struct scmp_arg_cmp condition)
{
	return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, 1, &condition);
}

static int add_conditional(scmp_filter_ctx filter)
{
	int r;

	r = allow_if(filter, SCMP_SYS(mmap), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (r == 0)
		r = allow_if(filter, SCMP_SYS(mprotect), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (r == 0)
		r = allow_if(filter, SCMP_SYS(prctl), SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME, 0));
	if (r == 0)
		r = allow_if(
			filter, SCMP_SYS(tgkill), SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0));
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(fcntl_commands); i++)
		r = allow_if(filter, SCMP_SYS(fcntl), SCMP_A1(SCMP_CMP_EQ, fcntl_commands[i], 0));
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(ioctl_types); i++)
		r = allow_if(filter, SCMP_SYS(ioctl),
			SCMP_A1(SCMP_CMP_MASKED_EQ, IOCTL_TYPE, ioctl_types[i] << 8));
	/* The flags of clone3 are in memory, where a filter cannot look: glibc falls back to clone. */
	if (r == 0)
		r = allow_if(filter, SCMP_SYS(clone),
			SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	return r;
}

static int install_filter(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int r;

	if (!filter)
		return -ENOMEM;
	r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(allowed); i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(deadly); i++)
		r = seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, deadly[i], 0);
	if (r == 0)
		r = add_conditional(filter);
	if (r == 0)
		r = seccomp_load(filter);
	seccomp_release(filter);
	return r;
}

#else

static int install_filter(void)
{
	log_debug(NULL, "built with a sanitizer: no system call filter");
	return 0;
}

#endif

int import_sandbox_enter(void)
{
	return install_filter();
}
