/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation: a list of what may be called. The rest answers EPERM, so that a library that merely asks (for a locale, a
 * processor count) goes on without; the calls that only an attacker makes end the process at once, which the broker logs.
 *
 * The broker runs under the same uid, so nothing may send a signal to another process: tgkill() is held to this one, and
 * fcntl() to what is needed, because F_SETOWN with F_SETSIG makes the kernel send any signal, SIGKILL too, to any process of
 * that uid. The listeners are the broker's as well, shared by every program that follows: shutdown() of the receiving half
 * would end them for good, and turn a TCP one into a socket that sendmsg(MSG_FASTOPEN) can connect to anywhere; a filter set by
 * setsockopt() would make them deaf.
 */
#include "rfb/sandbox.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "base/confine.h"
#include "base/filter.h"
#include "base/mem.h"

/* clang-format off */
static const int allowed[] = {
	/* fds that are here already, and memory files that come over the link */
	SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(close), SCMP_SYS(fstat),
	SCMP_SYS(newfstatat), SCMP_SYS(lseek), SCMP_SYS(dup), SCMP_SYS(pipe2), SCMP_SYS(eventfd2),
	SCMP_SYS(timerfd_create), SCMP_SYS(timerfd_settime),
	/* sockets: those accepted, those received, and pairs */
	SCMP_SYS(accept4), SCMP_SYS(recvfrom), SCMP_SYS(recvmsg), SCMP_SYS(sendmsg), SCMP_SYS(getsockopt),
	SCMP_SYS(getsockname), SCMP_SYS(getpeername),
	/* waiting */
	SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_pwait2),
	SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(select), SCMP_SYS(pselect6), SCMP_SYS(nanosleep),
	SCMP_SYS(clock_nanosleep), SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres), SCMP_SYS(gettimeofday), SCMP_SYS(time),
	/* memory; making it executable is below */
	SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise),
	/* threads */
	SCMP_SYS(futex), SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity),
	SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(sigaltstack), SCMP_SYS(getpid),
	SCMP_SYS(gettid), SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(restart_syscall),
	/* what libraries ask */
	SCMP_SYS(getrandom), SCMP_SYS(uname), SCMP_SYS(sysinfo), SCMP_SYS(getrlimit), SCMP_SYS(getuid), SCMP_SYS(geteuid),
	SCMP_SYS(getgid), SCMP_SYS(getegid),
};

static const int deadly[] = {
	SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(fork), SCMP_SYS(vfork), SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv),
	SCMP_SYS(process_vm_writev), SCMP_SYS(pidfd_getfd), SCMP_SYS(connect), SCMP_SYS(bind), SCMP_SYS(listen), SCMP_SYS(ioctl),
	SCMP_SYS(open_by_handle_at), SCMP_SYS(mount), SCMP_SYS(umount2), SCMP_SYS(pivot_root), SCMP_SYS(chroot), SCMP_SYS(unshare),
	SCMP_SYS(setns), SCMP_SYS(bpf), SCMP_SYS(perf_event_open), SCMP_SYS(userfaultfd), SCMP_SYS(keyctl), SCMP_SYS(add_key),
	SCMP_SYS(init_module), SCMP_SYS(finit_module), SCMP_SYS(kexec_load), SCMP_SYS(io_uring_setup), SCMP_SYS(memfd_create),
};
/* clang-format on */

static const struct {
	int level, name;
} socket_options[] = {
	{SOL_SOCKET, SO_KEEPALIVE},
	{SOL_SOCKET, SO_SNDBUF},
	{IPPROTO_TCP, TCP_NODELAY},
	{IPPROTO_TCP, TCP_NOTSENT_LOWAT},
};

static int add_sockets(scmp_filter_ctx filter)
{
	const struct scmp_arg_cmp half = SCMP_A1(SCMP_CMP_EQ, SHUT_WR, 0);
	const struct scmp_arg_cmp nowhere = SCMP_A4(SCMP_CMP_EQ, 0, 0);
	/* Of streams: a datagram socket can write to every service that has one. */
	const struct scmp_arg_cmp pair[] = {
		SCMP_A0(SCMP_CMP_EQ, AF_UNIX, 0),
		SCMP_A1(SCMP_CMP_EQ, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0),
	};
	int r;

	r = filter_allow_if(filter, SCMP_SYS(socketpair), ARRAY_SIZE(pair), pair);
	if (r == 0)
		r = filter_allow_if(filter, SCMP_SYS(shutdown), 1, &half);
	if (r == 0)
		r = filter_allow_if(filter, SCMP_SYS(sendto), 1, &nowhere);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(socket_options); i++) {
		const struct scmp_arg_cmp option[] = {
			SCMP_A1(SCMP_CMP_EQ, socket_options[i].level, 0),
			SCMP_A2(SCMP_CMP_EQ, socket_options[i].name, 0),
		};

		r = filter_allow_if(filter, SCMP_SYS(setsockopt), ARRAY_SIZE(option), option);
	}
	return r;
}

int sandbox_enter(void)
{
	static const struct filter_lists lists = {
		.allowed = allowed,
		.allowed_used = ARRAY_SIZE(allowed),
		.deadly = deadly,
		.deadly_used = ARRAY_SIZE(deadly),
		.add = add_sockets,
	};
	int r = confine_self();

	return r < 0 ? r : filter_install(&lists);
}
