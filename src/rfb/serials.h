/* SPDX-License-Identifier: GPL-2.0-or-later */
/* serials.h - when each block of a frame last changed: the serial number of that publish. Two readers that find the same number for the
 * same area see the same pixels there, whenever they look.
 */
#pragma once

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "damage/rects.h"

struct serials {
	size_t columns, rows; /* of blocks (damage/tiles.h) */
	_Atomic uint64_t base;
	_Atomic uint16_t *blocks; /* owned; beyond base */
};

/* All blocks changed at @serial. -ENOMEM. */
int serials_init(struct serials *serials, uint32_t width, uint32_t height, uint64_t serial);
void serials_finish(struct serials *serials);
/* @serial: newer than all before. Where it is 65536 or more beyond the base all blocks count as changed at it, and it is the base from then on.
 * @bitmap: layout damage/tiles.h; its blocks changed at @serial. Bits beyond the last column mean nothing. */
void serials_note(struct serials *serials, const uint64_t *bitmap, uint64_t serial);
/* The newest serial in @rect, which is inside the frame and not empty. Any thread; while nobody notes. */
uint64_t serials_newest(const struct serials *serials, const struct rect *rect);
