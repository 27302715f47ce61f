/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "damage/hash.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "base/mem.h"

const struct hash_kernel *const hash_kernels[] = {
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

static inline uint64_t word_product(uint64_t word, uint64_t key)
{
	uint32_t low = (uint32_t)word + (uint32_t)key;
	uint32_t high = (uint32_t)(word >> 32) + (uint32_t)(key >> 32);

	return (uint64_t)low * high;
}

static inline void row_sum(const uint64_t (*key)[HASH_BYTES / 8], const uint8_t *src,
	unsigned int words, uint64_t mask, uint8_t *dst, struct hash *hash)
{
	for (unsigned int i = 0; i < words; i++) {
		uint64_t word = word_load(src + i * 8) & mask;

		hash->first += word_product(word, key[0][i]);
		hash->second += word_product(word, key[1][i]);
		if (dst)
			memcpy(dst + i * 8, &word, sizeof(word));
	}
}

static bool scalar_usable(void)
{
	return true;
}

/* Rows outside, blocks inside: memory is read in long runs. */
static void scalar_sum(const struct hash_key *key, const struct strip *strip, struct hash *ret)
{
	unsigned int words = strip->bytes * 2;

	memset(ret, 0, strip->columns * sizeof(*ret));
	for (unsigned int y = 0; y < strip->rows; y++) {
		const uint8_t *src = strip->pixels + y * strip->stride;

		for (size_t c = 0; c < strip->columns; c++, src += words * 8)
			row_sum(&key->words[y], src, words, strip->mask, NULL, &ret[c]);
	}
}

static void scalar_store(const struct hash_key *key, const struct strip *strip, uint8_t *dst,
	size_t dst_stride, struct hash *ret)
{
	memset(ret, 0, strip->columns * sizeof(*ret));
	for (unsigned int y = 0; y < strip->rows; y++) {
		const uint8_t *src = strip->pixels + y * strip->stride;
		uint8_t *row = dst + y * dst_stride;

		for (size_t c = 0; c < strip->columns; c++)
			row_sum(&key->words[y], src + c * HASH_BYTES, HASH_BYTES / 8, strip->mask,
				row + c * HASH_BYTES, &ret[c]);
	}
}

const struct hash_kernel hash_scalar = {
	.name = "scalar",
	.usable = scalar_usable,
	.sum = scalar_sum,
	.store = scalar_store,
};
