/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation.
 *
 * Four blocks beside each other are a group. The first pass over a row of blocks hashes groups, because that is what a still
 * picture costs; the second looks at the blocks of the groups that changed, stores them, and finds which of them it was.
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
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/mem.h"
#include "capture/detile.h"
#include "damage/band.h"
#include "damage/hash.h"
#include "damage/probe.h"
#include "damage/rects.h"
#include "damage/moves.h"
#include "damage/news.h"
#include "damage/span.h"
#include "plane/tiling.h"

static_assert(BLOCK_PIXELS == HASH_ROWS && BLOCK_PIXELS * 4 == HASH_BYTES, "a block is square");

static_assert(DETILE_ROWS == HASH_ROWS && HASH_GROUP * BLOCK_PIXELS % DETILE_STEP == 0,
	"a run can be detiled");

#define BOUNCE_COLUMNS 32u /* whole groups */
#define BOUNCE_STRIDE  (BOUNCE_COLUMNS * HASH_BYTES)

static_assert(BOUNCE_COLUMNS % HASH_GROUP == 0, "a run ends with a group");
static_assert(HASH_ROWS * BOUNCE_STRIDE >= PROBE_BOUNCE, "a probe has room to work");

struct tiles {
	uint32_t width, height;
	size_t columns, rows; /* of blocks */
	size_t groups;	      /* in a row of blocks */
	size_t stride_words;
	struct hash *group_hashes;
	struct hash *block_hashes; /* meaningless where the group's hash is unknown */
	uint64_t *damage;
	struct probe probe;
	struct moves *moves;
	struct news news;

	/* Learnt from the converter of the last view. */
	convert_fn convert;
	uint8_t bytes;
	bool direct; /* the converter does nothing but masking */
	uint64_t mask;

	/* Learnt from the tiling of the last view. */
	const struct tiling *tiling;
	uint32_t tiled_stride;
	uint8_t tiled_bytes;
	struct hash_lines *lines;

	/* One row of blocks, while it is looked at. */
	struct hash *groups_now; /* xor those of then */
	struct hash *blocks_now;
	uint64_t *damage_before;
	bool *unknown; /* groups whose hash was */
	uint8_t *sums;
	uint8_t *bounce;
	struct band band;
};

/* One look. */
struct look {
	const struct view *view;
	uint8_t *dst;
	size_t dst_stride;
	unsigned int rows; /* of pixels, in this row of blocks */
	size_t row;	   /* of blocks */
	size_t from;	   /* of blocks: where that is in the view */
};

static struct hash_key hash_key;
static struct span_key span_key;
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
		kernel_error = span_key_draw(&span_key);
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
	tiles->sums = zeroed(tiles->groups * HASH_BYTES);
	tiles->bounce = zeroed(HASH_ROWS * BOUNCE_STRIDE);
	tiles->lines = zeroed(sizeof(*tiles->lines));
	return probe_init(&tiles->probe, tiles->width, tiles->height) == 0 && tiles->group_hashes &&
	       tiles->block_hashes && tiles->damage && tiles->groups_now && tiles->blocks_now &&
	       tiles->damage_before && tiles->unknown && tiles->sums && tiles->bounce &&
	       tiles->lines;
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
	tiles->groups = DIV_ROUND_UP(tiles->columns, HASH_GROUP);
	tiles->stride_words = tiles_bitmap_stride(width);
	if (!tiles_allocate(tiles) ||
		(span_usable() && moves_create(width, height, &span_key, &tiles->moves) < 0)) {
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
	probe_learn(&tiles->probe, &hash_key, view->bytes);
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
	hash_lines_learn(tiles->lines, &hash_key, view->tiling, view->stride, view->bytes);
	tiles->tiling = view->tiling;
	tiles->tiled_bytes = view->bytes;
	tiles->tiled_stride = view->stride;
}

static bool hash_is_zero(struct hash hash)
{
	return !(hash.low | hash.high);
}

/* Groups that end inside the picture; one with a narrow block may follow them. */
static size_t whole_groups(const struct tiles *tiles)
{
	return tiles->width % BLOCK_PIXELS ? tiles->groups - 1 : tiles->groups;
}

/* Columns [begin, end) of blocks, whole groups. */
struct run {
	size_t begin, end;
};

static struct run groups_to_run(const struct tiles *tiles, size_t begin, size_t end)
{
	return (struct run){begin * HASH_GROUP, MIN(end * HASH_GROUP, tiles->columns)};
}

static struct strip strip_at(const struct tiles *tiles, const struct look *look, struct run run)
{
	return (struct strip){
		.pixels = look->view->pixels +
			  look->from * BLOCK_PIXELS * (size_t)look->view->stride +
			  run.begin * BLOCK_PIXELS * tiles->bytes,
		.stride = look->view->stride,
		.columns = run.end - run.begin,
		.rows = look->rows,
		.bytes = tiles->bytes,
		.mask = tiles->mask,
	};
}

/* Where a run belongs in the frame. */
static uint8_t *look_at(const struct look *look, struct run run)
{
	return look->dst + look->row * BLOCK_PIXELS * look->dst_stride + run.begin * HASH_BYTES;
}

static size_t run_pixels(const struct tiles *tiles, struct run run)
{
	return MIN(run.end * BLOCK_PIXELS, (size_t)tiles->width) - run.begin * BLOCK_PIXELS;
}

/* Copies a run, whose last block may be narrow, out of the guest's reach. */
static struct strip strip_bounce(const struct tiles *tiles, const struct look *look, struct run run)
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
		kernel->sum(&hash_key, &strip, tiles->sums, tiles->groups_now + g);
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
		kernel->sum_lines(tiles->lines,
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
		kernel->sum(&hash_key, &strip, tiles->sums, tiles->groups_now);
	}
	bounce_sum(tiles, look, whole, tiles->groups);
	for (size_t g = 0; g < tiles->groups; g++)
		any |= tiles->groups_now[g].low | tiles->groups_now[g].high;
	return any;
}

static size_t run_groups_end(struct run run)
{
	return DIV_ROUND_UP(run.end, (size_t)HASH_GROUP);
}

static void run_mark(struct tiles *tiles, size_t row, struct run run)
{
	uint64_t *damage = tiles->damage + row * tiles->stride_words;
	struct hash *groups = tiles->group_hashes + row * tiles->groups;

	probe_forget(&tiles->probe, (uint32_t)row * BLOCK_PIXELS, BLOCK_PIXELS);
	if (tiles->moves)
		moves_mark(tiles->moves, row, run.begin / HASH_GROUP, run_groups_end(run));
	for (size_t c = run.begin; c < run.end; c++)
		damage[c / 64] |= (uint64_t)1 << c % 64;
	for (size_t g = run.begin / HASH_GROUP; g * HASH_GROUP < run.end; g++) {
		tiles->unknown[g] = hash_is_zero(groups[g]);
		if (tiles->unknown[g] && tiles->moves)
			moves_unknown(tiles->moves, row, g);
		groups[g] = (struct hash){0, 0};
	}
	atomic_signal_fence(memory_order_seq_cst);
}

/* Keeps the hashes, corrects the bits. Returns how many blocks changed. */
static unsigned int run_settle(struct tiles *tiles, size_t row, struct run run)
{
	struct hash *groups = tiles->group_hashes + row * tiles->groups;
	struct hash *blocks = tiles->block_hashes + row * tiles->columns;
	uint64_t *damage = tiles->damage + row * tiles->stride_words;
	unsigned int changed = 0;

	atomic_signal_fence(memory_order_seq_cst);
	for (size_t c = run.begin; c < run.end; c++) {
		struct hash was = blocks[c], now = tiles->blocks_now[c];
		struct hash *group = &groups[c / HASH_GROUP];
		uint64_t bit = (uint64_t)1 << c % 64;

		blocks[c] = now;
		group->low ^= now.low;
		group->high ^= now.high;
		if (tiles->unknown[c / HASH_GROUP] || was.low != now.low || was.high != now.high)
			changed++;
		else if (!(tiles->damage_before[c / 64] & bit))
			damage[c / 64] &= ~bit;
	}
	return changed;
}

/* A span of the frame, which ends with the picture: what lies behind that in a row is nobody's. */
static uint64_t frame_span(const struct tiles *tiles, const uint8_t *row, size_t column)
{
	size_t left = tiles->width - column * BLOCK_PIXELS;
	uint32_t pixels[SPAN_PIXELS] = {0};

	if (left >= SPAN_PIXELS)
		return span_hash(&span_key, (const uint32_t *)row, SPAN_BLOCKS);
	memcpy(pixels, row, left * sizeof(*pixels));
	return span_hash(&span_key, pixels, SPAN_BLOCKS);
}

/* Spans are of the frame's pixels. What the store did not hash is hashed there. */
static void run_spans(struct tiles *tiles, const struct look *look, struct run run)
{
	struct spans spans;

	if (!tiles->moves || !moves_wants_spans(tiles->moves))
		return;
	spans = moves_spans(tiles->moves, look->row, run.begin / HASH_GROUP);
	for (unsigned int y = 0; y < look->rows; y++) {
		const uint8_t *row = look_at(look, run) + y * look->dst_stride;

		for (size_t c = run.begin; c < run.end; c += HASH_GROUP, row += SPAN_PIXELS * 4)
			spans.at[(c - run.begin) / HASH_GROUP * spans.pitch + y] =
				frame_span(tiles, row, c);
	}
}

static void run_convert(
	struct tiles *tiles, const struct strip *bounced, const struct look *look, struct run run)
{
	uint8_t *dst = look_at(look, run);

	kernel->store(&hash_key, bounced, NULL, 0, tiles->blocks_now + run.begin, NULL);
	for (unsigned int y = 0; y < look->rows; y++)
		tiles->convert((uint32_t *)(dst + y * look->dst_stride),
			bounced->pixels + y * bounced->stride, run_pixels(tiles, run));
	run_spans(tiles, look, run);
}

/* A run as news see it. The bounce buffer is idle where pixels need no conversion. */
static struct news_part news_part(
	const struct tiles *tiles, const struct look *look, struct run run)
{
	return (struct news_part){
		.frame = look_at(look, run),
		.stride = look->dst_stride,
		.where = {run.begin * BLOCK_PIXELS, look->row * BLOCK_PIXELS,
			run_pixels(tiles, run), look->rows},
		.room = tiles->bounce,
		.room_stride = BOUNCE_STRIDE,
	};
}

/* Second pass over groups side by side. */
static unsigned int run_store(struct tiles *tiles, const struct look *look, struct run run)
{
	bool direct = tiles->direct && run.end <= whole_groups(tiles) * HASH_GROUP;
	bool hashed = tiles->moves && moves_wants_spans(tiles->moves);
	struct spans spans = {0};
	struct strip strip;
	struct news_part part;
	bool told = false;

	run_mark(tiles, look->row, run);
	strip = direct && !look->view->tiling ? strip_at(tiles, look, run)
					      : strip_bounce(tiles, look, run);
	if (hashed && kernel->has_spans)
		spans = moves_spans(tiles->moves, look->row, run.begin / HASH_GROUP);
	part = news_part(tiles, look, run);
	if (direct && !look->view->tiling)
		told = news_begin(&tiles->news, &part);
	else
		tiles->news.unknown = true;
	if (direct)
		kernel->store(&hash_key, &strip, look_at(look, run), look->dst_stride,
			tiles->blocks_now + run.begin, spans.at ? &spans : NULL);
	else
		run_convert(tiles, &strip, look, run);
	if (tiles->moves)
		moves_stored(tiles->moves, look->row, run.begin / HASH_GROUP, run_groups_end(run),
			look->rows, hashed && (!direct || spans.at));
	if (told)
		news_end(&tiles->news, &part);
	return run_settle(tiles, look->row, run);
}

static unsigned int row_store(struct tiles *tiles, const struct look *look)
{
	bool bounced = !tiles->direct || look->view->tiling;
	size_t most = bounced ? BOUNCE_COLUMNS / HASH_GROUP : tiles->groups;
	size_t whole = whole_groups(tiles), end;
	unsigned int changed = 0;

	memcpy(tiles->damage_before, tiles->damage + look->row * tiles->stride_words,
		tiles->stride_words * sizeof(uint64_t));
	for (size_t g = 0; g < tiles->groups; g = end) {
		end = g + 1;
		if (hash_is_zero(tiles->groups_now[g]))
			continue;
		while (end < tiles->groups && end - g < most && end != whole &&
			!hash_is_zero(tiles->groups_now[end]))
			end++;
		changed += run_store(tiles, look, groups_to_run(tiles, g, end));
	}
	return changed;
}

int tiles_make_room(struct tiles *tiles, const struct view *view)
{
	return view->slow ? band_make_room(&tiles->band, view) : 0;
}

int tiles_look(struct tiles *tiles, const struct view *view, uint32_t *dst, size_t dst_stride,
	tiles_gate_fn gate, void *gate_arg)
{
	struct look look = {.view = view, .dst = (uint8_t *)dst, .dst_stride = dst_stride};
	uint32_t readable = MIN(view->rows_readable, tiles->height);
	unsigned int found = 0;
	bool asked = false;

	learn_converter(tiles, view);
	learn_tiling(tiles, view);
	for (uint32_t y = 0; y < readable; y += BLOCK_PIXELS) {
		look.row = look.from = y / BLOCK_PIXELS;
		look.rows = MIN(readable - y, (uint32_t)BLOCK_PIXELS);
		if (view->slow) {
			look.view = band_fill(&tiles->band, view, y, look.rows);
			look.from = band_row(&tiles->band, y) / BLOCK_PIXELS;
		}
		if (!row_sum(tiles, &look))
			continue;
		if (!asked && !gate(gate_arg))
			return -EAGAIN;
		if (!asked && tiles->moves)
			moves_begin(tiles->moves, !tiles_damaged(tiles), dst, dst_stride / 4);
		asked = true;
		found += row_store(tiles, &look);
	}
	if (asked && tiles->moves)
		moves_end(tiles->moves, readable, found);
	return found;
}

bool tiles_probe(
	struct tiles *tiles, const struct view *view, const uint32_t *frame, size_t frame_stride)
{
	struct probe_how how = {
		.kernel = kernel,
		.mask = tiles->mask,
		.view = view,
		.frame = (const uint8_t *)frame,
		.frame_stride = frame_stride,
		.bounce = tiles->bounce,
		.moves = tiles->direct ? tiles->moves : NULL,
		.span_key = &span_key,
	};

	if (view->convert != tiles->convert || view->bytes != tiles->bytes || !probe_pays(view))
		return true;
	return probe_differs(&tiles->probe, &how);
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
