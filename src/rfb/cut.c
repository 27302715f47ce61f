/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rfb/cut.h"

#include "base/mem.h"

/* Where the piece that begins at @from ends, of what ends at @end: at the first line that leaves it half a side at least, or
 * where that would leave less than half a side behind it, at the end: so it is shorter than two sides. */
static uint32_t piece_end(uint32_t from, uint32_t end, uint32_t side)
{
	uint32_t line = DIV_ROUND_UP(from + side / 2, side) * side;

	return line + side / 2 > end ? end : line;
}

bool cut_begin(struct cut *cut, sraRegionPtr region)
{
	*cut = (struct cut){.iterator = sraRgnGetIterator(region)};
	return cut->iterator != NULL;
}

bool cut_next(struct cut *cut, struct rect *ret)
{
	struct rect *rest = &cut->rest;
	uint32_t right, bottom;
	sraRect next;

	if (!rest->height) {
		/* The library's iterator may not be asked once more. */
		if (!cut->iterator || !sraRgnIteratorNext(cut->iterator, &next)) {
			cut_end(cut);
			return false;
		}
		*rest = (struct rect){next.x1, next.y1, next.x2 - next.x1, next.y2 - next.y1};
		cut->at = rest->x;
	}
	right = piece_end(cut->at, rest->x + rest->width, CUT_WIDTH);
	bottom = piece_end(rest->y, rest->y + rest->height, CUT_HEIGHT);
	*ret = (struct rect){cut->at, rest->y, right - cut->at, bottom - rest->y};
	cut->at = right;
	if (right == rest->x + rest->width) {
		cut->at = rest->x;
		rest->height -= bottom - rest->y;
		rest->y = bottom;
	}
	return true;
}

void cut_end(struct cut *cut)
{
	if (cut->iterator)
		sraRgnReleaseIterator(cut->iterator);
	cut->iterator = NULL;
}
