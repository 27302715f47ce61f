/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/loop.h"
#include "handover/context.h"
#include "handover/descriptor.h"
#include "handover/lease.h"
#include "skip.h"

static void ids(void **state)
{
	char long_id[LIMIT_ID_CHARS + 2];

	memset(long_id, 'a', sizeof(long_id));
	long_id[sizeof(long_id) - 1] = '\0';
	assert_true(context_id_valid("vm7-0"));
	assert_true(context_id_valid("A.b_c-9"));
	assert_false(context_id_valid(""));
	assert_false(context_id_valid("."));
	assert_false(context_id_valid(".."));
	assert_false(context_id_valid("a/b"));
	assert_false(context_id_valid("a b"));
	assert_false(context_id_valid(long_id));
	long_id[LIMIT_ID_CHARS] = '\0';
	assert_true(context_id_valid(long_id));
}

static int pidfd_of(pid_t pid)
{
	int fd = syscall(SYS_pidfd_open, pid, 0);

	assert_true(fd >= 0);
	return fd;
}

static void kinds(void **state)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int path = open("/", O_PATH | O_CLOEXEC);
	int event = eventfd(0, EFD_CLOEXEC);
	int memory = memfd_create("x", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	int pidfd = pidfd_of(getpid());
	int pipes[2], pair[2], packets[2];

	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, packets), 0);
	for (int i = 0; i < 4; i++) {
		int fd = (int[]){null, path, event, memory}[i];

		assert_non_null(descriptor_vfio_device(fd));
		assert_non_null(descriptor_lease(fd));
		assert_non_null(descriptor_listener(fd));
		assert_non_null(descriptor_stream(fd));
		assert_non_null(descriptor_render(fd));
	}
	assert_null(descriptor_eventfd(event));
	assert_non_null(descriptor_eventfd(null));
	assert_non_null(descriptor_eventfd(pidfd));
	assert_non_null(descriptor_surface(memory));
	assert_int_equal(ftruncate(memory, 8192), 0);
	assert_non_null(descriptor_surface(memory));
	assert_int_equal(fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	assert_null(descriptor_surface(memory));
	assert_null(descriptor_lease(pidfd));
	assert_null(descriptor_lease(pipes[0]));
	assert_null(descriptor_lease(pipes[1]));
	assert_null(descriptor_lease(pair[0]));
	assert_null(descriptor_stream(pair[0]));
	assert_non_null(descriptor_stream(packets[0]));
	assert_int_equal(descriptor_same(memory, memory), 1);
	assert_int_equal(descriptor_same(memory, event), 0);
	for (int i = 0; i < 11; i++)
		close((int[]){null, path, event, memory, pidfd, pipes[0], pipes[1], pair[0],
			pair[1], packets[0], packets[1]}[i]);
}

/* Where this machine has a graphics device. */
static void render_nodes(void **state)
{
	static const char *const nodes[] = {"/dev/dri/renderD128", "/dev/dri/card0"};
	bool found = false;

	for (size_t i = 0; i < 2; i++) {
		int fd = open(nodes[i], O_RDWR | O_CLOEXEC);

		if (fd < 0)
			continue;
		found = true;
		assert_null(descriptor_render(fd));
		close(fd);
		fd = open(nodes[i], O_RDONLY | O_CLOEXEC);
		assert_string_equal(descriptor_render(fd), "is not open for reading and writing");
		close(fd);
		fd = open(nodes[i], O_PATH | O_CLOEXEC);
		assert_non_null(descriptor_render(fd));
		close(fd);
	}
	if (!found)
		skip_because("there is no node in /dev/dri");
}

static void links(void **state)
{
	assert_true(descriptor_link_is_vfio("anon_inode:[vfio-device]"));
	assert_true(descriptor_link_is_vfio("[vfio-device]"));
	assert_true(descriptor_link_is_vfio("/dev/vfio/devices/vfio0"));
	assert_false(descriptor_link_is_vfio("/dev/vfio/vfio"));
	assert_false(descriptor_link_is_vfio("/dev/vfio/12"));
	assert_false(descriptor_link_is_vfio("/dev/null"));
	assert_false(descriptor_link_is_vfio(""));
}

/* Two openings of one device are the same device, and two files. */
static void same_files(void **state)
{
	int a = open("/dev/null", O_RDWR | O_CLOEXEC), b = open("/dev/null", O_RDWR | O_CLOEXEC);
	int copy = fcntl(a, F_DUPFD_CLOEXEC, 0);

	assert_int_equal(descriptor_same_file(a, copy), 1);
	assert_int_equal(descriptor_same_file(a, b), 0);
	assert_int_equal(descriptor_same(a, b), 1);
	assert_true(descriptor_same_file(a, -1) < 0);
	for (int i = 0; i < 3; i++)
		close((int[]){a, b, copy}[i]);
}

struct ending {
	struct loop *loop;
	int ended;
};

static void on_ended(void *arg)
{
	struct ending *ending = arg;

	ending->ended++;
	loop_stop(ending->loop);
}

static void on_late(void *arg)
{
	loop_stop(arg);
}

/* Runs the loop until the lease ends, or for @ms. */
static int run(struct ending *ending, unsigned int ms)
{
	struct loop_source *timer;

	assert_int_equal(loop_timer_add(ending->loop, on_late, ending->loop, &timer), 0);
	loop_timer_once(timer, ms);
	loop_run(ending->loop);
	loop_source_free(timer);
	return ending->ended;
}

static struct lease *lease_on(struct ending *ending, int fd)
{
	const char *reason;
	struct lease *lease;

	ending->ended = 0;
	assert_int_equal(lease_create(ending->loop, fd, on_ended, ending, &lease, &reason), 0);
	return lease;
}

static void lease_hangs_up(void **state)
{
	struct ending ending = {0};
	struct lease *lease;
	int pipes[2], pair[2];
	pid_t pid;

	assert_int_equal(loop_create(&ending.loop), 0);

	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	lease = lease_on(&ending, pipes[0]);
	assert_int_equal(write(pipes[1], "x", 1), 1); /* data is no hang-up */
	assert_int_equal(run(&ending, 50), 0);
	close(pipes[1]);
	assert_int_equal(run(&ending, 5000), 1);
	assert_int_equal(run(&ending, 20), 1); /* once */
	lease_destroy(lease);

	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	lease = lease_on(&ending, pipes[1]);
	close(pipes[0]);
	assert_int_equal(run(&ending, 5000), 1);
	lease_destroy(lease);

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	lease = lease_on(&ending, pair[0]);
	assert_int_equal(write(pair[1], "x", 1), 1);
	assert_int_equal(run(&ending, 50), 0);
	close(pair[1]);
	assert_int_equal(run(&ending, 5000), 1);
	lease_destroy(lease);

	pid = fork();
	if (pid == 0) {
		pause();
		_exit(0);
	}
	lease = lease_on(&ending, pidfd_of(pid));
	assert_int_equal(run(&ending, 50), 0);
	kill(pid, SIGKILL);
	assert_int_equal(run(&ending, 5000), 1);
	waitpid(pid, NULL, 0);
	lease_destroy(lease);
	loop_destroy(ending.loop);
}

static void lease_refuses(void **state)
{
	struct loop *loop;
	struct lease *lease;
	const char *reason = NULL;
	int event = eventfd(0, EFD_CLOEXEC);

	assert_int_equal(loop_create(&loop), 0);
	assert_int_equal(lease_create(loop, event, on_ended, NULL, &lease, &reason), -EINVAL);
	assert_non_null(reason);
	assert_int_equal(close(event), 0); /* still ours */
	loop_destroy(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids),
		cmocka_unit_test(kinds),
		cmocka_unit_test(render_nodes),
		cmocka_unit_test(links),
		cmocka_unit_test(same_files),
		cmocka_unit_test(lease_hangs_up),
		cmocka_unit_test(lease_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
