/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest_device.h - a VFIO mdev display as a VMM opens it, driven without a guest.
 *
 * mbochs: the guest's side of the Bochs display interface, 16-bit registers at 0x500 of region 2 (QEMU's
 * docs/specs/standard-vga), video memory in region 0. mdpy: a fixed mode, its framebuffer in region 0.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct guest_device {
	int container, group, device; /* -EBADF: closed */
	bool is_bochs;
	uint64_t registers; /* offset of region 2 in the device's file */
	uint8_t *memory;    /* region 0, NULL: not mapped */
	size_t memory_size;
	uint32_t width, height; /* the mode, pixels */
	uint32_t stride;	/* bytes */
};

struct pattern;

/* Opens the mdev @uuid: container, group, device, and maps region 0. -EBUSY: the group is in use. */
int guest_device_open(struct guest_device *device, const char *uuid);
/* Unmaps and closes. May be called again. */
void guest_device_close(struct guest_device *device);

/* Sets a mode. @stride_pixels >= @width. mbochs only: -ENOTTY. */
int guest_device_set_mode(
	struct guest_device *device, uint32_t width, uint32_t height, uint32_t stride_pixels);
/* Switches the plane on or off without another change. */
int guest_device_enable(struct guest_device *device, bool on);
/* VFIO_DEVICE_RESET. */
int guest_device_reset(struct guest_device *device);
/* Paints a part of the screen; the whole: 0, 0, width, height. -ERANGE: outside. */
int guest_device_paint(struct guest_device *device, const struct pattern *pattern, uint32_t seed,
	uint32_t x, uint32_t y, uint32_t width, uint32_t height);
/* Asks the kernel for the primary plane, gets its pixels the way a reader would and counts those that differ from what
 * region 0 has. *ret_text: what was found, for a person. -ENODEV: could not be mapped. One call in a device's life: mbochs
 * drops a page reference too many when an id is exported twice. */
int guest_device_read_back(
	struct guest_device *device, char *ret_text, size_t text_size, size_t *ret_different);
