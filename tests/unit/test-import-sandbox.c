/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/confine.h"
#include "import/sandbox.h"

#define DRM_VERSION _IOWR('d', 0x00, char[64])
#define VFIO_RESET  _IO(';', 111)

static int memory, zero;

/* Runs @attempt in a child inside the sandbox; it returns 0 for "as it should be". Returns the wait status. */
static int inside(int (*attempt)(void))
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0)
		_exit(confine_self() < 0 || import_sandbox_enter() < 0 ? 99 : attempt());
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static void expect_killed(int (*attempt)(void))
{
	int status = inside(attempt);

	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
}

static int refused(long result)
{
	return result < 0 && errno == EPERM ? 0 : 1;
}

static int reach_out(void)
{
	char byte = 0;
	int pair[2];

	return refused(open("/dev/null", O_RDONLY)) + refused(access("/", F_OK)) +
	       refused(unlink("/tmp/x")) + refused(kill(getppid(), 0)) +
	       refused(socketpair(AF_UNIX, SOCK_STREAM, 0, pair)) +
	       refused(fcntl(memory, F_SETOWN, getppid())) + refused(ftruncate(memory, 0)) +
	       refused(prctl(PR_SET_DUMPABLE, 1)) + refused(sendto(memory, &byte, 1, 0, NULL, 0));
}

/* By their types alone: whoever gets so far is told by the file itself that it is no DRM node. */
static int ask_drivers(void)
{
	char version[64];
	int bad = 0;

	bad += refused(ioctl(zero, VFIO_RESET)) + refused(ioctl(zero, FIONREAD, version));
	bad += ioctl(zero, DRM_VERSION, version) == 0 || errno != ENOTTY;
	bad += ioctl(zero, DMA_BUF_IOCTL_SYNC, version) == 0 || errno != ENOTTY;
	return bad;
}

static void *idle(void *arg)
{
	return arg;
}

static int do_its_work(void)
{
	struct pollfd none = {.fd = -1};
	pthread_t thread;
	struct stat st;
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);

	if (page == MAP_FAILED || fstat(memory, &st) < 0 || poll(&none, 1, 1) < 0)
		return 1;
	if (munmap(page, 4096) < 0 || pthread_create(&thread, NULL, idle, NULL) != 0)
		return 2;
	free(malloc(1 << 20));
	return pthread_join(thread, NULL) == 0 ? 0 : 3;
}

static int make_executable(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return refused(mprotect(page, 4096, PROT_READ | PROT_EXEC)) +
	       (mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
		       MAP_FAILED);
}

static int run_program(void)
{
	char *none[] = {NULL};

	return execve("/bin/true", none, none);
}

static int fork_one(void)
{
	return fork() == 0 ? 1 : 2;
}

static int make_socket(void)
{
	return socket(AF_INET, SOCK_STREAM, 0);
}

static int trace_parent(void)
{
	return (int)syscall(SYS_pidfd_getfd, 0, 0, 0);
}

static void test_refused(void **state)
{
	assert_int_equal(inside(reach_out), 0);
	assert_int_equal(inside(ask_drivers), 0);
	assert_int_equal(inside(make_executable), 0);
}

static void test_works(void **state)
{
	assert_int_equal(inside(do_its_work), 0);
}

static void test_killed(void **state)
{
	expect_killed(run_program);
	expect_killed(make_socket);
	expect_killed(trace_parent);
	/* glibc forks by clone, which is an EPERM; the call itself kills. */
	assert_true(WIFEXITED(inside(fork_one)));
	assert_int_equal(WEXITSTATUS(inside(fork_one)), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_works),
		cmocka_unit_test(test_killed),
	};

#ifdef SANITIZED
	puts("# skipped: sanitizers need more than the sandbox allows");
	return 77;
#endif
	memory = memfd_create("test", MFD_CLOEXEC);
	zero = open("/dev/zero", O_RDWR | O_CLOEXEC);
	if (memory < 0 || zero < 0 || ftruncate(memory, 4096) < 0)
		return 99;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
