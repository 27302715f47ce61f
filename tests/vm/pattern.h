/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pattern.h - pictures that the painter and the checking client compute alike (pattern.py is the other half).
 *
 * A table of 65536 colours comes from a 32-bit xorshift generator; a pattern says which entry a pixel is:
 * "noise": the next entry for every pixel, "blocks": one entry for each 64x64 block, "solid": one for all.
 */
#pragma once

#include <stdint.h>

struct pattern;

/* NULL: no such name. */
const struct pattern *pattern_find(const char *name);
/* Pixels @x to @x+@count-1 of line @y as XRGB8888, X = 0. @x + @count <= 8192. */
void pattern_line(const struct pattern *pattern, uint32_t seed, uint32_t x, uint32_t y,
	uint32_t count, uint32_t *ret_line);
