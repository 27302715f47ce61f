/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pattern.h"

#include <stddef.h>
#include <string.h>

#include "base/mem.h"

#define COLOURS	     65536
#define LINE_MAXIMUM 8192
#define BLOCK	     64

struct pattern {
	const char *name;
	uint32_t (*index)(uint32_t seed, uint32_t x, uint32_t y);
};

static uint32_t noise_index(uint32_t seed, uint32_t x, uint32_t y)
{
	return (y * 131 + seed * 7919) % (COLOURS - LINE_MAXIMUM) + x;
}

static uint32_t blocks_index(uint32_t seed, uint32_t x, uint32_t y)
{
	return (seed * 977 + y / BLOCK * 61 + x / BLOCK * 7) % COLOURS;
}

static uint32_t solid_index(uint32_t seed, uint32_t x, uint32_t y)
{
	return seed % COLOURS;
}

static const struct pattern patterns[] = {
	{"noise", noise_index},
	{"blocks", blocks_index},
	{"solid", solid_index},
};

static const uint32_t *colour_table(void)
{
	static uint32_t table[COLOURS];
	uint32_t state = 0x2545f491;

	if (table[0])
		return table;
	for (size_t i = 0; i < COLOURS; i++) {
		state ^= state << 13;
		state ^= state >> 17;
		state ^= state << 5;
		table[i] = state & 0xffffff;
	}
	return table;
}

const struct pattern *pattern_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(patterns); i++)
		if (!strcmp(patterns[i].name, name))
			return &patterns[i];
	return NULL;
}

void pattern_line(const struct pattern *pattern, uint32_t seed, uint32_t x, uint32_t y,
	uint32_t count, uint32_t *ret_line)
{
	const uint32_t *table = colour_table();

	for (uint32_t i = 0; i < count; i++)
		ret_line[i] = table[pattern->index(seed, x + i, y)];
}
