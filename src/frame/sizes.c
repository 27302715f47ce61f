/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "frame/sizes.h"

#include "base/loop.h"
#include "base/mem.h"
#include "frame/roster.h"

static bool within(uint32_t width, uint32_t height, uint32_t width_end, uint32_t height_end)
{
	return width && height && width <= width_end && height <= height_end;
}

/* It is heard only if it may still be asked for. */
static void on_timer(void *arg)
{
	struct sizes *sizes = arg;
	bool allowed;

	if (!sizes->waiting)
		return;
	sizes->waiting = false;
	pthread_mutex_lock(&sizes->lock);
	allowed = within(sizes->wish_width, sizes->wish_height, sizes->width, sizes->height);
	pthread_mutex_unlock(&sizes->lock);
	if (!allowed)
		return;
	sizes->heard_ms = loop_now_ms();
	sizes->wished(sizes->arg, sizes->wish_width, sizes->wish_height);
}

int sizes_init(struct sizes *sizes, struct loop *loop,
	void (*wished)(void *arg, uint32_t width, uint32_t height), void *arg)
{
	int r;

	*sizes = (struct sizes){.wished = wished, .arg = arg};
	r = loop_timer_add(loop, on_timer, sizes, &sizes->timer);
	if (r < 0)
		return r;
	pthread_mutex_init(&sizes->lock, NULL);
	return 0;
}

void sizes_finish(struct sizes *sizes)
{
	loop_source_free(sizes->timer);
	pthread_mutex_destroy(&sizes->lock);
}

bool sizes_set(struct sizes *sizes, uint32_t width, uint32_t height)
{
	bool news;

	if (!within(width, height, LIMIT_WIDTH, LIMIT_HEIGHT))
		width = height = 0;
	pthread_mutex_lock(&sizes->lock);
	news = width != sizes->width || height != sizes->height;
	sizes->width = width;
	sizes->height = height;
	sizes->told_width = MAX(sizes->told_width, width);
	sizes->told_height = MAX(sizes->told_height, height);
	pthread_mutex_unlock(&sizes->lock);
	return news;
}

struct link_message sizes_message(struct sizes *sizes)
{
	struct link_message message = {.type = LINK_SIZES};

	pthread_mutex_lock(&sizes->lock);
	message.sizes.width = sizes->width;
	message.sizes.height = sizes->height;
	pthread_mutex_unlock(&sizes->lock);
	return message;
}

void sizes_begin(struct sizes *sizes)
{
	pthread_mutex_lock(&sizes->lock);
	sizes->told_width = sizes->width;
	sizes->told_height = sizes->height;
	pthread_mutex_unlock(&sizes->lock);
	sizes->waiting = false;
}

bool sizes_wish(
	struct sizes *sizes, const struct roster *roster, const struct link_message *message)
{
	uint32_t width = message->resize.width, height = message->resize.height;
	uint64_t now = loop_now_ms();
	bool told;

	pthread_mutex_lock(&sizes->lock);
	told = within(width, height, sizes->told_width, sizes->told_height);
	pthread_mutex_unlock(&sizes->lock);
	if (!told || !roster_controls(roster, message->resize.viewer))
		return false;
	sizes->wish_width = width;
	sizes->wish_height = height;
	if (sizes->waiting)
		return true;
	sizes->waiting = true;
	if (now - sizes->heard_ms >= LIMIT_RESIZE_MS)
		loop_timer_once(sizes->timer, 0);
	else
		loop_timer_once(sizes->timer, sizes->heard_ms + LIMIT_RESIZE_MS - now);
	return true;
}
