/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vfio/guard.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <seccomp.h>

#include <linux/vfio.h>

#include "base/mem.h"
#include "vfio/irq_sets.h"

#define TYPE_MASK 0xff00u

static const uint32_t allowed[] = {
	VFIO_DEVICE_GET_INFO, VFIO_DEVICE_GET_REGION_INFO, VFIO_DEVICE_GET_IRQ_INFO,
	VFIO_DEVICE_QUERY_GFX_PLANE, VFIO_DEVICE_GET_GFX_DMABUF,
	VFIO_DEVICE_SET_IRQS, /* see set_irqs() */
};

static bool holds_allowed(uint32_t first, uint32_t count)
{
	for (size_t i = 0; i < ARRAY_SIZE(allowed); i++)
		if (allowed[i] >= first && allowed[i] - first < count)
			return true;
	return false;
}

/* Forbids the numbers from @first on; @count is a power of two that divides @first. Halving what holds an allowed number
 * leaves a few masked comparisons instead of one for each of 251 numbers. */
static int forbid(scmp_filter_ctx filter, uint32_t first, uint32_t count)
{
	int r;

	if (!holds_allowed(first, count))
		return seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioctl), 1,
			SCMP_A1(SCMP_CMP_MASKED_EQ, TYPE_MASK | (0xffu & ~(count - 1)), first));
	if (count == 1)
		return 0;
	r = forbid(filter, first, count / 2);
	return r < 0 ? r : forbid(filter, first + count / 2, count / 2);
}

/* Of SET_IRQS only calls pass whose argument is the beginning of an entry of irq_sets.c: not below its table, not behind it,
 * not between two entries. Without a table none passes. */
static int set_irqs(scmp_filter_ctx filter)
{
	const struct scmp_arg_cmp number =
		SCMP_A1(SCMP_CMP_MASKED_EQ, TYPE_MASK | 0xffu, VFIO_DEVICE_SET_IRQS);
	size_t size;
	uint64_t first = (uintptr_t)irq_sets_table(&size);
	int r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioctl), 2, number,
		SCMP_A2(SCMP_CMP_LT, first, 0));

	if (r >= 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioctl), 2, number,
			SCMP_A2(SCMP_CMP_GE, first + size, 0));
	for (uint64_t bit = 1; bit < IRQ_SETS_ALIGN && r >= 0; bit *= 2)
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioctl), 2, number,
			SCMP_A2(SCMP_CMP_MASKED_EQ, bit, bit));
	return r;
}

int vfio_guard_install(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int r;

	if (!filter)
		return -ENOMEM;
	/* Without it there are no display interrupts, and all else works. */
	irq_sets_create();
	r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	if (r >= 0)
		r = forbid(filter, VFIO_TYPE << 8, 0x100);
	if (r >= 0)
		r = set_irqs(filter);
	if (r >= 0)
		r = seccomp_load(filter);
	seccomp_release(filter);
	return r;
}
