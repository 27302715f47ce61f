/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The second pass: what the first one found goes to the frame, and the hashes that are kept are those of what went there. Why in this order is said in
 * tiles.c. */
#include <stdatomic.h>
#include <string.h>

#include "damage/moves.h"
#include "damage/tiles_internal.h"

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

/* Keeps a group's hashes, corrects its bits. Returns how many of its blocks changed. */
static unsigned int group_settle(struct tiles *tiles, size_t row, size_t g)
{
	struct hash *group = tiles->group_hashes + row * tiles->groups + g;
	struct hash *blocks = tiles->block_hashes + row * tiles->columns;
	uint64_t *damage = tiles->damage + row * tiles->stride_words;
	struct run run = groups_to_run(tiles, g, g + 1);
	unsigned int changed = 0;

	for (size_t c = run.begin; c < run.end; c++) {
		struct hash was = blocks[c], now = tiles->blocks_now[c];
		uint64_t bit = (uint64_t)1 << c % 64;

		blocks[c] = now;
		group->low ^= now.low;
		group->high ^= now.high;
		if (tiles->unknown[g] || was.low != now.low || was.high != now.high)
			changed++;
		else if (!(tiles->damage_before[c / 64] & bit))
			damage[c / 64] &= ~bit;
	}
	return changed;
}

/* Returns how many blocks changed. Groups that were stored for nothing have not moved, and nothing has moved there. */
static unsigned int run_settle(struct tiles *tiles, size_t row, struct run run)
{
	unsigned int changed = 0;

	atomic_signal_fence(memory_order_seq_cst);
	for (size_t g = run.begin / HASH_GROUP; g < run_groups_end(run); g++) {
		unsigned int blocks = group_settle(tiles, row, g);

		if (!blocks && tiles->moves)
			moves_same(tiles->moves, row, g);
		changed += blocks;
	}
	return changed;
}

/* A span of the frame, which ends with the picture: what lies behind that in a row is nobody's. */
static uint64_t frame_span(const struct tiles *tiles, const uint8_t *row, size_t column)
{
	size_t left = tiles->width - column * BLOCK_PIXELS;
	uint32_t pixels[SPAN_PIXELS] = {0};

	if (left >= SPAN_PIXELS)
		return span_hash(&tiles_span_key, (const uint32_t *)row, SPAN_BLOCKS);
	memcpy(pixels, row, left * sizeof(*pixels));
	return span_hash(&tiles_span_key, pixels, SPAN_BLOCKS);
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

	tiles_kernel->store(&tiles_hash_key, bounced, NULL, 0, tiles->blocks_now + run.begin, NULL);
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
	if (hashed && tiles_kernel->has_spans)
		spans = moves_spans(tiles->moves, look->row, run.begin / HASH_GROUP);
	part = news_part(tiles, look, run);
	if (direct && !look->view->tiling)
		told = news_begin(&tiles->news, &part);
	else
		tiles->news.unknown = true;
	if (direct)
		tiles_kernel->store(&tiles_hash_key, &strip, look_at(look, run), look->dst_stride,
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

unsigned int store_row(struct tiles *tiles, const struct look *look)
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
		warm_found(&tiles->warm, look->row, g, end);
		changed += run_store(tiles, look, groups_to_run(tiles, g, end));
	}
	return changed;
}
