/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "inbox.h"

#include <errno.h>
#include <sys/eventfd.h>

#include "base/fd.h"

/* Half of what it counts for (damage/pace.h). */
enum { TOUCH_MS = 100 };

int inbox_init(struct inbox *inbox)
{
	*inbox = (struct inbox){.wake = -EBADF};
	pthread_mutex_init(&inbox->lock, NULL);
	inbox->wake = fd_move_high(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	return inbox->wake < 0 ? -EMFILE : 0;
}

void inbox_finish(struct inbox *inbox)
{
	fd_closep(&inbox->wake);
	pthread_mutex_destroy(&inbox->lock);
}

static void order(struct inbox *inbox, void (*write_order)(struct orders *orders, uint32_t value),
	uint32_t value)
{
	uint64_t one = 1;

	pthread_mutex_lock(&inbox->lock);
	write_order(&inbox->orders, value);
	pthread_mutex_unlock(&inbox->lock);
	if (write(inbox->wake, &one, sizeof(one)) < 0)
		return; /* full: it is awake already */
}

static void write_stop(struct orders *orders, uint32_t value)
{
	orders->stop = true;
}

static void write_watch(struct orders *orders, uint32_t watchers)
{
	orders->watch_changed = true;
	orders->watchers = watchers;
}

static void write_program_ended(struct orders *orders, uint32_t value)
{
	orders->program_ended = true;
	orders->granted = orders->busy = orders->taken = false;
	write_watch(orders, 0);
}

static void write_granted(struct orders *orders, uint32_t generation)
{
	orders->granted = true;
	orders->busy = false;
	orders->generation = generation;
}

static void write_busy(struct orders *orders, uint32_t generation)
{
	if (orders->granted)
		return;
	orders->busy = true;
	orders->generation = generation;
}

static void write_taken(struct orders *orders, uint32_t generation)
{
	orders->taken = true;
	orders->taken_generation = generation;
}

static void write_glance(struct orders *orders, uint32_t value)
{
	orders->glance = true;
}

static void write_snapshot(struct orders *orders, uint32_t value)
{
	orders->snapshot = true;
}

static void write_resize(struct orders *orders, uint32_t value)
{
	orders->resize = true;
}

static void write_touched(struct orders *orders, uint32_t value)
{
	orders->touched = true;
}

void inbox_stop(struct inbox *inbox)
{
	order(inbox, write_stop, 0);
}

void inbox_watch(struct inbox *inbox, unsigned int watchers, uint64_t audience)
{
	pthread_mutex_lock(&inbox->lock);
	inbox->orders.audience = audience;
	pthread_mutex_unlock(&inbox->lock);
	order(inbox, write_watch, watchers);
}

void inbox_program_ended(struct inbox *inbox)
{
	order(inbox, write_program_ended, 0);
}

void inbox_granted(struct inbox *inbox, uint32_t generation)
{
	order(inbox, write_granted, generation);
}

void inbox_busy(struct inbox *inbox, uint32_t generation)
{
	order(inbox, write_busy, generation);
}

void inbox_taken(struct inbox *inbox, uint32_t generation)
{
	order(inbox, write_taken, generation);
}

void inbox_glance(struct inbox *inbox)
{
	order(inbox, write_glance, 0);
}

void inbox_snapshot(struct inbox *inbox)
{
	order(inbox, write_snapshot, 0);
}

void inbox_resize(struct inbox *inbox, uint32_t width, uint32_t height)
{
	pthread_mutex_lock(&inbox->lock);
	inbox->orders.width = width;
	inbox->orders.height = height;
	pthread_mutex_unlock(&inbox->lock);
	order(inbox, write_resize, 0);
}

void inbox_touch(struct inbox *inbox, uint64_t now)
{
	if (inbox->touched_at && now - inbox->touched_at < TOUCH_MS)
		return;
	inbox->touched_at = now;
	order(inbox, write_touched, 0);
}

struct orders inbox_take(struct inbox *inbox)
{
	struct orders orders;

	pthread_mutex_lock(&inbox->lock);
	orders = inbox->orders;
	inbox->orders = (struct orders){
		.stop = orders.stop,
		.watchers = orders.watchers,
		.audience = orders.audience,
	};
	pthread_mutex_unlock(&inbox->lock);
	return orders;
}

struct orders inbox_take_frame(struct inbox *inbox)
{
	struct orders orders;

	pthread_mutex_lock(&inbox->lock);
	orders = inbox->orders;
	inbox->orders.program_ended = false;
	inbox->orders.granted = inbox->orders.busy = inbox->orders.taken = false;
	pthread_mutex_unlock(&inbox->lock);
	return orders;
}

bool inbox_stopping(struct inbox *inbox)
{
	bool stop;

	pthread_mutex_lock(&inbox->lock);
	stop = inbox->orders.stop;
	pthread_mutex_unlock(&inbox->lock);
	return stop;
}
