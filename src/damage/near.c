/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Looks at few rows: which are in doubt, and those alone. And at the places where little has changed lately. */
#include <errno.h>
#include <string.h>

#include "damage/moves.h"
#include "damage/tiles_internal.h"

#define NEAR_PART \
	8u /* of a picture: where fewer rows than that differ it is enough to look near them */

static_assert(PROBE_DOUBT == BLOCK_PIXELS, "what a probe doubts are rows of blocks");
static_assert(HASH_ROWS * BOUNCE_STRIDE >= PROBE_BOUNCE, "a probe has room to work");

static bool is_learnt(const struct tiles *tiles, const struct view *view)
{
	return view->convert == tiles->convert && view->bytes == tiles->bytes;
}

/* Rows of blocks can be looked at for themselves: not where memory is slow and tiled, and not where tiles are higher than they. */
static bool has_near(const struct view *view)
{
	return !view->slow && !view->tiling;
}

int tiles_look_near(struct tiles *tiles, const struct view *view, uint32_t *dst, size_t dst_stride,
	tiles_gate_fn gate, void *gate_arg)
{
	struct look look = {.view = view, .dst = (uint8_t *)dst, .dst_stride = dst_stride};

	if (!is_learnt(tiles, view) || !has_near(view))
		return tiles_look(tiles, view, dst, dst_stride, gate, gate_arg);
	return look_at_rows(tiles, &look, tiles->doubts, gate, gate_arg);
}

/* All pixels of one row of blocks of a place. */
static bool place_differs(struct tiles *tiles, struct look *look, const struct place *place)
{
	size_t end = MIN(place->end_group, whole_groups(tiles)), begin = MIN(place->group, end);
	const struct hash *then = tiles->group_hashes + look->row * tiles->groups;
	struct strip strip = strip_at(tiles, look, groups_to_run(tiles, begin, end));
	uint64_t any = 0;

	if (begin == end)
		return false;
	memcpy(tiles->groups_now + begin, then + begin, (end - begin) * sizeof(*then));
	tiles_kernel->sum(&tiles_hash_key, &strip, tiles->sums, tiles->groups_now + begin);
	for (size_t g = begin; g < end; g++)
		any |= tiles->groups_now[g].low | tiles->groups_now[g].high;
	return any;
}

/* What differs at the rim of a place goes on beyond. */
static bool places_differ(struct tiles *tiles, const struct view *view)
{
	struct look look = {.view = view};
	uint32_t readable = MIN(view->rows_readable, tiles->height);
	bool differs = false;

	for (size_t i = 0; i < tiles->warm.used; i++) {
		const struct place *place = &tiles->warm.places[i];

		for (size_t r = place->row; r < place->end_row && r * BLOCK_PIXELS < readable;
			r++) {
			look.row = look.from = r;
			look.rows =
				MIN(readable - (uint32_t)r * BLOCK_PIXELS, (uint32_t)BLOCK_PIXELS);
			if (!place_differs(tiles, &look, place))
				continue;
			differs = tiles->doubts[r] = true;
			if (r == place->row && r > 0)
				tiles->doubts[r - 1] = true;
			if (r + 1 == place->end_row && r + 1 < tiles->rows)
				tiles->doubts[r + 1] = true;
		}
	}
	return differs;
}

static void look_take_row(struct look *look, uint32_t y, uint32_t readable)
{
	look->row = look->from = y / BLOCK_PIXELS;
	look->rows = MIN(readable - y, (uint32_t)BLOCK_PIXELS);
}

/* Of a place with all that lies around it this row. */
static bool ring_differs(struct tiles *tiles, struct look *look, const struct place *place)
{
	struct place ringed = {.group = place->group - MIN(place->group, (size_t)1),
		.end_group = place->end_group + 1};

	return look->row + 1 >= place->row && look->row <= place->end_row &&
	       place_differs(tiles, look, &ringed);
}

/* One row of blocks of all places. What differs is groups_now's. */
static bool rings_differ(struct tiles *tiles, struct look *look)
{
	bool differs = false;

	memset(tiles->groups_now, 0, tiles->groups * sizeof(*tiles->groups_now));
	for (size_t i = 0; i < tiles->warm.used; i++)
		differs |= ring_differs(tiles, look, &tiles->warm.places[i]);
	return differs;
}

static bool goes_on(const struct tiles *tiles, size_t row)
{
	for (size_t g = 0; g < tiles->groups; g++) {
		const struct place here = {row, row + 1, g, g + 1};

		if (!hash_is_zero(tiles->groups_now[g]) && !warm_holds(&tiles->warm, &here))
			return true;
	}
	return false;
}

/* Something differs in the places, and nothing around them: in which rows is in doubt then. */
static bool only_places_differ(struct tiles *tiles, const struct view *view)
{
	struct look look = {.view = view};
	uint32_t readable = MIN(view->rows_readable, tiles->height);
	bool differs = false;

	for (uint32_t y = 0; y < readable; y += BLOCK_PIXELS) {
		look_take_row(&look, y, readable);
		tiles->doubts[look.row] = rings_differ(tiles, &look);
		if (tiles->doubts[look.row] && goes_on(tiles, look.row))
			return false;
		differs |= tiles->doubts[look.row];
	}
	return differs;
}

/* Where it was in doubt, and no wider. */
static unsigned int places_store(struct tiles *tiles, struct look *look)
{
	uint32_t readable = MIN(look->view->rows_readable, tiles->height);
	unsigned int found = 0;

	warm_begin(&tiles->warm);
	if (tiles->moves)
		moves_begin(tiles->moves, (uint32_t *)look->dst, look->dst_stride / 4, readable);
	for (uint32_t y = 0; y < readable; y += BLOCK_PIXELS) {
		look_take_row(look, y, readable);
		if (tiles->doubts[look->row] && rings_differ(tiles, look))
			found += store_row(tiles, look);
	}
	if (tiles->moves)
		moves_end(tiles->moves, found);
	warm_end(&tiles->warm, tiles->rows, tiles->groups);
	return found;
}

int tiles_look_warm(struct tiles *tiles, const struct view *view, uint32_t *dst, size_t dst_stride,
	tiles_gate_fn gate, void *gate_arg)
{
	struct look look = {.view = view, .dst = (uint8_t *)dst, .dst_stride = dst_stride};

	if (!is_learnt(tiles, view) || !has_near(view) || !only_places_differ(tiles, view))
		return 0;
	return gate(gate_arg) ? (int)places_store(tiles, &look) : -EAGAIN;
}

bool tiles_found_warm(const struct tiles *tiles)
{
	return tiles->warm.known;
}

enum tiles_doubt tiles_probe(struct tiles *tiles, const struct view *view, const uint32_t *frame,
	size_t frame_stride, bool sparse)
{
	struct probe_how how = {
		.kernel = tiles_kernel,
		.mask = tiles->mask,
		.view = view,
		.frame = (const uint8_t *)frame,
		.frame_stride = frame_stride,
		.bounce = tiles->bounce,
		.moves = tiles->direct ? tiles->moves : NULL,
		.span_key = &tiles_span_key,
		.sparse = sparse,
		.doubts = tiles->doubts,
	};
	bool differs;

	if (!is_learnt(tiles, view) || !probe_pays(view))
		return TILES_UNKNOWN;
	memset(tiles->doubts, 0, tiles->rows * sizeof(bool));
	differs = sparse && has_near(view) && places_differ(tiles, view);
	/* More is best looked at as a whole, while the guest may still be drawing. */
	if (has_near(view))
		how.most = tiles->height / (NEAR_PART * PROBE_STEP * (sparse ? PROBE_SPARSE : 1));
	differs |= probe_differs(&tiles->probe, &how);
	if (!differs)
		return TILES_SAME;
	return has_near(view) && tiles->probe.differ <= how.most ? TILES_NEAR : TILES_ALL;
}
