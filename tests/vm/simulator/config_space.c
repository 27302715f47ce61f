// SPDX-License-Identifier: GPL-2.0
/* The PCI configuration: as much as a VMM needs to show the device to a guest, which may then drive the registers itself. */
#include <linux/log2.h>
#include <linux/pci_regs.h>

#include "sim.h"

/* Numbers that nobody was given. */
#define VENDOR 0xfff0
#define DEVICE 0x0d15

static void put16(u8 *config, u32 at, u16 value)
{
	config[at] = value;
	config[at + 1] = value >> 8;
}

void vdsim_config_init(struct vdsim *sim)
{
	put16(sim->config, PCI_VENDOR_ID, VENDOR);
	put16(sim->config, PCI_DEVICE_ID, DEVICE);
	put16(sim->config, PCI_SUBSYSTEM_VENDOR_ID, VENDOR);
	put16(sim->config, PCI_SUBSYSTEM_ID, DEVICE);
	put16(sim->config, PCI_CLASS_DEVICE, 0x0380); /* a display that is not VGA */
	sim->config[PCI_REVISION_ID] = VDSIM_VERSION;
}

static u32 bar_size(const struct vdsim *sim, u32 bar)
{
	switch (bar) {
	case VDSIM_REGION_CONTROL:
		return sizeof(struct vdsim_control);
	case VDSIM_REGION_RECORD:
		return roundup_pow_of_two(sizeof(struct vdsim_record));
	case VDSIM_REGION_MEMORY:
		return sim->control.memory_limit;
	default:
		return 0;
	}
}

void vdsim_config_read(struct vdsim *sim, void *to, size_t count, u64 at)
{
	mutex_lock(&sim->lock);
	memcpy(to, sim->config + at, count);
	mutex_unlock(&sim->lock);
}

/* Only the bits that a device of these sizes has are kept; the rest is how its driver finds the size. */
static u8 writable(const struct vdsim *sim, u32 at)
{
	u32 bar = (at - PCI_BASE_ADDRESS_0) / sizeof(u32), size;

	if (at == PCI_COMMAND || at == PCI_CACHE_LINE_SIZE || at == PCI_INTERRUPT_LINE)
		return 0xff;
	if (at == PCI_COMMAND + 1)
		return 0x07;
	if (at < PCI_BASE_ADDRESS_0 || at >= PCI_BASE_ADDRESS_5 + sizeof(u32))
		return 0;
	size = bar_size(sim, bar);
	return size ? (~(size - 1)) >> (at % sizeof(u32) * 8) : 0;
}

void vdsim_config_write(struct vdsim *sim, const void *from, size_t count, u64 at)
{
	const u8 *bytes = from;

	mutex_lock(&sim->lock);
	for (size_t i = 0; i < count; i++) {
		u8 mask = writable(sim, at + i);

		sim->config[at + i] = (sim->config[at + i] & ~mask) | (bytes[i] & mask);
	}
	mutex_unlock(&sim->lock);
}
