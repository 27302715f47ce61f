/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Looks at few rows: which are in doubt, and those alone. */
#include <string.h>

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
		return TILES_ALL;
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
