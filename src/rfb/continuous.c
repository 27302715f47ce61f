/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rfb/continuous.h"

#include <errno.h>

#include <rfb/rfbregion.h>

#include "base/mem.h"

int continuous_init(struct continuous *continuous)
{
	*continuous = (struct continuous){.asked = sraRgnCreate()};
	return continuous->asked ? 0 : -ENOMEM;
}

void continuous_finish(struct continuous *continuous)
{
	if (continuous->asked)
		sraRgnDestroy(continuous->asked);
	continuous->asked = NULL;
}

static void add(sraRegionPtr to, const struct rect *area, uint32_t width_end, uint32_t height_end)
{
	uint32_t right = MIN(area->x + area->width, width_end);
	uint32_t bottom = MIN(area->y + area->height, height_end);
	sraRegionPtr region;

	if (area->x >= right || area->y >= bottom)
		return;
	region = sraRgnCreateRect(area->x, area->y, right, bottom);
	sraRgnOr(to, region);
	sraRgnDestroy(region);
}

void continuous_switch(
	struct continuous *continuous, rfbClientPtr client, bool on, const struct rect *area)
{
	sraRegionPtr requested = client->requestedRegion;

	/* What is due already stays so, full requests above all. */
	if (on)
		sraRgnAnd(requested, client->modifiedRegion);
	if (on && !continuous->on)
		sraRgnOr(continuous->asked, requested);
	if (!on && continuous->on) {
		sraRgnMakeEmpty(requested);
		sraRgnOr(requested, continuous->asked);
		sraRgnMakeEmpty(continuous->asked);
	}
	continuous->on = on;
	continuous->area = *area;
}

void continuous_follow(struct continuous *continuous, rfbClientPtr client)
{
	if (continuous->on)
		add(client->requestedRegion, &continuous->area, client->screen->width,
			client->screen->height);
}

void continuous_asked(struct continuous *continuous, const struct rect *area)
{
	if (continuous->on)
		add(continuous->asked, area, UINT16_MAX, UINT16_MAX);
}

void continuous_sent(struct continuous *continuous, rfbClientPtr client)
{
	/* The library forgets all requests when it has sent something of what they ask for, and all of that was due. */
	if (continuous->on && sraRgnEmpty(client->requestedRegion))
		sraRgnMakeEmpty(continuous->asked);
}
