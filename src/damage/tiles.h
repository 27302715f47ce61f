/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tiles.h - what changed since the last look.
 *
 * The source is read once, rows streamed, into a keyed hash for each 64x16 pixels; where it differs, they are copied (converted) to
 * the frame while still in cache, and the hash kept is that of the bytes that were stored, so that a source changing under the
 * look is seen again at the next one. The copying also finds which of the 16x16-pixel blocks changed: damage is a bitmap of these.
 * Knows no plane and no frame: a view in, rows of XRGB8888 out. One thread. Nothing is allocated but by
 * tiles_create() and tiles_make_room().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture/view.h"

#define BLOCK_PIXELS 16

struct move;
struct rect;
struct tiles;

/* Asked once a look, when the first change is found and before the first store to the frame. true: copy on. false: the look
 * ends with -EAGAIN and nothing stored; what it found is found again next time. */
typedef bool (*tiles_gate_fn)(void *arg);

/* All hashes start unknown: the first look finds everything changed. -ENOMEM. */
int tiles_create(uint32_t width, uint32_t height, struct tiles **ret);
void tiles_destroy(struct tiles *tiles);
/* The frame's content is not what the hashes say any more. */
void tiles_forget(struct tiles *tiles);

/* Looks at @view (same width and height as @tiles; another converter than before makes all hashes unknown; the byte of a 4-byte
 * pixel that the converter does not look at is no damage). @dst: the frame's rows, 64-byte aligned, @dst_stride bytes a multiple of
 * 64; only the width is written. Returns the number of changed blocks, 0: nothing; -EAGAIN: see tiles_gate_fn. May be left
 * by siglongjmp at any read of the view: whatever was stored by then is in the bitmap, and is looked at again. */
int tiles_look(struct tiles *tiles, const struct view *view, uint32_t *dst, size_t dst_stride,
	tiles_gate_fn gate, void *gate_arg);

/* Before a look or a probe at a view of another kind than the last one, outside of any guard: memory that is slow to read is copied, some rows at a
 * time, to where it is read from then. -ENOMEM. */
int tiles_make_room(struct tiles *tiles, const struct view *view);

/* What a probe says. */
enum tiles_doubt {
	TILES_SAME,
	TILES_NEAR, /* tiles_look_near() is enough to find what it has found, and what lies around that */
	TILES_ALL, /* look at all */
	TILES_UNKNOWN, /* likewise, for all that is known: the view has another converter than before, or a tiling whose rows do not lie for themselves */
};

/* Whether @view differs from the frame, by one row of eight, each time others: what is eight rows high is found at once, and anything
 * in eight times. @sparse: by one row of 32, so that this takes four times as many (damage/probe.h), and by all pixels around the places where little
 * has changed lately (damage/warm.h). Only after a look that found its end. Nothing is stored, nothing marked: who is told that it does looks.
 * May be left by siglongjmp, too. */
enum tiles_doubt tiles_probe(struct tiles *tiles, const struct view *view, const uint32_t *frame,
	size_t frame_stride, bool sparse);
/* As tiles_look(), but only at those rows of blocks that the last probe was in doubt about. */
int tiles_look_near(struct tiles *tiles, const struct view *view, uint32_t *dst, size_t dst_stride,
	tiles_gate_fn gate, void *gate_arg);

/* As tiles_look(), but only where little has changed lately (damage/warm.h), and only if what is new there does not go on beyond: a ring around each place
 * is looked at, too. 0: nothing is, or it does, or rows of blocks cannot be looked at for themselves; nothing was stored then. */
int tiles_look_warm(struct tiles *tiles, const struct view *view, uint32_t *dst, size_t dst_stride,
	tiles_gate_fn gate, void *gate_arg);
/* All that the last look found, if it found its end, was where little had changed before: there alone it would have been found. */
bool tiles_found_warm(const struct tiles *tiles);

/* Nothing has changed for a while: memory that is not needed until something does is given back. */
void tiles_rest(struct tiles *tiles);

/* Just before tiles_take_damage(): what of it has only gone elsewhere (damage/moves.h), at most LIMIT_MOVES of @ret, and in @left what is
 * damage still when that is done. 0: nothing has, and @left was not written. */
size_t tiles_take_moves(struct tiles *tiles, struct move *ret, uint64_t *left);
/* Just before tiles_take_damage(): a rectangle, to the pixel, outside of which nothing is new, where that is little. False: not known. */
bool tiles_news(const struct tiles *tiles, struct rect *ret);
/* Blocks changed since the last take: OR-ed into nothing, copied to @bitmap (tiles_bitmap_bytes()), then cleared. Row r of
 * blocks begins at word r * stride_words; bit c % 64 of word c / 64 is column c. */
void tiles_take_damage(struct tiles *tiles, uint64_t *bitmap);
bool tiles_damaged(const struct tiles *tiles);
size_t tiles_bitmap_words(uint32_t width, uint32_t height); /* words in all */
size_t tiles_bitmap_stride(uint32_t width);		    /* words for each row of blocks */

/* For tests and the bench: which kernel runs. Names: "scalar", "pclmul", "avx2", "avx512"; NULL selects the best; -ENOTSUP. Not thread-safe. */
int tiles_select(const char *kernel);
const char *tiles_selected(void);
