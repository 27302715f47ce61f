/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rfb/wish.h"

#include <stddef.h>

#include "base/loop.h"

static void forward(struct wish *wish)
{
	wish->waiting = false;
	wish->forwarded_ms = loop_now_ms();
	wish->forward(wish->arg, wish->viewer, wish->width, wish->height);
}

static void on_timer(void *arg)
{
	struct wish *wish = arg;

	if (wish->waiting)
		forward(wish);
}

int wish_init(struct wish *wish, struct loop *loop,
	void (*forward_fn)(void *arg, uint32_t viewer, uint32_t width, uint32_t height), void *arg)
{
	*wish = (struct wish){.forward = forward_fn, .arg = arg};
	return loop_timer_add(loop, on_timer, wish, &wish->timer);
}

void wish_finish(struct wish *wish)
{
	loop_source_free(wish->timer);
	wish->timer = NULL;
}

static void forget(struct wish *wish)
{
	wish->viewer = 0;
	wish->waiting = false;
}

static bool within(const struct wish *wish, uint32_t width, uint32_t height)
{
	return width && height && width <= wish->width_end && height <= wish->height_end;
}

static bool hoping(const struct wish *wish)
{
	return wish->viewer && loop_now_ms() - wish->made_ms <= LIMIT_WISH_MS;
}

void wish_sizes(struct wish *wish, uint32_t width, uint32_t height)
{
	wish->width_end = width;
	wish->height_end = height;
	if (wish->waiting && !within(wish, wish->width, wish->height))
		forget(wish);
}

enum size_status wish_ask(
	struct wish *wish, const struct wish_asked *asked, uint32_t width, uint32_t height)
{
	uint64_t now = loop_now_ms();

	if (asked->mode < LINK_MODE_CONTROL || !wish->width_end)
		return SIZE_PROHIBITED;
	if (!asked->whole || !within(wish, asked->width, asked->height))
		return SIZE_INVALID;
	/* Unless the guest may still follow an older wish. */
	if (asked->width == width && asked->height == height && !hoping(wish))
		return SIZE_DONE;
	wish->viewer = asked->viewer;
	wish->width = asked->width;
	wish->height = asked->height;
	wish->made_ms = now;
	if (wish->waiting)
		return SIZE_FORWARDED;
	if (now - wish->forwarded_ms >= LIMIT_RESIZE_MS) {
		forward(wish);
	} else {
		wish->waiting = true;
		loop_timer_once(wish->timer, wish->forwarded_ms + LIMIT_RESIZE_MS - now);
	}
	return SIZE_FORWARDED;
}

void wish_forget(struct wish *wish, uint32_t viewer)
{
	if (wish->viewer == viewer)
		forget(wish);
}

uint32_t wish_come_true(struct wish *wish, uint32_t width, uint32_t height)
{
	uint32_t viewer = wish->viewer;

	if (!hoping(wish) || width != wish->width || height != wish->height)
		return 0;
	forget(wish);
	return viewer;
}
