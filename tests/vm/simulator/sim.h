/* SPDX-License-Identifier: GPL-2.0 */
/*
 * sim.h - what the parts of the VFIO display simulator share.
 *
 * Theory of operation
 *
 * struct vdsim is one display. It is counted: the VFIO device has one reference, every dma-buf another, so a dma-buf may
 * outlive its device. Everything in it that is not atomic is under its mutex, which is never held across an access to user
 * memory: mmap() takes it under mmap_lock.
 *
 * Pixels are in one shmem file. mmap() of a BAR, of a plane's region or of a dma-buf becomes a mapping of that file, so
 * the kernel's own code serves faults, and shortening the file is what takes pages from all mappings.
 *
 * Whatever the simulator makes is counted in vdsim_alive[] and must be gone when the module goes.
 */
#ifndef SIM_H
#define SIM_H

#include <linux/atomic.h>
#include <linux/eventfd.h>
#include <linux/hrtimer.h>
#include <linux/kref.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/vfio.h>
#include <linux/wait.h>
#include <linux/xarray.h>

#include "vfio_display_sim.h"

#define VDSIM_REGION_CONFIG VFIO_PCI_CONFIG_REGION_INDEX
#define VDSIM_CONFIG_SIZE   256

enum vdsim_kind {
	VDSIM_ALIVE_DEVICES,
	VDSIM_ALIVE_DISPLAYS,
	VDSIM_ALIVE_OBJECTS,
	VDSIM_ALIVE_DMABUFS,
	VDSIM_ALIVE_ATTACHMENTS,
	VDSIM_ALIVE_PAGES, /* pinned for importers */
	VDSIM_ALIVE_MAPPINGS,
	VDSIM_ALIVE_FOREIGN, /* references to dma-bufs of others */
	VDSIM_ALIVE_EVENTFDS,
	VDSIM_ALIVE_KINDS
};

extern atomic_t vdsim_alive[VDSIM_ALIVE_KINDS];

struct dma_buf;
struct vdsim_object;

struct vdsim {
	struct kref ref;
	struct vfio_device *device; /* NULL once it is gone */
	struct mutex lock;
	struct vdsim_control control;
	struct dma_buf *foreign[VDSIM_FRAMES];
	u8 config[VDSIM_CONFIG_SIZE];

	/* Calls that wait. */
	struct mutex exclusive;
	wait_queue_head_t released;
	u32 generation; /* of releases */
	atomic_t blocked;

	struct file *memory;
	struct mutex memory_lock; /* its length */
	atomic_t maps[3];	  /* enum vdsim_view_kind */

	struct xarray objects;
	u32 object_count; /* also those that lost their number */
	u32 last_id;	  /* of VDSIM_ID_KEEP */
	atomic_t dmabufs;
	atomic_t attachments;

	ktime_t flip_start;
	bool flipping;

	spinlock_t irq_lock;
	struct eventfd_ctx *trigger;
	bool masked;
	u64 fired;
	u64 flips_to_fire;
	struct hrtimer flip_timer;

	spinlock_t record_lock;
	struct vdsim_record *record;
	u64 log_count;
	u64 edid_count;
};

enum vdsim_view_kind { VDSIM_VIEW_MEMORY, VDSIM_VIEW_DMABUF, VDSIM_VIEW_REGION };

/* main.c */
extern unsigned int vdsim_memory_mb;

/* device.c */
struct vdsim_device {
	struct vfio_device vfio;
	struct vdsim *sim;
};

extern const struct vfio_device_ops vdsim_device_ops;

/* access.c */
ssize_t vdsim_access(
	struct vdsim *sim, char __user *buffer, size_t count, loff_t *position, bool write);

/* display.c */
struct vdsim *vdsim_create(struct vfio_device *device);
void vdsim_get(struct vdsim *sim);
void vdsim_put(struct vdsim *sim);
bool vdsim_is_controller(const struct vdsim *sim);
/* Of the caller: the controller's or the clients'. Adding to them needs no lock. */
struct vdsim_counters *vdsim_counters(struct vdsim *sim);
#define vdsim_count(sim, member) atomic_inc((atomic_t *)&vdsim_counters(sim)->member)

/* control.c */
void vdsim_control_init(struct vdsim *sim, u64 memory_limit);
void vdsim_control_finish(struct vdsim *sim); /* what the registers hold: foreign dma-bufs */
void vdsim_stop(struct vdsim *sim); /* locked; as a reset does: planes off, no flips, no ids */
void vdsim_flip_settle(struct vdsim *sim); /* locked: brings plane[].frame up to the time */
int vdsim_control_read(struct vdsim *sim, void *to, size_t count, u64 at);
int vdsim_control_write(struct vdsim *sim, const void *from, size_t count, u64 at);
void vdsim_release_blocked(struct vdsim *sim);

/* record.c */
void vdsim_log(struct vdsim *sim, u32 what, u32 arg, s32 result, u64 value);
void vdsim_log_edid(struct vdsim *sim, u32 what, u32 arg, s32 result, u64 value);
void vdsim_record_read(struct vdsim *sim, void *to, size_t count, u64 at);

/* script.c: waits as told, then 0, VDSIM_ANSWER_* or -errno. */
int vdsim_script(struct vdsim *sim, unsigned int which);
int vdsim_exclusive_wait(struct vdsim *sim);

/* memory.c */
int vdsim_memory_init(struct vdsim *sim, u64 size);
void vdsim_memory_finish(struct vdsim *sim);
int vdsim_memory_resize(struct vdsim *sim, u64 size);
/* Returns bytes done, fewer at the end of the memory. */
ssize_t vdsim_memory_read(struct vdsim *sim, void *to, size_t count, u64 at);
ssize_t vdsim_memory_write(struct vdsim *sim, const void *from, size_t count, u64 at);
/* Makes @vma show the memory from @at on. */
int vdsim_memory_map(
	struct vdsim *sim, struct vm_area_struct *vma, u64 at, enum vdsim_view_kind kind);
int vdsim_region_map(struct vdsim *sim, struct vm_area_struct *vma);

/* plane.c */
long vdsim_query(struct vdsim *sim, void __user *arg);
void vdsim_drop_ids(struct vdsim *sim, u32 id);				   /* locked */
void vdsim_drop_foreign(struct vdsim *sim, const struct dma_buf *foreign); /* locked */
long vdsim_get_dmabuf(struct vdsim *sim, void __user *arg);
void vdsim_object_closed(struct vdsim *sim, struct vdsim_object *object);

/* What a dma-buf shows. */
struct vdsim_object {
	u32 id;
	bool listed; /* its number still means it */
	u32 open;    /* dma-bufs */
	u32 gets;
	u32 fourcc, width, height, size;
	u64 modifier, offset, length;
	u32 flags, map_error;
	struct dma_buf *foreign;
};

/* dmabuf.c: a new dma-buf; @object's open is the caller's to count up first, its release counts it down. */
struct dma_buf *vdsim_dmabuf_export(struct vdsim *sim, struct vdsim_object *object);

/* info.c */
long vdsim_get_info(struct vdsim *sim, void __user *arg);
long vdsim_get_region_info(struct vdsim *sim, void __user *arg);
const struct vdsim_region *vdsim_region_find(struct vdsim *sim, u32 index); /* locked */

struct vdsim_chain {
	u32 fixed; /* bytes before it */
	u32 used;
	u32 first, last; /* offsets of headers in data */
	bool any;
	u8 data[256];
};

void vdsim_chain_init(struct vdsim_chain *chain, u32 fixed);
void vdsim_chain_add(struct vdsim_chain *chain, u16 id, const void *payload, size_t size);
/* Copies the chain where there is room. Sets @argsz to what all needs and @cap_offset. */
int vdsim_chain_copy(
	struct vdsim_chain *chain, u32 fault, void __user *arg, u32 *argsz, u32 *cap_offset);

/* irq.c */
long vdsim_get_irq_info(struct vdsim *sim, void __user *arg);
long vdsim_set_irqs(struct vdsim *sim, void __user *arg);
int vdsim_irq_fire(struct vdsim *sim, u64 value);
void vdsim_irq_init(struct vdsim *sim);
void vdsim_irq_disarm(struct vdsim *sim);
void vdsim_irq_follow_flips(struct vdsim *sim, u64 count, u64 period_ns);
void vdsim_irq_stop_flips(struct vdsim *sim);

/* edid.c */
ssize_t vdsim_edid_read(struct vdsim *sim, void *to, size_t count, u64 at);
ssize_t vdsim_edid_write(struct vdsim *sim, const void *from, size_t count, u64 at);

/* config_space.c: the PCI configuration. */
void vdsim_config_init(struct vdsim *sim);
void vdsim_config_read(struct vdsim *sim, void *to, size_t count, u64 at);
void vdsim_config_write(struct vdsim *sim, const void *from, size_t count, u64 at);

#endif
