/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "damage/hash.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "base/mem.h"

const struct hash_kernel *const hash_kernels[] = {
#if defined(__x86_64__)
	&hash_avx512,
	&hash_avx2,
	&hash_pclmul,
#endif
	&hash_scalar,
	NULL,
};

int hash_key_draw(struct hash_key *ret)
{
	uint8_t *at = (uint8_t *)ret->words;
	size_t left = sizeof(ret->words);

	while (left > 0) {
		ssize_t n = getrandom(at, left, 0);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			at += n;
			left -= n;
		}
	}
	return 0;
}

/* One load, whatever the compiler would like to do: the guest may write this memory at the same moment. */
static inline uint64_t word_load(const uint8_t *at)
{
	uint64_t word;

	memcpy(&word, at, sizeof(word));
	__asm__ volatile("" : "+r"(word));
	return word;
}

/* hash ^= a * b, four bits of b at a time. The table holds the multiples of a without its top three bits, so that none is
 * longer than a word; what those bits add comes last. */
static void product_add(struct hash *hash, uint64_t a, uint64_t b)
{
	uint64_t multiple[16] = {0, a & (UINT64_MAX >> 3)};
	uint64_t low, high = 0;

#pragma GCC unroll 8
	for (unsigned int i = 2; i < 16; i += 2) {
		multiple[i] = multiple[i / 2] << 1;
		multiple[i + 1] = multiple[i] ^ multiple[1];
	}
	low = multiple[b & 15];
#pragma GCC unroll 16
	for (unsigned int bit = 4; bit < 64; bit += 4) {
		uint64_t m = multiple[b >> bit & 15];

		low ^= m << bit;
		high ^= m >> (64 - bit);
	}
#pragma GCC unroll 4
	for (unsigned int bit = 61; bit < 64; bit++) {
		uint64_t m = -(a >> bit & 1) & b;

		low ^= m << bit;
		high ^= m >> (64 - bit);
	}
	hash->low ^= low;
	hash->high ^= high;
}

static bool scalar_usable(void)
{
	return true;
}

static void scalar_block(const uint64_t *key, const uint8_t *src, unsigned int bytes, uint64_t mask,
	uint8_t *dst, struct hash *hash)
{
	for (unsigned int i = 0; i < bytes * 2; i += 2) {
		uint64_t pair[2] = {
			word_load(src + i * 8) & mask, word_load(src + i * 8 + 8) & mask};

		product_add(hash, pair[0] ^ key[i], pair[1] ^ key[i + 1]);
		if (dst)
			memcpy(dst + i * 8, pair, sizeof(pair));
	}
}

static void scalar_sum(
	const struct hash_key *key, const struct strip *strip, uint8_t *sums, struct hash *groups)
{
	for (unsigned int y = 0; y < strip->rows; y++) {
		const uint8_t *src = strip->pixels + y * strip->stride;

		for (size_t c = 0; c < strip->columns; c++, src += strip->bytes * 16)
			scalar_block(key->words[y][c % HASH_GROUP], src, strip->bytes, strip->mask,
				NULL, &groups[c / HASH_GROUP]);
	}
}

static void scalar_sum_lines(
	const struct hash_lines *lines, const uint8_t *group, uint64_t mask, struct hash *hash)
{
	for (unsigned int i = 0; i < lines->used; i++)
		scalar_block(
			lines->key[i], group + lines->at[i], HASH_BYTES / 16, mask, NULL, hash);
}

static void scalar_store(const struct hash_key *key, const struct strip *strip, uint8_t *dst,
	size_t dst_stride, struct hash *blocks, const struct spans *spans)
{
	memset(blocks, 0, strip->columns * sizeof(*blocks));
	for (unsigned int y = 0; y < strip->rows; y++) {
		const uint8_t *src = strip->pixels + y * strip->stride;
		uint8_t *row = dst ? dst + y * dst_stride : NULL;

		for (size_t c = 0; c < strip->columns; c++, src += strip->bytes * 16)
			scalar_block(key->words[y][c % HASH_GROUP], src, strip->bytes, strip->mask,
				row ? row + c * HASH_BYTES : NULL, &blocks[c]);
	}
}

const struct hash_kernel hash_scalar = {
	.name = "scalar",
	.usable = scalar_usable,
	.sum = scalar_sum,
	.sum_lines = scalar_sum_lines,
	.store = scalar_store,
};
