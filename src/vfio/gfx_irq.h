/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gfx_irq.h - the display interrupt: a device interrupt of type GFX that signals an eventfd when a plane has changed.
 *
 * Proposed in 2019 and never merged, so no kernel header describes it: what is known of its versions 5 (Message-ID
 * 20190816023528.30210-3) and 6 (20190924064143.9282-2 to -5) is in gfx_irq.c. Interrupts 0 to 4 are the guest's own and are
 * never asked about nor set.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "vfio/device.h"

struct gfx_irq {
	uint32_t index; /* at least VFIO_PCI_NUM_IRQS */
	uint64_t cursor,
		primary; /* what an event adds to the eventfd's counter; 0: the driver does not say */
};

/* -ENOTTY: the device has none, or none that makes sense. */
int gfx_irq_find(const struct vfio_device *device, struct gfx_irq *ret);
/* @event, a non-semaphore eventfd, gets the events, and whoever had them does not any more. -EBUSY: other drivers
 * are being asked the same and do not answer; others: refused. */
int gfx_irq_arm(const struct vfio_device *device, const struct gfx_irq *irq, int event);
void gfx_irq_disarm(const struct vfio_device *device, const struct gfx_irq *irq);

/* A counter's value that events of the cursor alone make. */
bool gfx_irq_cursor_only(const struct gfx_irq *irq, uint64_t count);

/* What GET_IRQ_INFO left in @size bytes about interrupt @index. -ENOTTY: not a display interrupt; -EPROTO: makes no sense. */
int gfx_irq_parse(const void *info, uint32_t size, uint32_t index, struct gfx_irq *ret);
