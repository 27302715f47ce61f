/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * vfio_display_sim.h - register map of the VFIO display simulator, for the driver and for user space.
 *
 * The simulator is a PCI device with three BARs, all on the device's file descriptor. Region I begins at file offset
 * I << VDSIM_REGION_SHIFT; the registers are reached with pread() and pwrite(), the memory also with mmap().
 *
 *	region 0	struct vdsim_control, the registers below
 *	region 1	struct vdsim_record, what happened; read only
 *	region 2	video memory, which planes show
 *
 * Accesses to the registers are aligned to 4 bytes and any multiple of 4 bytes long. One pwrite() takes effect at once as
 * seen by every other call: a whole frame or plane can be changed without a client seeing half of it. Bytes are in the
 * machine's order. Registers marked "ro" answer EPERM to a write.
 *
 * A process is either the controller, the one that opened the device or wrote VDSIM_CLAIM last, or a client. A client's
 * accesses to regions 0 to 2 and to the PCI configuration are refused (EPERM) and counted.
 */
#ifndef VFIO_DISPLAY_SIM_H
#define VFIO_DISPLAY_SIM_H

#include <linux/types.h>

#define VDSIM_REGION_SHIFT   40
#define VDSIM_REGION_CONTROL 0
#define VDSIM_REGION_RECORD  1
#define VDSIM_REGION_MEMORY  2

#define VDSIM_MAGIC   0x4d495356 /* "VSIM" */
#define VDSIM_VERSION 1
#define VDSIM_CLAIM   0x434c4149 /* to @controller: the writer becomes the controller */
#define VDSIM_NONE    0xffffffff
#define VDSIM_FOREVER 0xffffffff

#define VDSIM_FRAMES  64
#define VDSIM_PLANES  3 /* by drm_plane_type: overlay, primary, cursor */
#define VDSIM_REGIONS 4
#define VDSIM_AREAS   4
#define VDSIM_SCRIPTS 16

/*
 * Where the numbers of dma-bufs come from (@id_policy). KEEP as mbochs: ever higher, an id lives until the device is closed
 * or reset. REUSE as GVT-g: the lowest free one; it is free again once all dma-bufs of an id that was got are closed.
 */
#define VDSIM_ID_KEEP  0
#define VDSIM_ID_REUSE 1

/* @answer of a script: 0 does the work, 1 to 4095 is an errno, and for queries also: */
#define VDSIM_ANSWER_UNTOUCHED 0x10000 /* success, the caller's struct is not written at all */
#define VDSIM_ANSWER_ZEROS     0x10001 /* success, drm_format, size, width and height are 0 */

/* Which calls a script is for: control.script[...]. */
#define VDSIM_SCRIPT_GET_INFO	 0
#define VDSIM_SCRIPT_REGION_INFO 1
#define VDSIM_SCRIPT_IRQ_INFO	 2
#define VDSIM_SCRIPT_SET_IRQS	 3
#define VDSIM_SCRIPT_RESET	 4
#define VDSIM_SCRIPT_PROBE	 5
#define VDSIM_SCRIPT_QUERY	 6 /* + drm_plane_type: 6, 7, 8 */
#define VDSIM_SCRIPT_GET_DMABUF	 9
#define VDSIM_SCRIPT_MMAP	 10 /* of the device's file; never blocks */
#define VDSIM_SCRIPT_DMABUF_MMAP 11 /* never blocks */
#define VDSIM_SCRIPT_EDID_WRITE	 12

/* @block_flags of a script. */
#define VDSIM_BLOCK_UNKILLABLE 1 /* not even SIGKILL ends the wait; else a fatal signal does */
#define VDSIM_BLOCK_EXCLUSIVE  2 /* other ioctls wait too, as behind a driver's one lock */

/* @flags of a frame. */
#define VDSIM_FRAME_READ_ONLY 1 /* the dma-buf's file is O_RDONLY, as a stock mbochs': it does not map */
#define VDSIM_FRAME_INHERIT   2 /* its descriptor is not close-on-exec, as mbochs' */

/* How a chain of capabilities is wrong (@chain). */
#define VDSIM_CHAIN_GOOD	  0
#define VDSIM_CHAIN_LOOP	  1 /* the last one's next is the first */
#define VDSIM_CHAIN_SELF	  2 /* the first one's next is itself */
#define VDSIM_CHAIN_BACKWARDS	  3 /* the last one's next lies in the fixed part */
#define VDSIM_CHAIN_OUTSIDE	  4 /* the last one's next lies beyond argsz */
#define VDSIM_CHAIN_TRUNCATED	  5 /* the last one's next is the last 4 bytes that are written */
#define VDSIM_CHAIN_START_OUTSIDE 6 /* cap_offset lies beyond argsz */
#define VDSIM_CHAIN_START_INSIDE  7 /* cap_offset lies in the fixed part */
#define VDSIM_CHAIN_NO_ROOM	  8 /* cap_offset is set though argsz has no room (mbochs' EDID region) */
#define VDSIM_CHAIN_MISALIGNED	  9 /* the chain begins at an odd offset */

/* @quirks of a region. */
#define VDSIM_REGION_LATE_MMAP 1 /* FLAG_MMAP only when argsz > 32, as NVIDIA's driver */

/*
 * @rules of the EDID region. GVT: size before blob, EPERM for read-only registers, EINVAL on UP with a block that is not
 * valid. MBOCHS: nothing is checked but the limits, and what is beyond them is ignored.
 */
#define VDSIM_EDID_GVT	  1
#define VDSIM_EDID_MBOCHS 2

/* @caps of the display interrupt. */
#define VDSIM_IRQ_TYPE	  1 /* the capability that names type and subtype */
#define VDSIM_IRQ_DISPLAY 2 /* the capability with the two event values */

/* @flags of the flipper. */
#define VDSIM_FLIP_FIRE 1 /* each flip fires the display interrupt with the plane's value; period 1 ms or more */

/* What a plane can show: 64 bytes. */
struct vdsim_frame {
	__u32 fourcc;
	__u32 width;
	__u32 height;
	__u32 stride;
	__u32 size;	    /* as a query reports it; 0: stride * height */
	__u32 region_index; /* as a query reports it, for planes of kind region */
	__u64 modifier;
	__u64 offset; /* of pixel 0 in video memory; a dma-buf must begin at a whole page, else GET is EINVAL */
	__u64 length; /* bytes of the dma-buf; 0: size. Shorter than size is a lie that a client must find */
	__u32 id;	 /* dmabuf_id whatever the policy says; 0: by the policy */
	__u32 flags;	 /* VDSIM_FRAME_* */
	__u32 map_error; /* errno of mmap() of the dma-buf; 0: it maps. GVT-g: ENODEV */
	__u32 foreign; /* write a descriptor of somebody else's dma-buf: GET hands out that one. VDSIM_NONE: give it back.
			     * Reads as 0 while one is held, else VDSIM_NONE */
};

/* One of the three planes: 32 bytes. */
struct vdsim_plane {
	__u32 frame; /* number of the frame on show, VDSIM_NONE: off */
	__u32 off; /* what a query answers while off: VDSIM_ANSWER_ZEROS, VDSIM_ANSWER_UNTOUCHED or an errno */
	__u32 kind; /* VFIO_GFX_PLANE_TYPE_DMABUF or _REGION: queries for the other kind are EINVAL */
	__u32 alias; /* drm_plane_type that is answered in place of this one, as region drivers do; VDSIM_NONE: none */
	__u32 x;
	__u32 y;
	__u32 hot_x;
	__u32 hot_y;
};

/* How the next calls of one kind go: 32 bytes. First a call waits, then it fails or works. */
struct vdsim_script {
	__u32 answer;	   /* VDSIM_ANSWER_* or an errno */
	__u32 count;	   /* so many calls get it; VDSIM_FOREVER. The driver counts it down */
	__u32 skip;	   /* so many calls pass first. Counted down */
	__u32 block_ms;	   /* how long a call waits; VDSIM_FOREVER: until @release is written */
	__u32 block_count; /* so many calls wait; VDSIM_FOREVER. Counted down */
	__u32 block_flags; /* VDSIM_BLOCK_* */
	__u32 reserved0[2];
};

struct vdsim_area {
	__u64 offset;
	__u64 size;
};

/* A region that shows video memory from @offset on: 128 bytes. */
struct vdsim_region {
	__u32 index; /* 3 to 4095, not 7; may be num_regions or more. VDSIM_NONE: not there */
	__u32 flags; /* VFIO_REGION_INFO_FLAG_*, as reported; _CAPS is added where there is one */
	__u64 size;  /* as reported */
	__u64 mappable; /* what mmap() takes, from the region's start; 0: nothing */
	__u64 offset;	/* in video memory; a whole page, or mmap() is EINVAL */
	__u32 type;	/* VFIO_REGION_TYPE_*; 0: no capability of that kind */
	__u32 subtype;
	__u32 chain;	   /* VDSIM_CHAIN_* */
	__u32 argsz_limit; /* GET_REGION_INFO with more is EINVAL (mbochs: 48); 0: no limit */
	__u32 quirks;	   /* VDSIM_REGION_LATE_MMAP */
	__u32 area_count;  /* of the sparse capability; 0: none. mmap() outside an area is EINVAL */
	__u32 reserved0[2];
	struct vdsim_area area[VDSIM_AREAS];
};

/* The EDID region: 32 bytes. Its writes are kept in struct vdsim_record. */
struct vdsim_edid {
	__u32 index;	/* of the region; VDSIM_NONE: there is none */
	__u32 rules;	/* VDSIM_EDID_GVT or _MBOCHS */
	__u32 max_size; /* GVT-g: 128, mbochs: 1024 */
	__u32 offset;	/* of the blob in the region, 24 to 2048 */
	__u32 max_xres;
	__u32 max_yres;
	__u32 chain; /* VDSIM_CHAIN_* */
	__u32 error; /* errno of every refused access; 0: the rules' own. The real GVT-g: EFAULT */
};

/* The display interrupt, which was proposed in 2019 and never merged: 64 bytes. */
struct vdsim_irq {
	__u32 form; /* capability numbers of version 5 or 6 of the proposal; 0: there is no such interrupt */
	__u32 index; /* 5 or more */
	__u32 flags; /* VFIO_IRQ_INFO_*, as reported; the one for capabilities is added */
	__u32 count;
	__u64 primary; /* event values; GVT-g: 1 << 56 and 1 << 48 */
	__u64 cursor;
	__u32 caps;	       /* VDSIM_IRQ_* */
	__u32 chain;	       /* VDSIM_CHAIN_* */
	__u32 minus_one_error; /* errno for a descriptor of -1; 0: it disarms. The proposal: EBADF */
	__u32 reserved0;
	__u64 fire; /* write 8 bytes: adds them to the client's eventfd. ENXIO: not armed; EAGAIN: masked; EOPNOTSUPP: this
		     * kernel's eventfd_signal() takes no value (6.8 and later) and it is over 65536 */
	__u64 reserved1;
};

/* Flips by itself: the frames first to first + frames - 1 in turn. 32 bytes. Which frame is on show follows from the time
 * alone, so that any rate is exact and costs nothing. */
struct vdsim_flip {
	__u32 plane; /* drm_plane_type */
	__u32 first;
	__u32 frames;
	__u32 flags; /* VDSIM_FLIP_* */
	__u64 period_ns;
	__u64 count; /* write: starts with so many flips; 0: stops. The plane keeps the last frame */
};

/* What is so now; ro. 128 bytes. */
struct vdsim_state {
	__u32 open;	   /* whether the device is open */
	__u32 files;	   /* open files of it; a dup() of a descriptor is not another file */
	__u32 objects;	   /* ids */
	__u32 dmabufs;	   /* with at least one descriptor, mapping or import */
	__u32 attachments; /* of importers */
	__u32 map_memory;  /* mappings: of video memory, */
	__u32 map_dmabuf;  /* of dma-bufs, */
	__u32 map_region;  /* of the regions of planes */
	__u32 blocked;	   /* calls that wait */
	__u32 irq_armed;
	__u32 irq_masked;
	__u32 edid_size;
	__u32 edid_link; /* VFIO_DEVICE_GFX_LINK_STATE_*, 0 at first */
	__u32 reserved0;
	__u64 flips;	 /* of the flipper since it was started */
	__u64 fired;	 /* signals to the client's eventfd */
	__u64 log_count; /* entries ever written, see struct vdsim_record */
	__u64 edid_count;
	__u64 clock_ns; /* CLOCK_MONOTONIC, as in entries */
	__u64 reserved1[4];
};

/* What was called how often; ro, never reset, wraps. 256 bytes. */
struct vdsim_counters {
	__u32 get_info;
	__u32 region_info;
	__u32 irq_info;
	__u32 probe;
	__u32 query[4];	      /* that were answered, by drm_plane_type; the last: unknown types */
	__u32 query_error[4]; /* that failed */
	__u32 query_off[4];   /* of those answered: the plane was off */
	__u32 query_dirty;    /* came with other bytes than 0 in fields that the driver fills */
	__u32 query_argsz;    /* came with another argsz than 64 */
	__u32 get;
	__u32 get_error;
	__u32 get_open;	 /* of an id that had an open dma-buf already: kills a stock mbochs */
	__u32 get_again; /* of an id that had one before */
	__u32 set_irqs;	 /* on the display interrupt */
	__u32 set_irqs_error;
	__u32 set_irqs_forbidden; /* on any other index, 0 to 4 among them */
	__u32 reset;
	__u32 feature; /* VFIO_DEVICE_FEATURE */
	__u32 unknown; /* other ioctls */
	__u32 read;    /* of regions 0 to 2 and the PCI configuration */
	__u32 write;
	__u32 plane_read; /* pread() of a plane's region */
	__u32 plane_write;
	__u32 edid_read;
	__u32 edid_write;
	__u32 edid_error;
	__u32 map; /* mmap() */
	__u32 map_error;
	__u32 blocked;	   /* calls that had to wait */
	__u32 interrupted; /* of those: ended by a fatal signal */
	__u32 reserved0[25];
};

/* Region 0: 8192 bytes. */
struct vdsim_control {
	__u32 magic;   /* ro */
	__u32 version; /* ro */
	__u32 controller; /* its process (in the first PID namespace); write VDSIM_CLAIM to become it */
	__u32 release; /* write anything: calls that wait go on. Also: the file "release" of the device in sysfs */
	__u64 memory_size; /* how much video memory is there. Less takes pages from every mapping (SIGBUS), more adds zeros */
	__u64 memory_limit; /* ro; the region's size */
	__u32 device_flags; /* as GET_INFO reports them */
	__u32 num_regions;
	__u32 num_irqs;
	__u32 kinds;	   /* VFIO_GFX_PLANE_TYPE_DMABUF | _REGION that a PROBE is told */
	__u32 probe_error; /* errno of a PROBE for another kind: EINVAL, ENOTTY, ... */
	__u32 id_policy;   /* VDSIM_ID_* */
	__u32 drop_id; /* write an id: it is gone, as if somebody else had closed its last descriptor. VDSIM_NONE: all */
	__u32 copy_bytes; /* of the query's struct that are written: 60 or 64 */
	__u32 tail;	  /* its last 4 bytes, where 64 are written */
	__u32 reserved0[15];
	struct vdsim_edid edid;			/* at 0x80 */
	struct vdsim_flip flip;			/* at 0xa0 */
	struct vdsim_irq irq;			/* at 0xc0 */
	struct vdsim_state state;		/* at 0x100 */
	struct vdsim_plane plane[VDSIM_PLANES]; /* at 0x180 */
	__u32 reserved1[8];
	struct vdsim_script script[VDSIM_SCRIPTS]; /* at 0x200 */
	struct vdsim_region region[VDSIM_REGIONS]; /* at 0x400 */
	struct vdsim_counters clients;		   /* at 0x600: of every other process */
	struct vdsim_counters own;		   /* at 0x700: of the controller */
	__u32 reserved2[512];
	struct vdsim_frame frame[VDSIM_FRAMES]; /* at 0x1000 */
};

/* One event: 32 bytes. */
struct vdsim_entry {
	__u64 time_ns; /* CLOCK_MONOTONIC */
	__u32 pid;     /* process, as in @controller */
	__u32 what;    /* number of an ioctl, or VDSIM_DID_* */
	__u32 arg;     /* plane type, region or interrupt index, id, or offset in the region */
	__s32 result;  /* 0 or more: success (a GET: the descriptor), else -errno */
	__u64 value;   /* of EDID registers; bytes of an access; id that a query gave */
};

/* @what of an entry that is not an ioctl. */
#define VDSIM_DID_READ		 1 /* a client's pread() of region 0 to 2 or the configuration; @arg: region */
#define VDSIM_DID_WRITE		 2
#define VDSIM_DID_MMAP		 3 /* @arg: region; @value: length */
#define VDSIM_DID_DMABUF_MMAP	 4 /* @arg: id; @value: length */
#define VDSIM_DID_DMABUF_RELEASE 5 /* the last user of a dma-buf went; @arg: id */
#define VDSIM_DID_EDID_READ	 6
#define VDSIM_DID_EDID_WRITE	 7 /* @arg: offset; @value: the register's value, or for the blob the length */
#define VDSIM_DID_OPEN		 8
#define VDSIM_DID_CLOSE		 9

#define VDSIM_LOG_ENTRIES  4096
#define VDSIM_EDID_ENTRIES 256
#define VDSIM_BLOB_MAXIMUM 4096

/* Region 1. Both lists are rings: entry number N, counted from 0 as in struct vdsim_state, is at N modulo their length. */
struct vdsim_record {
	__u8 blob[VDSIM_BLOB_MAXIMUM]; /* the EDID as written, state.edid_size bytes of it count */
	struct vdsim_entry edid[VDSIM_EDID_ENTRIES]; /* accesses to the EDID region only */
	__u8 reserved0[4096];
	struct vdsim_entry log[VDSIM_LOG_ENTRIES]; /* of the controller no pread() or pwrite() */
};

#endif
