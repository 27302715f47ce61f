/* SPDX-License-Identifier: GPL-2.0-or-later */
/* import_link.h - messages between a capture thread and vfio-displayd-import, which reads dma-bufs that the CPU cannot map.
 *
 * One SOCK_SEQPACKET pair; each message is one struct import_message of fixed size with at most one fd. HELLO, with the DRM
 * node, is first and carries IMPORT_VERSION; READY carries it back once Mesa is loaded and the way out is locked. Both ends check
 * type and ranges (import_check); a lie ends the program, never the daemon.
 *
 * The daemon makes the surfaces (include/vfio-displayd/surface.h), seals their size and says where pixels go, so nothing that
 * the program answers is a size or a place: DONE is a number and whether it went well. It writes to a surface only between a
 * COPY and its DONE. One COPY is out at a time.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"

#define IMPORT_VERSION	1u
#define IMPORT_SURFACES 2u /* one for each type of plane */

enum import_type {
	/* daemon -> program */
	IMPORT_HELLO = 1, /* + fd: a DRM node */
	IMPORT_SURFACE,	  /* + fd: memfd to write to, instead of the last one of this number */
	IMPORT_GIVE,	  /* + fd: dma-buf, instead of the last one of this index */
	IMPORT_DROP,
	IMPORT_COPY,
	/* program -> daemon */
	IMPORT_READY = 100,
	IMPORT_DONE,
};

/* How far a COPY came. */
enum import_step {
	IMPORT_DONE_WELL,
	IMPORT_NO_IMPORT, /* the node's driver does not take the buffer */
	IMPORT_NO_MAP,	  /* it takes it, but cannot read it */
	IMPORT_NO_ROOM,	  /* what it read does not have the size that it should */
};

struct import_buffer {
	uint32_t index; /* below LIMIT_DMABUFS */
	uint32_t fourcc;
	uint64_t modifier;
	uint32_t width, height, stride, offset; /* pixels, bytes */
};

struct import_copy {
	uint32_t turn;	  /* DONE repeats it */
	uint32_t index;	  /* of the buffer */
	uint32_t surface; /* below IMPORT_SURFACES */
	uint32_t start, stride; /* where the rows go, bytes */
	uint32_t row_bytes;	/* of each row */
	uint32_t rows;
};

struct import_message {
	uint32_t type; /* enum import_type */
	uint32_t version; /* HELLO, READY; else 0 */
	union {
		struct {
			uint32_t log_level;
			char id[LIMIT_ID_CHARS + 1]; /* for the log */
		} hello;
		struct {
			uint32_t surface;
			uint32_t reserved;
			uint64_t size; /* bytes of the memfd */
		} surface;
		struct import_buffer give;
		struct {
			uint32_t index;
		} drop;
		struct import_copy copy;
		struct {
			uint32_t turn, step; /* enum import_step */
			uint32_t error;	     /* errno where the driver said one, else 0 */
		} done;
		uint8_t space[120];
	};
};

_Static_assert(sizeof(struct import_message) == 128, "both ends agree");

/* -EAGAIN, -EPIPE: the peer is gone. */
int import_send(int link, const struct import_message *message, int fd);
/* One checked message, sent by the other side. -EAGAIN; -EPIPE; -EPROTO: it lies. *ret_fd as packet_receive(). */
int import_receive(int link, bool from_daemon, struct import_message *ret, int *ret_fd);
/* 0 or -EPROTO: type, direction, version, ranges, whether an fd belongs there. */
int import_check(const struct import_message *message, bool from_daemon, bool has_fd);
