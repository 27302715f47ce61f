/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every kernel makes of a strip what the scalar one does: hashes, pixels, and what spans say of those. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"
#include "damage/hash.h"
#include "damage/span.h"

#define COLUMNS 13
#define GROUPS	DIV_ROUND_UP(COLUMNS, HASH_GROUP)
#define STRIDE	(COLUMNS * HASH_BYTES + 64)
#define MARGIN	64 /* around what may be written */
#define PITCH	(HASH_ROWS + 3)

static struct hash_key key;
static struct span_key span_key;

/* What a kernel writes, all of it. */
struct written {
	struct hash sums[GROUPS + 1], blocks[COLUMNS + 1];
	uint64_t spans[GROUPS * PITCH];
	_Alignas(64) uint8_t room[GROUPS * HASH_BYTES];
	_Alignas(64) uint8_t frame[MARGIN + HASH_ROWS * STRIDE + MARGIN];
};

static void fill(void *at, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		((uint8_t *)at)[i] = (uint8_t)random();
}

static void work(const struct hash_kernel *kernel, const struct strip *strip, bool pixels,
	bool spans, struct written *ret)
{
	struct spans to = {.key = &span_key, .at = ret->spans, .pitch = PITCH};

	memset(ret, 0x5a, sizeof(*ret));
	kernel->sum(&key, strip, ret->room, ret->sums);
	memset(ret->room, 0, sizeof(ret->room));
	kernel->store(&key, strip, pixels ? ret->frame + MARGIN : NULL, STRIDE, ret->blocks,
		spans && kernel->has_spans ? &to : NULL);
	if (!spans || kernel->has_spans)
		return;
	for (unsigned int y = 0; y < strip->rows; y++)
		for (size_t c = 0; c < strip->columns; c += HASH_GROUP)
			to.at[c / HASH_GROUP * PITCH + y] = span_hash(&span_key,
				(const uint32_t *)(ret->frame + MARGIN + y * STRIDE +
						   c * HASH_BYTES),
				MIN(strip->columns - c, (size_t)HASH_GROUP));
}

static void hold_equal(const struct strip *strip, bool pixels, bool spans)
{
	static struct written expected, got;

	work(&hash_scalar, strip, pixels, spans, &expected);
	for (size_t i = 0; hash_kernels[i]; i++) {
		if (!hash_kernels[i]->usable())
			continue;
		work(hash_kernels[i], strip, pixels, spans, &got);
		assert_memory_equal(got.sums, expected.sums, sizeof(got.sums));
		assert_memory_equal(got.blocks, expected.blocks, sizeof(got.blocks));
		assert_memory_equal(got.spans, expected.spans, sizeof(got.spans));
		assert_memory_equal(got.frame, expected.frame, sizeof(got.frame));
	}
}

/* The source ends with the strip, so that a sanitizer sees what is read beyond. */
static void strip_of_noise(struct strip strip)
{
	const size_t off = random() % 5, bytes = off + (strip.rows - 1) * strip.stride +
						 strip.columns * 16 * strip.bytes;
	uint8_t *source = malloc(bytes);

	fill(source, bytes);
	strip.pixels = source + off;
	hold_equal(&strip, false, false);
	if (strip.bytes == 4) {
		hold_equal(&strip, true, false);
		if (span_usable())
			hold_equal(&strip, true, true);
	}
	free(source);
}

static void test_every_strip(void **state)
{
	struct strip strip = {.stride = STRIDE + 7};

	for (strip.columns = 1; strip.columns <= COLUMNS; strip.columns++)
		for (strip.rows = 1; strip.rows <= HASH_ROWS; strip.rows++)
			for (strip.bytes = 1; strip.bytes <= 4; strip.bytes++) {
				strip.mask = random() & 1 ? UINT64_MAX : 0x00ffffff00ffffff;
				strip_of_noise(strip);
			}
}

static int draw(void **state)
{
	return hash_key_draw(&key) < 0 || span_key_draw(&span_key) < 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_strip),
	};

	return cmocka_run_group_tests(tests, draw, NULL);
}
