/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rfb/region.h"

#include "base/mem.h"
#include "rfb/palette.h"

sraRegionPtr region_of(const struct rect *rect)
{
	return sraRgnCreateRect(rect->x, rect->y, rect->x + rect->width, rect->y + rect->height);
}

void region_add(sraRegionPtr region, const struct rect *rect)
{
	sraRegionPtr more;

	if (!rect->width)
		return;
	more = region_of(rect);
	sraRgnOr(region, more);
	sraRgnDestroy(more);
}

void region_add_within(sraRegionPtr region, const struct rect *rect, const struct rect *within)
{
	uint32_t x = MAX(rect->x, within->x), y = MAX(rect->y, within->y);
	uint32_t right = MIN(rect->x + rect->width, within->x + within->width);
	uint32_t bottom = MIN(rect->y + rect->height, within->y + within->height);
	struct rect both = {x, y, right - x, bottom - y};

	if (x < right && y < bottom)
		region_add(region, &both);
}

void region_remove(sraRegionPtr region, const struct rect *rect)
{
	sraRegionPtr less = region_of(rect);

	sraRgnSubtract(region, less);
	sraRgnDestroy(less);
}

void region_move(sraRegionPtr region, const struct move *move)
{
	struct rect end = move_to(move);
	sraRegionPtr carried = region_of(&move->from);

	sraRgnAnd(carried, region);
	sraRgnOffset(carried, move->dx, move->dy);
	region_remove(region, &end);
	sraRgnOr(region, carried);
	sraRgnDestroy(carried);
}

void region_limit(sraRegionPtr region, unsigned int maximum)
{
	sraRegionPtr all;

	if (sraRgnCountRects(region) <= maximum)
		return;
	all = sraRgnBBox(region);
	sraRgnMakeEmpty(region); /* or each of its rows would stay a piece */
	sraRgnOr(region, all);
	sraRgnDestroy(all);
}

bool region_single(sraRegionPtr region, struct rect *ret)
{
	sraRectangleIterator *iterator;
	sraRect part;
	bool got;

	if (sraRgnCountRects(region) != 1)
		return false;
	iterator = sraRgnGetIterator(region);
	got = iterator && sraRgnIteratorNext(iterator, &part);
	sraRgnReleaseIterator(iterator);
	if (got)
		*ret = (struct rect){part.x1, part.y1, part.x2 - part.x1, part.y2 - part.y1};
	return got;
}

uint64_t region_covers(sraRegionPtr region, uint64_t enough)
{
	sraRectangleIterator *iterator = sraRgnGetIterator(region);
	uint64_t pixels = 0;
	sraRect part;

	while (iterator && pixels <= enough && sraRgnIteratorNext(iterator, &part))
		pixels += (uint64_t)(part.x2 - part.x1) * (part.y2 - part.y1);
	if (iterator)
		sraRgnReleaseIterator(iterator);
	return pixels;
}

bool region_has_few_colours(sraRegionPtr region, const uint32_t *pixels, size_t stride)
{
	sraRectangleIterator *iterator = sraRgnGetIterator(region);
	struct palette palette;
	bool few = iterator;
	sraRect part;

	palette_clear(&palette);
	while (few && sraRgnIteratorNext(iterator, &part))
		few = palette_add(&palette, pixels + part.y1 * stride + part.x1, stride,
			part.x2 - part.x1, part.y2 - part.y1);
	if (iterator)
		sraRgnReleaseIterator(iterator);
	return few;
}
