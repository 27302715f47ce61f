/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "base/mem.h"
#include "damage/hash.h"
#include "plane/tiling.h"

#define LINE_WORDS (HASH_BYTES / TILE_WORD)

static int compare_offsets(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Of a word of the first group; all groups are like it. */
static uint32_t word_offset(
	const struct tiling *tiling, uint32_t stride, unsigned int word, unsigned int row)
{
	return (uint32_t)tiling_offset(tiling, stride, word * TILE_WORD, row);
}

void hash_lines_learn(struct hash_lines *lines, const struct hash_key *key,
	const struct tiling *tiling, uint32_t stride, unsigned int bytes)
{
	const unsigned int words = HASH_GROUP * bytes; /* in a row of a group */
	uint32_t offsets[HASH_LINES * LINE_WORDS];
	unsigned int used = 0;

	for (unsigned int y = 0; y < HASH_ROWS; y++)
		for (unsigned int i = 0; i < words; i++)
			offsets[used++] = word_offset(tiling, stride, i, y);
	qsort(offsets, used, sizeof(offsets[0]), compare_offsets);
	lines->used = used / LINE_WORDS;
	for (unsigned int i = 0; i < lines->used; i++)
		lines->at[i] = offsets[i * LINE_WORDS];
	for (unsigned int y = 0; y < HASH_ROWS; y++) {
		for (unsigned int i = 0; i < words; i++) {
			uint32_t offset = word_offset(tiling, stride, i, y);
			uint32_t *at = bsearch(
				&offset, offsets, used, sizeof(offsets[0]), compare_offsets);

			memcpy((uint8_t *)lines->key + (at - offsets) * TILE_WORD,
				&key->words[y][i / bytes][i % bytes * 2], TILE_WORD);
		}
	}
}
