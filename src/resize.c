/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "resize.h"

#include "base/mem.h"
#include "plane/source.h"

void resize_wish(struct resize *resize, uint32_t width, uint32_t height, uint64_t now)
{
	resize->width = width;
	resize->height = height;
	resize->wished_at = now;
}

void resize_forget(struct resize *resize)
{
	resize->width = resize->height = 0;
}

static int until(uint64_t due, uint64_t now)
{
	return due > now ? (int)(due - now) : 0;
}

enum resize_step resize_next(const struct resize *resize, uint64_t now, int *ret_wait)
{
	if (resize->down) {
		*ret_wait = MAX(until(resize->down_at + EDID_DOWN_MS, now),
			(int)retry_wait(&resize->up, false, now));
		return RESIZE_LINK_UP;
	}
	if (resize->width) {
		*ret_wait = until(resize->wished_at + RESIZE_REST_MS, now);
		return RESIZE_OFFER;
	}
	*ret_wait = -1;
	return RESIZE_NOTHING;
}

void resize_offered(struct resize *resize, uint64_t now)
{
	resize_forget(resize);
	resize->down = true;
	resize->down_at = now;
}

void resize_link_up(struct resize *resize, bool up, uint64_t now)
{
	if (up) {
		resize->down = false;
		retry_succeeded(&resize->up);
	} else {
		retry_failed(&resize->up, now);
	}
}
