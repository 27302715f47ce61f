/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "damage/news.h"

#include <string.h>

#include "base/mem.h"

#define PIXELS_MAX (16u << 10) /* 64 KiB of the frame are read once more */

bool news_begin(struct news *news, const struct news_part *part)
{
	const struct rect *where = &part->where;
	size_t bytes = (size_t)where->width * 4;
	bool fits = !news->unknown && bytes <= part->room_stride &&
		    news->pixels + where->width * where->height <= PIXELS_MAX;

	news->unknown = true;
	if (!fits)
		return false;
	news->pixels += where->width * where->height;
	for (uint32_t y = 0; y < where->height; y++)
		memcpy(part->room + y * part->room_stride, part->frame + y * part->stride, bytes);
	return true;
}

static void add(struct rect *around, uint32_t left, uint32_t right, uint32_t y)
{
	uint32_t end = around->x + around->width, bottom = around->y + around->height;

	if (!around->width) {
		*around = (struct rect){left, y, right - left, 1};
		return;
	}
	around->x = MIN(around->x, left);
	around->width = MAX(end, right) - around->x;
	around->y = MIN(around->y, y);
	around->height = MAX(bottom, y + 1) - around->y;
}

void news_end(struct news *news, const struct news_part *part)
{
	const struct rect *where = &part->where;

	for (uint32_t y = 0; y < where->height; y++) {
		const uint32_t *then = (const uint32_t *)(part->room + y * part->room_stride);
		const uint32_t *now = (const uint32_t *)(part->frame + y * part->stride);
		uint32_t left = 0, right = where->width;

		while (left < right && then[left] == now[left])
			left++;
		while (left < right && then[right - 1] == now[right - 1])
			right--;
		if (left < right)
			add(&news->around, where->x + left, where->x + right, where->y + y);
	}
	news->unknown = false;
}
