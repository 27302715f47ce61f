/* SPDX-License-Identifier: GPL-2.0-or-later */
/* wire.h - RFB's numbers: big-endian, not aligned (RFB 6). */
#pragma once

#include <stdint.h>

static inline uint16_t wire_u16(const uint8_t *at)
{
	return at[0] << 8 | at[1];
}

static inline uint32_t wire_u32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | at[1] << 16 | at[2] << 8 | at[3];
}

static inline void wire_put_u16(uint8_t *at, uint16_t value)
{
	at[0] = value >> 8;
	at[1] = value;
}

static inline void wire_put_u32(uint8_t *at, uint32_t value)
{
	wire_put_u16(at, value >> 16);
	wire_put_u16(at + 2, value);
}
