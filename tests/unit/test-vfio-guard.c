/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The seccomp filter on VFIO's ioctls, in a child: it cannot be taken off again. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include <linux/vfio.h>

#include "vfio/guard.h"

static int fds[2];
static pthread_barrier_t installed;

/* A pipe knows none of these ioctls: ENOTTY says that the kernel got as far as the pipe. */
static int errno_of(unsigned long request)
{
	uint64_t argument[64] = {0};

	return ioctl(fds[0], request, argument) < 0 ? errno : 0;
}

static bool is_allowed(unsigned int number)
{
	return number == VFIO_DEVICE_GET_INFO || number == VFIO_DEVICE_GET_REGION_INFO ||
	       number == VFIO_DEVICE_GET_IRQ_INFO || number == VFIO_DEVICE_QUERY_GFX_PLANE ||
	       number == VFIO_DEVICE_GET_GFX_DMABUF;
}

/* Returns what is wrong, 0: nothing. The child's exit status. */
static int child_checks(void)
{
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return 2;
	for (unsigned int i = 0x3b00; i <= 0x3bff; i++)
		if (errno_of(i) != (is_allowed(i) ? ENOTTY : EPERM))
			return 3;
	if (errno_of(_IOC(_IOC_READ | _IOC_WRITE, VFIO_TYPE, VFIO_BASE + 11, 64)) != EPERM)
		return 4;
	if (errno_of(0xffffffff00000000ul | VFIO_DEVICE_RESET) != EPERM)
		return 5;
	if (errno_of(0x3aff) != ENOTTY || errno_of(0x3c00) != ENOTTY)
		return 6;
	if (errno_of(FIONREAD) != 0)
		return 7;
	return 0;
}

static void *other_thread(void *arg)
{
	pthread_barrier_wait(&installed);
	return errno_of(VFIO_DEVICE_RESET) == EPERM ? NULL : (void *)1;
}

static int child(void)
{
	pthread_t thread;
	void *wrong;
	int r;

	if (errno_of(VFIO_DEVICE_RESET) != ENOTTY)
		return 1;
	pthread_barrier_init(&installed, NULL, 2);
	if (pthread_create(&thread, NULL, other_thread, NULL))
		return 8;
	if (vfio_guard_install() != 0)
		return 9;
	pthread_barrier_wait(&installed);
	pthread_join(thread, &wrong);
	r = child_checks();
	return r ? r : wrong ? 10 : 0;
}

static void test_guard(void **state)
{
	int status;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0)
		_exit(child());
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_guard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
