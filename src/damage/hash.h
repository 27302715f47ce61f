/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hash.h - what a 16x16 block of source pixels looked like, in 128 bits. Private to src/damage/.
 *
 * Two NH sums (the hash of UMAC, RFC 4418 5.2) under one key shifted by a row. Each multiplies the two 32-bit halves of every
 * 64-bit word after adding a key word to each, and adds the products modulo 2^64. For any two blocks that differ, whatever they
 * are and however they differ, both sums are equal with a probability of at most 2^-64 over the choice of the key; the
 * key is drawn from the kernel once for each process and never leaves it. No bit of a word is special, no place is like another, a
 * blank block is a block like all others. Sums do not care for the order of adding, so every kernel may walk as it likes.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HASH_ROWS 16 /* of a block */
#define HASH_BYTES \
	64 /* of one row of a block, when a pixel has 4 bytes; fewer with smaller pixels */

struct hash {
	uint64_t first, second; /* both 0: unknown */
};

/* The row of words that row r of a block uses for its first sum is the one that row r - 1 uses for its second. */
struct hash_key {
	_Alignas(64) uint64_t words[HASH_ROWS + 1][HASH_BYTES / 8];
};

/* Blocks side by side, all of them 16 pixels wide. */
struct strip {
	const uint8_t *pixels; /* no alignment; may change under the reader */
	size_t stride;
	size_t columns;
	unsigned int rows;  /* 1..HASH_ROWS */
	unsigned int bytes; /* for each pixel: 2, 3, 4 */
	uint64_t mask;	    /* and-ed to each word: what is not part of the picture */
};

struct hash_kernel {
	const char *name;
	bool (*usable)(void);
	/* The hash of each block. Reads rows * columns * 16 * bytes bytes and prefetches beyond. */
	void (*sum)(const struct hash_key *key, const struct strip *strip, struct hash *ret);
	/* The same for 4-byte pixels, and stores the words that it hashed, masked, at @dst (64-byte aligned, as its stride): every
	 * word is loaded once, so the hash is that of the stored bytes even while the source changes. */
	void (*store)(const struct hash_key *key, const struct strip *strip, uint8_t *dst,
		size_t dst_stride, struct hash *ret);
};

extern const struct hash_kernel hash_scalar;
#if defined(__x86_64__)
extern const struct hash_kernel hash_avx2;
extern const struct hash_kernel hash_avx512;
#endif

/* Best first, ends with NULL; the last is "scalar". */
extern const struct hash_kernel *const hash_kernels[];

/* -errno of getrandom(2). */
int hash_key_draw(struct hash_key *ret);
