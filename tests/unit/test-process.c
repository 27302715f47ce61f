/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A process with a /proc of the test's making and a driver that is a script. What stands for a device is a memfd whose size says
 * how the driver behaves.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/vfio.h>

#include "base/fd.h"
#include "base/mem.h"
#include "ctl/process.h"
#include "vfio/device.h"
#include "skip.h"

#define ANON "anon_inode:[vfio-device]"

enum behaviour {
	HAS_NONE,
	HAS_DMABUF,
	HAS_REGION,
	NOT_BOUND,
	HANGS,
	ANSWERS_EIO,
	HAS_REGION_EIO,
	NO_VFIO,
	IS_ALONE, /* in its child, beside the way back */
};

enum { NUMBERS = 100 };

static char proc[64];
static int files[NUMBERS]; /* what the process has under each number */
static int take_error;

static int script_ioctl(const struct vfio_ops *ops, int fd, unsigned long request, void *argument)
{
	const struct vfio_device_gfx_plane_info *info = argument;
	struct stat st;

	if (fstat(fd, &st) < 0)
		abort();
	if (st.st_size == HANGS)
		for (;;)
			pause();
	if (st.st_size == NO_VFIO)
		return -ENOTTY;
	for (int i = 0; st.st_size == IS_ALONE && i < 256; i++)
		if (i != fd && fcntl(i, F_GETFD) >= 0 && fcntl(i, F_GETPIPE_SZ) < 0)
			return -EIO;
	if (request == VFIO_DEVICE_GET_INFO)
		return st.st_size == NOT_BOUND ? -EINVAL : 0;
	/* Nothing but the probes may follow. The parent sees a child that died. */
	if (request != VFIO_DEVICE_QUERY_GFX_PLANE || !(info->flags & VFIO_GFX_PLANE_TYPE_PROBE))
		abort();
	if (st.st_size == ANSWERS_EIO)
		return -EIO;
	if (info->flags & VFIO_GFX_PLANE_TYPE_DMABUF)
		return st.st_size == HAS_DMABUF ? 0 : st.st_size == HAS_REGION_EIO ? -EIO : -EINVAL;
	return st.st_size == HAS_REGION || st.st_size == HAS_REGION_EIO ? 0 : -EINVAL;
}

static const struct vfio_ops script = {.ioctl = script_ioctl};

static int take(const struct process_ops *ops, int pidfd, int number, int *ret_fd)
{
	if (take_error)
		return take_error;
	if (files[number] < 0)
		return -EBADF;
	*ret_fd = fcntl(files[number], F_DUPFD_CLOEXEC, 3);
	return *ret_fd < 0 ? -errno : 0;
}

static const struct process_ops ops = {
	.proc = proc,
	.take = take,
	.vfio = &script,
	.patience_ms = 300,
};

/* A directory of links for @pid. */
static void proc_make(pid_t pid)
{
	char path[96];

	snprintf(proc, sizeof(proc), "/tmp/vfio-displayd-test.XXXXXX");
	assert_non_null(mkdtemp(proc));
	snprintf(path, sizeof(path), "%s/%d", proc, (int)pid);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/%d/fd", proc, (int)pid);
	assert_int_equal(mkdir(path, 0700), 0);
	take_error = 0;
	for (size_t i = 0; i < NUMBERS; i++)
		files[i] = -EBADF;
}

static void proc_remove(pid_t pid)
{
	char path[96];

	for (int i = 0; i < NUMBERS; i++) {
		snprintf(path, sizeof(path), "%s/%d/fd/%d", proc, (int)pid, i);
		unlink(path);
		files[i] = fd_close(files[i]);
	}
	snprintf(path, sizeof(path), "%s/%d/fd", proc, (int)pid);
	rmdir(path);
	snprintf(path, sizeof(path), "%s/%d", proc, (int)pid);
	rmdir(path);
	rmdir(proc);
}

static void has_link(int number, const char *link)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/%d/fd/%d", proc, (int)getpid(), number);
	assert_int_equal(symlink(link, path), 0);
}

static void has(int number, const char *link, enum behaviour behaviour)
{
	has_link(number, link);
	files[number] = memfd_create("device", MFD_CLOEXEC);
	assert_true(files[number] >= 0);
	assert_int_equal(ftruncate(files[number], behaviour), 0);
}

static int setup(void **state)
{
	struct process *process = new0(struct process);

	assert_non_null(process);
	proc_make(getpid());
	assert_int_equal(process_open(process, getpid()), 0);
	*state = process;
	return 0;
}

static int teardown(void **state)
{
	process_finish(*state);
	free(*state);
	proc_remove(getpid());
	return 0;
}

static void expect(
	const struct process *process, size_t i, int number, enum process_display display)
{
	assert_true(i < process->devices_used);
	assert_int_equal(process->devices[i].number, number);
	assert_int_equal(process->devices[i].display, display);
	assert_true(process->devices[i].fd >= 0);
}

static void test_only_what_is_a_device(void **state)
{
	struct process *process = *state;

	has(3, "/dev/null", HAS_DMABUF);
	has(4, "/tmp/" ANON, HAS_DMABUF);
	has(5, "anon_inode:[vfio-device-not]", HAS_DMABUF);
	has(6, "/dev/vfio/vfio", HAS_DMABUF);
	has(7, "/dev/vfio/12", HAS_DMABUF);
	has(8, "anon_inode:kvm-vm", HAS_DMABUF);
	has(9, "/dev/vfio/devices", HAS_DMABUF);
	assert_int_equal(process_scan(process, &ops, -1), 0);
	assert_int_equal(process->devices_used, 0);
}

static void test_each_kind(void **state)
{
	struct process *process = *state;

	has(40, ANON, HAS_REGION_EIO);
	has(11, ANON, HAS_NONE);
	has(9, ANON, HAS_DMABUF);
	has(12, "[vfio-device]", HAS_REGION);
	has(13, "/dev/vfio/devices/vfio3", NOT_BOUND);
	has(14, "/[vfio-device]", HANGS);
	has(15, ANON, ANSWERS_EIO);
	has(16, ANON, NO_VFIO);
	assert_int_equal(process_scan(process, &ops, -1), 0);
	expect(process, 0, 9, PROCESS_DISPLAY_DMABUF);
	expect(process, 1, 11, PROCESS_DISPLAY_NONE);
	expect(process, 2, 12, PROCESS_DISPLAY_REGION);
	expect(process, 3, 13, PROCESS_DISPLAY_UNBOUND);
	expect(process, 4, 14, PROCESS_DISPLAY_SILENT);
	expect(process, 5, 15, PROCESS_DISPLAY_FAILED);
	expect(process, 6, 16, PROCESS_DISPLAY_FAILED);
	expect(process, 7, 40, PROCESS_DISPLAY_REGION);
	assert_int_equal(process->devices_used, 8);
	assert_string_equal(process->devices[3].link, "/dev/vfio/devices/vfio3");
	assert_string_equal(process_display_name(process->devices[4].display), "silent");
	/* The child that was left behind is dead, and nobody else was. */
	alarm(20);
	assert_true(waitpid(-1, NULL, 0) > 0);
	assert_true(waitpid(-1, NULL, 0) < 0 && errno == ECHILD);
	alarm(0);
}

/* One that is left behind in a driver holds neither other devices nor the output of the program. */
static void test_each_is_asked_alone(void **state)
{
	struct process *process = *state;

	has(10, ANON, HAS_DMABUF);
	has(11, ANON, IS_ALONE);
	assert_int_equal(process_scan(process, &ops, -1), 0);
	expect(process, 0, 10, PROCESS_DISPLAY_DMABUF);
	expect(process, 1, 11, PROCESS_DISPLAY_NONE);
}

static void test_copies_count_once(void **state)
{
	struct process *process = *state;

	has(20, ANON, HAS_DMABUF);
	has_link(8, ANON);
	files[8] = dup(files[20]);
	has_link(30, ANON);
	files[30] = dup(files[20]);
	has(25, ANON, HAS_DMABUF); /* another device */
	assert_int_equal(process_scan(process, &ops, -1), 0);
	assert_int_equal(process->devices_used, 2);
	expect(process, 0, 8, PROCESS_DISPLAY_DMABUF);
	expect(process, 1, 25, PROCESS_DISPLAY_DMABUF);
}

static void test_one_number(void **state)
{
	struct process *process = *state;

	has(20, ANON, HAS_DMABUF);
	has_link(8, ANON);
	files[8] = dup(files[20]);
	has(21, ANON, HANGS);
	assert_int_equal(process_scan(process, &ops, 20), 0);
	assert_int_equal(process->devices_used, 1);
	expect(process, 0, 20, PROCESS_DISPLAY_DMABUF);
	process_finish(process);
	assert_int_equal(process_open(process, getpid()), 0);
	assert_int_equal(process_scan(process, &ops, 2), 0);
	assert_int_equal(process->devices_used, 0);
}

/* Closed, or replaced by something else, between the look at its link and the taking. */
static void test_closed_meanwhile(void **state)
{
	struct process *process = *state;

	has_link(5, ANON);
	has(6, ANON, HAS_REGION);
	assert_int_equal(process_scan(process, &ops, -1), 0);
	assert_int_equal(process->devices_used, 1);
	expect(process, 0, 6, PROCESS_DISPLAY_REGION);
}

static void test_refusals(void **state)
{
	struct process *process = *state;

	has(6, ANON, HAS_REGION);
	take_error = -EPERM;
	assert_int_equal(process_scan(process, &ops, -1), -EPERM);
	assert_int_equal(process->devices_used, 0);
	take_error = 0;
	for (int i = 7; i < 7 + LIMIT_ADOPT_DEVICES; i++)
		has_link(i, ANON);
	assert_int_equal(process_scan(process, &ops, -1), -E2BIG);
	assert_int_equal(process->devices_used, 0);
	assert_int_equal(process_scan(process, &ops, 6), 0);
	assert_int_equal(process->devices_used, 1);
}

/* Number 1 has no directory in this /proc: it hides it, since the process lives. */
static void test_hidden(void **state)
{
	struct process process;

	if (process_open(&process, 1) < 0)
		skip_because("process 1 is not to be seen");
	assert_int_equal(process_scan(&process, &ops, -1), -EACCES);
	process_finish(&process);
}

static void test_the_end_of_a_process(void **state)
{
	struct process process;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0)
		for (;;)
			pause();
	assert_int_equal(process_open(&process, child), 0);
	assert_true(process_alive(&process));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	assert_false(process_alive(&process));
	assert_int_equal(process_scan(&process, &ops, -1), -ESRCH);
	process_finish(&process);
	assert_int_equal(process_open(&process, child), -ESRCH);
	process_finish(&process);
}

/* The kernel's own way, as far as it goes without a device. */
static void test_kernel(void **state)
{
	struct process *process = *state;
	int fd = -EBADF;

	assert_int_equal(process_scan(process, &process_kernel, -1), 0);
	assert_int_equal(process->devices_used, 0);
	assert_int_equal(process_kernel.take(&process_kernel, process->pidfd, 0, &fd), -EBADF);
	assert_int_equal(process_kernel.take(&process_kernel, process->pidfd, 9999, &fd), -EBADF);
	assert_int_equal(fd, -EBADF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_only_what_is_a_device, setup, teardown),
		cmocka_unit_test_setup_teardown(test_each_kind, setup, teardown),
		cmocka_unit_test_setup_teardown(test_each_is_asked_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_copies_count_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_number, setup, teardown),
		cmocka_unit_test_setup_teardown(test_closed_meanwhile, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hidden, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_end_of_a_process, setup, teardown),
		cmocka_unit_test_setup_teardown(test_kernel, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
