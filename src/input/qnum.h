/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qnum.h - the keys of a keyboard as PCs have numbered them, and as the kernel does (linux/input-event-codes.h).
 *
 * A "qnum" is what RFB's QEMU Extended Key Event and QMP's input-send-event carry: a make code of scancode set 1 (XT), those behind a prefix
 * 0xe0 with bit 7 set. It says where a key is, whatever is printed on it.
 */
#pragma once

#include <stdint.h>

/* KEY_...; 0: no such key. */
uint16_t qnum_to_code(uint32_t qnum);
/* The first that means it; 0: none does. */
uint32_t qnum_from_code(uint16_t code);
