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
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include <linux/vfio.h>

#include "vfio/guard.h"
#include "vfio/irq_sets.h"

static int fds[2];
static pthread_barrier_t installed;

/* Is in the program, so that calls with an argument of its own can be told from others. */
static uint64_t own_argument[64];

/* A pipe knows none of these ioctls: ENOTTY says that the kernel got as far as the pipe. */
static int errno_with(unsigned long request, const void *argument)
{
	return ioctl(fds[0], request, argument) < 0 ? errno : 0;
}

static int errno_of(unsigned long request)
{
	return errno_with(request, own_argument);
}

static bool is_allowed(unsigned int number)
{
	return number == VFIO_DEVICE_GET_INFO || number == VFIO_DEVICE_GET_REGION_INFO ||
	       number == VFIO_DEVICE_GET_IRQ_INFO || number == VFIO_DEVICE_QUERY_GFX_PLANE ||
	       number == VFIO_DEVICE_GET_GFX_DMABUF;
}

/* SET_IRQS passes with the beginning of an entry of the table, and with no other address. */
static int set_irqs_checks(void)
{
	size_t size;
	const uint8_t *table = irq_sets_table(&size);

	if (!table || size % IRQ_SETS_ALIGN)
		return 20;
	for (size_t i = 0; i < size; i++)
		if (errno_with(VFIO_DEVICE_SET_IRQS, table + i) !=
			(i % IRQ_SETS_ALIGN ? EPERM : ENOTTY))
			return 21;
	if (errno_with(VFIO_DEVICE_SET_IRQS, table - IRQ_SETS_ALIGN) != EPERM ||
		errno_with(VFIO_DEVICE_SET_IRQS, table + size) != EPERM ||
		errno_with(VFIO_DEVICE_SET_IRQS, NULL) != EPERM ||
		errno_with(VFIO_DEVICE_SET_IRQS, (const void *)UINTPTR_MAX) != EPERM)
		return 22;
	if (errno_with(_IOC(_IOC_WRITE, VFIO_TYPE, VFIO_BASE + 10, 24), own_argument) != EPERM)
		return 23;
	/* What may be passed cannot be made to say something else. */
	if (mprotect((void *)(uintptr_t)table, size, PROT_READ | PROT_WRITE) == 0)
		return 24;
	/* The table is for this one ioctl only. */
	if (errno_with(VFIO_DEVICE_RESET, table) != EPERM)
		return 25;
	return 0;
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
	r = r ? r : set_irqs_checks();
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

/* No entry names an interrupt of the guest, or does anything but give and take an eventfd. */
static void test_table(void **state)
{
	const uint32_t give = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
	const uint32_t take = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER;
	const uint8_t *table;
	unsigned int given = 0, taken = 0;
	size_t size;

	assert_int_equal(irq_sets_create(), 0);
	table = irq_sets_table(&size);
	assert_int_equal(irq_sets_create(), 0);
	assert_ptr_equal(irq_sets_table(&size), table);
	for (size_t i = 0; i < size; i += IRQ_SETS_ALIGN) {
		struct vfio_irq_set set;

		memcpy(&set, table + i, sizeof(set));
		if (!set.argsz) /* the kernel refuses it */
			continue;
		assert_in_range(set.index, VFIO_PCI_NUM_IRQS, IRQ_SETS_INDEXES - 1);
		assert_int_equal(set.start, 0);
		assert_true((set.flags == give && set.argsz == 24 && set.count == 1) ||
			    (set.flags == take && set.argsz == 20 && set.count == 0));
		given += set.flags == give;
		taken += set.flags == take;
	}
	assert_int_equal(taken, IRQ_SETS_INDEXES - VFIO_PCI_NUM_IRQS);
	assert_int_equal(given % taken, 0);
	assert_true(given > 0);
	for (uint32_t i = 0; i < VFIO_PCI_NUM_IRQS; i++)
		assert_true(!irq_sets_arm(0, i) && !irq_sets_disarm(i));
	assert_null(irq_sets_arm(0, IRQ_SETS_INDEXES));
	assert_null(irq_sets_disarm(UINT32_MAX));
}

/* A turn's number is the eventfd while the turn lasts; when all are taken, nobody waits. */
static void test_turns(void **state)
{
	int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), turns[64], n = 0, r;
	uint64_t count = 3;

	assert_int_equal(irq_sets_create(), 0);
	while ((r = irq_sets_take(event)) >= 0) {
		const uint8_t *set = irq_sets_arm(r, 5);
		int number;

		assert_true(n < 64);
		turns[n++] = r;
		memcpy(&number, set + sizeof(struct vfio_irq_set), sizeof(number));
		assert_int_equal(write(number, &count, 8), 8);
		assert_int_equal(read(event, &count, 8), 8);
		assert_int_equal(count, 3);
	}
	assert_int_equal(r, -EBUSY);
	assert_true(n > 1);
	while (n > 0) {
		const uint8_t *set = irq_sets_arm(turns[--n], 5);
		int number;

		irq_sets_give(turns[n]);
		memcpy(&number, set + sizeof(struct vfio_irq_set), sizeof(number));
		assert_int_equal(write(number, &count, 8), 8); /* still something, not it */
		assert_int_equal(read(event, &count, 8), -1);
	}
	assert_int_equal(irq_sets_take(-1), -EBADF);
	r = irq_sets_take(event);
	assert_true(r >= 0);
	irq_sets_give(r);
	close(event);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_turns),
		cmocka_unit_test(test_guard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
