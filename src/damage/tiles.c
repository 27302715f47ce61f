/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation.
 *
 * The invariant: a block's hash is either unknown or that of the very bytes from which the block in the frame was made. If
 * it holds, a look that computes the same hash from the source has read what the frame shows, and may leave the block alone.
 *
 * The guest draws while we read, so it is easily broken. Keeping the hash of the first pass for bytes copied in a second one
 * would: the first pass sees B, the copy gets A (the guest flickers A, B, A, B), the frame shows A under the hash of B, and
 * once the guest settles on B the block stays wrong for ever. So the hash of the first pass only says "look closer". The second
 * pass, which runs while the row of blocks is still in L2, loads every word once, and both the frame and the hash that is
 * kept get that word. Where pixels need a conversion the source goes to a bounce buffer first, and hash and picture are made from there.
 *
 * The source can also vanish: a read raises SIGBUS and the look is left by siglongjmp. A block that was half stored then is
 * neither the old nor the new picture. Hence the order for each run of blocks: damage bits, hashes to unknown, pixels,
 * hashes. Setting the hash to unknown first matters: with the old hash left in place a source that returns to the old
 * picture would hide the half stored new one. The fences keep the compiler from moving the steps; only this thread is to see the order.
 *
 * A change of format or of the number of readable rows needs no care beyond forgetting the hashes on a new converter: the hash of a block
 * covers the rows that were stored, and bytes that mean something else now must be stored again.
 */
#include "damage/tiles.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/mem.h"
#include "damage/hash.h"

static_assert(BLOCK_PIXELS == HASH_ROWS && BLOCK_PIXELS * 4 == HASH_BYTES, "a block is square");

#define BOUNCE_COLUMNS 32u
#define BOUNCE_STRIDE  (BOUNCE_COLUMNS * HASH_BYTES)

struct tiles {
	uint32_t width, height;
	size_t columns, rows; /* of blocks */
	size_t stride_words;
	struct hash *hashes;
	uint64_t *damage;
	bool damaged;

	/* Learnt from the converter of the last view. */
	convert_fn convert;
	uint8_t bytes;
	bool direct; /* the converter does nothing but masking */
	uint64_t mask;

	/* One row of blocks, while it is looked at. */
	struct hash *now;
	uint64_t *changed;
	uint8_t *bounce;
};

/* One look. */
struct look {
	const struct view *view;
	uint8_t *dst;
	size_t dst_stride;
	unsigned int rows; /* of pixels, in this row of blocks */
	size_t row;	   /* of blocks */
};

static struct hash_key hash_key;
static const struct hash_kernel *kernel;
static int kernel_error;

static int kernel_find(const char *name)
{
	for (size_t i = 0; hash_kernels[i]; i++) {
		if (name ? strcmp(name, hash_kernels[i]->name) : !hash_kernels[i]->usable())
			continue;
		if (!hash_kernels[i]->usable())
			return -ENOTSUP;
		kernel = hash_kernels[i];
		return 0;
	}
	return -ENOTSUP;
}

static void kernel_prepare(void)
{
	kernel_error = hash_key_draw(&hash_key);
	if (!kernel_error)
		kernel_error = kernel_find(NULL);
}

static int kernel_ready(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	int r = pthread_once(&once, kernel_prepare);

	return r ? -r : kernel_error;
}

int tiles_select(const char *name)
{
	int r = kernel_ready();

	return r < 0 ? r : kernel_find(name);
}

const char *tiles_selected(void)
{
	return kernel_ready() < 0 ? "none" : kernel->name;
}

size_t tiles_bitmap_stride(uint32_t width)
{
	return DIV_ROUND_UP(DIV_ROUND_UP((size_t)width, BLOCK_PIXELS), 64);
}

size_t tiles_bitmap_words(uint32_t width, uint32_t height)
{
	return tiles_bitmap_stride(width) * DIV_ROUND_UP((size_t)height, BLOCK_PIXELS);
}

static void *zeroed(size_t bytes)
{
	void *p = aligned_alloc(64, ALIGN_UP(bytes, 64));

	if (p)
		memset(p, 0, ALIGN_UP(bytes, 64));
	return p;
}

int tiles_create(uint32_t width, uint32_t height, struct tiles **ret)
{
	struct tiles *tiles;
	int r = kernel_ready();

	if (r < 0)
		return r;
	tiles = new0(struct tiles);
	if (!tiles)
		return -ENOMEM;
	tiles->width = width;
	tiles->height = height;
	tiles->columns = DIV_ROUND_UP((size_t)width, BLOCK_PIXELS);
	tiles->rows = DIV_ROUND_UP((size_t)height, BLOCK_PIXELS);
	tiles->stride_words = tiles_bitmap_stride(width);
	tiles->hashes = zeroed(tiles->rows * tiles->columns * sizeof(struct hash));
	tiles->damage = zeroed(tiles_bitmap_words(width, height) * sizeof(uint64_t));
	tiles->now = zeroed(tiles->columns * sizeof(struct hash));
	tiles->changed = zeroed(tiles->stride_words * sizeof(uint64_t));
	tiles->bounce = zeroed(HASH_ROWS * BOUNCE_STRIDE);
	if (!tiles->hashes || !tiles->damage || !tiles->now || !tiles->changed || !tiles->bounce) {
		tiles_destroy(tiles);
		return -ENOMEM;
	}
	*ret = tiles;
	return 0;
}

void tiles_destroy(struct tiles *tiles)
{
	if (!tiles)
		return;
	free(tiles->hashes);
	free(tiles->damage);
	free(tiles->now);
	free(tiles->changed);
	free(tiles->bounce);
	free(tiles);
}

void tiles_forget(struct tiles *tiles)
{
	memset(tiles->hashes, 0, tiles->rows * tiles->columns * sizeof(struct hash));
}

/* A converter maps each pixel for itself, so a few pixels tell whether the top byte counts and whether the rest comes out as it
 * went in. Asking it keeps one list of formats, in src/capture/. */
static void learn_converter(struct tiles *tiles, const struct view *view)
{
	uint32_t in[32] = {0}, masked[32], out[32], plain[32];

	if (view->convert == tiles->convert && view->bytes == tiles->bytes)
		return;
	tiles_forget(tiles);
	tiles->convert = view->convert;
	tiles->bytes = view->bytes;
	tiles->direct = false;
	tiles->mask = UINT64_MAX;
	if (view->bytes != 4)
		return;
	for (unsigned int i = 0; i < 32; i++) {
		in[i] = i < 24 ? 0xff000000u | 1u << i : 0x9e3779b9u * i;
		masked[i] = in[i] & 0x00ffffffu;
	}
	view->convert(out, (const uint8_t *)in, 32);
	view->convert(plain, (const uint8_t *)masked, 32);
	if (memcmp(out, plain, sizeof(out)))
		return;
	tiles->mask = 0x00ffffff00ffffffu;
	tiles->direct = !memcmp(out, masked, sizeof(out));
}

/* Blocks that are a full 16 pixels wide; a narrower one may follow them. */
static size_t full_columns(const struct tiles *tiles)
{
	return tiles->width / BLOCK_PIXELS;
}

static struct strip strip_at(const struct tiles *tiles, const struct look *look, size_t column)
{
	return (struct strip){
		.pixels = look->view->pixels +
			  look->row * BLOCK_PIXELS * (size_t)look->view->stride +
			  column * BLOCK_PIXELS * tiles->bytes,
		.stride = look->view->stride,
		.rows = look->rows,
		.bytes = tiles->bytes,
		.mask = tiles->mask,
	};
}

/* Copies @columns blocks, the last of them maybe narrow, out of the guest's reach and makes the strip point there. */
static void strip_bounce(
	const struct tiles *tiles, struct strip *strip, size_t columns, size_t pixels)
{
	size_t used = pixels * tiles->bytes, padded = columns * BLOCK_PIXELS * tiles->bytes;

	for (unsigned int y = 0; y < strip->rows; y++) {
		uint8_t *row = tiles->bounce + y * BOUNCE_STRIDE;

		memcpy(row, strip->pixels + y * strip->stride, used);
		memset(row + used, 0, padded - used);
	}
	strip->pixels = tiles->bounce;
	strip->stride = BOUNCE_STRIDE;
	strip->columns = columns;
}

/* First pass: tiles->now is the old hash xor the new one, so 0 where nothing changed. */
static void row_sum(struct tiles *tiles, const struct look *look)
{
	const struct hash *then = tiles->hashes + look->row * tiles->columns;
	size_t full = full_columns(tiles);
	struct strip strip = strip_at(tiles, look, 0);

	memcpy(tiles->now, then, tiles->columns * sizeof(*then));
	strip.columns = full;
	if (full > 0)
		kernel->sum(&hash_key, &strip, tiles->now);
	if (full == tiles->columns)
		return;
	strip = strip_at(tiles, look, full);
	strip_bounce(tiles, &strip, 1, tiles->width - full * BLOCK_PIXELS);
	kernel->sum(&hash_key, &strip, tiles->now + full);
}

/* Sets tiles->changed, returns how many. */
static unsigned int row_compare(struct tiles *tiles)
{
	unsigned int changed = 0;
	uint64_t any = 0;

	for (size_t c = 0; c < tiles->columns; c++)
		any |= tiles->now[c].low | tiles->now[c].high;
	if (!any)
		return 0;
	for (size_t w = 0; w < tiles->stride_words; w++) {
		size_t first = w * 64, n = MIN(tiles->columns - first, (size_t)64);
		uint64_t bits = 0;

		for (size_t i = 0; i < n; i++) {
			struct hash now = tiles->now[first + i];

			bits |= (uint64_t)((now.low | now.high) != 0) << i;
		}
		tiles->changed[w] = bits;
		changed += __builtin_popcountll(bits);
	}
	return changed;
}

static void run_mark(struct tiles *tiles, size_t row, size_t column, size_t columns)
{
	uint64_t *damage = tiles->damage + row * tiles->stride_words;

	tiles->damaged = true;
	for (size_t c = column; c < column + columns; c++)
		damage[c / 64] |= (uint64_t)1 << c % 64;
	memset(tiles->hashes + row * tiles->columns + column, 0, columns * sizeof(struct hash));
	atomic_signal_fence(memory_order_seq_cst);
}

static void run_convert(struct tiles *tiles, const struct look *look, struct strip *strip,
	size_t column, size_t columns)
{
	size_t x = column * BLOCK_PIXELS;
	size_t pixels = MIN(columns * BLOCK_PIXELS, tiles->width - x);

	strip_bounce(tiles, strip, columns, pixels);
	kernel->sum(&hash_key, strip, tiles->now + column);
	for (unsigned int y = 0; y < look->rows; y++) {
		uint8_t *row =
			look->dst + (look->row * BLOCK_PIXELS + y) * look->dst_stride + x * 4;

		tiles->convert((uint32_t *)row, strip->pixels + y * strip->stride, pixels);
	}
}

/* Second pass over blocks side by side. */
static void run_store(struct tiles *tiles, const struct look *look, size_t column, size_t columns)
{
	struct strip strip = strip_at(tiles, look, column);
	struct hash *kept = tiles->hashes + look->row * tiles->columns + column;
	uint8_t *dst =
		look->dst + look->row * BLOCK_PIXELS * look->dst_stride + column * HASH_BYTES;

	run_mark(tiles, look->row, column, columns);
	memset(tiles->now + column, 0, columns * sizeof(*kept));
	if (tiles->direct && column + columns <= full_columns(tiles)) {
		strip.columns = columns;
		kernel->store(&hash_key, &strip, dst, look->dst_stride, tiles->now + column);
	} else {
		run_convert(tiles, look, &strip, column, columns);
	}
	atomic_signal_fence(memory_order_seq_cst);
	memcpy(kept, tiles->now + column, columns * sizeof(*kept));
}

static bool changed_at(const struct tiles *tiles, size_t column)
{
	return tiles->changed[column / 64] >> column % 64 & 1;
}

static void row_store(struct tiles *tiles, const struct look *look)
{
	size_t full = full_columns(tiles), end;
	size_t most = tiles->direct ? tiles->columns : BOUNCE_COLUMNS;

	for (size_t c = 0; c < tiles->columns; c = end) {
		end = c + 1;
		if (!changed_at(tiles, c))
			continue;
		while (end < tiles->columns && changed_at(tiles, end) && end - c < most &&
			(end < full || !tiles->direct))
			end++;
		run_store(tiles, look, c, end - c);
	}
}

int tiles_look(struct tiles *tiles, const struct view *view, uint32_t *dst, size_t dst_stride,
	tiles_gate_fn gate, void *gate_arg)
{
	struct look look = {.view = view, .dst = (uint8_t *)dst, .dst_stride = dst_stride};
	uint32_t readable = MIN(view->rows_readable, tiles->height);
	unsigned int found = 0;

	learn_converter(tiles, view);
	for (uint32_t y = 0; y < readable; y += BLOCK_PIXELS) {
		unsigned int changed;

		look.row = y / BLOCK_PIXELS;
		look.rows = MIN(readable - y, (uint32_t)BLOCK_PIXELS);
		row_sum(tiles, &look);
		changed = row_compare(tiles);
		if (!changed)
			continue;
		if (!found && !gate(gate_arg))
			return -EAGAIN;
		found += changed;
		row_store(tiles, &look);
	}
	return found;
}

void tiles_take_damage(struct tiles *tiles, uint64_t *bitmap)
{
	size_t bytes = tiles_bitmap_words(tiles->width, tiles->height) * sizeof(uint64_t);

	/* Whoever learns of this damage must find the pixels: streaming stores wait for no one else. */
	atomic_thread_fence(memory_order_seq_cst);
	memcpy(bitmap, tiles->damage, bytes);
	memset(tiles->damage, 0, bytes);
	tiles->damaged = false;
}

bool tiles_damaged(const struct tiles *tiles)
{
	return tiles->damaged;
}
