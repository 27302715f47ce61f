/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation.
 *
 * The invariant is that of tiles.c: a row's hashes are either unknown or those of bytes from which this row of the frame would be
 * made. So a row that hashes to the same is what the frame shows. A row that is to be stored is forgotten before it is
 * touched. The hashes of one that is unknown are made by a probe: a copy of each piece is taken out of the guest's reach,
 * converted, compared with the frame, and hashed only when it is the same. So a look at the whole picture need not make them,
 * and rows that change all the time cost nothing here. Where the frame's row is known by its spans (span.h) it need not be read: both hashes
 * are made from the same loads, and the new one is kept where the spans are the same.
 *
 * The pieces of a row are hashed as lines of the cache, as tiles are (hash.h), by their order: the key words of 16 rows of a
 * group cover 4096 bytes. Each piece of a row has the same key words, as each group of a picture has, so each has a hash of its own.
 *
 * A tiled plane is copied piece by piece, always: a row's bytes lie apart. Where the words of a row do not lie together in whole
 * lines of the cache (Y and Yf tiles have four rows in each) half of the lines would be read instead of an eighth, which costs as much
 * as all of them in their order. So there is nothing to be probed.
 */
#include "damage/probe.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "base/mem.h"
#include "capture/stream.h"
#include "damage/moves.h"
#include "damage/span.h"
#include "plane/tiling.h"

#define PIECE_BYTES  ((size_t)HASH_LINES * HASH_BYTES)
#define PIECE_PIXELS (PIECE_BYTES / 4) /* at most: converted, a pixel has four bytes */
#define PIECE_STEP   64u	       /* pixels: whole lines, whatever the size of a pixel */

int probe_init(struct probe *probe, uint32_t width, uint32_t height)
{
	size_t bytes;

	*probe = (struct probe){.width = width, .height = height};
	probe->pieces_room = DIV_ROUND_UP((size_t)width, PIECE_PIXELS);
	bytes = probe->pieces_room * height * sizeof(struct hash);
	probe->hashes = calloc(1, bytes);
	probe->lines = aligned_alloc(64, sizeof(*probe->lines));
	return probe->hashes && probe->lines ? 0 : -ENOMEM;
}

void probe_finish(struct probe *probe)
{
	free(probe->hashes);
	free(probe->lines);
}

/* Pieces of one size, so that only the last one of a row may have to be filled up. */
void probe_learn(struct probe *probe, const struct hash_key *key, unsigned int bytes)
{
	uint32_t pieces = (uint32_t)probe->pieces_room;

	probe->piece = ALIGN_UP(DIV_ROUND_UP(probe->width, pieces), PIECE_STEP);
	probe->lines->used = probe->piece * bytes / HASH_BYTES;
	memcpy(probe->lines->key, key->words, sizeof(probe->lines->key));
	for (uint32_t i = 0; i < HASH_LINES; i++)
		probe->lines->at[i] = i * HASH_BYTES;
	probe_forget(probe, 0, probe->height);
}

void probe_forget(struct probe *probe, uint32_t y, uint32_t rows)
{
	uint32_t end = MIN(y + rows, probe->height);

	for (; y < end; y++)
		probe->hashes[y * probe->pieces_room] = (struct hash){0, 0};
}

/* From one row of a probe to the next; of a sparse one never more. */
static uint32_t step_of(const struct probe_how *how)
{
	return how->sparse ? PROBE_STEP * (2 * PROBE_SPARSE - 1) : PROBE_STEP;
}

/* Each row is a place of its own, to which no hardware prefetcher follows: with a line of the cache fetched for each line
 * that is read, a row ahead, a probe takes a bit more than half the time. Where a kernel reads the source itself it fetches, too. */
static void fetch(const struct view *view, const uint8_t *at, size_t bytes)
{
	if (view->slow)
		return;
	for (size_t i = 0; i < bytes; i += HASH_BYTES)
		__builtin_prefetch(at + i, 0, 2);
}

static void copy(
	const struct view *view, uint8_t *dst, const uint8_t *at, size_t bytes, size_t ahead)
{
	fetch(view, at + ahead, bytes);
	if (view->slow)
		stream_copy(dst, at, bytes);
	else
		memcpy(dst, at, bytes);
}

/* @bytes from byte @x on of row @y; @ahead: bytes from that row to the one that follows. */
static void row_copy(
	const struct view *view, size_t x, uint32_t y, size_t bytes, uint8_t *dst, size_t ahead)
{
	const struct tiling *tiling = view->tiling;
	size_t end = x + bytes, next;

	if (!tiling) {
		copy(view, dst, view->pixels + (size_t)y * view->stride + x, bytes, ahead);
		return;
	}
	for (; x < end; dst += next - x, x = next) {
		const uint8_t *at =
			view->pixels + tiling_offset(tiling, view->stride, (uint32_t)x, y);

		next = MIN(x / tiling->width * tiling->width + tiling->width, end);
		copy(view, dst, at, next - x, ahead);
	}
}

struct piece {
	uint32_t x, y, pixels;
	size_t at, bytes; /* in its row */
	size_t padded;
};

static struct piece piece_of(
	const struct probe *probe, const struct view *view, uint32_t x, uint32_t y)
{
	struct piece piece = {.x = x, .y = y, .pixels = MIN(probe->piece, probe->width - x)};

	piece.at = (size_t)x * view->bytes;
	piece.bytes = view_row_bytes(view, piece.pixels);
	piece.padded = probe->lines->used * HASH_BYTES;
	return piece;
}

static void piece_copy(
	const struct probe *probe, const struct probe_how *how, const struct piece *piece)
{
	row_copy(how->view, piece->at, piece->y, piece->bytes, how->bounce, probe->ahead);
	memset(how->bounce + piece->bytes, 0, piece->padded - piece->bytes);
}

/* Where a piece's whole lines can be read: in the source, or in the bounce buffer. */
static const uint8_t *piece_lines(
	const struct probe *probe, const struct probe_how *how, const struct piece *piece)
{
	const struct view *view = how->view;

	probe->lines->ahead = 0;
	if (view->tiling || view->slow || piece->bytes != piece->padded) {
		piece_copy(probe, how, piece);
		return how->bounce;
	}
	probe->lines->ahead = probe->ahead;
	return view->pixels + (size_t)piece->y * view->stride + piece->at;
}

static struct hash piece_sum(
	const struct probe *probe, const struct probe_how *how, const struct piece *piece)
{
	struct hash hash = {0, 0};

	how->kernel->sum_lines(probe->lines, piece_lines(probe, how, piece), how->mask, &hash);
	return hash;
}

static bool row_known_differs(const struct probe *probe, const struct probe_how *how,
	const struct hash *hashes, uint32_t y)
{
	for (uint32_t x = 0; x < probe->width; x += probe->piece, hashes++) {
		struct piece piece = piece_of(probe, how->view, x, y);
		struct hash now = piece_sum(probe, how, &piece);

		if (now.low != hashes->low || now.high != hashes->high)
			return true;
	}
	return false;
}

static size_t piece_groups(const struct piece *piece)
{
	return DIV_ROUND_UP((size_t)piece->pixels, SPAN_PIXELS);
}

/* By the frame's spans. False: they are not known. */
static bool piece_learn_spans(const struct probe *probe, const struct probe_how *how,
	const struct piece *piece, struct hash *hash, bool *ret_differs)
{
	size_t first = piece->x / SPAN_PIXELS, groups = piece_groups(piece);
	uint64_t then[HASH_LINES / HASH_GROUP], now[HASH_LINES / HASH_GROUP], differs = 0;
	const struct spans spans = {.key = how->span_key, .at = now, .pitch = 1};

	if (!how->moves || !how->kernel->sum_spans ||
		!moves_row(how->moves, piece->y, first, first + groups, then))
		return false;
	how->kernel->sum_spans(
		probe->lines, piece_lines(probe, how, piece), how->mask, &spans, hash);
	for (size_t i = 0; i < groups; i++)
		differs |= now[i] ^ then[i];
	*ret_differs = differs;
	return true;
}

/* By the frame itself, where there is no other way. */
static bool piece_learn_differs(const struct probe *probe, const struct probe_how *how,
	const struct piece *piece, struct hash *hash)
{
	uint32_t *pixels = (uint32_t *)(how->bounce + PIECE_BYTES);
	const uint8_t *frame = how->frame + piece->y * how->frame_stride + (size_t)piece->x * 4;
	bool differs;

	if (piece_learn_spans(probe, how, piece, hash, &differs))
		return differs;
	piece_copy(probe, how, piece);
	how->view->convert(pixels, how->bounce, piece->pixels);
	if (memcmp(pixels, frame, (size_t)piece->pixels * 4) != 0)
		return true;
	probe->lines->ahead = 0;
	how->kernel->sum_lines(probe->lines, how->bounce, how->mask, hash);
	return false;
}

/* The first hash is the last to be kept: with it the row is known. */
static bool row_learn_differs(
	const struct probe *probe, const struct probe_how *how, struct hash *hashes, uint32_t y)
{
	struct hash first = {0, 0};
	size_t i = 0;

	for (uint32_t x = 0; x < probe->width; x += probe->piece, i++) {
		struct piece piece = piece_of(probe, how->view, x, y);
		struct hash now = {0, 0};

		if (piece_learn_differs(probe, how, &piece, &now))
			return true;
		if (i == 0)
			first = now;
		else
			hashes[i] = now;
	}
	atomic_signal_fence(memory_order_seq_cst);
	hashes[0] = first;
	return false;
}

bool probe_pays(const struct view *view)
{
	return !view->tiling || !(view->tiling->row_bits & (HASH_BYTES - 1));
}

/* Far from the last ones: what is less than eight rows high is found sooner, on the average. A sparse one leaves it: four in a row must be the same
 * rows' parts. */
static void next_phase(struct probe *probe, bool sparse)
{
	if (sparse)
		probe->turn = (probe->turn + 1) % PROBE_SPARSE;
	else
		probe->phase = (probe->phase + 3) % PROBE_STEP;
}

/* Of each PROBE_SPARSE rows that another one would read: one, and beside it the one before of the next PROBE_SPARSE, so that they are 24 rows apart, or 56, for
 * lines of text are often as far apart as a power of two, and where one is blank all are. */
static uint32_t row_of(uint32_t phase, uint32_t turn, uint32_t i, bool sparse)
{
	static const uint32_t turns[PROBE_SPARSE] = {0, 2, 1, 3};

	if (sparse)
		i = i * PROBE_SPARSE + (turns[turn] + (PROBE_SPARSE - 1) * i) % PROBE_SPARSE;
	return phase + i * PROBE_STEP;
}

static bool row_differs(struct probe *probe, const struct probe_how *how, uint32_t y)
{
	struct hash *hashes = probe->hashes + y * probe->pieces_room;
	bool known = hashes->low | hashes->high;

	return known ? row_known_differs(probe, how, hashes, y)
		     : row_learn_differs(probe, how, hashes, y);
}

static void doubt(const struct probe *probe, const struct probe_how *how, uint32_t y)
{
	uint32_t around = step_of(how) - 1, begin = y - MIN(y, around);
	uint32_t end = MIN(y + around, probe->height - 1);

	for (uint32_t i = begin / PROBE_DOUBT; i <= end / PROBE_DOUBT; i++)
		how->doubts[i] = true;
}

bool probe_differs(struct probe *probe, const struct probe_how *how)
{
	uint32_t readable = MIN(how->view->rows_readable, probe->height);
	uint32_t phase = probe->phase, turn = probe->turn, y, next;

	probe->differ = 0;
	next_phase(probe, how->sparse);
	y = row_of(phase, turn, 0, how->sparse);
	for (uint32_t i = 1; y < readable; i++, y = next) {
		next = row_of(phase, turn, i, how->sparse);
		probe->ahead = (next - y) * how->view->stride;
		if (!row_differs(probe, how, y))
			continue;
		doubt(probe, how, y);
		if (++probe->differ > how->most)
			break;
	}
	return probe->differ;
}
