/* SPDX-License-Identifier: GPL-2.0-or-later */
/* span.h - what 64 pixels side by side in one row of the frame looked like, in 64 bits that can be compared wherever they are. Private to
 * src/damage/.
 *
 * The 32 words of a span are the coefficients of a polynomial over GF(2^64), which is evaluated at a secret place: for any two
 * spans that differ the hashes are equal with a probability of at most 31 * 2^-64 over the choice of the place, which is drawn from
 * the kernel once for each process. So a guest cannot aim. A polynomial, and not a sum of products with independent keys as
 * in hash.h, because its value for the next two pixels follows from the last one: that is how pixels are found that moved sideways. A
 * secret constant is added, so that a black span is not 0, which means: not known.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SPAN_PIXELS 64
#define SPAN_BLOCKS 4 /* of 16 pixels; at the end of a row a span may have fewer */
#define SPAN_WORDS  (SPAN_PIXELS / 2)
#define SPAN_LOW    0x1b /* x^64 = x^4 + x^3 + x + 1 */

struct span_key {
	_Alignas(64) uint64_t words[SPAN_WORDS]; /* powers of the place, the highest first */
	uint64_t place, left; /* left: what the word that leaves a span has been multiplied with */
	uint64_t salt;
};

/* Where the spans of a strip of groups go: row y of group g to at[g * pitch + y]. */
struct spans {
	const struct span_key *key;
	uint64_t *at;
	size_t pitch;
};

/* Can this machine do it fast enough? */
bool span_usable(void);
/* -errno of getrandom(2). */
int span_key_draw(struct span_key *ret);
/* The rest needs span_usable(). Pixels of XRGB8888 with X = 0, of @blocks blocks. */
uint64_t span_hash(const struct span_key *key, const uint32_t *pixels, size_t blocks);
/* For each k up to SPAN_PIXELS: of a span whose first k pixels are @head's and the others @tail's. */
void span_seams(const struct span_key *key, const uint32_t *head, const uint32_t *tail,
	uint64_t ret[SPAN_PIXELS + 1]);
/* Of whole spans that begin at each of @count pixels, which need SPAN_PIXELS - 1 more behind them. */
void span_roll(const struct span_key *key, const uint32_t *pixels, size_t count, uint64_t *ret);
