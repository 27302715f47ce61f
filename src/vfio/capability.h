/* SPDX-License-Identifier: GPL-2.0-or-later */
/* capability.h - the chain of capabilities behind a struct that the kernel filled in (struct vfio_info_cap_header, linux/vfio.h).
 *
 * A driver may write anything there. Only bytes of the caller's buffer are looked at, and offsets must grow, so that a loop
 * ends.
 */
#pragma once

#include <stdint.h>

#include <linux/vfio.h>

struct capability_chain {
	const uint8_t *info; /* the whole answer, borrowed */
	uint32_t size;	     /* bytes of it that may be looked at */
	uint32_t base;	     /* bytes of the struct before the first capability */
	uint32_t
		next; /* the driver's cap_offset; then where capability_next() goes on; 0: nothing follows */
	uint32_t at;			    /* bytes from @info to the capability found last */
	struct vfio_info_cap_header header; /* of the capability found last */
};

/* Moves on. 1: @chain->header is one; 0: there are no more; -EPROTO: the chain makes no sense. */
int capability_next(struct capability_chain *chain);
/* Copies the capability found last, header included, to @ret. -EPROTO: it ends before @size bytes. What is copied may be
 * misaligned in the answer. */
int capability_read(const struct capability_chain *chain, void *ret, uint32_t size);
