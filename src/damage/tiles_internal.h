/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tiles_internal.h - what tiles.c, store.c, near.c and kernel.c share: the tiles, and where in them something is. */
#pragma once

#include "base/mem.h"
#include "damage/band.h"
#include "damage/hash.h"
#include "damage/news.h"
#include "damage/probe.h"
#include "damage/span.h"
#include "damage/tiles.h"
#include "damage/warm.h"

struct moves;
struct tiling;

#define BOUNCE_COLUMNS 32u /* whole groups */
#define BOUNCE_STRIDE  (BOUNCE_COLUMNS * HASH_BYTES)

struct tiles {
	uint32_t width, height;
	size_t columns, rows; /* of blocks */
	size_t groups;	      /* in a row of blocks */
	size_t stride_words;
	struct hash *group_hashes;
	struct hash *block_hashes; /* meaningless where the group's hash is unknown */
	uint64_t *damage;
	struct probe probe;
	bool *doubts; /* of the last probe, or look at places: rows of blocks */
	struct warm warm;
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

static inline bool hash_is_zero(struct hash hash)
{
	return !(hash.low | hash.high);
}

/* Groups that end inside the picture; one with a narrow block may follow them. */
static inline size_t whole_groups(const struct tiles *tiles)
{
	return tiles->width % BLOCK_PIXELS ? tiles->groups - 1 : tiles->groups;
}

/* Columns [begin, end) of blocks, whole groups. */
struct run {
	size_t begin, end;
};

static inline struct run groups_to_run(const struct tiles *tiles, size_t begin, size_t end)
{
	return (struct run){begin * HASH_GROUP, MIN(end * HASH_GROUP, tiles->columns)};
}

static inline struct strip strip_at(
	const struct tiles *tiles, const struct look *look, struct run run)
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
static inline uint8_t *look_at(const struct look *look, struct run run)
{
	return look->dst + look->row * BLOCK_PIXELS * look->dst_stride + run.begin * HASH_BYTES;
}

static inline size_t run_pixels(const struct tiles *tiles, struct run run)
{
	return MIN(run.end * BLOCK_PIXELS, (size_t)tiles->width) - run.begin * BLOCK_PIXELS;
}

static inline size_t run_groups_end(struct run run)
{
	return DIV_ROUND_UP(run.end, (size_t)HASH_GROUP);
}

/* kernel.c: drawn and chosen once, by the first tiles. */
extern struct hash_key tiles_hash_key;
extern struct span_key tiles_span_key;
extern const struct hash_kernel *tiles_kernel;
/* -errno: there is none, or no random key. */
int tiles_kernel_ready(void);

/* tiles.c: copies a run, whose last block may be narrow, out of the guest's reach. */
struct strip strip_bounce(const struct tiles *tiles, const struct look *look, struct run run);
/* @rows: which rows of blocks; NULL: all. As tiles_look(). */
int look_at_rows(struct tiles *tiles, struct look *look, const bool *rows, tiles_gate_fn gate,
	void *gate_arg);

/* store.c: the second pass over a row of blocks, of which groups_now says where the first one found something. Returns how many blocks changed. */
unsigned int store_row(struct tiles *tiles, const struct look *look);
