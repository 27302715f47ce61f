/* SPDX-License-Identifier: GPL-2.0-or-later */
/* irq_sets.h - all arguments with which this program can call VFIO_DEVICE_SET_IRQS: a table of constants.
 *
 * One wrong SET_IRQS takes a guest's interrupts away, and a seccomp filter cannot read the struct that says which. So every
 * struct that may ever be needed is made once, before the filter, in memory that is sealed: it cannot be written, nor be made
 * writable again. The filter (guard.c) compares the argument's address with the table's. Its entries name only interrupts from
 * VFIO_PCI_NUM_IRQS to IRQ_SETS_INDEXES - 1, and only to give them an eventfd or to take it away; the others are zeros, which
 * the kernel refuses.
 *
 * The constants hold descriptor numbers, so a few numbers are set aside; for a call the eventfd is put under one of them,
 * its turn. The driver looks the number up during the call and not later.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define IRQ_SETS_INDEXES 64 /* interrupts from this one on cannot be set */
#define IRQ_SETS_ALIGN	 32 /* bytes from one entry to the next */

/* Once for the process; more calls do nothing. -ENOMEM, -EMFILE and others. */
int irq_sets_create(void);
/* The table's first byte; NULL: there is none. */
const void *irq_sets_table(size_t *ret_size);

/* A turn with @event, borrowed until irq_sets_give(). Never waits: -EBUSY: all are taken by calls in drivers. Others: -errno. */
int irq_sets_take(int event);
void irq_sets_give(int turn);

/* The arguments. NULL: not for that interrupt. */
const void *irq_sets_arm(int turn, uint32_t index);
const void *irq_sets_disarm(uint32_t index);
