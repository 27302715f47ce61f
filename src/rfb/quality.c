/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rfb/quality.h"

#include "base/mem.h"

#define MS	      1000000ull
#define HEAVY_NS      (100 * MS) /* to wait so long is less than ten updates a second */
#define LIGHT_NS      (20 * MS)
#define HEAVY_COUNT   2
#define REST_NS	      (500 * MS)  /* between two steps down: the last one must show first */
#define PATIENCE_NS   (3000 * MS) /* of calm before a step up */
#define PATIENCE_MAX  (60000 * MS)
#define FINE_STEP     12 /* of 1 to 100, about what a level is */
#define COMPRESS_MORE 2

/* What LibVNCServer makes of RFB's levels: libjpeg's quality, and subsampling 0 (none), 1 (4:2:0) or 2 (4:2:2). */
static const struct {
	int quality, subsampling;
} levels[10] = {
	{15, 1}, {29, 1}, {41, 1}, {42, 2}, {62, 2}, {77, 2}, {79, 0}, {86, 0}, {92, 0}, {100, 0}};

void quality_init(struct quality *quality)
{
	*quality = (struct quality){.patience_ns = PATIENCE_NS};
}

static void lower(struct quality *quality, uint64_t now)
{
	if (quality->step == QUALITY_STEPS || now - quality->changed_ns < REST_NS)
		return;
	/* The last step up was too much. */
	if (quality->raised_ns && now - quality->raised_ns < 2 * PATIENCE_NS) {
		quality->patience_ns = MIN(2 * quality->patience_ns, PATIENCE_MAX);
		quality->failed = quality->step + 1;
	}
	quality->raised_ns = 0;
	quality->step++;
	quality->changed_ns = now;
	quality->heavy = 0;
}

static void raise_slowly(struct quality *quality, uint64_t now)
{
	bool again = quality->step <= quality->failed; /* the one above was too much once */

	if (!quality->calm_ns)
		quality->calm_ns = now;
	if (now - quality->calm_ns < (again ? quality->patience_ns : PATIENCE_NS))
		return;
	quality->calm_ns = now;
	if (quality->step < quality->failed) { /* and is not any more */
		quality->failed = 0;
		quality->patience_ns = PATIENCE_NS;
	}
	if (!quality->step)
		return;
	quality->step--;
	quality->changed_ns = quality->raised_ns = now;
}

void quality_started(struct quality *quality, uint64_t now, uint64_t held_ns)
{
	if (held_ns > LIGHT_NS)
		quality->calm_ns = 0;
	if (held_ns < HEAVY_NS)
		quality->heavy = 0;
	else if (++quality->heavy >= HEAVY_COUNT)
		lower(quality, now);
	if (held_ns <= LIGHT_NS)
		raise_slowly(quality, now);
}

static bool is_level(int level, const struct quality_levels *wish)
{
	return level >= 0 && level < (int)ARRAY_SIZE(levels) &&
	       levels[level].quality == wish->quality &&
	       levels[level].subsampling == wish->subsampling;
}

void quality_levels(const struct quality *quality, int level, const struct quality_levels *wish,
	struct quality_levels *ret)
{
	int step = quality->step, to, floor;

	*ret = *wish;
	/* Without JPEG level 0 is Tight without zlib, which only TurboVNC's viewers know. */
	ret->compression = MAX(wish->compression, 1);
	if (wish->quality < 0 || !step)
		return;
	if (is_level(level, wish)) {
		floor = MIN(level, QUALITY_FLOOR);
		to = MAX(level - step, floor);
		ret->quality = levels[to].quality;
		ret->subsampling = levels[to].subsampling;
	} else {
		floor = MIN(wish->quality, levels[QUALITY_FLOOR].quality);
		ret->quality = MAX(wish->quality - step * FINE_STEP, floor);
	}
	/* For LibVNCServer 0, 1, 5 and 6 are one and the same, and 2 makes areas of few colours smaller by a third. */
	if (wish->compression < COMPRESS_MORE || wish->compression == 5 || wish->compression == 6)
		ret->compression = COMPRESS_MORE;
}
