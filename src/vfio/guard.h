/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guard.h - says with seccomp what src/vfio says with code.
 *
 * Whoever holds a VFIO device fd can reset the device, program its interrupts and reach its configuration. After
 * vfio_guard_install() this process and its children cannot: every ioctl of VFIO's type (';', 0x3b00 to 0x3bff, direction and
 * size bits ignored) fails with EPERM, but GET_INFO, GET_REGION_INFO, GET_IRQ_INFO, QUERY_GFX_PLANE, GET_GFX_DMABUF, and
 * SET_IRQS with an argument of irq_sets.h: interrupts 0 to 4 stay out of reach. pread and pwrite on the device are not
 * covered, since a filter cannot tell one descriptor from another.
 */
#pragma once

/* All threads at once; sets no_new_privs. Cannot be undone. -ENOMEM, -ESRCH (a thread has another filter), -EINVAL and
 * others: the kernel has no seccomp. */
int vfio_guard_install(void);
