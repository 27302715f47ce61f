/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fake-driver.h - a VFIO display driver that follows a script and writes down what it was asked. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "vfio/device.h"

#define FAKE_ERRORS 8
#define FAKE_LOG    64

/* An EDID region as drivers have it: registers of 4 bytes, bytes behind them. */
struct fake_edid {
	uint32_t index;	 /* of the region; 0: the driver has none */
	uint64_t offset; /* of the region on the device */
	bool gvt;	 /* its rules, else those of mbochs */
	struct vfio_region_gfx_edid regs;
	uint8_t blob[1024];
	uint32_t refuse_at;	/* offset at which a write fails... */
	int refuse;		/* ...so */
	unsigned int refuse_up; /* so many times the link does not come up */
	/* d: link down, u: up, s: size, b: one or more of the EDID's words, x: refused */
	char log[FAKE_LOG];
};

struct fake_driver {
	struct vfio_ops ops;
	/* The script. Results are 0 or -errno; those in an array are given first, one a call, until a 0. */
	int info, probe_dmabuf, probe_region;
	int query_errors[FAKE_ERRORS];
	bool query_silent; /* answers 0 and writes nothing, as i915 does for a plane that is off */
	bool short_struct; /* writes the 60 bytes of the interface only, and dirt behind them */
	bool ignores_type; /* answers every type with planes[VFIO_PLANE_PRIMARY] */
	struct vfio_device_gfx_plane_info planes[3];
	int (*get)(struct fake_driver *driver, uint32_t id); /* an fd, or -errno */
	int (*region)(struct fake_driver *driver, struct vfio_region_info *info);
	struct vfio_region_info region_info; /* for fake_region_plain() */
	uint32_t num_regions, num_irqs;
	int (*irq)(struct fake_driver *driver, struct vfio_irq_info *info);
	int set_error;	       /* of SET_IRQS */
	struct fake_edid edid; /* for fake_region_edid() */
	int memory;	       /* an fd for get() to duplicate */
	int get_error;
	/* What happened. */
	unsigned int infos, probes, queries, cursor_queries, gets, regions, others;
	unsigned int irqs, sets,
		forbidden;     /* forbidden: GET_IRQ_INFO or SET_IRQS of interrupts 0 to 4 */
	unsigned int accesses; /* pread and pwrite */
	uint32_t set_flags, set_index, set_start, set_count; /* of the last SET_IRQS */
	int event;  /* the eventfd that it gave, a duplicate; -1: none */
	bool dirty; /* a plane query came with another size than 64, or not zeroed */
};

/* A driver with dma-bufs, all planes off. */
void fake_driver_init(struct fake_driver *driver);
/* Sets up a linear XRGB8888 plane that fits exactly. */
void fake_driver_show(
	struct fake_driver *driver, uint32_t type, uint32_t width, uint32_t height, uint32_t token);
/* get(): a duplicate of driver->memory without CLOEXEC, or get_error. */
int fake_get_memory(struct fake_driver *driver, uint32_t id);
/* region(): region_info. */
int fake_region_plain(struct fake_driver *driver, struct vfio_region_info *info);

/* A driver with an EDID region of either kind, and region() = fake_region_edid, which has GET_REGION_INFO's rules of mbochs. */
void fake_driver_edid(struct fake_driver *driver, bool gvt, uint32_t max_size);
int fake_region_edid(struct fake_driver *driver, struct vfio_region_info *info);

/* A memfd of @size bytes; each byte is its offset / 4 % 251. */
int fake_memory(uint64_t size);
unsigned int fake_count_fds(void);
