/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * The proposal gives struct vfio_irq_info a chain of capabilities, as struct vfio_region_info has one. One names the
 * interrupt's type and subtype; another, which a driver may leave out, the numbers that an event for the cursor and one for
 * the primary plane add to the eventfd. Version 6 numbers the two 1 and 2, version 5 numbers them 3 and 4. The structs are
 * the same.
 *
 * The numbers of GVT-g are 1 << 48 and 1 << 56, so the counter is two counters of 8 bits, and 256 events for the cursor
 * look like one for the primary plane. Whatever the numbers are, a counter with an event for the primary plane in it is not
 * less than that event's number, since eventfd counters do not wrap but stop at their end. So a multiple of the cursor's number
 * below the primary plane's is for the cursor alone, and everything else counts as both.
 */
#include "vfio/gfx_irq.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "vfio/capability.h"
#include "vfio/irq_sets.h"

#define INFO_BYTES 256u
#define FLAG_CAPS  (1u << 4)

#define CAP_TYPE_V6	    1
#define CAP_DISPLAY_V6	    2
#define CAP_TYPE_V5	    3
#define CAP_DISPLAY_V5	    4
#define TYPE_GFX	    1
#define SUBTYPE_GFX_DISPLAY 1

#define INTERRUPTS_MAX 8

struct irq_info {
	struct vfio_irq_info base;
	uint32_t cap_offset;
};

struct cap_type {
	struct vfio_info_cap_header header;
	uint32_t type, subtype;
};

/* Behind a struct of 20 bytes the numbers are misaligned: never pointed at, only copied. */
struct cap_display {
	struct vfio_info_cap_header header;
	uint64_t cursor, primary;
};

_Static_assert(sizeof(struct irq_info) == 20, "proposed ABI");
_Static_assert(sizeof(struct cap_type) == 16, "proposed ABI");
_Static_assert(sizeof(struct cap_display) == 24, "proposed ABI");

struct found {
	bool v5, v6;
	struct cap_display display_v5, display_v6;
};

static int read_capability(const struct capability_chain *chain, struct found *found)
{
	struct cap_type type;
	int r = 0;

	switch (chain->header.id) {
	case CAP_TYPE_V6:
	case CAP_TYPE_V5:
		r = capability_read(chain, &type, sizeof(type));
		if (r < 0 || type.type != TYPE_GFX || type.subtype != SUBTYPE_GFX_DISPLAY)
			break;
		if (chain->header.id == CAP_TYPE_V6)
			found->v6 = true;
		else
			found->v5 = true;
		break;
	case CAP_DISPLAY_V6:
		r = capability_read(chain, &found->display_v6, sizeof(found->display_v6));
		break;
	case CAP_DISPLAY_V5:
		r = capability_read(chain, &found->display_v5, sizeof(found->display_v5));
		break;
	}
	return r;
}

int gfx_irq_parse(const void *info, uint32_t size, uint32_t index, struct gfx_irq *ret)
{
	struct capability_chain chain = {.info = info, .size = size};
	const struct cap_display *display;
	struct found found = {0};
	struct irq_info base;
	int r;

	if (size < sizeof(base))
		return -EPROTO;
	memcpy(&base, info, sizeof(base));
	if (!(base.base.flags & FLAG_CAPS) || !(base.base.flags & VFIO_IRQ_INFO_EVENTFD) ||
		!base.base.count)
		return -ENOTTY;
	chain.base = sizeof(base);
	chain.next = base.cap_offset;
	for (r = capability_next(&chain); r > 0; r = capability_next(&chain)) {
		r = read_capability(&chain, &found);
		if (r < 0)
			return r;
	}
	if (r < 0)
		return r;
	if (!found.v6 && !found.v5)
		return -ENOTTY;
	display = found.v6 ? &found.display_v6 : &found.display_v5;
	*ret = (struct gfx_irq){
		.index = index, .cursor = display->cursor, .primary = display->primary};
	return 0;
}

int gfx_irq_find(const struct vfio_device *device, struct gfx_irq *ret)
{
	uint8_t info[INFO_BYTES] __attribute__((aligned(8)));
	uint32_t regions, interrupts;
	int r = vfio_device_counts(device, &regions, &interrupts);

	if (r < 0)
		return r;
	if (interrupts > LIMIT_INTERRUPTS)
		return -ENOTTY;
	for (uint32_t i = VFIO_PCI_NUM_IRQS; i < interrupts; i++)
		if (vfio_device_irq(device, i, info, sizeof(info)) >= 0 &&
			gfx_irq_parse(info, sizeof(info), i, ret) >= 0)
			return 0;
	return -ENOTTY;
}

/* The one place from which SET_IRQS is called; the seccomp filter refuses it from any other, since @set must be of irq_sets.c. */
static int set_irqs(const struct vfio_device *device, const void *set)
{
	struct vfio_irq_set head;
	int r = -EINTR;

	if (!set)
		return -EPERM;
	memcpy(&head, set, sizeof(head));
	if (head.index < VFIO_PCI_NUM_IRQS)
		return -EPERM;
	for (unsigned int i = 0; r == -EINTR && i < INTERRUPTS_MAX; i++)
		r = device->ops->ioctl(
			device->ops, device->fd, VFIO_DEVICE_SET_IRQS, (void *)(uintptr_t)set);
	return r < 0 ? r : 0;
}

int gfx_irq_arm(const struct vfio_device *device, const struct gfx_irq *irq, int event)
{
	int turn, r;

	if (irq->index < VFIO_PCI_NUM_IRQS)
		return -EPERM;
	r = irq_sets_create();
	if (r < 0)
		return r;
	turn = irq_sets_take(event);
	if (turn < 0)
		return turn;
	r = set_irqs(device, irq_sets_arm(turn, irq->index));
	irq_sets_give(turn);
	return r;
}

void gfx_irq_disarm(const struct vfio_device *device, const struct gfx_irq *irq)
{
	/* A driver that refuses has its event lost with the device. */
	set_irqs(device, irq_sets_disarm(irq->index));
}

bool gfx_irq_cursor_only(const struct gfx_irq *irq, uint64_t count)
{
	return irq->cursor && count && count < irq->primary && count % irq->cursor == 0;
}
