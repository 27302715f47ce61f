/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation: it comes back to its peers, so it may connect to Unix sockets, of which its unit shows it few. It opens no file, starts
 * nothing, and the one ioctl() asks whether an input device is grabbed.
 */
#include "adapter/sandbox.h"

#include <linux/input.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "base/confine.h"
#include "base/filter.h"
#include "base/mem.h"

/* clang-format off */
static const int allowed[] = {
	SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(close), SCMP_SYS(fstat), SCMP_SYS(newfstatat),
	SCMP_SYS(connect), SCMP_SYS(recvfrom), SCMP_SYS(recvmsg), SCMP_SYS(sendto), SCMP_SYS(sendmsg), SCMP_SYS(getsockopt), SCMP_SYS(getsockname),
	SCMP_SYS(getpeername), SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_pwait2), SCMP_SYS(timerfd_settime), SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(time),
	SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(futex),
	SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(getpid), SCMP_SYS(gettid),
	SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(restart_syscall), SCMP_SYS(getrandom),
};

static const int deadly[] = {
	SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(fork), SCMP_SYS(vfork), SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv),
	SCMP_SYS(process_vm_writev), SCMP_SYS(pidfd_getfd), SCMP_SYS(bind), SCMP_SYS(listen), SCMP_SYS(accept), SCMP_SYS(accept4),
	SCMP_SYS(open_by_handle_at), SCMP_SYS(mount), SCMP_SYS(umount2), SCMP_SYS(pivot_root), SCMP_SYS(chroot),
	SCMP_SYS(unshare), SCMP_SYS(setns), SCMP_SYS(bpf), SCMP_SYS(perf_event_open), SCMP_SYS(userfaultfd), SCMP_SYS(memfd_create),
	SCMP_SYS(init_module), SCMP_SYS(finit_module), SCMP_SYS(kexec_load), SCMP_SYS(io_uring_setup),
};
/* clang-format on */

static int add_rules(scmp_filter_ctx filter)
{
	const struct scmp_arg_cmp here = SCMP_A0(SCMP_CMP_EQ, AF_UNIX, 0);
	const struct scmp_arg_cmp grab = SCMP_A1(SCMP_CMP_EQ, EVIOCGRAB, 0);
	const struct scmp_arg_cmp patience[] = {
		SCMP_A1(SCMP_CMP_EQ, SOL_SOCKET, 0), SCMP_A2(SCMP_CMP_EQ, SO_SNDTIMEO, 0)};
	int r;

	r = filter_allow_if(filter, SCMP_SYS(socket), 1, &here);
	if (r == 0)
		r = filter_allow_if(filter, SCMP_SYS(socketpair), 1, &here);
	if (r == 0)
		r = filter_allow_if(filter, SCMP_SYS(ioctl), 1, &grab);
	if (r == 0)
		r = filter_allow_if(filter, SCMP_SYS(setsockopt), ARRAY_SIZE(patience), patience);
	return r;
}

int adapter_sandbox_enter(void)
{
	static const struct filter_lists lists = {
		.allowed = allowed,
		.allowed_used = ARRAY_SIZE(allowed),
		.deadly = deadly,
		.deadly_used = ARRAY_SIZE(deadly),
		.add = add_rules,
	};
	int r = confine_self();

	return r < 0 ? r : filter_install(&lists);
}
