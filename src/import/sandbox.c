/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation: Mesa is loaded and has made its threads when this closes. What it then asks for out of habit (a cache on
 * the disk, a file of options, a scheduling class) is answered with EPERM, which it takes; what only an attacker asks for
 * ends the process.
 */
#include "import/sandbox.h"

#include <stdint.h>
#include <sys/syscall.h>

#include "base/filter.h"
#include "base/mem.h"

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

/* DRM's (include/uapi/drm/drm.h) and dma-buf's (include/uapi/linux/dma-buf.h). */
static const uint32_t ioctl_types[] = {'d', 'b'};

static int add_ioctls(scmp_filter_ctx filter)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(ioctl_types); i++) {
		const struct scmp_arg_cmp type =
			SCMP_A1(SCMP_CMP_MASKED_EQ, IOCTL_TYPE, ioctl_types[i] << 8);

		r = filter_allow_if(filter, SCMP_SYS(ioctl), 1, &type);
	}
	return r;
}

int import_sandbox_enter(void)
{
	static const struct filter_lists lists = {
		.allowed = allowed,
		.allowed_used = ARRAY_SIZE(allowed),
		.deadly = deadly,
		.deadly_used = ARRAY_SIZE(deadly),
		.add = add_ioctls,
	};

	return filter_install(&lists);
}
