/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hash.h - what a block of 16x16 source pixels looked like, and a group of four beside each other, in 128 bits. Private to
 * src/damage/.
 *
 * For each 16 bytes of a block: the two 64-bit words, each xor-ed with a key word of that place, are multiplied without carries
 * (as polynomials over GF(2)), and all products are xor-ed. This is the first stage of CLHASH (Lemire and Kaser, "Faster 64-bit universal
 * hashing using carry-less multiplications", 2016): for any two blocks that differ, whatever they are and wherever they differ,
 * the hashes are equal with a probability of at most 2^-64 over the choice of the key. The key is drawn from the kernel once for
 * each process and never leaves it, so a guest cannot aim. No bit is special, no place is like another, a blank block is a
 * block like all others, and moved or swapped pixels meet other key words. Each of the four blocks of a group has its own key, so
 * the xor of their hashes is the hash of the group, with the same bound. Xor does not care for order: every kernel may walk as
 * it likes and still gets the same hash.
 *
 * A tiled plane has the same words of 16 bytes as one with plain rows, in another order (plane/tiling.h). So its groups are
 * summed up in the order of memory, with the key words put into that order, and the hash is that of the same pixels in rows.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HASH_ROWS  16 /* of a block */
#define HASH_GROUP 4  /* blocks */
#define HASH_BYTES 64 /* of one row of a block of 4-byte pixels: 16 for each byte of a pixel */

struct spans;
struct tiling;

struct hash {
	uint64_t low, high; /* both 0: unknown */
};

struct hash_key {
	_Alignas(64) uint64_t words[HASH_ROWS][HASH_GROUP][HASH_BYTES / 8];
};

/* Blocks side by side, all of them 16 pixels wide, the first of them the first of its group. */
struct strip {
	const uint8_t *pixels; /* no alignment; may change under the reader */
	size_t stride;	       /* bytes */
	size_t columns;
	unsigned int rows;  /* 1..HASH_ROWS */
	unsigned int bytes; /* for each pixel: 1, 2, 3, 4 */
	uint64_t mask;	    /* and-ed to each word: what is not part of the picture */
};

#define HASH_LINES (HASH_ROWS * HASH_GROUP) /* of 64 bytes: the most that a group has */

/* Where a tiled group's lines of the cache lie, from its first byte, and their key words. */
struct hash_lines {
	_Alignas(64) uint64_t key[HASH_LINES][HASH_BYTES / 8];
	uint32_t at[HASH_LINES]; /* bytes */
	unsigned int used;
	uint32_t ahead; /* bytes: with each line another one so far behind it is fetched; 0: none */
};

struct hash_kernel {
	const char *name;
	bool (*usable)(void);
	/* Xors the hash of each group into @groups: into 0 it is the hash, into the hash of then 0 when nothing changed. @sums:
	 * room for HASH_BYTES for each group, 64-byte aligned. */
	void (*sum)(const struct hash_key *key, const struct strip *strip, uint8_t *sums,
		struct hash *groups);
	/* Xors the hash of the tiled group at @group into @hash. @mask as in a strip. */
	void (*sum_lines)(const struct hash_lines *lines, const uint8_t *group, uint64_t mask,
		struct hash *hash);
	/* The same for lines that are one row of groups of 4-byte pixels; @spans gets that row's, of the words that were hashed and
	 * masked. Every word is loaded once. NULL: not in this kernel. */
	void (*sum_spans)(const struct hash_lines *lines, const uint8_t *row, uint64_t mask,
		const struct spans *spans, struct hash *hash);
	/* The hash of each block. Where @dst is not NULL (4-byte pixels only) it also gets the words that were hashed, masked; @dst
	 * and its stride are 64-byte aligned. Every word is loaded once, so the hash is that of the stored bytes even while the
	 * source changes. So are spans (span.h) of them; @spans NULL: not wanted, as where @dst is NULL or has_spans is not set. */
	void (*store)(const struct hash_key *key, const struct strip *strip, uint8_t *dst,
		size_t dst_stride, struct hash *blocks, const struct spans *spans);
	bool has_spans;
};

extern const struct hash_kernel hash_scalar;
#if defined(__x86_64__)
extern const struct hash_kernel hash_pclmul; /* 128 bits a step: x86 of about 2011 and later */
extern const struct hash_kernel hash_avx2;   /* 256, with VPCLMULQDQ */
extern const struct hash_kernel hash_avx512; /* 512, with VPCLMULQDQ */
#endif

/* Best first, ends with NULL; the last one is "scalar". */
extern const struct hash_kernel *const hash_kernels[];

/* -errno of getrandom(2). */
int hash_key_draw(struct hash_key *ret);
/* For groups of pixels of @bytes bytes in a plane of that tiling and stride. */
void hash_lines_learn(struct hash_lines *lines, const struct hash_key *key,
	const struct tiling *tiling, uint32_t stride, unsigned int bytes);
