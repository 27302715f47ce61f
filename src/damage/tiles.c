/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation.
 *
 * Four blocks beside each other are a group. The first pass over a row of blocks hashes groups, because that is what a still
 * picture costs; the second looks at the blocks of the groups that changed, stores them, and finds which of them it was.
 * Where more than half of the row above has changed, all in all not little, and pixels need no conversion, the first pass is left
 * out: storing a row costs 1.7 times its hash, both 2.4 times.
 *
 * The invariant: a group's hash is either unknown or that of the very bytes from which the group in the frame was made. If
 * it holds, a look that computes the same hash from the source has read what the frame shows, and may leave the group alone.
 *
 * The guest draws while we read, so it is easily broken. Keeping the hash of the first pass for bytes copied in a second one
 * would: the first pass sees B, the copy gets A (the guest flickers A, B, A, B), the frame shows A under the hash of B, and
 * once the guest settles on B the group stays wrong for ever. So the hash of the first pass only says "look closer". The second
 * pass, which runs while the row of blocks is still in L2, loads every word once, and both the frame and the hashes that are
 * kept get that word. Where pixels need a conversion, or lie in tiles, the source goes to a bounce buffer first, and hashes and
 * picture are made from there.
 *
 * The source can also vanish: a read raises SIGBUS and the look is left by siglongjmp. A group that was half stored then is
 * neither the old nor the new picture. Hence the order for each run of groups: damage bits of all its blocks, group hashes
 * to unknown, pixels, hashes, and last the bits of blocks that had not changed are taken back. Setting the hash to unknown
 * first matters: with the old one left in place a source that returns to the old picture would hide the half stored new one. For
 * the same reason all blocks of a group whose hash was unknown count as changed. The fences keep the compiler from moving the
 * steps; only this thread has to see their order.
 *
 * A change of the number of readable rows needs no care: the hash covers the rows that were stored.
 */
#include "damage/tiles.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "base/mem.h"
#include "capture/detile.h"
#include "damage/moves.h"
#include "damage/rects.h"
#include "damage/tiles_internal.h"
#include "plane/tiling.h"

static_assert(BLOCK_PIXELS == HASH_ROWS && BLOCK_PIXELS * 4 == HASH_BYTES, "a block is square");

static_assert(DETILE_ROWS == HASH_ROWS && HASH_GROUP * BLOCK_PIXELS % DETILE_STEP == 0,
	"a run can be detiled");

static_assert(BOUNCE_COLUMNS % HASH_GROUP == 0, "a run ends with a group");

static void *zeroed(size_t bytes)
{
	void *p = aligned_alloc(64, ALIGN_UP(bytes, 64));

	if (p)
		memset(p, 0, ALIGN_UP(bytes, 64));
	return p;
}

static bool tiles_allocate(struct tiles *tiles)
{
	tiles->group_hashes = zeroed(tiles->rows * tiles->groups * sizeof(struct hash));
	tiles->block_hashes = zeroed(tiles->rows * tiles->columns * sizeof(struct hash));
	tiles->damage = zeroed(tiles->rows * tiles->stride_words * sizeof(uint64_t));
	tiles->groups_now = zeroed(tiles->groups * sizeof(struct hash));
	tiles->blocks_now = zeroed(tiles->columns * sizeof(struct hash));
	tiles->damage_before = zeroed(tiles->stride_words * sizeof(uint64_t));
	tiles->unknown = zeroed(tiles->groups * sizeof(bool));
	tiles->doubts = zeroed(tiles->rows * sizeof(bool));
	tiles->sums = zeroed(tiles->groups * HASH_BYTES);
	tiles->bounce = zeroed(HASH_ROWS * BOUNCE_STRIDE);
	tiles->lines = zeroed(sizeof(*tiles->lines));
	return probe_init(&tiles->probe, tiles->width, tiles->height) == 0 && tiles->group_hashes &&
	       tiles->block_hashes && tiles->damage && tiles->groups_now && tiles->blocks_now &&
	       tiles->damage_before && tiles->unknown && tiles->doubts && tiles->sums &&
	       tiles->bounce && tiles->lines;
}

int tiles_create(uint32_t width, uint32_t height, struct tiles **ret)
{
	struct tiles *tiles;
	int r = tiles_kernel_ready();

	if (r < 0)
		return r;
	tiles = new0(struct tiles);
	if (!tiles)
		return -ENOMEM;
	tiles->width = width;
	tiles->height = height;
	tiles->columns = DIV_ROUND_UP((size_t)width, BLOCK_PIXELS);
	tiles->rows = DIV_ROUND_UP((size_t)height, BLOCK_PIXELS);
	tiles->groups = DIV_ROUND_UP(tiles->columns, HASH_GROUP);
	tiles->stride_words = tiles_bitmap_stride(width);
	if (!tiles_allocate(tiles) || (span_usable() && moves_create(width, height, &tiles_span_key,
								&tiles->moves) < 0)) {
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
	probe_finish(&tiles->probe);
	moves_destroy(tiles->moves);
	free(tiles->group_hashes);
	free(tiles->block_hashes);
	free(tiles->damage);
	free(tiles->groups_now);
	free(tiles->blocks_now);
	free(tiles->damage_before);
	free(tiles->unknown);
	free(tiles->doubts);
	free(tiles->sums);
	free(tiles->bounce);
	band_finish(&tiles->band);
	free(tiles->lines);
	free(tiles);
}

void tiles_forget(struct tiles *tiles)
{
	memset(tiles->group_hashes, 0, tiles->rows * tiles->groups * sizeof(struct hash));
	probe_forget(&tiles->probe, 0, tiles->height);
	if (tiles->moves)
		moves_forget(tiles->moves);
}

/* A converter of 4-byte pixels takes each bit to a place, to several or to none, so a few pixels tell which bits count and whether
 * the rest comes out as it went in. Asking it keeps one list of formats, in src/capture/. */
static void learn_converter(struct tiles *tiles, const struct view *view)
{
	uint32_t in[33], out[33], mask = 0;

	if (view->convert == tiles->convert && view->bytes == tiles->bytes)
		return;
	tiles_forget(tiles);
	tiles->convert = view->convert;
	tiles->bytes = view->bytes;
	tiles->direct = false;
	tiles->mask = UINT64_MAX;
	probe_learn(&tiles->probe, &tiles_hash_key, view->bytes);
	if (view->bytes != 4)
		return;
	in[32] = 0x9e3779b9u;
	for (unsigned int i = 0; i < 32; i++)
		in[i] = in[32] ^ 1u << i;
	view->convert(out, (const uint8_t *)in, 33);
	for (unsigned int i = 0; i < 32; i++)
		mask |= (uint32_t)(out[i] != out[32]) << i;
	tiles->mask = (uint64_t)mask << 32 | mask;
	tiles->direct = true;
	for (unsigned int i = 0; i < 33; i++)
		tiles->direct &= out[i] == (in[i] & mask);
}

static void learn_tiling(struct tiles *tiles, const struct view *view)
{
	if (!view->tiling || (view->tiling == tiles->tiling && view->bytes == tiles->tiled_bytes &&
				     view->stride == tiles->tiled_stride))
		return;
	hash_lines_learn(tiles->lines, &tiles_hash_key, view->tiling, view->stride, view->bytes);
	tiles->tiling = view->tiling;
	tiles->tiled_bytes = view->bytes;
	tiles->tiled_stride = view->stride;
}

struct strip strip_bounce(const struct tiles *tiles, const struct look *look, struct run run)
{
	struct strip strip = strip_at(tiles, look, run);
	size_t used = view_row_bytes(look->view, run_pixels(tiles, run));
	size_t padded = strip.columns * BLOCK_PIXELS * tiles->bytes;

	detile(look->view, run.begin * BLOCK_PIXELS * tiles->bytes, look->from * BLOCK_PIXELS, used,
		strip.rows, tiles->bounce, BOUNCE_STRIDE);
	for (unsigned int y = 0; y < strip.rows; y++)
		memset(tiles->bounce + y * BOUNCE_STRIDE + used, 0, padded - used);
	strip.pixels = tiles->bounce;
	strip.stride = BOUNCE_STRIDE;
	return strip;
}

/* The groups of a run that has to go through the bounce buffer, a piece of it at a time. */
static void bounce_sum(struct tiles *tiles, const struct look *look, size_t begin, size_t end)
{
	for (size_t g = begin, next; g < end; g = next) {
		struct strip strip;

		next = MIN(g + BOUNCE_COLUMNS / HASH_GROUP, end);
		strip = strip_bounce(tiles, look, groups_to_run(tiles, g, next));
		tiles_kernel->sum(&tiles_hash_key, &strip, tiles->sums, tiles->groups_now + g);
	}
}

/* Groups with four whole blocks: tiles go on where the picture has ended. */
static size_t tiled_groups(const struct tiles *tiles, const struct look *look)
{
	return look->rows < HASH_ROWS ? 0 : tiles->width / (HASH_GROUP * BLOCK_PIXELS);
}

/* In the order of memory. */
static void tiled_sum(struct tiles *tiles, const struct look *look, size_t whole)
{
	const struct view *view = look->view;
	const uint32_t y = look->from * BLOCK_PIXELS,
		       width = HASH_GROUP * BLOCK_PIXELS * view->bytes;

	for (size_t g = 0; g < whole; g++) {
		detile_fetch(view, g * width, y, width);
		tiles_kernel->sum_lines(tiles->lines,
			view->pixels + tiling_offset(view->tiling, view->stride, g * width, y),
			tiles->mask, &tiles->groups_now[g]);
	}
}

/* First pass. Returns whether a group changed: its groups_now is not 0 then. */
static bool row_sum(struct tiles *tiles, const struct look *look)
{
	const struct hash *then = tiles->group_hashes + look->row * tiles->groups;
	size_t whole = look->view->tiling ? tiled_groups(tiles, look) : whole_groups(tiles);
	struct strip strip;
	uint64_t any = 0;

	memcpy(tiles->groups_now, then, tiles->groups * sizeof(*then));
	if (look->view->tiling) {
		tiled_sum(tiles, look, whole);
	} else if (whole > 0) {
		strip = strip_at(tiles, look, groups_to_run(tiles, 0, whole));
		tiles_kernel->sum(&tiles_hash_key, &strip, tiles->sums, tiles->groups_now);
	}
	bounce_sum(tiles, look, whole, tiles->groups);
	for (size_t g = 0; g < tiles->groups; g++)
		any |= tiles->groups_now[g].low | tiles->groups_now[g].high;
	return any;
}

/* Is a row worth storing unread? Not where pixels are converted: that takes several times as long as to hash them. And what is little is told more
 * exactly (damage/warm.h, damage/news.h) if nothing is stored beside it. */
static bool is_likely(const struct tiles *tiles, unsigned int changed_above)
{
	return changed_above * 2 > tiles->columns && tiles->direct && tiles->warm.much &&
	       tiles->news.unknown;
}

/* @likely: whatever has changed, all of it is stored. */
static bool row_changes(struct tiles *tiles, const struct look *look, bool likely)
{
	if (!likely)
		return row_sum(tiles, look);
	memset(tiles->groups_now, 0xff, tiles->groups * sizeof(*tiles->groups_now));
	return true;
}

int tiles_make_room(struct tiles *tiles, const struct view *view)
{
	return view->slow ? band_make_room(&tiles->band, view) : 0;
}

int look_at_rows(struct tiles *tiles, struct look *look, const bool *rows, tiles_gate_fn gate,
	void *gate_arg)
{
	const struct view *view = look->view;
	uint32_t readable = MIN(view->rows_readable, tiles->height);
	unsigned int found = 0, changed = 0; /* changed: in the row above */
	bool asked = false;

	warm_begin(&tiles->warm);
	for (uint32_t y = 0; y < readable; y += BLOCK_PIXELS, found += changed) {
		bool likely = is_likely(tiles, changed);

		look->row = look->from = y / BLOCK_PIXELS;
		look->rows = MIN(readable - y, (uint32_t)BLOCK_PIXELS);
		changed = 0;
		if (rows && !rows[look->row])
			continue;
		if (view->slow) {
			look->view = band_fill(&tiles->band, view, y, look->rows);
			look->from = band_row(&tiles->band, y) / BLOCK_PIXELS;
		}
		if (!row_changes(tiles, look, likely))
			continue;
		if (!asked && !gate(gate_arg))
			return -EAGAIN;
		if (!asked && tiles->moves)
			moves_begin(tiles->moves, (uint32_t *)look->dst, look->dst_stride / 4,
				readable);
		asked = true;
		changed = store_row(tiles, look);
	}
	if (asked && tiles->moves)
		moves_end(tiles->moves, found);
	warm_end(&tiles->warm, tiles->rows, tiles->groups);
	return found;
}

int tiles_look(struct tiles *tiles, const struct view *view, uint32_t *dst, size_t dst_stride,
	tiles_gate_fn gate, void *gate_arg)
{
	struct look look = {.view = view, .dst = (uint8_t *)dst, .dst_stride = dst_stride};

	learn_converter(tiles, view);
	learn_tiling(tiles, view);
	return look_at_rows(tiles, &look, NULL, gate, gate_arg);
}

void tiles_rest(struct tiles *tiles)
{
	if (tiles->moves && !tiles_damaged(tiles))
		moves_sleep(tiles->moves);
}

size_t tiles_take_moves(struct tiles *tiles, struct move *ret, uint64_t *left)
{
	return tiles->moves ? moves_take(tiles->moves, tiles->damage, ret, left) : 0;
}

bool tiles_news(const struct tiles *tiles, struct rect *ret)
{
	if (tiles->news.unknown || !tiles->news.around.width)
		return false;
	*ret = tiles->news.around;
	return true;
}

void tiles_take_damage(struct tiles *tiles, uint64_t *bitmap)
{
	size_t bytes = tiles_bitmap_words(tiles->width, tiles->height) * sizeof(uint64_t);

	/* Whoever learns of this damage must find the pixels: streaming stores wait for no one else. */
	atomic_thread_fence(memory_order_seq_cst);
	memcpy(bitmap, tiles->damage, bytes);
	memset(tiles->damage, 0, bytes);
	tiles->news = (struct news){0};
	if (tiles->moves)
		moves_published(tiles->moves);
}

bool tiles_damaged(const struct tiles *tiles)
{
	uint64_t any = 0;

	for (size_t i = 0; i < tiles->rows * tiles->stride_words; i++)
		any |= tiles->damage[i];
	return any;
}
